import type { Choice, Item } from '../agent/agent-types.js'
import { detailLines, headerLine, itemLine, type RootNames } from './layout.js'

export type Decided = readonly Choice[] | 'quit'

/**
 * Unison's text interface as a machine: keys in, text out, no terminal. One item after the other is shown and decided; then one more
 * question, whether to proceed. Problems are shown and not asked about.
 */
export class TextUi {
  private readonly choices: Choice[]
  /** Index of the item that is asked about; items.length stands for the last question. */
  private at = 0
  private outcome: Decided | undefined

  constructor(
    private readonly items: readonly Item[],
    private readonly names: RootNames,
  ) {
    this.choices = items.map(() => 'default')
  }

  /** What was decided, once everything is. */
  get decided(): Decided | undefined {
    return this.outcome
  }

  /** The first lines. */
  start(): string {
    return `\n${headerLine(this.names)}\n${this.goForward(0)}`
  }

  /** Takes one key: a character, or the name of an arrow. Answers what is to be written. */
  press(key: string): string {
    if (this.outcome !== undefined) return ''
    const wanted = alike[key] ?? key
    if (wanted === 'q') {
      this.outcome = 'quit'
      return '\n'
    }
    return this.at < this.items.length ? this.pressAtItem(wanted) : this.pressAtEnd(wanted)
  }

  private pressAtItem(key: string): string {
    switch (key) {
      case 'f':
        return this.choose('default')
      case '>':
        return this.choose('to-beta')
      case '<':
        return this.choose('to-alpha')
      case '/':
        return this.choose('skip')
      case 'r': {
        this.choices[this.at] = 'default'
        return `\r${this.prompt()}`
      }
      case '%':
        for (let at = this.at; at < this.items.length; at++) this.choices[at] = 'skip'
        return `\n${this.goForward(this.items.length)}`
      case 'n':
        return `\n${this.goForward(this.at + 1)}`
      case 'p':
        return `\n${this.goBack(this.at - 1)}`
      case '0':
        return `\n${this.goForward(0)}`
      case '9':
        return `\n${this.goBack(this.items.length - 1)}`
      case 'x':
        return `\n${this.details(this.at)}\n${this.prompt()}`
      case 'l':
        return `\n${this.list(this.at, true)}${this.prompt()}`
      case 'L':
        return `\n${this.list(this.at, false)}${this.prompt()}`
      case 's':
        return `\n${this.goForward(this.items.length)}`
      case 'g':
        return `\n${this.proceed()}`
      case '?':
        return `\n${itemHelp}${this.prompt()}`
      default:
        return `\n${unknownKey}${this.prompt()}`
    }
  }

  private pressAtEnd(key: string): string {
    switch (key) {
      case 'y':
      case 'g':
        return `${key}\n${this.proceed()}`
      case 'n':
        return `\n${this.goForward(0)}`
      case 'p':
        return `\n${this.goBack(this.items.length - 1)}`
      case 'l':
        return `\n${this.list(0, true)}${proceedQuestion}`
      case 'L':
        return `\n${this.list(0, false)}${proceedQuestion}`
      case '?':
        return `\n${proceedHelp}${proceedQuestion}`
      default:
        return `\n${unknownKey}${proceedQuestion}`
    }
  }

  private choose(choice: Choice): string {
    const item = this.items[this.at]
    if (item === undefined) return ''
    this.choices[this.at] = choice
    // The line again as it is decided now, over the old one where it changed.
    const line = choice === 'default' ? '' : `\r${itemLine(item, choice)}      `
    return `${line}\n${this.goForward(this.at + 1)}`
  }

  /** To the first item from `start` on that can be decided, showing the problems on the way. */
  private goForward(start: number): string {
    let text = ''
    this.at = start
    for (let item = this.items[this.at]; item !== undefined; item = this.items[this.at]) {
      if (item.kind !== 'problem') return text + this.prompt()
      text += `${itemLine(item)}\n${this.details(this.at)}\n`
      this.at++
    }
    if (!this.anythingToDo()) {
      this.outcome = this.choices
      return `${text}No updates to propagate\n`
    }
    return `${text}\n${proceedQuestion}`
  }

  /** To the last item up to `start` that can be decided; to the first one if there is none before. */
  private goBack(start: number): string {
    for (let at = start; at >= 0; at--) {
      if (this.items[at]?.kind === 'problem') continue
      this.at = at
      return this.prompt()
    }
    return this.goForward(0)
  }

  private proceed(): string {
    this.at = this.items.length
    this.outcome = this.choices
    return this.anythingToDo() ? '' : 'No updates to propagate\n'
  }

  private anythingToDo(): boolean {
    return this.items.some((item, at) => {
      const choice = this.choices[at] ?? 'default'
      return item.kind !== 'problem' && (choice === 'default' ? item.direction !== 'none' : choice !== 'skip')
    })
  }

  private prompt(): string {
    const item = this.items[this.at]
    if (item === undefined) return proceedQuestion
    return `${itemLine(item, this.choices[this.at])}  ${item.direction === 'none' ? '[]' : '[f]'} `
  }

  private list(start: number, withDetails: boolean): string {
    return this.items
      .slice(start)
      .map(
        (item, at) =>
          `${itemLine(item, this.choices[start + at])}\n${withDetails ? `${this.details(start + at)}\n` : ''}`,
      )
      .join('')
  }

  private details(at: number): string {
    const item = this.items[at]
    return item === undefined ? '' : detailLines(item, this.names).join('\n')
  }
}

const proceedQuestion = 'Proceed with propagating updates? [] '

/**
 * Keys that mean the same. Ctrl-C and Ctrl-D too must end it, since a raw terminal makes no signal of them, and NUL, which
 * util-linux's script sends when its own input has ended.
 */
const alike: Readonly<Record<string, string>> = {
  '\r': 'f',
  '\n': 'f',
  ' ': 'f',
  '.': '>',
  right: '>',
  ',': '<',
  left: '<',
  ':': '/',
  j: 'n',
  '\t': 'n',
  down: 'n',
  k: 'p',
  b: 'p',
  up: 'p',
  home: '0',
  end: '9',
  u: 'r',
  '\0': 'q',
  '\x03': 'q',
  '\x04': 'q',
  '\x1b': 'q',
}

const unknownKey = 'This key does nothing here; press ? for help.\n'

const itemHelp = `Commands:
  Return f     follow the arrow (a conflict without one is left as it is)
  > . right    propagate from left to right
  < , left     propagate from right to left
  / :          skip: leave both sides as they are
  %            skip this and all that follow
  r u          back to the default
  n j down     next one, undecided        p k b up   previous one
  0 home       first one                  9 end      last one
  x            details of this one        l, L       list the following with details, tersely
  s            stop asking, go to the last question
  g            proceed at once
  q            quit: nothing is changed
  ?            this help
`

const proceedHelp = `Commands:
  y g          yes: propagate as decided
  n            no: go through the items again
  p b          back to the last item
  l, L         list all with details, tersely
  q            quit: nothing is changed
  ?            this help
`

/** The keys in what a terminal sent at once: characters, and the arrows by their names. */
export function keysOf(chunk: string): string[] {
  const keys: string[] = []
  for (const [match] of chunk.matchAll(/\x1b[[O][0-9;]*[A-Za-z~]|[\s\S]/gu))
    keys.push(arrows[match.slice(-1)] !== undefined && match.length > 1 ? (arrows[match.slice(-1)] ?? match) : match)
  return keys
}

const arrows: Readonly<Record<string, string>> = { A: 'up', B: 'down', C: 'right', D: 'left', H: 'home', F: 'end' }

/**
 * What an expression costs, by its source alone: one of sixty characters can stand for hundreds of thousands of instructions, and they are all
 * made before the compiler tells of them. The syntax is RE2's; of what is no expression anything may be told.
 */
export interface RegexSize {
  /** At most so many instructions does it compile to, and a microsecond or some for each does that take. */
  readonly size: number
  /** The same expression, which captures nothing and closes what it quotes: it stands beside others in one. */
  readonly plain: string
}

export function regexSize(source: string): RegexSize {
  return new RegexReader(source).read()
}

interface Group {
  /** Instructions of everything in it so far. */
  size: number
  /** Of the last part of it, to which a repetition belongs. */
  last: number
}

/** The two ends of what a group captures, and one for an empty group. */
const groupSize = 3
/** What a class is made of besides: a table of Unicode, and a range that is looked up character by character as case does not count. */
const tableCost = 40
const foldedRangeCost = 300
/** Longest repetition: {1000,1000}. */
const repetitionChars = 16

class RegexReader {
  private at = 0
  private readonly groups: Group[] = [{ size: 3, last: 0 }]
  /** Of classes: however often they are repeated they are made once. */
  private cost = 0
  private plain = ''
  private readonly folds: boolean

  constructor(private readonly source: string) {
    // Wherever it is said: that it is said for some of the groups makes the others only seem to cost more.
    this.folds = /\(\?[a-zA-Z-]*i/.test(source)
  }

  read(): RegexSize {
    while (this.at < this.source.length) {
      const from = this.at
      this.plain += this.part() ?? this.source.slice(from, this.at)
    }
    while (this.groups.length > 1) this.close()
    return { size: this.cost + (this.groups[0]?.size ?? 0), plain: this.plain }
  }

  /** Answers what stands for it in the plain expression, where that is something else. */
  private part(): string | undefined {
    const { source } = this
    const kind = source[this.at++]
    if (kind === '(') return this.open()
    if (kind === '\\') return this.escape()
    if (kind === ')') this.close()
    else if (kind === '[') this.set()
    else if (kind === '*' || kind === '+' || kind === '?') this.repeat(1, 0)
    else if (kind === '{') this.braces()
    // The fork, and an instruction for a branch in which nothing stands.
    else this.add(kind === '|' ? 2 : 1)
    return undefined
  }

  private add(size: number): void {
    const group = this.groups.at(-1)
    if (group === undefined) return
    group.size += size
    group.last = size
  }

  private repeat(least: number, most: number): void {
    const group = this.groups.at(-1)
    if (group === undefined) return
    const times = Math.max(1, least, most)
    const repeated = Math.min(times * group.last + Math.max(0, most - least) + 2, sizeMax)
    group.size = Math.min(group.size + repeated - group.last, sizeMax)
    group.last = repeated
  }

  private braces(): void {
    const rest = this.source.slice(this.at, this.at + repetitionChars)
    const found = /^(\d+)(?:,(\d*))?\}/.exec(rest)
    if (found === null) {
      this.add(1)
      return
    }
    this.at += found[0].length
    this.repeat(Number(found[1]), Number(found[2] ?? 0))
  }

  private open(): string | undefined {
    const { source } = this
    if (source[this.at] !== '?') {
      this.groups.push({ size: groupSize, last: 0 })
      return '(?:'
    }
    const rest = source.slice(this.at)
    const named = /^\?P?<[^>]*>/.exec(rest)
    if (named !== null) {
      this.at += named[0].length
      this.groups.push({ size: groupSize, last: 0 })
      return '(?:'
    }
    const [flags = '?', end] = /^\?[^:)]*([:)]?)/.exec(rest) ?? []
    this.at += flags.length
    // With ')' they are flags for what follows, and no group.
    if (end !== ')') this.groups.push({ size: groupSize, last: 0 })
    return undefined
  }

  private close(): void {
    if (this.groups.length < 2) return
    const group = this.groups.pop()
    if (group !== undefined) this.add(group.size)
  }

  /** After the backslash. */
  private escape(): string | undefined {
    const { source } = this
    const kind = source[this.at]
    if (kind !== 'Q') {
      if (isTable(kind)) this.cost += tableCost
      this.add(1)
      this.skipEscape()
      return undefined
    }
    const end = source.indexOf('\\E', this.at + 1)
    const quoted = source.slice(this.at + 1, end < 0 ? undefined : end)
    this.at = end < 0 ? source.length : end + 2
    for (const _ of quoted) this.add(1)
    return `\\Q${quoted}\\E`
  }

  private skipEscape(): void {
    const { source } = this
    const kind = source[this.at++]
    if (!isTable(kind) && kind !== 'x') return
    if (source[this.at] === '{') {
      const end = source.indexOf('}', this.at)
      this.at = end < 0 ? source.length : end + 1
    } else if (isTable(kind)) this.at++
  }

  /** After the bracket. */
  private set(): void {
    const { source } = this
    this.add(1)
    if (source[this.at] === '^') this.at++
    for (let first = true; this.at < source.length && (first || source[this.at] !== ']'); first = false) {
      const named = source.startsWith('[:', this.at) ? source.indexOf(':]', this.at) : -1
      if (named >= 0) {
        this.at = named + 2
        this.cost++
        continue
      }
      if (source[this.at] === '\\' && /[pPdDsSwW]/.test(source[this.at + 1] ?? '')) {
        this.at++
        this.cost += isTable(source[this.at]) ? tableCost : 1
        this.skipEscape()
        continue
      }
      this.member()
      if (source[this.at] !== '-' || source[this.at + 1] === ']') continue
      const isShort = /^[ -~]-[ -[\]-~]/.test(source.slice(this.at - 1, this.at + 2))
      this.at++
      this.member()
      this.cost += this.folds && !isShort ? foldedRangeCost : 1
    }
    this.at++
  }

  private member(): void {
    if (this.source[this.at] === '\\') {
      this.at++
      this.skipEscape()
    } else this.at += (this.source.codePointAt(this.at) ?? 0) > 0xffff ? 2 : 1
  }
}

/** More than anybody allows. */
const sizeMax = 1e9

const isTable = (kind: string | undefined) => kind === 'p' || kind === 'P'

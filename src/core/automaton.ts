import type { Glob, Part, Range } from './glob.js'

/**
 * Many globs as one automaton: a path is read once, from left to right, whatever their number. Its states are found while
 * matching and kept, so a character costs a look into a table; what is kept is bounded, and a pattern made to need more
 * costs one pass over its parts for each character.
 *
 *     exact    the glob matches the whole text
 *     below    the glob matches the text, or a part of it before a '/'
 *     tail     the glob matches the text, or a part of it after a '/'
 */
export interface Rule {
  readonly glob: Glob
  readonly reach: 'exact' | 'below' | 'tail'
}

/** Transitions that are kept before all is forgotten and found anew: 4 MB. */
const transitionsMax = 1_000_000
/** And so many places in the rules, of all states together: 4 MB. */
const placesMax = 250_000

const dot = 46
const slash = 47

/** One place in a rule. `next` and `others` are indices of nodes. */
interface Node {
  readonly kind: Part['kind'] | 'end' | 'anything' | 'any-start'
  readonly code: number
  readonly ranges: readonly Range[]
  readonly negated: boolean
  readonly next: number
  readonly others: readonly number[]
}

/** Where the rules may stand after some text. */
interface State {
  readonly nodes: Int32Array
  /** At the start of a component: here wildcards do not match a dot. */
  readonly starts: boolean
  readonly accepts: boolean
}

/** Numbers of states: nothing can match any more, whatever follows matches, and the one before any text. */
const dead = 0
const settled = 1
const initial = 2
/** In the table: not found yet. Less than every state. */
const unknown = -1

export class Automaton {
  private readonly nodes: Node[] = []
  private readonly entries: number[] = []
  /** First code points of the classes: characters that no rule tells apart. */
  private readonly bounds: number[]
  private readonly asciiClass = new Uint16Array(128)
  private readonly states: State[] = []
  /** By the hash of their nodes, or the next free number after it. */
  private readonly numbers = new Map<number, number>()
  /** The state after a state and a class of the next character, at state times the number of classes plus class. */
  private table = new Int32Array(0)
  /** Nodes of all states, one after the other, and how many: what is forgotten leaves no megabytes to be collected. */
  private pool = new Int32Array(0)
  private places = 0
  private readonly reached: Places
  private readonly next: Places

  constructor(rules: readonly Rule[]) {
    const bounds = new Set([0, dot, dot + 1, slash, slash + 1])
    for (const rule of rules) addBounds(rule.glob, bounds)
    this.bounds = [...bounds].sort((a, b) => a - b)
    for (let code = 0; code < 128; code++) this.asciiClass[code] = this.classOf(code)
    for (const rule of rules) this.addRule(rule)
    this.reached = new Places(this.nodes.length)
    this.next = new Places(this.nodes.length)
    this.forget()
  }

  /** Whether the text from `from` on matches. */
  matches(text: string, from = 0): boolean {
    const { asciiClass } = this
    const classes = this.bounds.length
    let table = this.table
    let state = initial
    for (let at = from; at < text.length; at++) {
      let code = text.charCodeAt(at)
      let kind: number
      if (code < 128) {
        kind = asciiClass[code] ?? 0
      } else {
        if (code >= 0xd800 && code < 0xdc00) {
          code = text.codePointAt(at) ?? code
          if (code > 0xffff) at++
        }
        kind = this.classOf(code)
      }
      let next = table[state * classes + kind] ?? unknown
      if (next < initial) {
        if (next === unknown) {
          next = this.step(state, kind)
          table = this.table
        }
        if (next === dead) return false
        if (next === settled) return true
      }
      state = next
    }
    return this.states[state]?.accepts ?? false
  }

  private classOf(code: number): number {
    let low = 0
    let high = this.bounds.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((this.bounds[middle] ?? 0) <= code) low = middle
      else high = middle
    }
    return low
  }

  private step(from: number, kind: number): number {
    const state = this.states[from]
    if (state === undefined) return dead
    const code = this.bounds[kind] ?? 0
    const guarded = state.starts && code === dot
    const { next } = this
    next.clear()
    const reached = this.closure(state.nodes, !guarded)
    for (let index = 0; index < reached.count; index++) {
      const at = reached.at(index)
      const node = this.nodes[at]
      if (node === undefined) continue
      if (consumes(node, code, guarded)) next.add(node.kind === 'many' || node.kind === 'anything' ? at : node.next)
      if (node.kind === 'any-start') {
        next.add(at)
        if (code === slash) next.add(node.next)
      }
    }
    const isFull = this.states.length * this.bounds.length > transitionsMax || this.places > placesMax
    if (isFull) this.forget()
    const number = this.numberOf(next.sorted(), code === slash)
    if (!isFull) this.table[from * this.bounds.length + kind] = number
    return number
  }

  /** The number of a state, new or known. `nodes` is looked at only, and may be used again. */
  private numberOf(nodes: Int32Array, starts: boolean): number {
    if (nodes.length === 0) return dead
    let key = hashOf(nodes, starts)
    for (;;) {
      const known = this.numbers.get(key)
      if (known === undefined) break
      const state = this.states[known]
      if (state?.starts === starts && isSame(state.nodes, nodes)) return known
      key++
    }
    const reached = this.closure(nodes, true)
    let accepts = false
    let settles = false
    for (let index = 0; index < reached.count; index++) {
      const kind = this.nodes[reached.at(index)]?.kind
      if (kind === 'end') accepts = true
      else if (kind === 'anything') settles = true
    }
    if (settles) return settled
    const number = this.states.length
    this.numbers.set(key, number)
    this.states.push({ nodes: this.kept(nodes), starts, accepts })
    const size = this.states.length * this.bounds.length
    if (size > this.table.length) {
      const table = new Int32Array(size * 2).fill(unknown)
      table.set(this.table)
      this.table = table
    }
    return number
  }

  private kept(nodes: Int32Array): Int32Array {
    const end = this.places + nodes.length
    // Those that are known keep the one that is too short, until they are forgotten.
    if (end > this.pool.length) this.pool = new Int32Array(2 * end)
    const kept = this.pool.subarray(this.places, end)
    kept.set(nodes)
    this.places = end
    return kept
  }

  private forget(): void {
    const nowhere: State = { nodes: new Int32Array(0), starts: false, accepts: false }
    this.table.fill(unknown, 0, this.states.length * this.bounds.length)
    this.states.length = 0
    this.states.push(nowhere, { ...nowhere, accepts: true })
    this.numbers.clear()
    this.places = 0
    this.numberOf(Int32Array.from(this.entries), true)
  }

  /** The nodes that can be reached without a character, until it is asked again; `skipping`: a `*` may match nothing. */
  private closure(nodes: Int32Array, skipping: boolean): Places {
    const { reached } = this
    reached.clear()
    for (const at of nodes) reached.add(at)
    for (let index = 0; index < reached.count; index++) {
      const node = this.nodes[reached.at(index)]
      if (node?.kind === 'choice') for (const other of node.others) reached.add(other)
      else if (node?.kind === 'many' && skipping) reached.add(node.next)
    }
    return reached
  }

  private addRule(rule: Rule): void {
    let next = this.add({ kind: 'end' })
    if (rule.reach === 'below') {
      const below = this.add({ kind: 'char', code: slash, next: this.add({ kind: 'anything' }) })
      next = this.add({ kind: 'choice', others: [next, below] })
    }
    const start = this.addGlob(rule.glob, next)
    this.entries.push(start)
    if (rule.reach === 'tail') this.entries.push(this.add({ kind: 'any-start', next: start }))
  }

  private addGlob(glob: Glob, after: number): number {
    let next = after
    for (const part of glob.toReversed())
      next = this.add(
        part.kind === 'choice'
          ? { kind: 'choice', others: part.of.map((other) => this.addGlob(other, next)) }
          : { ...part, next },
      )
    return next
  }

  private add(node: Partial<Node> & Pick<Node, 'kind'>): number {
    const { kind, code = -1, ranges = none, negated = false, next = -1, others = none } = node
    return this.nodes.push({ kind, code, ranges, negated, next, others }) - 1
  }
}

/** A set of nodes in the order in which they came, made once: a step through many rules would leave as many megabytes to be collected. */
class Places {
  count = 0
  private readonly list: Int32Array
  private readonly rounds: Uint32Array
  private round = 0

  constructor(size: number) {
    this.list = new Int32Array(size)
    this.rounds = new Uint32Array(size)
  }

  clear(): void {
    this.count = 0
    this.round++
    if (this.round < 0xffff_ffff) return
    this.rounds.fill(0)
    this.round = 1
  }

  add(node: number): void {
    if (this.rounds[node] === this.round) return
    this.rounds[node] = this.round
    this.list[this.count++] = node
  }

  at(index: number): number {
    return this.list[index] ?? 0
  }

  /** They are in order from now on; good until the next change. */
  sorted(): Int32Array {
    return this.list.subarray(0, this.count).sort()
  }
}

/** FNV-1a over whole numbers: a text of them would be as long as all their digits, for each step. */
function hashOf(nodes: Int32Array, starts: boolean): number {
  let hash = starts ? 0x811c9dc5 : 0x050c5d1f
  for (const node of nodes) hash = Math.imul(hash ^ node, 0x01000193)
  return hash >>> 0
}

function isSame(one: Int32Array, other: Int32Array): boolean {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

/** One for all: there are many nodes. */
const none: readonly never[] = []

function consumes(node: Node, code: number, guarded: boolean): boolean {
  switch (node.kind) {
    case 'char':
      return node.code === code
    case 'one':
    case 'many':
      return !guarded && code !== slash
    case 'set':
      return !guarded && code !== slash && node.ranges.some(([from, to]) => from <= code && code <= to) !== node.negated
    case 'anything':
      return true
    default:
      return false
  }
}

function addBounds(glob: Glob, bounds: Set<number>): void {
  for (const part of glob) {
    if (part.kind === 'char') bounds.add(part.code).add(part.code + 1)
    else if (part.kind === 'set') for (const [from, to] of part.ranges) bounds.add(from).add(to + 1)
    else if (part.kind === 'choice') for (const other of part.of) addBounds(other, bounds)
  }
}

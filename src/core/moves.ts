import type { Content, FileContent } from './content.js'
import type { Conflict, Decision, Settle } from './decision.js'
import { componentsOf, isWithin, join, nameOf, parentOf, type RelPath, relativeTo, rootPath } from './path.js'
import { type Rules, rulesAt } from './rules.js'
import { otherSide, type Side } from './side.js'

/** One rename on `to`: the other side did it before. */
export interface Move {
  readonly to: Side
  readonly from: RelPath
  readonly path: RelPath
  /** What `to` holds at the old path, and what the other side holds at the new one. */
  readonly expect: Content
  readonly found: Content
}

/** Where the directories of a side came from, by their paths now: hints of its index. */
export type Hints = Readonly<Record<Side, ReadonlyMap<RelPath, RelPath>>>

export interface Moves {
  /** None of them lies in another one, nor leads to one. */
  readonly moves: readonly Move[]
  /** Directories that must be made first, parents first, since something is moved into them. */
  readonly made: Readonly<Record<Side, readonly RelPath[]>>
  /** Files that may have been moved: their fingerprints would tell. */
  readonly unread: Readonly<Record<Side, readonly RelPath[]>>
}

/**
 * Which removals and creations are one and the same thing, that only has another place: a directory, by the hint of the side
 * that moved it; a file, by fingerprint and size. Both must have been decided for the same side, or the old place be in
 * conflict only because the other side has changed what was there: that goes along. Never where both sides moved it (the old
 * place is then empty on both), never what a preference keeps where it is.
 *
 * Made out of the decisions, and to be made so again once these moves are done: what is moved inside of, into or out of what
 * is moved is found then.
 */
export function findMoves(decisions: readonly Decision[], hints: Hints, rules: Rules, allows: Allows): Moves {
  const moves: Move[] = []
  const made: Record<Side, readonly RelPath[]> = { alpha: [], beta: [] }
  const unread: Record<Side, readonly RelPath[]> = { alpha: [], beta: [] }
  const kept = decisions.flatMap((one) => (one.kind === 'conflict' && one.why !== undefined ? [one.path] : []))
  for (const to of ['alpha', 'beta'] as const) {
    const search = new Search(to, decisions, rules, kept, allows)
    if (search.isHopeless) continue
    search.directories(hints[otherSide(to)])
    search.files()
    moves.push(...search.moves)
    made[to] = search.madeFirst()
    unread[otherSide(to)] = search.unread
  }
  return { moves, made, unread }
}

/** Whether a move may be made: one that failed is not tried again. */
export type Allows = (move: Move) => boolean

type Vanished = Settle | Conflict

class Search {
  readonly moves: Move[] = []
  readonly unread: RelPath[] = []
  private readonly made = new Set<RelPath>()
  private readonly source: Side
  /** Paths of the moves that were found, old and new, and what leads to them. */
  private readonly taken = new Set<RelPath>()
  private readonly leading = new Set<RelPath>()
  private readonly settles = new Map<RelPath, Settle>()
  private readonly vanished = new Map<RelPath, Vanished>()
  private readonly appeared: Settle[] = []

  constructor(
    private readonly to: Side,
    decisions: readonly Decision[],
    private readonly rules: Rules,
    private readonly kept: readonly RelPath[],
    private readonly allows: Allows,
  ) {
    this.source = otherSide(to)
    for (const decision of decisions)
      if ((decision.kind === 'settle' || decision.kind === 'conflict') && this.hasVanished(decision))
        this.vanished.set(decision.path, decision)
    // Of a first sync all has appeared: nothing is sorted for it.
    if (this.vanished.size === 0) return
    for (const decision of decisions) {
      if (decision.kind !== 'settle') continue
      this.settles.set(decision.path, decision)
      if (this.hasAppeared(decision)) this.appeared.push(decision)
    }
    this.appeared.sort(byDepth)
  }

  get isHopeless(): boolean {
    return this.vanished.size === 0 || this.appeared.length === 0
  }

  directories(hints: ReadonlyMap<RelPath, RelPath>): void {
    if (hints.size === 0) return
    for (const appeared of this.appeared) {
      const from = hints.get(appeared.path)
      const vanished = from === undefined ? undefined : this.vanished.get(from)
      if (vanished?.agreement.kind === 'directory' && appeared.goal.kind === 'directory') this.take(vanished, appeared)
    }
  }

  files(): void {
    const known = new Map<string, Vanished[]>()
    const sizes = new Set<number>()
    for (const vanished of this.vanished.values()) {
      const { agreement } = vanished
      if (agreement.kind !== 'file' || agreement.fingerprint === undefined || this.isTaken(vanished.path)) continue
      const list = known.get(keyOf(agreement))
      if (list === undefined) known.set(keyOf(agreement), [vanished])
      else list.push(vanished)
      sizes.add(agreement.sizeBytes)
    }
    for (const appeared of this.appeared) {
      const found = appeared[this.source]
      // Nothing is saved by moving an empty file, and nothing tells one from another.
      if (found.kind !== 'file' || found.sizeBytes === 0 || this.isTaken(appeared.path)) continue
      if (found.fingerprint === undefined) {
        if (sizes.has(found.sizeBytes)) this.unread.push(appeared.path)
        continue
      }
      const list = known.get(keyOf(found))
      const best = list === undefined ? undefined : nearest(list, appeared.path)
      if (list !== undefined && best !== undefined && this.take(best, appeared)) list.splice(list.indexOf(best), 1)
    }
  }

  madeFirst(): RelPath[] {
    return [...this.made].sort((one, other) => one.length - other.length)
  }

  private hasVanished(decision: Settle | Conflict): boolean {
    const { path, agreement } = decision
    const have = decision[this.to]
    if (path === rootPath || decision[this.source].kind !== 'absent' || have.kind !== agreement.kind) return false
    if (decision.kind === 'conflict' && (decision.about !== 'content' || decision.why !== undefined)) return false
    // What a side is spared is told only by what is decided.
    const isDecided = decision.kind === 'settle' && decision.goal.kind === 'absent'
    if (this.rules.spares !== undefined && !isDecided) return false
    if (!isDecided && this.isForced(path)) return false
    return (agreement.kind === 'file' || agreement.kind === 'directory') && this.mayChange(path)
  }

  private hasAppeared(decision: Settle): boolean {
    const { path, agreement, goal } = decision
    if (agreement.kind !== 'absent' || decision[this.to].kind !== 'absent') return false
    return (
      (goal.kind === 'file' || goal.kind === 'directory') &&
      goal.kind === decision[this.source].kind &&
      this.mayChange(path)
    )
  }

  /** A side that wins whatever is done on the other one is not changed by it. */
  private mayChange(path: RelPath): boolean {
    return rulesAt(this.rules, path).force !== this.to
  }

  /** Somebody is forced to win at the path or above it. */
  private isForced(path: RelPath): boolean {
    for (let at = path; ; at = parentOf(at)) {
      if (rulesAt(this.rules, at).force !== 'nobody') return true
      if (at === rootPath) return false
    }
  }

  private take(vanished: Vanished, appeared: Settle): boolean {
    const { path } = appeared
    const from = vanished.path
    if (this.isTaken(from) || this.isTaken(path) || this.leading.has(from) || this.leading.has(path)) return false
    if (isWithin(path, from) || isWithin(from, path)) return false
    if (this.kept.some((at) => isWithin(at, from) || isWithin(at, path))) return false
    const move = { to: this.to, from, path, expect: vanished[this.to], found: appeared[this.source] }
    if (!this.allows(move)) return false
    const made = this.missingAbove(path)
    if (made === undefined) return false
    for (const each of made) this.made.add(each)
    this.moves.push(move)
    for (const each of [from, path]) {
      this.taken.add(each)
      for (let at = each; at !== rootPath; at = parentOf(at)) this.leading.add(parentOf(at))
    }
    return true
  }

  private isTaken(path: RelPath): boolean {
    if (this.taken.size === 0) return false
    for (let at = path; at !== rootPath; at = parentOf(at)) if (this.taken.has(at)) return true
    return false
  }

  /** The directories that are to be made before anything can be there; undefined: something else stands in the way. */
  private missingAbove(path: RelPath): readonly RelPath[] | undefined {
    const missing: RelPath[] = []
    for (let at = path; at !== rootPath; ) {
      at = parentOf(at)
      const above = this.settles.get(at)
      if (above === undefined || above[this.to].kind === 'directory') return missing
      if (above[this.to].kind !== 'absent' || above.goal.kind !== 'directory') return undefined
      missing.push(at)
    }
    return missing
  }
}

function keyOf({ fingerprint, sizeBytes }: FileContent): string {
  return `${fingerprint} ${sizeBytes}`
}

/** Of several files with the same bytes: one of the same name, else one of the same directory, else any. */
function nearest(list: readonly Vanished[], path: RelPath): Vanished | undefined {
  return (
    list.find((one) => nameOf(one.path) === nameOf(path)) ??
    list.find((one) => parentOf(one.path) === parentOf(path)) ??
    list[0]
  )
}

/** What is moved as a whole comes before what is moved in it. */
function byDepth(one: Settle, other: Settle): number {
  return one.path.length - other.path.length
}

/** The path that stands for `path` once something was moved: below the old place everything has a new one. */
export function movedPath(path: RelPath, { from, path: to }: Pick<Move, 'from' | 'path'>): RelPath {
  if (!isWithin(path, from)) return path
  return path === from ? to : componentsOf(relativeTo(path, from)).reduce<RelPath>(join, to)
}

import { type Agreement, heldBy } from '../core/agreement.js'
import { absent, type Content } from '../core/content.js'
import { movedPath } from '../core/moves.js'
import { componentsOf, isWithin, join, type RelPath, rootPath } from '../core/path.js'
import type { Found, Member, Report } from '../core/report.js'
import { otherSide, type Side } from '../core/side.js'
import { type AgreementTree, noAgreement, type Touched, type Tree } from '../core/tree.js'

/**
 * What both roots reported since the last cycle, laid over the archive: where nothing was reported, a root holds what was
 * agreed. Reports replace earlier ones of the same path.
 */
export class Overlay {
  private readonly root = new Node()
  /** Where directories came from, as each side says. */
  readonly hints: Readonly<Record<Side, Map<RelPath, RelPath>>> = { alpha: new Map(), beta: new Map() }
  private noted = 0
  private unfinished = 0
  private absences = 0

  /** A listing has begun to arrive and not ended: nothing may be concluded yet. */
  get isUnfinished(): boolean {
    return this.unfinished > 0
  }

  get isEmpty(): boolean {
    return this.noted === 0
  }

  /** Something was reported absent, or left out of a listing: what was agreed may be gone. */
  get tellsOfAbsence(): boolean {
    return this.absences > 0
  }

  /** How much was reported, what was replaced since included. */
  get size(): number {
    return this.noted
  }

  note(side: Side, reports: readonly Report[]): void {
    this.carryMoved(side, reports)
    for (const report of reports) {
      if (report.kind === 'moved') {
        this.hints[side].set(report.path, report.from)
        continue
      }
      const node = this.reach(report.path)
      if (report.kind === 'entry') this.noteFound(side, node, report.found)
      else {
        const goesOn = node[side].listed === 'open'
        const before = goesOn ? undefined : node.members
        this.setListed(side, node, report.more ? 'open' : 'whole')
        if (before !== undefined) this.forgetMissing(side, before, report.members)
        for (const { name, found } of report.members) this.noteFound(side, node.reach(name), found)
        this.noted++
        this.absences++
      }
    }
  }

  /** Whether something was reported at the path, above it or below it. */
  touches(path: RelPath): boolean {
    let node: Node | undefined = this.root
    if (node.isNoted) return true
    for (const name of componentsOf(path)) {
      node = node.members?.get(name)
      if (node === undefined) return false
      if (node.isNoted) return true
    }
    // Something below it was reported.
    return node.members !== undefined
  }

  /** Every path of which a side reported something. */
  *notedPaths(): Generator<RelPath, void, undefined> {
    yield* notedBelow(rootPath, this.root)
  }

  /**
   * The outermost path at or above `path` of which one side reported something that decides what is at `path`; undefined:
   * nothing. Asked of paths that we changed ourselves meanwhile: the report may be of before.
   */
  decidedAt(side: Side, path: RelPath): RelPath | undefined {
    let node: Node | undefined = this.root
    let at = rootPath
    for (const name of componentsOf(path)) {
      const { found, listed }: Seen = node[side]
      if (found !== undefined && found.kind !== 'directory') return at
      at = join(at, name)
      node = node.members?.get(name)
      if (node === undefined) return listed === undefined ? undefined : at
      if (listed !== undefined && node[side].found === undefined) return at
    }
    return node[side].found === undefined ? undefined : path
  }

  /** Whether a side reported anything below the path. */
  holdsBelow(side: Side, path: RelPath): boolean {
    const node = this.find(path)
    return node !== undefined && hasBelow(side, node)
  }

  /** Whether the members of the directory at the path were reported. */
  isListed(side: Side, path: RelPath): boolean {
    return this.find(path)?.[side].listed === 'whole'
  }

  /** Whether the path was reported as a directory, and its members were not: they are being looked at. */
  isUnlisted(side: Side, path: RelPath): boolean {
    const seen = this.find(path)?.[side]
    return seen?.found?.kind === 'directory' && seen.listed !== 'whole'
  }

  /** We renamed something on one side: what it reported at the old path and below it is true of the new one. */
  move(side: Side, from: RelPath, path: RelPath, content: Content): void {
    const source = this.reach(from)
    const target = this.reach(path)
    const known = source[side].found
    this.forgetBelow(side, target)
    this.moveBelow(side, source, target)
    this.noteFound(side, source, absent)
    this.noted++
    target[side].found = known === undefined || known.kind === 'absent' ? content : known
    const moved = { from, path }
    for (const [now, before] of this.hints[otherSide(side)])
      this.hints[otherSide(side)].set(now, movedPath(before, moved))
    for (const [now, before] of [...this.hints[side]]) {
      this.hints[side].delete(now)
      this.hints[side].set(movedPath(now, moved), movedPath(before, moved))
    }
  }

  /** Where the roots may differ from the agreement; of a directory that was listed, every agreed member too. */
  touched(agreement: AgreementTree): Touched {
    return new TouchedNode(this.root, agreement)
  }

  /** Paths of which a side reported a content, and that are agreed: what both sides hold there. */
  reported(agreement: AgreementTree): Iterable<ReportedPath> {
    return reportedBelow(rootPath, this.root, agreement, this.tree('alpha', agreement), this.tree('beta', agreement))
  }

  tree(side: Side, agreement: AgreementTree): Tree {
    return new SideTree(side, this.root, agreement, false)
  }

  /**
   * What a root has reported in a directory goes along when it says that its user has renamed it. Only with the report that nothing is
   * at the old place any more: what is reported there later is of something else. It counts as not listed at the new place, so that
   * it is read there as a whole: an ignored name may be none there, and a listing may have been on its way to the old one.
   */
  private carryMoved(side: Side, reports: readonly Report[]): void {
    const moves = reports.filter((report) => report.kind === 'moved')
    if (moves.length === 0) return
    const gone = new Set(
      reports.flatMap((report) => (report.kind === 'entry' && report.found.kind === 'absent' ? [report.path] : [])),
    )
    for (const { from, path } of moves) {
      // What was reported there before is of something else that it took the place of: an empty directory, at least.
      const replaced = this.find(path)
      if (replaced !== undefined) this.forgetBelow(side, replaced)
      const source = this.find(from)
      if (source === undefined || !gone.has(from) || !hasBelow(side, source)) continue
      const target = this.reach(path)
      this.moveBelow(side, source, target)
      this.setListed(side, target, undefined)
      const hints = this.hints[side]
      for (const [now, before] of [...hints]) {
        if (now === from || !isWithin(now, from)) continue
        hints.delete(now)
        hints.set(movedPath(now, { from, path }), before)
      }
    }
  }

  private noteFound(side: Side, node: Node, found: Found): void {
    this.noted++
    const seen = node[side]
    seen.found = found
    if (found.kind === 'absent') this.absences++
    if (found.kind === 'directory' || found.kind === 'problem') return
    this.forgetBelow(side, node)
  }

  /** What was reported below members that a new listing has no more. Below those that stay it is as true as before. */
  private forgetMissing(side: Side, members: ReadonlyMap<string, Node>, listed: readonly Member[]): void {
    const names = new Set(listed.map(({ name }) => name))
    for (const [name, member] of members) {
      member[side].found = undefined
      if (!names.has(name)) this.forgetBelow(side, member)
    }
  }

  private forgetBelow(side: Side, node: Node): void {
    this.setListed(side, node, undefined)
    for (const member of node.members?.values() ?? []) {
      member[side].found = undefined
      this.forgetBelow(side, member)
    }
  }

  private moveBelow(side: Side, source: Node, target: Node): void {
    this.setListed(side, target, source[side].listed)
    this.setListed(side, source, undefined)
    for (const [name, member] of source.members ?? []) {
      if (member[side].found === undefined && !hasBelow(side, member)) continue
      const below = target.reach(name)
      below[side].found = member[side].found
      member[side].found = undefined
      this.moveBelow(side, member, below)
    }
  }

  private find(path: RelPath): Node | undefined {
    let node: Node | undefined = this.root
    for (const name of componentsOf(path)) node = node?.members?.get(name)
    return node
  }

  private setListed(side: Side, node: Node, listed: Seen['listed']): void {
    if (node[side].listed === 'open') this.unfinished--
    node[side].listed = listed
    if (listed === 'open') this.unfinished++
  }

  private reach(path: RelPath): Node {
    let node = this.root
    for (const name of componentsOf(path)) node = node.reach(name)
    return node
  }
}

export interface ReportedPath {
  readonly path: RelPath
  readonly agreement: Agreement
  readonly alpha: Found
  readonly beta: Found
}

/** What one side reported at one path. */
interface Seen {
  found: Found | undefined
  /** Its members were listed: what has no report of its own is absent. 'open': the listing has not arrived whole. */
  listed: 'open' | 'whole' | undefined
}

class Node {
  members: Map<string, Node> | undefined
  readonly alpha: Seen = { found: undefined, listed: undefined }
  readonly beta: Seen = { found: undefined, listed: undefined }

  get isNoted(): boolean {
    const { alpha, beta } = this
    return (
      alpha.found !== undefined || beta.found !== undefined || alpha.listed !== undefined || beta.listed !== undefined
    )
  }

  reach(name: string): Node {
    this.members ??= new Map()
    let member = this.members.get(name)
    if (member === undefined) {
      member = new Node()
      this.members.set(name, member)
    }
    return member
  }
}

function* notedBelow(path: RelPath, node: Node): Generator<RelPath, void, undefined> {
  if (node.isNoted) yield path
  for (const [name, member] of node.members ?? []) yield* notedBelow(join(path, name), member)
}

function* reportedBelow(
  path: RelPath,
  node: Node,
  agreement: AgreementTree,
  alpha: Tree,
  beta: Tree,
): Generator<ReportedPath, void, undefined> {
  if (agreement.agreement === undefined) return
  if (node.alpha.found !== undefined || node.beta.found !== undefined)
    yield { path, agreement: agreement.agreement, alpha: alpha.found, beta: beta.found }
  for (const [name, member] of node.members ?? [])
    yield* reportedBelow(join(path, name), member, agreement.member(name), alpha.member(name), beta.member(name))
}

function hasBelow(side: Side, node: Node): boolean {
  if (node[side].listed !== undefined) return true
  for (const member of node.members?.values() ?? [])
    if (member[side].found !== undefined || hasBelow(side, member)) return true
  return false
}

/** One side's tree: reports where there are some, the agreement elsewhere. */
class SideTree implements Tree {
  readonly found: Found

  constructor(
    private readonly side: Side,
    private readonly node: Node | undefined,
    private readonly agreement: AgreementTree,
    gone: boolean,
  ) {
    const reported = node?.[side].found
    this.found = gone ? absent : (reported ?? heldBy(side, agreement.agreement))
  }

  *names(): Iterable<string> {
    if (this.found.kind !== 'directory') return
    const { side, node } = this
    if (node === undefined) {
      yield* this.agreement.names()
      return
    }
    const listed = node[side].listed === 'whole'
    for (const [name, member] of node.members ?? []) {
      const found = member[side].found
      if (found !== undefined && found.kind !== 'absent') yield name
    }
    if (listed) return
    for (const name of this.agreement.names()) if (node.members?.get(name)?.[side].found === undefined) yield name
  }

  member(name: string): Tree {
    const { side, node } = this
    const below = node?.members?.get(name)
    const gone =
      this.found.kind !== 'directory' || (node?.[side].listed === 'whole' && below?.[side].found === undefined)
    return new SideTree(side, below, gone ? noAgreement : this.agreement.member(name), gone)
  }
}

class TouchedNode implements Touched {
  readonly whole: boolean

  constructor(
    private readonly node: Node,
    private readonly agreement: AgreementTree,
  ) {
    this.whole = replaces(node.alpha.found) || replaces(node.beta.found)
  }

  *names(): Iterable<string> {
    if (this.node.members !== undefined) yield* this.node.members.keys()
    if (!this.isListed) return
    for (const name of this.agreement.names()) if (!this.node.members?.has(name)) yield name
  }

  member(name: string): Touched | undefined {
    const below = this.node.members?.get(name)
    if (below !== undefined) return new TouchedNode(below, this.agreement.member(name))
    return this.isListed ? wholly : undefined
  }

  private get isListed(): boolean {
    return this.node.alpha.listed === 'whole' || this.node.beta.listed === 'whole'
  }
}

/** What is no directory has nothing below: everything that was agreed there is touched. */
function replaces(found: Found | undefined): boolean {
  return found !== undefined && found.kind !== 'directory'
}

const wholly: Touched = { whole: true, names: () => [], member: () => wholly }

/** The outermost of the paths. */
export function outermostOf(paths: Iterable<RelPath>): RelPath[] {
  const kept: RelPath[] = []
  for (const path of [...paths].sort()) {
    const last = kept.at(-1)
    if (last === rootPath || (last !== undefined && isWithin(path, last))) continue
    // Sorting puts 'a-b' between 'a' and 'a/b': look at every ancestor, not only at the last path kept.
    if (!kept.some((other) => isWithin(path, other))) kept.push(path)
  }
  return kept
}

import { absent, type Content } from './content.js'
import type { Decision, Settle } from './decision.js'
import { compareWithArchive, goalOf, judge, type Verdict } from './judge.js'
import { join, type RelPath, relativeTo, rootPath } from './path.js'
import { forcedTree, preferredTree } from './prefer.js'
import type { Problem } from './report.js'
import { restrict } from './restrict.js'
import { type Rules, rulesAt } from './rules.js'
import { otherSide, type Side } from './side.js'
import { type AgreementTree, absentTree, agreedContent, noAgreement, type Touched, type Tree } from './tree.js'

export type { Decision } from './decision.js'
export type { Rules } from './rules.js'
export type { AgreementTree, Touched, Tree } from './tree.js'

/**
 * What should become of two trees, given what they last agreed on.
 *
 * At each path: A equals B: record it. Both are directories: their members. One side is as agreed, at the path and
 * everywhere below: it becomes what the other holds. Else: conflict, and nothing is decided below. `prefer` then decides
 * conflicts, `force` whatever differs, and what must not be done to a side is taken out last. Nothing unsure counts as a deletion: a path that cannot be told is a problem, and so is a directory that would
 * have to go with such a path in it.
 *
 * Decisions come parents first. A directory that goes or comes is looked at wholly, whatever `touched` says.
 *
 * The seam for moves: a step before this one may hand in trees that show the agreement and one side as if already moved.
 */
export function reconcile(
  agreement: AgreementTree,
  alpha: Tree,
  beta: Tree,
  touched: Touched,
  rules: Rules,
): Decision[] {
  const reconciliation = new Reconciliation(rules)
  reconciliation.visit(rootPath, agreement, alpha, beta, touched)
  return restrict(reconciliation.decisions, rules)
}

/** What stands in the way of a replacement that must not take anything new with it. */
interface Obstacles {
  changed: boolean
  problem: { readonly path: RelPath; readonly problem: Problem } | undefined
  readonly unread: RelPath[]
}

class Reconciliation {
  readonly decisions: Decision[] = []

  constructor(private readonly rules: Rules) {}

  visit(path: RelPath, archive: AgreementTree, alpha: Tree, beta: Tree, touched: Touched): void {
    if (this.rules.skips(path)) return
    const a = alpha.found
    const b = beta.found
    if (a.kind === 'problem' || b.kind === 'problem') {
      if (a.kind === 'problem') this.decisions.push({ kind: 'problem', path, side: 'alpha', problem: a })
      if (b.kind === 'problem') this.decisions.push({ kind: 'problem', path, side: 'beta', problem: b })
      return
    }
    const before = agreedContent(archive)
    if (!this.rules.links && (a.kind === 'symlink' || b.kind === 'symlink')) {
      this.leaveLink(path, archive, a, b)
      return
    }
    const rules = rulesAt(this.rules, path)
    if ((a.kind === 'directory') !== (b.kind === 'directory')) {
      this.directoryAgainstOther(path, archive, alpha, beta, a, b, rules)
      return
    }
    const verdict = judge(archive.agreement, a, b, rules)
    switch (verdict.kind) {
      case 'unread':
        this.decisions.push({ kind: 'unread', path, undecided: path, sides: verdict.sides })
        return
      case 'conflict':
        this.conflict(path, archive, alpha, beta, a, b, rules)
        return
      case 'settle':
        if (verdict.news) this.settle(path, verdict.goal, a, b, before, verdict.resets, overriddenBy(verdict))
        if (verdict.torn)
          this.decisions.push({ kind: 'conflict', path, about: 'properties', agreement: before, alpha: a, beta: b })
        break
      case 'unchanged':
        break
    }
    if (a.kind === 'directory') this.members(path, archive, alpha, beta, touched)
    else if (before.kind === 'directory') this.forgetMembers(path, archive)
  }

  private members(path: RelPath, archive: AgreementTree, alpha: Tree, beta: Tree, touched: Touched): void {
    // Members that were agreed when this was something else than a directory are no common state.
    const isAgreed = agreedContent(archive).kind === 'directory'
    const known = isAgreed ? archive : noAgreement
    if (touched.whole || !isAgreed) {
      for (const name of union(alpha, beta, known))
        this.visit(join(path, name), known.member(name), alpha.member(name), beta.member(name), touched)
      return
    }
    for (const name of touched.names()) {
      const member = touched.member(name)
      if (member !== undefined)
        this.visit(join(path, name), known.member(name), alpha.member(name), beta.member(name), member)
    }
  }

  /**
   * Without `links` a link is as if it were ignored, but where it stands in the way of something else. What was agreed there
   * before is forgotten: neither side holds it any more, and nobody would read either side again when it comes back.
   */
  private leaveLink(path: RelPath, archive: AgreementTree, a: Content, b: Content): void {
    if (a.kind === b.kind || a.kind === 'absent' || b.kind === 'absent') {
      this.forget(path, archive)
      return
    }
    const why = 'a symbolic link, which is left alone (links = false), against something else'
    const agreement = agreedContent(archive)
    this.decisions.push({ kind: 'conflict', path, about: 'content', agreement, alpha: a, beta: b, why })
  }

  /** A directory on one side, something else or nothing on the other. */
  private directoryAgainstOther(
    path: RelPath,
    archive: AgreementTree,
    alpha: Tree,
    beta: Tree,
    a: Content,
    b: Content,
    rules: Rules,
  ): void {
    const directory: Side = a.kind === 'directory' ? 'alpha' : 'beta'
    const [full, other, otherContent] = directory === 'alpha' ? [alpha, beta, b] : [beta, alpha, a]
    const forced = forcedTree(rules, path, alpha, beta)
    const before = agreedContent(archive)
    const likeness = compareWithArchive(before, otherContent)
    if (likeness === 'same' && forced !== otherSide(directory)) this.replace(path, archive, full, other, directory)
    else if (forced === directory) this.override(directory, path, archive, alpha, beta)
    else if (likeness === 'unread' && forced === undefined)
      this.decisions.push({ kind: 'unread', path, undecided: path, sides: [otherSide(directory)] })
    else if (before.kind === 'directory' && this.replaceUnchanged(path, archive, other, full, otherSide(directory)))
      return
    else if (forced !== undefined) this.override(forced, path, archive, alpha, beta)
    else this.conflict(path, archive, alpha, beta, a, b, rules)
  }

  /**
   * Replaces the directory `loser` if it is as agreed everywhere below. False if it is not, and nothing is decided then.
   * What cannot be told or was not read is reported in its place.
   */
  private replaceUnchanged(path: RelPath, archive: AgreementTree, winner: Tree, loser: Tree, source: Side): boolean {
    const obstacles: Obstacles = { changed: false, problem: undefined, unread: [] }
    const mark = this.decisions.length
    this.replaceAt(path, archive, winner, loser, source, obstacles, true)
    if (obstacles.changed) {
      this.decisions.length = mark
      return false
    }
    if (obstacles.problem !== undefined) {
      this.decisions.length = mark
      this.pushInnerProblem(path, otherSide(source), obstacles.problem)
    } else if (obstacles.unread.length > 0) {
      this.decisions.length = mark
      for (const unread of obstacles.unread)
        this.decisions.push({ kind: 'unread', path: unread, undecided: path, sides: [otherSide(source)] })
    }
    return true
  }

  /** `winner` replaces what the other side would otherwise keep, or give. */
  private override(winner: Side, path: RelPath, archive: AgreementTree, alpha: Tree, beta: Tree): void {
    const mark = this.decisions.length
    if (winner === 'alpha') this.replace(path, archive, alpha, beta, winner)
    else this.replace(path, archive, beta, alpha, winner)
    const first = this.decisions[mark]
    if (first?.kind !== 'settle' || first.path !== path) return
    this.decisions[mark] = { ...first, ...overriddenOf(first, otherSide(winner)) }
  }

  /** Replaces `loser` by `winner`, at the path and below, whatever was agreed; only what cannot be told stands in the way. */
  private replace(path: RelPath, archive: AgreementTree, winner: Tree, loser: Tree, source: Side): void {
    const obstacles: Obstacles = { changed: false, problem: undefined, unread: [] }
    const mark = this.decisions.length
    this.replaceAt(path, archive, winner, loser, source, obstacles, false)
    if (obstacles.problem === undefined) return
    this.decisions.length = mark
    this.pushInnerProblem(path, otherSide(source), obstacles.problem)
  }

  private replaceAt(
    path: RelPath,
    archive: AgreementTree,
    winner: Tree,
    loser: Tree,
    source: Side,
    obstacles: Obstacles,
    mustBeUnchanged: boolean,
  ): void {
    const won = winner.found
    const lost = loser.found
    if (won.kind === 'problem') {
      // Inside a new directory: the rest of it still travels.
      this.decisions.push({ kind: 'problem', path, side: source, problem: won })
      return
    }
    if (lost.kind === 'problem') {
      obstacles.problem ??= { path, problem: lost }
      return
    }
    // A directory that has to go stays with such a link in it, as with what is ignored.
    if (!this.rules.links && (won.kind === 'symlink' || lost.kind === 'symlink')) return
    const before = agreedContent(archive)
    if (mustBeUnchanged) {
      const likeness = compareWithArchive(before, lost)
      if (likeness === 'different') obstacles.changed = true
      else if (likeness === 'unread') obstacles.unread.push(path)
      if (obstacles.changed) return
    }
    if (won.kind !== 'absent' || lost.kind !== 'absent' || before.kind !== 'absent') {
      const goal = goalOf(won, this.rules)
      if (source === 'alpha') this.settle(path, goal, won, lost, before)
      else this.settle(path, goal, lost, won, before)
    }
    const known = before.kind === 'directory' ? archive : noAgreement
    for (const name of union(winner, loser, known)) {
      const memberPath = join(path, name)
      if (this.rules.skips(memberPath)) {
        if (won.kind !== 'directory') this.forget(memberPath, known.member(name))
        continue
      }
      const from = won.kind === 'directory' ? winner.member(name) : absentTree
      const to = lost.kind === 'directory' ? loser.member(name) : absentTree
      this.replaceAt(memberPath, known.member(name), from, to, source, obstacles, mustBeUnchanged)
      if (obstacles.changed) return
    }
  }

  private conflict(
    path: RelPath,
    archive: AgreementTree,
    alpha: Tree,
    beta: Tree,
    a: Content,
    b: Content,
    rules: Rules,
  ): void {
    const source = preferredTree(rules, path, alpha, beta)
    if (source !== undefined) this.override(source, path, archive, alpha, beta)
    else
      this.decisions.push({
        kind: 'conflict',
        path,
        about: 'content',
        agreement: agreedContent(archive),
        alpha: a,
        beta: b,
      })
  }

  private settle(
    path: RelPath,
    goal: Content,
    alpha: Content,
    beta: Content,
    agreement: Content,
    resets = false,
    overridden: Side | undefined = undefined,
  ): void {
    const settle: Settle = { kind: 'settle', path, goal, alpha, beta, agreement }
    if (!resets && overridden === undefined) this.decisions.push(settle)
    else this.decisions.push({ ...settle, ...(resets ? { resets } : {}), ...overriddenOf(settle, overridden) })
  }

  private pushInnerProblem(path: RelPath, side: Side, inner: { path: RelPath; problem: Problem }): void {
    const { problem } = inner
    const detail = inner.path === path ? problem.detail : `${relativeTo(inner.path, path)}: ${problem.detail}`
    this.decisions.push({ kind: 'problem', path, side, problem: { ...problem, detail } })
  }

  /** Below what is no directory on either side nothing is left: ignored members have gone too, or else they must not revive. */
  private forgetMembers(path: RelPath, archive: AgreementTree): void {
    for (const name of archive.names()) this.forget(join(path, name), archive.member(name))
  }

  private forget(path: RelPath, archive: AgreementTree): void {
    const before = agreedContent(archive)
    if (before.kind !== 'absent') this.settle(path, absent, absent, absent, before)
    this.forgetMembers(path, archive)
  }
}

/** The side that was overruled, if any. */
function overriddenBy({ source, overrules }: Verdict & { readonly kind: 'settle' }): Side | undefined {
  return overrules && source !== 'both' ? otherSide(source) : undefined
}

/** Who holds nothing has nothing to lose. */
function overriddenOf(settle: Settle, side: Side | undefined): { readonly overridden?: Side } {
  return side === undefined || settle[side].kind === 'absent' ? {} : { overridden: side }
}

/** Every name of three directories, once. What is no directory has none. */
function union(one: Tree, other: Tree, archive: AgreementTree): Iterable<string> {
  const oneHas = one.found.kind === 'directory'
  const otherHas = other.found.kind === 'directory'
  if (archive === noAgreement) {
    if (!otherHas) return oneHas ? one.names() : []
    if (!oneHas) return other.names()
  }
  const names = new Set(oneHas ? one.names() : [])
  if (otherHas) for (const name of other.names()) names.add(name)
  for (const name of archive.names()) names.add(name)
  return names
}

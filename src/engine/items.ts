import { absent, type Content } from '../core/content.js'
import type { Conflict, Decision, Settle } from '../core/decision.js'
import { compareContents } from '../core/judge.js'
import { type Move, movedPath } from '../core/moves.js'
import { isWithin, parentOf, type RelPath, rootPath } from '../core/path.js'
import { isWithinAny } from '../core/plan.js'
import type { Change, Changes } from './changes.js'
import type { Item } from './pass.js'

/**
 * The decisions as a person reads them, by path. A directory that comes or goes is one line: what is in it is not listed. So
 * is what is moved, for both places.
 */
export function itemsOf(decisions: readonly Decision[], changes: Changes, moves: readonly Move[] = []): Item[] {
  const settles = settlesOf(decisions, moves)
  const isCovered = (path: RelPath) => {
    const above = settles.get(parentOf(path))
    return above !== undefined && changes.has(above.path) && comesOrGoesWhole(above)
  }
  // Where both places lie in what comes and goes as a whole, these two lines say it.
  const shown = moves.filter(({ from, path }) => !isCovered(from) || !isCovered(path))
  const items: Line[] = movedLines(settles, changes, shown)
  const places = new Set(shown.flatMap(({ from, path }) => [from, path]))
  const moved = new Set(moves.map(({ path }) => path))
  // The line of each directory that comes or goes, and of those in it.
  const lines = new Map<RelPath, Line>()
  for (const decision of [...decisions].sort(byPath)) {
    if (decision.kind === 'conflict') items.push(conflictItem(decision))
    else if (decision.kind === 'problem') {
      const { path, side, problem } = decision
      items.push({
        path,
        kind: 'problem',
        alpha: side === 'alpha' ? 'problem' : '',
        beta: side === 'beta' ? 'problem' : '',
        direction: 'none',
        detail: problem.detail,
        bytes: 0,
        alphaContent: side === 'alpha' ? problem : absent,
        betaContent: side === 'beta' ? problem : absent,
      })
    } else if (decision.kind === 'settle') {
      const { path } = decision
      const change = changes.get(path)
      if (change === undefined || isFirstMeeting(decision)) continue
      if (isWithinAny(path, places)) continue
      const above = path === rootPath ? undefined : lines.get(parentOf(path))
      const line = above ?? changeItem(decision, change)
      if (above === undefined) items.push(line)
      else if (!moved.has(path)) above.bytes += bytesOf(change)
      if (above !== undefined ? isDirectory(decision) : comesOrGoesWhole(decision)) lines.set(path, line)
    }
  }
  return moves.length === 0 ? items : items.sort(byPath)
}

/** By path; nothing where nothing was moved. */
function settlesOf(decisions: readonly Decision[], moves: readonly Move[]): ReadonlyMap<RelPath, Settle> {
  const settles = new Map<RelPath, Settle>()
  if (moves.length === 0) return settles
  for (const decision of decisions) if (decision.kind === 'settle') settles.set(decision.path, decision)
  return settles
}

function byPath(one: { readonly path: RelPath }, other: { readonly path: RelPath }): number {
  return one.path < other.path ? -1 : one.path > other.path ? 1 : 0
}

/** What is moved needs no bytes, but for what was changed in it. */
function movedLines(settles: ReadonlyMap<RelPath, Settle>, changes: Changes, moves: readonly Move[]): Line[] {
  return moves.map((move): Line => {
    const { to, from, path, expect, found } = move
    let bytes = 0
    // A file is known to be the same by its bytes.
    for (const [at, { goal }] of found.kind === 'directory' ? settles : []) {
      const change = isWithin(at, path) ? changes.get(at) : undefined
      if (change === undefined) continue
      const before = settles.get(movedPath(at, { from: path, path: from }))?.agreement ?? absent
      if (compareContents(before, goal) === 'different') bytes += bytesOf(change)
    }
    const isToBeta = to === 'beta'
    return {
      path,
      from,
      kind: 'change',
      alpha: isToBeta ? 'moved' : '',
      beta: isToBeta ? '' : 'moved',
      direction: isToBeta ? 'to-beta' : 'to-alpha',
      detail: '',
      bytes,
      alphaContent: isToBeta ? found : expect,
      betaContent: isToBeta ? expect : found,
    }
  })
}

/** Bytes inside a directory count for its line. */
type Line = Omit<Item, 'bytes'> & { bytes: number }

function bytesOf({ alpha, beta }: Change): number {
  return (alpha ?? 0) + (beta ?? 0)
}

function isDirectory({ alpha, beta }: Settle): boolean {
  return alpha.kind === 'directory' || beta.kind === 'directory'
}

function changeItem(settle: Settle, change: Change): Line {
  const { path, alpha, beta, agreement } = settle
  return {
    path,
    kind: 'change',
    alpha: changeOf(agreement, alpha),
    beta: changeOf(agreement, beta),
    direction: change.alpha === undefined ? 'to-beta' : change.beta === undefined ? 'to-alpha' : 'both',
    detail: '',
    bytes: bytesOf(change),
    alphaContent: alpha,
    betaContent: beta,
  }
}

function conflictItem(conflict: Conflict): Item {
  const { path, alpha, beta, agreement, about, why } = conflict
  // What is only forbidden may be a change of one side.
  const otherwise = why === undefined ? 'changed' : ''
  return {
    path,
    kind: 'conflict',
    alpha: changeOf(agreement, alpha) || otherwise,
    beta: changeOf(agreement, beta) || otherwise,
    direction: 'none',
    detail: why ?? (about === 'content' ? 'contents changed on both sides' : 'properties changed on both sides'),
    bytes: 0,
    alphaContent: alpha,
    betaContent: beta,
  }
}

/**
 * Equal contents that had never been compared: there is nothing to tell, though the later time is set on both sides.
 * `cp -r A B` and a pass over both says that all is equal.
 */
export function isFirstMeeting({ agreement, alpha, beta }: Settle): boolean {
  return agreement.kind === 'absent' && alpha.kind !== 'absent' && compareContents(alpha, beta) === 'same'
}

/** What happened at a path since it was agreed, in the words of Unison's text interface. */
export function changeOf(agreed: Content, now: Content): string {
  if (now.kind === 'absent') return agreed.kind === 'absent' ? '' : 'deleted'
  const thing = now.kind === 'file' ? 'file' : now.kind === 'directory' ? 'dir' : 'link'
  if (agreed.kind === 'absent') return `new ${thing}`
  if (agreed.kind !== now.kind) return `chgd ${thing}`
  if (now.kind === 'directory') return sameProps(agreed, now) ? '' : 'props'
  if (compareContents(agreed, now) !== 'same') return 'changed'
  return sameProps(agreed, now) ? '' : 'props'
}

function sameProps(agreed: Content, now: Content): boolean {
  if (agreed.kind !== 'file' && agreed.kind !== 'directory') return true
  if (now.kind !== 'file' && now.kind !== 'directory') return true
  const same = <T>(one: T | undefined, other: T | undefined) => one === undefined || one === other
  // The agreed mode is the part of it that is compared.
  const mode = agreed.props.mode
  const sameMode = mode === undefined || ((now.props.mode ?? 0) & 0o1777) === (mode & 0o1777)
  return sameMode && same(agreed.props.mtimeNs, now.props.mtimeNs)
}

/** A directory against nothing: all that is in it goes the same way. */
function comesOrGoesWhole({ alpha, beta }: Settle): boolean {
  return (
    (alpha.kind === 'directory' && beta.kind === 'absent') || (alpha.kind === 'absent' && beta.kind === 'directory')
  )
}

import { absent, type Content } from '../core/content.js'
import type { Conflict, Decision, Settle } from '../core/decision.js'
import { compareContents } from '../core/judge.js'
import type { Operation } from '../core/operation.js'
import { parentOf, type RelPath, rootPath } from '../core/path.js'
import type { Plan } from '../core/plan.js'
import type { Item } from './pass.js'

/**
 * The decisions as a person reads them, by path. A directory that comes or goes is one line: what is in it is not listed.
 */
export function itemsOf(decisions: readonly Decision[], plan: Plan): Item[] {
  const toAlpha = bytesByPath(plan.alpha)
  const toBeta = bytesByPath(plan.beta)
  const items: Item[] = []
  const covered = new Set<RelPath>()
  for (const decision of [...decisions].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))) {
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
      const changesAlpha = toAlpha.get(decision.path)
      const changesBeta = toBeta.get(decision.path)
      if ((changesAlpha === undefined && changesBeta === undefined) || isFirstMeeting(decision)) continue
      if (comesOrGoesWhole(decision)) covered.add(decision.path)
      if (covered.has(parentOf(decision.path)) && decision.path !== rootPath) {
        covered.add(decision.path)
        addBytes(items, decision.path, (changesAlpha ?? 0) + (changesBeta ?? 0))
        continue
      }
      items.push(changeItem(decision, changesAlpha, changesBeta))
    }
  }
  return items
}

function changeItem(settle: Settle, toAlpha: number | undefined, toBeta: number | undefined): Item {
  const { path, alpha, beta, agreement } = settle
  return {
    path,
    kind: 'change',
    alpha: changeOf(agreement, alpha),
    beta: changeOf(agreement, beta),
    direction: toAlpha === undefined ? 'to-beta' : toBeta === undefined ? 'to-alpha' : 'both',
    detail: '',
    bytes: (toAlpha ?? 0) + (toBeta ?? 0),
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

function bytesByPath(operations: readonly Operation[]): Map<RelPath, number> {
  const bytes = new Map<RelPath, number>()
  for (const operation of operations)
    bytes.set(
      operation.path,
      (bytes.get(operation.path) ?? 0) + (operation.op === 'write-file' ? operation.sizeBytes : 0),
    )
  return bytes
}

/** Bytes inside a directory count for its line, which is the last one that was made. */
function addBytes(items: Item[], path: RelPath, bytes: number): void {
  for (let at = items.length - 1; at >= 0; at--) {
    const item = items[at]
    if (item === undefined || !path.startsWith(`${item.path}/`)) continue
    items[at] = { ...item, bytes: item.bytes + bytes }
    return
  }
}

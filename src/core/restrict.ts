import type { Content } from './content.js'
import type { Conflict, Decision, Settle } from './decision.js'
import type { Operation } from './operation.js'
import { parentOf, type RelPath, relativeTo, rootPath } from './path.js'
import { planOf } from './plan.js'
import type { Restriction, Rules } from './rules.js'
import type { Side } from './side.js'

/**
 * Takes out what must not be done: creations, updates or deletions that a side is spared, and files that are too large.
 * Stronger than prefer and force, since it looks at nothing but what would be done. What is taken out is a conflict that says
 * why, and waits.
 *
 * A directory that comes, goes or makes way is taken out whole when something at or above that needs it is: when a member
 * must stay, so must the directory, and then none of its other members goes. A new directory comes without a member that must
 * not come.
 */
export function restrict(decisions: Decision[], rules: Rules): Decision[] {
  if (rules.spares === undefined && rules.tooLargeBytes === Number.POSITIVE_INFINITY) return decisions
  const settles = new Map<RelPath, Settle>()
  for (const decision of decisions) if (decision.kind === 'settle') settles.set(decision.path, decision)
  const blocked = blockedPaths(decisions, settles, rules)
  return blocked.size === 0 ? decisions : decisions.flatMap((decision) => allowedOf(decision, settles, blocked))
}

/** The paths at which something must not be done, each with the reason. */
function blockedPaths(
  decisions: readonly Decision[],
  settles: ReadonlyMap<RelPath, Settle>,
  rules: Rules,
): Map<RelPath, string> {
  const blocked = new Map<RelPath, string>()
  const plan = planOf(decisions, rules)
  for (const side of ['alpha', 'beta'] as const)
    for (const operation of plan[side]) {
      const { path } = operation
      const settle = settles.get(path)
      const why = settle === undefined ? undefined : whyNot(side, operation, settle, rules)
      if (why === undefined) continue
      // Its own reason says more than that of a member that must stay.
      blocked.set(path, why)
      // A directory cannot go before its members have.
      for (let at = path; at !== rootPath; ) {
        at = parentOf(at)
        const above = settles.get(at)
        if (above === undefined || !makesDirectoryGo(above, side)) break
        if (!blocked.has(at)) blocked.set(at, `${relativeTo(path, at)}: ${why}`)
      }
    }
  return blocked
}

function makesDirectoryGo(settle: Settle, side: Side): boolean {
  return settle[side].kind === 'directory' && settle.goal.kind !== 'directory'
}

function whyNot(side: Side, operation: Operation, settle: Settle, rules: Rules): string | undefined {
  if (operation.op === 'write-file' && operation.sizeBytes >= rules.tooLargeBytes)
    return `too large: ${operation.sizeBytes} bytes (maxsizethreshold = ${rules.tooLargeBytes / 1_000})`
  const { spares } = rules
  if (spares === undefined) return undefined
  const by = restrictionsOn(settle[side], settle.goal).find((restriction) => spares(side, restriction, settle.path))
  return by === undefined ? undefined : `${side} is kept as it is (${by})`
}

/** What keeps a side from going from one content to another. Another kind of thing is a deletion and a creation. */
function restrictionsOn(have: Content, goal: Content): readonly Restriction[] {
  if (have.kind === 'absent') return ['nocreation']
  if (goal.kind === 'absent') return ['nodeletion', 'noupdate']
  return have.kind === goal.kind ? ['noupdate'] : ['nodeletion', 'noupdate', 'nocreation']
}

function allowedOf(
  decision: Decision,
  settles: ReadonlyMap<RelPath, Settle>,
  blocked: ReadonlyMap<RelPath, string>,
): readonly Decision[] {
  const { path } = decision
  if (decision.kind === 'settle') {
    if (isInsideBlocked(path, settles, blocked)) return []
    const why = blocked.get(path)
    if (why === undefined) return [decision]
    return [...keptDirectory(decision), conflictOf(decision, why)]
  }
  const isTornThere = decision.kind === 'conflict' && decision.about === 'properties' && blocked.has(path)
  return isTornThere || isInsideBlocked(path, settles, blocked) ? [] : [decision]
}

/** Whether a directory above comes, goes or makes way, and must not. */
function isInsideBlocked(
  path: RelPath,
  settles: ReadonlyMap<RelPath, Settle>,
  blocked: ReadonlyMap<RelPath, string>,
): boolean {
  for (let at = path; at !== rootPath; ) {
    at = parentOf(at)
    const above = settles.get(at)
    if (above !== undefined && blocked.has(at) && !areDirectories(above)) return true
  }
  return false
}

/** Members are written down below a directory that is: two that meet are agreed, but for their modes. */
function keptDirectory(settle: Settle): Settle[] {
  if (!areDirectories(settle) || settle.agreement.kind === 'directory') return []
  return [{ ...settle, goal: { kind: 'directory', props: { mode: undefined, mtimeNs: undefined } } }]
}

function conflictOf(settle: Settle, why: string): Conflict {
  const { path, agreement, alpha, beta } = settle
  const about = areDirectories(settle) ? 'properties' : 'content'
  return { kind: 'conflict', path, about, agreement, alpha, beta, why }
}

function areDirectories({ alpha, beta }: Settle): boolean {
  return alpha.kind === 'directory' && beta.kind === 'directory'
}

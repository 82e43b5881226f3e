import type { Archive, ArchiveRecord } from '../archive/archive.js'
import type { Agreement } from '../core/agreement.js'
import type { Content, Props } from '../core/content.js'
import type { Settle } from '../core/decision.js'
import { judge } from '../core/judge.js'
import type { Found } from '../core/report.js'
import type { Rules } from '../core/rules.js'
import type { AgreementTree } from '../core/tree.js'

/**
 * The archive as a tree, read as it is walked. `swapped`: the roots were given in the other order than the archive knows
 * them in; what it says of its alpha is then said of beta.
 */
export function agreedTree(archive: Archive, swapped: boolean): AgreementTree {
  return new AgreedNode(archive, archive.at(0, ''), swapped)
}

class AgreedNode implements AgreementTree {
  readonly agreement: Agreement | undefined

  constructor(
    private readonly archive: Archive,
    private readonly record: ArchiveRecord | undefined,
    private readonly swapped: boolean,
  ) {
    this.agreement = record === undefined ? undefined : oriented(record.agreement, swapped)
  }

  *names(): Iterable<string> {
    if (this.record === undefined || this.record.directoryId === 0) return
    for (const { name } of this.archive.members(this.record.directoryId)) yield name
  }

  member(name: string): AgreementTree {
    const id = this.record?.directoryId ?? 0
    return new AgreedNode(this.archive, id === 0 ? undefined : this.archive.at(id, name), this.swapped)
  }
}

/** Between the archive's order of the roots and the one they were given in; its own inverse. */
export function oriented(agreement: Agreement, swapped: boolean): Agreement {
  if (!swapped) return agreement
  return { content: agreement.content, alphaHolds: agreement.betaHolds, betaHolds: agreement.alphaHolds }
}

/**
 * What is agreed once both sides hold the goal: the goal, with what each side really holds where that is not the same to the
 * bit (a time it could not keep, mode bits that are not compared). `torn`: the modes are in conflict; what a side holds of
 * them is then not written down, or it would count as known and the conflict would be forgotten. undefined: agreed to be
 * absent.
 */
export function agreementOf(settle: Settle, alpha: Content, beta: Content, torn: boolean): Agreement | undefined {
  if (settle.goal.kind === 'absent') return undefined
  return {
    content: withFingerprint(settle.goal, alpha, beta),
    alphaHolds: holds(settle.goal, alpha, torn),
    betaHolds: holds(settle.goal, beta, torn),
  }
}

/**
 * The agreement with what the sides hold now, where something changed that is not compared (mode bits that `perms` leaves
 * out, times without `times`): the next operation on the path expects to find it. undefined: it says so already, or more than
 * that changed.
 */
export function heldAnew(known: Agreement, alpha: Found, beta: Found, rules: Rules): Agreement | undefined {
  if (alpha.kind === 'problem' || beta.kind === 'problem') return undefined
  if (holdsAsKnown(known, known.alphaHolds, alpha) && holdsAsKnown(known, known.betaHolds, beta)) return undefined
  if (judge(known, alpha, beta, rules).kind !== 'unchanged') return undefined
  const { content } = known
  return { content, alphaHolds: holds(content, alpha, false), betaHolds: holds(content, beta, false) }
}

/** Of a directory the time is not looked at. */
function holdsAsKnown({ content }: Agreement, held: Props | undefined, found: Content): boolean {
  const known = held ?? propsOf(content)
  const props = propsOf(found)
  if (known === undefined || props === undefined) return true
  return known.mode === props.mode && (found.kind !== 'file' || known.mtimeNs === props.mtimeNs)
}

/** The goal of a file that was read only while it was sent. */
function withFingerprint(goal: Content, alpha: Content, beta: Content): Content {
  if (goal.kind !== 'file' || goal.fingerprint !== undefined) return goal
  for (const side of [alpha, beta])
    if (side.kind === 'file' && side.fingerprint !== undefined) return { ...goal, fingerprint: side.fingerprint }
  return goal
}

function holds(goal: Content, content: Content, torn: boolean): Props | undefined {
  const agreed = propsOf(goal)
  const props = propsOf(content)
  if (agreed === undefined || props === undefined) return undefined
  const held = torn ? { mode: undefined, mtimeNs: props.mtimeNs } : props
  return (torn || agreed.mode === held.mode) && agreed.mtimeNs === held.mtimeNs ? undefined : held
}

export function propsOf(content: Content): Props | undefined {
  return content.kind === 'file' || content.kind === 'directory' ? content.props : undefined
}

import type { Archive, ArchiveRecord } from '../archive/archive.js'
import type { Agreement } from '../core/agreement.js'
import { absent, type Content, type Props } from '../core/content.js'
import type { Settle } from '../core/decision.js'
import type { Side } from '../core/side.js'
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
 * bit (a time it could not keep, mode bits that are not compared). undefined: agreed to be absent.
 */
export function agreementOf(settle: Settle, alpha: Content, beta: Content): Agreement | undefined {
  if (settle.goal.kind === 'absent') return undefined
  return {
    content: withFingerprint(settle.goal, alpha, beta),
    alphaHolds: holds(settle.goal, alpha),
    betaHolds: holds(settle.goal, beta),
  }
}

/** The goal of a file that was read only while it was sent. */
function withFingerprint(goal: Content, alpha: Content, beta: Content): Content {
  if (goal.kind !== 'file' || goal.fingerprint !== undefined) return goal
  for (const side of [alpha, beta])
    if (side.kind === 'file' && side.fingerprint !== undefined) return { ...goal, fingerprint: side.fingerprint }
  return goal
}

function holds(goal: Content, content: Content): Props | undefined {
  const agreed = propsOf(goal)
  const held = propsOf(content)
  if (agreed === undefined || held === undefined) return undefined
  return agreed.mode === held.mode && agreed.mtimeNs === held.mtimeNs ? undefined : held
}

function propsOf(content: Content): Props | undefined {
  return content.kind === 'file' || content.kind === 'directory' ? content.props : undefined
}

/** What a side held of a decision before any operation. */
export function heldOf(settle: Settle, side: Side): Content {
  return settle[side] ?? absent
}

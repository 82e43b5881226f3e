import type { RelPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import { keepBeside } from './conflict-copy.js'
import { type Depth, type Likeness, likeness } from './form.js'
import type { Step } from './intent.js'
import type { Versions } from './versions.js'

/**
 * A displaced object is unlinked only by a second look, at least so long after the first: an open() whose path walk ended
 * before the exchange may get its write access after the first probe.
 */
export const settleNs = 1_000_000_000n
/** The same where no lease tells of writers. */
export const unleasedSettleNs = 60_000_000_000n

export type Settled =
  /** Nothing is in the slot any more. */
  | { readonly kind: 'gone' }
  /** Too young, still being written, or not to be told now. */
  | { readonly kind: 'kept' }
  /** It held what nobody expected: a user's version, that is now visible at `copy`. */
  | { readonly kind: 'copied'; readonly copy: RelPath }

export interface Settling {
  readonly root: Directory
  readonly out: Directory
  readonly wallNs: bigint
  /** The wall clock has not run ahead for so long; undefined: as far as is known. What it leapt over did not go by. */
  readonly steadyNs?: bigint | undefined
  /** Where what was at a path is kept; undefined: it goes. */
  readonly versions: Versions | undefined
}

/**
 * Looks once more at one slot of a batch that began at `untilNs` and whose outcomes are known. What was at the path is kept as
 * a version, what we had staged goes. Nothing is removed that the intent does not tell of.
 */
export function settleSlot(settling: Settling, slot: string, step: Step, untilNs: bigint, depth: Depth): Settled {
  const { root, out, wallNs, steadyNs, versions } = settling
  const stat = out.statAt(slot)
  if (stat === undefined) return { kind: 'gone' }
  // Renaming moved its ctime. A clock that was set back makes every slot young until it has caught up.
  const byClockNs = wallNs - stat.ctimeNs
  const ageNs = steadyNs !== undefined && steadyNs < byClockNs ? steadyNs : byClockNs
  if (ageNs < settleNs) return { kind: 'kept' }
  // Nothing goes out of the way of a directory: what waits there was put into one that a power loss took back.
  const found = step.op === 'make' ? theirs : known(out, slot, step, depth)
  if (found === undefined) return { kind: 'kept' }
  const { likeness: like, ours } = found
  if (like.kind === 'other') {
    const copy = keepBeside(root, step.path, out, slot, wallNs)
    return copy === undefined ? { kind: 'kept' } : { kind: 'copied', copy }
  }
  if (like.kind !== 'same' || (like.probe === 'unknown' && ageNs < unleasedSettleNs)) return { kind: 'kept' }
  // A store through a mapping may have left every stamp as it was, and no lease told of it.
  if (like.probe === 'unknown' && depth === 'stat') return settleSlot(settling, slot, step, untilNs, 'bytes')
  if (versions === undefined || ours) out.removeFile(slot)
  else versions.take(out, slot, step.path, untilNs, stat)
  return { kind: 'gone' }
}

const theirs = { likeness: { kind: 'other' }, ours: false } as const

/** What it is of what may be there: what was expected at the path, or what we had staged. undefined: it cannot be told. */
function known(
  out: Directory,
  slot: string,
  step: Step,
  depth: Depth,
): { readonly likeness: Likeness; readonly ours: boolean } | undefined {
  try {
    const old = likeness(out, slot, step.expect, step.racy ? 'bytes' : depth)
    if (old.kind !== 'other') return { likeness: old, ours: false }
    const staged = likeness(out, slot, step.goal, depth)
    if (staged.kind !== 'other') return { likeness: staged, ours: true }
    // With its old bytes nothing is lost, whatever became of its properties in a power loss.
    return { likeness: likeness(out, slot, step.expect, 'content'), ours: false }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return undefined
  }
}

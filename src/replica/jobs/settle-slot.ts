import type { RelPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import { keepBeside } from './conflict-copy.js'
import { type Depth, type Likeness, likeness } from './form.js'
import type { Step } from './intent.js'

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

/** Looks once more at one slot of a batch whose outcomes are known. Nothing is removed that the intent does not tell of. */
export function settleSlot(
  root: Directory,
  out: Directory,
  slot: string,
  step: Step,
  wallNs: bigint,
  depth: Depth,
): Settled {
  const stat = out.statAt(slot)
  if (stat === undefined) return { kind: 'gone' }
  // Renaming moved its ctime. A clock that was set back makes every slot young until it has caught up.
  const ageNs = wallNs - stat.ctimeNs
  if (ageNs < settleNs) return { kind: 'kept' }
  const found = known(out, slot, step, depth)
  if (found === undefined) return { kind: 'kept' }
  if (found.kind === 'other') {
    const copy = keepBeside(root, step.path, out, slot, wallNs)
    return copy === undefined ? { kind: 'kept' } : { kind: 'copied', copy }
  }
  if (found.kind !== 'same' || (found.probe === 'unknown' && ageNs < unleasedSettleNs)) return { kind: 'kept' }
  // A store through a mapping may have left every stamp as it was, and no lease told of it.
  if (found.probe === 'unknown' && depth === 'stat') return settleSlot(root, out, slot, step, wallNs, 'bytes')
  out.removeFile(slot)
  return { kind: 'gone' }
}

/** Whether it is what was expected at the path, or what we had staged; undefined: it cannot be told. */
function known(out: Directory, slot: string, step: Step, depth: Depth): Likeness | undefined {
  try {
    const old = likeness(out, slot, step.expect, step.racy ? 'bytes' : depth)
    if (old.kind !== 'other') return old
    const staged = likeness(out, slot, step.goal, depth)
    // With its old bytes nothing is lost, whatever became of its properties in a power loss.
    return staged.kind === 'other' ? likeness(out, slot, step.expect, 'content') : staged
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return undefined
  }
}

import type { RelPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import { keepBeside } from './conflict-copy.js'
import { type Depth, type Form, likeness } from './form.js'

/** A path that is changed, through a handle on its directory. */
export interface Target {
  readonly root: Directory
  readonly parent: Directory
  readonly name: string
  readonly path: RelPath
  /** For the names of conflict copies. */
  readonly wallNs: bigint
}

/** What stands ready, and where what was there goes. */
export interface Slots {
  readonly in: Directory
  readonly out: Directory
  /** Name in `in`. */
  readonly staged: string
  /** Name in `out`. */
  readonly slot: string
  /** Name in `out` where there is no exchange. */
  readonly oldSlot: string
}

/** `dirty`: paths that may hold something else than was known. */
export type Published =
  | { readonly kind: 'done' }
  | { readonly kind: 'superseded'; readonly detail: string; readonly dirty: readonly RelPath[] }
  | { readonly kind: 'busy'; readonly detail: string }

const done: Published = { kind: 'done' }

/** A new name. @throws FileFailure */
export function publishNew(target: Target, slots: Pick<Slots, 'in' | 'staged'>): Published {
  try {
    slots.in.rename(slots.staged, target.parent, target.name, 'no-replace')
    return done
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'exists') throw error
    return superseded(target, 'something was made there meanwhile')
  }
}

/**
 * A replacement, closing the race with the user: the new object and the old one change places in one step, and only then is
 * compared what came out. If the user was faster, his version goes back. Whatever happens, the slot ends with what was
 * expected, or with what we had staged; a user's version ends at the path or beside it.
 *
 * `depth`: how what came out is compared; 'bytes' when its stamp was racy. `expect` has been checked just before.
 * @throws FileFailure when nothing was changed
 */
export function publishReplacement(target: Target, slots: Slots, expect: Form, goal: Form, depth: Depth): Published {
  moveOut(slots)
  try {
    target.parent.rename(target.name, slots.out, slots.slot, 'exchange')
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    if (error.code === 'unsupported') return replaceWithoutExchange(target, slots, expect, depth)
    if (error.code === 'absent') return superseded(target, 'it was removed meanwhile')
    throw error
  }
  if (likenessOrOther(slots.out, slots.slot, expect, depth) === 'same') return done
  return giveBack(target, slots.out, slots.slot, goal)
}

/** The file, if it is not there already: a step that is tried again. */
function moveOut(slots: Slots): void {
  try {
    slots.in.rename(slots.staged, slots.out, slots.slot, 'no-replace')
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'absent' || slots.out.statAt(slots.slot) === undefined)
      throw error
  }
}

/**
 * Where the file system cannot exchange, no order of steps is free of an instant without the path: the old object is taken
 * out first, so that an atomic save in between is seen. A crash in that instant is healed by the intent.
 */
function replaceWithoutExchange(target: Target, slots: Slots, expect: Form, depth: Depth): Published {
  const taken = publishRemoval(target, slots.out, slots.oldSlot, expect, depth)
  if (taken.kind !== 'done') return taken
  try {
    slots.out.rename(slots.slot, target.parent, target.name, 'no-replace')
    return done
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    if (error.code === 'exists') return superseded(target, 'something was made there meanwhile')
    // The new object cannot be put there: what was there goes back.
    putBack(target, slots.out, slots.oldSlot)
    throw error
  }
}

/** A removal of anything but a directory: out of sight first, then compared. @throws FileFailure when nothing was changed */
export function publishRemoval(target: Target, out: Directory, slot: string, expect: Form, depth: Depth): Published {
  try {
    target.parent.rename(target.name, out, slot, 'no-replace')
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'absent') throw error
    return superseded(target, 'it was removed meanwhile')
  }
  if (likenessOrOther(out, slot, expect, depth) === 'same') return done
  return putBack(target, out, slot)
}

/**
 * What came out of an exchange is the user's: it goes back, if the path still holds what we put there. What comes out of
 * that is compared by the same rule. There is no third exchange: whoever changed the path meanwhile keeps it, and the
 * other version goes beside. From here on no failure of a call is thrown: the version is somewhere, and where is the answer.
 */
export function giveBack(target: Target, out: Directory, slot: string, goal: Form): Published {
  const now = likenessOrOther(target.parent, target.name, goal, 'stat')
  if (now === 'absent') return putBack(target, out, slot)
  if (now === 'other') return beside(target, out, slot, 'it was changed while it was replaced')
  try {
    target.parent.rename(target.name, out, slot, 'exchange')
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return putBack(target, out, slot)
  }
  const back = likenessOrOther(out, slot, goal, 'stat')
  // A writer of what we had put there: the slot stays, and is looked at again when the batch is swept.
  if (back === 'same' || back === 'written') return superseded(target, 'it was changed meanwhile')
  return beside(target, out, slot, 'it was changed twice while it was replaced')
}

/** A user's version goes back to a path that nobody holds, else beside it. */
export function putBack(target: Target, out: Directory, slot: string): Published {
  try {
    out.rename(slot, target.parent, target.name, 'no-replace')
    return superseded(target, 'it was changed meanwhile')
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return beside(target, out, slot, 'it was changed and made again meanwhile')
  }
}

function beside(target: Target, out: Directory, slot: string, what: string): Published {
  const copy = keepBeside(target.root, target.path, out, slot, target.wallNs)
  if (copy === undefined) return superseded(target, `${what}; a version waits in staging for a place beside it`)
  return { kind: 'superseded', detail: `${what}; one version is now ${copy}`, dirty: [target.path, copy] }
}

function superseded(target: Target, detail: string): Published {
  return { kind: 'superseded', detail, dirty: [target.path] }
}

/** What cannot be told is not what was expected. */
export function likenessOrOther(
  directory: Directory,
  name: string,
  form: Form,
  depth: Depth,
): 'same' | 'written' | 'other' | 'absent' {
  try {
    return likeness(directory, name, form, depth).kind
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return 'other'
  }
}

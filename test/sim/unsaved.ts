import { type Inode, nothing } from './inode.js'
import type { Dice } from './random.js'

/** The ways in which unsaved bytes come out of a power loss. */
export function loseBytes(inode: Inode, dice: Dice): void {
  const saved = inode.saved
  const drawn = dice.weighted({ kept: 2, old: 3, restamped: 2, torn: 2, empty: 1 })
  // What a failed sync has given up never reaches the platter.
  const fate = inode.stuck && (drawn === 'kept' || drawn === 'torn') ? 'old' : drawn
  if (fate === 'kept') return
  if (saved === undefined) {
    // Never synced: the name may be there with nothing behind it, or with zeros where bytes should be.
    inode.data = fate === 'torn' ? tornFrom(nothing, inode.data, dice) : nothing
    return
  }
  if (inode.data === saved.data) {
    restore(inode)
    return
  }
  if (fate === 'restamped' && saved.data.length === inode.data.length) inode.data = saved.data
  else if (fate === 'torn') inode.data = tornFrom(saved.data, inode.data, dice)
  else if (fate === 'empty' && !isAppended(saved.data, inode.data)) inode.data = nothing
  else {
    inode.data = saved.data
    restore(inode)
  }
}

/** Only who has cut a file off, to write it anew, may find it empty: what was synced and then added to stays. */
function isAppended(before: Uint8Array, after: Uint8Array): boolean {
  return after.length >= before.length && Buffer.compare(before, after.subarray(0, before.length)) === 0
}

function restore(inode: Inode): void {
  if (inode.saved === undefined) return
  inode.mode = inode.saved.mode
  inode.mtimeNs = inode.saved.mtimeNs
  inode.ctimeNs = inode.saved.ctimeNs
}

/** New bytes up to some place, then what was there before, or zeros. */
function tornFrom(before: Uint8Array, after: Uint8Array, dice: Dice): Uint8Array {
  const torn = new Uint8Array(after.length)
  torn.set(before.subarray(0, after.length))
  const cut = dice.below(after.length + 1)
  torn.set(after.subarray(0, cut))
  return torn
}

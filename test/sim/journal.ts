import type { Entry, Inode } from './inode.js'
import type { Dice } from './random.js'

/** One name before and after an operation. */
export interface NameChange {
  readonly directory: Inode
  readonly key: string
  readonly after: Entry | undefined
}

interface Pending {
  readonly changes: readonly NameChange[]
  /** The inode whose number it gives or frees: one that takes a number over rests on the one that freed it. */
  readonly number: bigint | undefined
  readonly atNs: number
  /** Holds only when all that came before it holds: a directory that moves, or one that goes (its members went before). */
  readonly barrier: boolean
}

/**
 * Changes of names that are not on the platter yet, in their order. Each is whole: a rename or an exchange is there or is
 * not. Until a sync covers them a power loss keeps any of them that do not rest on one that it drops.
 */
export class Journal {
  private pending: Pending[] = []

  get length(): number {
    return this.pending.length
  }

  add(changes: readonly NameChange[], atNs: number, barrier: boolean, number?: bigint): void {
    this.pending.push({ changes, atNs, barrier, number })
  }

  /** fsync of a directory: its names, and what they rest on in other directories. */
  save(directory: Inode): void {
    const reached = new Set<Inode | bigint>([directory])
    const kept: Pending[] = []
    const covered: Pending[] = []
    // Backwards: an operation that touches a reached directory pulls in everything earlier in each directory it
    // touches, and whatever freed a number that it gave.
    for (let at = this.pending.length - 1; at >= 0; at--) {
      const operation = this.pending[at]
      if (operation === undefined) continue
      const { changes, number } = operation
      if (changes.some((change) => reached.has(change.directory)) || (number !== undefined && reached.has(number))) {
        for (const change of changes) reached.add(change.directory)
        if (number !== undefined) reached.add(number)
        covered.push(operation)
      } else kept.push(operation)
    }
    for (const operation of covered.reverse()) apply(operation)
    this.pending = kept.reverse()
  }

  saveAll(): void {
    for (const operation of this.pending) apply(operation)
    this.pending = []
  }

  /**
   * Power loss: what was written back meanwhile stays, the rest is kept or dropped. 'ordered': a beginning of it is kept, as
   * a journal does; 'loose': any part that can stand alone. Afterwards nothing is pending.
   */
  lose(dice: Dice, order: 'ordered' | 'loose', writtenBackBeforeNs: number): void {
    const dropped = new Set<string>()
    let running = true
    for (const operation of this.pending) {
      if (order === 'loose') running = true
      if (operation.atNs >= writtenBackBeforeNs && !dice.chance(order === 'ordered' ? 0.8 : 0.5)) running = false
      const keys = keysOf(operation)
      const rests = (operation.barrier && dropped.size > 0) || keys.some((key) => dropped.has(key))
      if (running && !rests) apply(operation)
      else for (const key of keys) dropped.add(key)
    }
    this.pending = []
  }
}

function keysOf(operation: Pending): string[] {
  const keys = operation.changes.map((change) => `${change.directory.id}/${change.key}`)
  if (operation.number !== undefined) keys.push(`#${operation.number}`)
  return keys
}

function apply(operation: Pending): void {
  for (const change of operation.changes) {
    if (change.after === undefined) change.directory.savedEntries.delete(change.key)
    else change.directory.savedEntries.set(change.key, change.after)
  }
}

import type { RelPath } from '../../../core/path.js'
import type { DirtyPath, WatchBatch } from '../../watcher.js'

/** With more paths than this waiting, they are worth less than a full scan: the batch says `lost` instead. */
export const pendingPathsMax = 200_000
/** Paths of one batch: what the main thread takes in a few milliseconds. */
export const batchPathsMax = 4_096

const subtreeFlag = 1
const closedFlag = 2

/** A batch on its way between threads: two strings and a few bytes instead of an object a path. */
export interface PackedBatch {
  /** NUL between them; '' and no flags for none. */
  readonly paths: string
  /** One byte a path. */
  readonly flags: Uint8Array
  readonly lost: boolean
  readonly gone: boolean
  /** undefined: as in the batch before. */
  readonly unwatched: readonly RelPath[] | undefined
}

/** What is to be reported of one root: each path once, however many events it had, in the order of the first. */
export class Pending {
  private readonly flags = new Map<RelPath, number>()
  private lost = false
  private gone = false
  private changed = false

  get isEmpty(): boolean {
    return this.flags.size === 0 && !this.lost && !this.gone && !this.changed
  }

  /** The path itself changed. */
  entry(path: RelPath): void {
    this.mark(path, this.flags.get(path) ?? 0)
  }

  /** A file that is written again is open again. */
  written(path: RelPath): void {
    this.mark(path, (this.flags.get(path) ?? 0) & ~closedFlag)
  }

  closed(path: RelPath): void {
    this.mark(path, (this.flags.get(path) ?? 0) | closedFlag)
  }

  subtree(path: RelPath): void {
    this.mark(path, (this.flags.get(path) ?? 0) | subtreeFlag)
  }

  /** Events were lost: all that is known of paths is said by this alone. */
  everything(): void {
    this.flags.clear()
    this.lost = true
  }

  end(): void {
    this.gone = true
  }

  unwatchedChanged(): void {
    this.changed = true
  }

  /** The next batch, at most batchPathsMax paths of it. `unwatched` is asked for what is unwatched now, if that changed. */
  take(unwatched: () => readonly RelPath[]): PackedBatch {
    const paths: RelPath[] = []
    const flags: number[] = []
    for (const [path, flag] of this.flags) {
      if (paths.length === batchPathsMax) break
      paths.push(path)
      flags.push(flag)
      this.flags.delete(path)
    }
    const batch: PackedBatch = {
      paths: paths.join('\0'),
      flags: Uint8Array.from(flags),
      lost: this.lost,
      // Nothing comes after it, so it waits for the last paths.
      gone: this.gone && this.flags.size === 0,
      unwatched: this.changed ? unwatched() : undefined,
    }
    this.lost = false
    if (batch.gone) this.gone = false
    this.changed = false
    return batch
  }

  private mark(path: RelPath, flags: number): void {
    this.flags.set(path, flags)
    if (this.flags.size > pendingPathsMax) this.everything()
  }
}

/** `unwatched` is what the batch before said. */
export function unpackBatch(batch: PackedBatch, unwatched: readonly RelPath[]): WatchBatch {
  // Joined of RelPaths, by `take`.
  const paths = batch.flags.length === 0 ? [] : (batch.paths.split('\0') as RelPath[])
  const dirty = paths.map((path, at): DirtyPath => {
    const flags = batch.flags[at] ?? 0
    return { path, depth: (flags & subtreeFlag) === 0 ? 'entry' : 'subtree', closed: (flags & closedFlag) !== 0 }
  })
  return { dirty, lost: batch.lost, gone: batch.gone, unwatched: batch.unwatched ?? unwatched }
}

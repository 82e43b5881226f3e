import type { AbsPath, RelPath } from '../core/path.js'

/** Native change events of local roots, as hints. */
export interface Watcher {
  /**
   * Watches the tree at `root`, except its private folder. Resolves when every directory is watched: a change made after
   * that is reported. `on` is called in order, batches kept short (a few ms).
   * @throws FileFailure when the root cannot be watched
   */
  watch(root: AbsPath, on: (batch: WatchBatch) => void): Promise<Watch>
  close(): Promise<void>
}

export interface Watch {
  /** Resolves when every event that was queued at the call, and the crawls it caused, have been handed to `on`. */
  drain(): Promise<void>
  close(): Promise<void>
}

export interface WatchBatch {
  readonly dirty: readonly DirtyPath[]
  /** Events were lost: anything in the root may have changed. */
  readonly lost: boolean
  /** The root itself was moved, removed or unmounted; nothing more will be reported. */
  readonly gone: boolean
  /** Subtrees that cannot be watched (limit reached) and must be polled; the set as it is now. */
  readonly unwatched: readonly RelPath[]
}

export interface DirtyPath {
  readonly path: RelPath
  /** 'entry': the path itself. 'subtree': all below too (a directory that appeared). */
  readonly depth: 'entry' | 'subtree'
  /** The last writer closed the file (IN_CLOSE_WRITE). */
  readonly closed: boolean
}

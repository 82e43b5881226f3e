import type { AbsPath, RelPath } from '../core/path.js'

/** How a root is watched. poll: not at all; it is looked at every few seconds. */
export type WatcherKind = 'inotify' | 'parcel' | 'poll'

/** What a user may ask for. auto: poll where others change the file system unheard, else what the platform does best. */
export type WatcherChoice = 'auto' | WatcherKind

export const watcherChoices = ['auto', 'inotify', 'parcel', 'poll'] as const satisfies readonly WatcherChoice[]

/** Native change events of local roots, as hints. */
export interface Watcher {
  /**
   * Watches the tree at `root`, except its private folder. Resolves when every directory is watched: a change made after
   * that is reported. `on` is called in order, batches kept short (a few ms). `kind`: that of the platform if not given.
   * `only`: of this name in the directory alone something has to be told; what is below it is not watched.
   * @throws FileFailure when the root cannot be watched, 'unsupported' when this platform has no such watcher
   */
  watch(root: AbsPath, on: (batch: WatchBatch) => void, kind?: WatcherKind, only?: string): Promise<Watch>
  close(): Promise<void>
}

export interface Watch {
  /**
   * undefined: every change that the kernel tells is told. A number: changes may be missed, so everything has to be looked at
   * this often, in seconds; and `drain` is no barrier.
   */
  readonly fullScanSeconds: number | undefined
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
  /**
   * 'entry': the path itself. 'members': the members of this directory, and those of one that turns out to be new. 'subtree':
   * all below too (a directory that appeared).
   */
  readonly depth: 'entry' | 'members' | 'subtree'
  /** The last writer closed the file (IN_CLOSE_WRITE). */
  readonly closed: boolean
}

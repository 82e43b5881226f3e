import type { AbsPath, RelPath } from '../core/path.js'
import type { WatchBatch, Watcher } from '../host/watcher.js'

/** What the limit of watches leaves of a root: it is looked at again and again instead. */
export interface UnwatchedRoot {
  readonly root: AbsPath
  readonly paths: readonly RelPath[]
}

/** What the watchers of the roots told last that they cannot watch, for whoever asks how a root is. */
export class Unwatched {
  private readonly known = new Map<AbsPath, readonly RelPath[]>()

  /** Of a root that is not watched now nothing is known. */
  at(root: AbsPath): UnwatchedRoot | undefined {
    const paths = this.known.get(root)
    return paths === undefined ? undefined : { root, paths }
  }

  /** The same watcher; what it tells of its root is noted under the path `at`, by which the root is asked for. */
  noting(at: AbsPath, watcher: Watcher): Watcher {
    return {
      watch: async (root, on, kind, only) => {
        let told: readonly RelPath[] = []
        let isOver = false
        const note = (unwatched: readonly RelPath[]) => {
          // One that was opened anew beside this one may have told something meanwhile.
          const mine = this.known.get(at) === told
          told = unwatched
          if (unwatched.length > 0) this.known.set(at, unwatched)
          else if (mine) this.known.delete(at)
        }
        const heard = (batch: WatchBatch) => {
          if (!isOver) note(batch.unwatched)
          on(batch)
        }
        const watch = await watcher.watch(root, heard, kind, only)
        return {
          fullScanSeconds: watch.fullScanSeconds,
          drain: () => watch.drain(),
          close: async () => {
            isOver = true
            note([])
            await watch.close()
          },
        }
      },
      close: () => watcher.close(),
    }
  }
}

import type { AsyncSubscription, Event } from '@parcel/watcher'
import { type AbsPath, absoluteOf, isWithin, parentOf, privateName, type RelPath, relPath } from '../../core/path.js'
import { FileFailure } from '../files.js'
import type { DirtyPath, Watch, WatchBatch, Watcher } from '../watcher.js'
import { nodeFiles } from './files.js'

/**
 * The watcher of macOS (FSEvents), by @parcel/watcher, whose door this is. Its events are believed in nothing but where
 * something happened: the directory of each, and all below, is dirty. It has no barrier, so `drain` waits for nothing: a
 * flush there is a scan.
 */
export class ParcelWatcher implements Watcher {
  private readonly watches = new Set<Watch>()

  async watch(root: AbsPath, on: (batch: WatchBatch) => void): Promise<Watch> {
    // The package is loaded where it is needed. Events carry real paths: /private/var for /var.
    const { subscribe } = await import('@parcel/watcher')
    const real = nodeFiles().realPath(root)
    if (nodeFiles().statPath(real)?.kind !== 'directory')
      throw new FileFailure('not-directory', root, 'watch', 'ENOTDIR')
    const subscription = await subscribe(
      real,
      (error, events) => on(error === null ? batchOf(real, events) : { ...nothing, lost: true }),
      { ignore: [privateName] },
    )
    return this.opened(subscription)
  }

  async close(): Promise<void> {
    await Promise.all([...this.watches].map((watch) => watch.close()))
  }

  private opened(subscription: AsyncSubscription): Watch {
    const watch: Watch = {
      drain: async () => {},
      close: async () => {
        if (this.watches.delete(watch)) await subscription.unsubscribe()
      },
    }
    this.watches.add(watch)
    return watch
  }
}

const nothing: WatchBatch = { dirty: [], lost: false, gone: false, unwatched: [] }

/** Exported for its tests. `root` is a real path. */
export function batchOf(root: AbsPath, events: readonly Event[]): WatchBatch {
  const dirty = new Map<RelPath, DirtyPath>()
  let gone = false
  let lost = false
  for (const event of events) {
    const path = pathIn(root, event.path)
    if (path === undefined) lost = true
    else if (path === '') {
      if (event.type === 'delete') gone = true
      else dirty.set(path, { path, depth: 'entry', closed: false })
    } else if (!isWithin(path, privateRoot)) {
      const parent = parentOf(path)
      dirty.set(parent, { path: parent, depth: 'subtree', closed: false })
    }
  }
  return { dirty: [...dirty.values()], lost, gone, unwatched: [] }
}

const privateRoot = relPath(privateName)

/** undefined when the path is none in the root, as it may be after a name was garbled. */
function pathIn(root: AbsPath, path: string): RelPath | undefined {
  if (path === root) return relPath('')
  const prefix = absoluteOf(root, relPath('x')).slice(0, -1)
  return path.startsWith(prefix) ? relPath(path.slice(prefix.length)) : undefined
}

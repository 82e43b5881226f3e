import { unreachable } from '../../core/assert.js'
import type { AbsPath } from '../../core/path.js'
import { FileFailure } from '../files.js'
import type { Watch, WatchBatch, Watcher, WatcherKind } from '../watcher.js'
import { InotifyWatcher } from './inotify/inotify-watcher.js'
import { onLinux } from './libc.js'
import { ParcelWatcher } from './parcel.js'
import { PollWatcher } from './poll.js'

/** The watchers of this machine; each is started by the first root that is watched by it. */
export function nodeWatcher(): Watcher {
  return new NodeWatcher()
}

class NodeWatcher implements Watcher {
  private readonly open = new Map<WatcherKind, Watcher>()

  async watch(
    root: AbsPath,
    on: (batch: WatchBatch) => void,
    kind: WatcherKind = native,
    only?: string,
  ): Promise<Watch> {
    let watcher = this.open.get(kind)
    if (watcher === undefined) {
      watcher = make(kind, root)
      this.open.set(kind, watcher)
    }
    return watcher.watch(root, on, kind, only)
  }

  async close(): Promise<void> {
    await Promise.all([...this.open.values()].map((watcher) => watcher.close()))
  }
}

const native: WatcherKind = onLinux ? 'inotify' : 'parcel'

function make(kind: WatcherKind, root: AbsPath): Watcher {
  switch (kind) {
    case 'inotify':
      if (!onLinux) throw new FileFailure('unsupported', root, 'inotify', 'ENOSYS')
      return new InotifyWatcher()
    case 'parcel':
      return new ParcelWatcher()
    case 'poll':
      return new PollWatcher()
    default:
      return unreachable(kind)
  }
}

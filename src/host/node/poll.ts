import type { AbsPath } from '../../core/path.js'
import type { Watch, WatchBatch, Watcher, WatcherKind } from '../watcher.js'

/** Seconds between two looks at everything, where nobody tells of changes. */
const pollSeconds = 10
/** The same, of a single file. */
const pollFileSeconds = 2

/**
 * For file systems whose changes come from elsewhere, network and FUSE: the kernel tells nothing of them, so nothing is told
 * here. All there is to it is how often the root wants to be looked at. It asks the file system nothing, so it cannot hang.
 */
export class PollWatcher implements Watcher {
  async watch(_root: AbsPath, _on: (batch: WatchBatch) => void, _kind?: WatcherKind, only?: string): Promise<Watch> {
    const fullScanSeconds = only === undefined ? pollSeconds : pollFileSeconds
    return { fullScanSeconds, drain: async () => {}, close: async () => {} }
  }

  async close(): Promise<void> {}
}

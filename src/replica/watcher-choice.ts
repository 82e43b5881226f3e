import { isDistant } from '../host/distant.js'
import type { Machine } from '../host/host.js'
import type { WatcherChoice, WatcherKind } from '../host/watcher.js'

/** How a root on that file system is watched. What was asked for is what is done, even where it misses changes. */
export function watcherFor(choice: WatcherChoice, filesystem: string, platform: Machine['platform']): WatcherKind {
  if (choice !== 'auto') return choice
  // Others change it without this kernel hearing of it.
  if (isDistant(filesystem)) return 'poll'
  return platform === 'linux' ? 'inotify' : 'parcel'
}

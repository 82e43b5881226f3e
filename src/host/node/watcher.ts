import type { Watcher } from '../watcher.js'
import { InotifyWatcher } from './inotify/inotify-watcher.js'
import { onLinux } from './libc.js'
import { ParcelWatcher } from './parcel.js'

/** The watcher of this platform: inotify on Linux, elsewhere what @parcel/watcher has. */
export function nodeWatcher(): Watcher {
  return onLinux ? new InotifyWatcher() : new ParcelWatcher()
}

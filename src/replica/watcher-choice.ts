import type { Machine } from '../host/host.js'
import type { WatcherChoice, WatcherKind } from '../host/watcher.js'

/** File systems that others change without this kernel hearing of it, as Directory.space names them. */
const distant: ReadonlySet<string> = new Set([
  '9p',
  'afpfs',
  'afs',
  'ceph',
  'cifs',
  'coda',
  'fuse',
  'gfs2',
  'gpfs',
  'lustre',
  'nfs',
  'ocfs2',
  'smb',
  'vboxsf',
  'vmhgfs',
  'webdav',
])

/** How a root on that file system is watched. What was asked for is what is done, even where it misses changes. */
export function watcherFor(choice: WatcherChoice, filesystem: string, platform: Machine['platform']): WatcherKind {
  if (choice !== 'auto') return choice
  if (distant.has(filesystem)) return 'poll'
  return platform === 'linux' ? 'inotify' : 'parcel'
}

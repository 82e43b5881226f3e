import { expect, test } from 'vitest'
import type { Machine } from '../../src/host/host.js'
import type { WatcherChoice } from '../../src/host/watcher.js'
import { watcherFor } from '../../src/replica/watcher-choice.js'

const rows: [choice: WatcherChoice, filesystem: string, platform: Machine['platform'], kind: string][] = [
  // asked for  file system   platform   watched by
  ['auto', 'ext', 'linux', 'inotify'],
  ['auto', 'overlay', 'linux', 'inotify'],
  ['auto', '0x12345678', 'linux', 'inotify'],
  ['auto', 'apfs', 'macos', 'parcel'],
  ['auto', 'nfs', 'linux', 'poll'],
  ['auto', 'smb', 'linux', 'poll'],
  ['auto', 'cifs', 'linux', 'poll'],
  ['auto', 'fuse', 'linux', 'poll'],
  ['auto', '9p', 'linux', 'poll'],
  ['auto', 'nfs', 'macos', 'poll'],
  ['auto', 'fuse', 'macos', 'poll'],
  ['inotify', 'nfs', 'linux', 'inotify'],
  ['parcel', 'ext', 'linux', 'parcel'],
  ['poll', 'ext', 'linux', 'poll'],
]
test.each(rows)('%s on %s of %s', (choice, filesystem, platform, kind) => {
  expect(watcherFor(choice, filesystem, platform)).toBe(kind)
})

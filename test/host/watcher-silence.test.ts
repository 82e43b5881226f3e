import { execFileSync, spawnSync } from 'node:child_process'
import { linkSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { InotifyWatcher } from '../../src/host/node/inotify/inotify-watcher.js'
import type { WatchBatch } from '../../src/host/watcher.js'
import { treeOf } from './watched-tree.js'
import type { WatcherFixture } from './watcher.suite.js'
import { watcherFixture } from './watcher-fixture.js'

const hasPython = spawnSync('python3', ['--version']).status === 0
const store = `
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
with mmap.mmap(fd, 5) as view:
    view[0:5] = b'AFTER'
    view.flush()
`

interface Row {
  readonly what: string
  readonly can: boolean
  change(root: string, outside: string): void
}

/** Changes that the kernel tells nobody of. A full scan finds them by their times. */
const rows: Row[] = [
  {
    what: 'a store into a shared mapping',
    can: hasPython,
    // A mapping keeps its file open; the close tells, so the descriptor is one that was opened under another name.
    change: (_, outside) => void execFileSync('python3', ['-c', store, `${outside}/g`]),
  },
  {
    what: 'a write through a hard link outside the root',
    can: true,
    change: (_, outside) => writeFileSync(`${outside}/g`, 'AFTER'),
  },
]

describe.skipIf(process.platform !== 'linux')('watcher: what the kernel does not tell', () => {
  let fixture: WatcherFixture
  beforeEach(() => {
    fixture = watcherFixture(new InotifyWatcher())
  })
  afterEach(async () => {
    await fixture.watcher.close()
    fixture.release()
  })

  for (const { what, can, change } of rows)
    test.skipIf(!can)(`${what} is not told, and seen by who looks`, async () => {
      const { root, outside, watcher } = fixture
      writeFileSync(`${root}/f`, 'before')
      linkSync(`${root}/f`, `${outside}/g`)
      const batches: WatchBatch[] = []
      const watch = await watcher.watch(root, (batch) => batches.push(batch))
      const before = treeOf(root)
      change(root, outside)
      await watch.drain()
      expect(batches).toEqual([])
      expect(treeOf(root)).not.toEqual(before)
    })
})

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { absPath } from '../../src/core/path.js'
import { InotifyWatcher } from '../../src/host/node/inotify/inotify-watcher.js'
import { atFlags, cPath, errno, errnoName, renameat2 } from '../../src/host/node/libc.js'
import { describeWatcher } from './watcher.suite.js'

if (process.platform === 'linux') {
  describeWatcher('inotify', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tandem-watch-'))
    for (const name of ['root', 'outside']) mkdirSync(join(folder, name))
    return {
      watcher: new InotifyWatcher(),
      root: absPath(join(folder, 'root')),
      outside: absPath(join(folder, 'outside')),
      exchange,
      release: () => rmSync(folder, { recursive: true, force: true }),
    }
  })
}

function exchange(one: string, other: string): void {
  const { currentDirectory } = atFlags
  if (renameat2(currentDirectory, cPath(one), currentDirectory, cPath(other), 2) < 0) {
    throw Object.assign(new Error('renameat2'), { code: errnoName(errno()) })
  }
}

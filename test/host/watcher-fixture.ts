import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { absPath } from '../../src/core/path.js'
import { atFlags, cPath, errno, errnoName, fremovexattr, fsetxattr, renameat2 } from '../../src/host/node/libc.js'
import type { Watcher } from '../../src/host/watcher.js'
import type { WatcherFixture } from './watcher.suite.js'

/** Two directories on the real disk. */
export function watcherFixture(watcher: Watcher): WatcherFixture {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-watch-'))
  for (const name of ['root', 'outside']) mkdirSync(join(folder, name))
  return {
    watcher,
    root: absPath(join(folder, 'root')),
    outside: absPath(join(folder, 'outside')),
    exchange,
    attribute,
    release: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function exchange(one: string, other: string): void {
  const { currentDirectory } = atFlags
  if (renameat2(currentDirectory, cPath(one), currentDirectory, cPath(other), 2) < 0) {
    throw Object.assign(new Error('renameat2'), { code: errnoName(errno()) })
  }
}

function attribute(path: string, value: string | undefined): void {
  const fd = openSync(path, 'r')
  const name = cPath('user.tandem')
  const done = value === undefined ? fremovexattr(fd, name) : fsetxattr(fd, name, Buffer.from(value), value.length, 0)
  closeSync(fd)
  if (done < 0) throw new Error(`${path}: ${errnoName(errno())}`)
}

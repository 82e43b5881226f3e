import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { absPath } from '../../src/core/path.js'
import { InotifyWatcher } from '../../src/host/node/inotify/inotify-watcher.js'
import { atFlags, cPath, errno, errnoName, fremovexattr, fsetxattr, renameat2 } from '../../src/host/node/libc.js'
import { ParcelWatcher } from '../../src/host/node/parcel.js'
import type { Watcher } from '../../src/host/watcher.js'
import { describeWatcher, type WatcherFixture } from './watcher.suite.js'

/** With @parcel/watcher on Linux. On macOS it stands on FSEvents, which is another matter. */
const parcelExceptions = {
  'a file made and removed at once': 'it tells nothing when all is as it was',
  'a directory that appears is a subtree, all else is an entry': 'it tells the directory of each event',
  'the last close of a written file is told, and a file that is still open is not closed': 'it tells of no close',
  'what happens outside after a directory was moved out is not told': 'it goes on watching what was moved out',
  'a file that is written without a pause is told once a batch': 'it has no barrier',
  'several roots are told apart': 'it has no barrier',
  'a model fed by reports alone equals the tree': 'the model takes a loss for a fault',
}

if (process.platform === 'linux') {
  describeWatcher('inotify', () => fixture(new InotifyWatcher()))
  describeWatcher('parcel', () => fixture(new ParcelWatcher()), { exceptions: parcelExceptions })
}

function fixture(watcher: Watcher): WatcherFixture {
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

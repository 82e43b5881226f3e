import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { relPath } from '../../../src/core/path.js'
import type { Stat } from '../../../src/host/files.js'
import { nodeClock } from '../../../src/host/node/clock.js'
import { nodeFiles } from '../../../src/host/node/files.js'
import type { IndexRecord } from '../../../src/index/record.js'
import { recordOf } from '../../../src/index/record.js'
import { type LookedInto, lookAt, unread } from '../../../src/replica/jobs/look.js'
import { detailCharsMax } from '../../../src/replica/jobs/problem.js'
import { fieldsOf } from '../../../src/replica/jobs/stamp.js'
import { freshRoot } from './fixture.js'

/** The root's own file system, and one mounted in it. */
const own = 1n
const mounted = 2n
const mnt = relPath('mnt')
/** As every scan does, but for one that somebody asked for. */
const taken = { settled: false, accepts: false }

const refuse = () => {
  throw new Error('a directory is neither opened nor read')
}

function directory(device: bigint, inode: bigint): Stat {
  return {
    kind: 'directory',
    mode: 0o755,
    inode,
    device,
    sizeBytes: 0,
    mtimeNs: 1n,
    ctimeNs: 1n,
    birthNs: 1n,
    links: 2,
    uid: 0,
    gid: 0,
  }
}

/** As a look told of it before. */
const then =
  'another file system is mounted here now: if it is to stay so, tandem rescan --accept mnt (or tandem sync with that option)'

const known = (inode: bigint, boundary: boolean, problem = false): IndexRecord => {
  const fields = { ...fieldsOf(directory(own, inode), unread), boundary }
  const trouble = { kind: 'problem', code: 'boundary', detail: then } as const
  return recordOf(problem ? { ...fields, problem: trouble } : fields, 5, 9)
}

const rows: readonly [what: string, old: IndexRecord | undefined, now: Stat, expected: string][] = [
  ['a mount that was never seen before is a directory that came', undefined, directory(mounted, 2n), 'placed'],
  ['a mount that is still there', known(2n, true), directory(mounted, 2n), 'same'],
  ['a mount that is gone: what was below is kept', known(2n, true), directory(own, 77n), 'boundary'],
  ['something was mounted over a directory', known(77n, false), directory(mounted, 2n), 'boundary'],
  ['another file system in the place of the mounted one', known(2n, true), directory(mounted, 3n), 'boundary'],
  ['and it stays a problem', known(2n, true, true), directory(mounted, 3n), 'same'],
  ['the mount is back: the problem is over', known(2n, true, true), directory(mounted, 2n), 'unread'],
]

test.each(rows)('S1-14 %s', (_, old, now, expected) => {
  const { world } = freshRoot()
  const above = directory(own, 1n)
  const parent: LookedInto = { statAt: () => now, readSymlink: refuse, openFile: refuse }
  const looked = lookAt({ ...world, clock: nodeClock() }, parent, above, mnt, old, taken)
  const told =
    looked.kind === 'same'
      ? 'same'
      : looked.kind !== 'changed'
        ? looked.kind
        : (looked.fields.problem?.code ?? looked.below)
  expect(told).toBe(expected)
  // A problem keeps what was known.
  if (told === 'boundary' && looked.kind === 'changed') expect(looked.fields.inode).toBe(old?.inode)
})

test.each(rows.filter(([, , , expected]) => expected === 'boundary'))(
  'S1-14 accepted, it begins afresh: %s',
  (_, old, now) => {
    const { world } = freshRoot()
    const parent: LookedInto = { statAt: () => now, readSymlink: refuse, openFile: refuse }
    const how = { settled: false, accepts: true }
    const looked = lookAt({ ...world, clock: nodeClock() }, parent, directory(own, 1n), mnt, old, how)
    const fields = { inode: now.inode, boundary: now.device === mounted, problem: undefined }
    expect(looked).toMatchObject({ kind: 'changed', below: 'placed', fields })
  },
)

const shown: readonly [path: string, command: string][] = [
  ['usb/stick', 'tandem rescan --accept usb/stick '],
  ["my disk's", "tandem rescan --accept 'my disk'\\''s' "],
  ['-x', "tandem rescan --accept '-x' "],
  [`${'d/'.repeat(400)}d`, 'tandem rescan --accept with this path '],
]

test.each(shown)('S1-14 the problem at %s names the command that accepts it', (path, command) => {
  const { world } = freshRoot()
  const parent: LookedInto = { statAt: () => directory(mounted, 2n), readSymlink: refuse, openFile: refuse }
  const { clock } = { clock: nodeClock() }
  const looked = lookAt({ ...world, clock }, parent, directory(own, 1n), relPath(path), known(77n, false), taken)
  const detail = looked.kind === 'changed' ? (looked.fields.problem?.detail ?? '') : ''
  expect(detail).toContain(command)
  expect(detail.length).toBeLessThan(detailCharsMax)
})

test('a stamp from the future is read again each time, and nothing is written down while it says the same', () => {
  const root = freshRoot()
  const path = relPath('a')
  root.write(path, 'from before the clock was set back')
  root.scan([path], true)
  // The clock goes back, not the file.
  root.aheadNs -= 3_600_000_000_000n
  const directory = nodeFiles().openDirectory(root.root)
  const look = () => lookAt(root.world, directory, directory.stat(), path, root.record(path), taken)
  expect(look()).toMatchObject({ kind: 'same' })
  const { mtimeNs } = root.stat(path)
  fs.writeFileSync(root.abs(path), 'FROM before the clock was set back')
  root.retime(path, mtimeNs)
  expect(look()).toMatchObject({ kind: 'changed', quiet: false })
  directory.close()
})

test('a link that took the place of one with its very inode and times is read again, until its times are past', () => {
  const { world } = freshRoot()
  const stat: Stat = { ...directory(own, 2n), kind: 'symlink', ctimeNs: 5_000_000_001n }
  const at = (wallNs: bigint, old: IndexRecord | undefined, target: string) => {
    const parent: LookedInto = { statAt: () => stat, readSymlink: () => target, openFile: refuse }
    const clock = { ...nodeClock(), wallNs: () => wallNs }
    const looked = lookAt({ ...world, clock }, parent, directory(own, 1n), relPath('link'), old, taken)
    return looked.kind === 'changed' ? { ...looked.fields, quiet: looked.quiet } : looked.kind
  }
  const first = at(5_001_000_000n, undefined, 'one')
  if (typeof first === 'string') throw new Error(first)
  expect(first).toMatchObject({ target: 'one', racy: true })
  const record = recordOf(first, 0, 1)
  expect(at(5_002_000_000n, record, 'one')).toBe('same')
  expect(at(9_000_000_000n, record, 'two')).toMatchObject({ target: 'two', racy: false, quiet: false })
  expect(at(9_000_000_000n, record, 'one')).toMatchObject({ target: 'one', racy: false, quiet: true })
  expect(at(9_000_000_000n, { ...record, racy: false }, 'never read')).toBe('same')
})

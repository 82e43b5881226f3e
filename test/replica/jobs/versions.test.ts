import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absent } from '../../../src/core/content.js'
import type { Operation } from '../../../src/core/operation.js'
import { relPath } from '../../../src/core/path.js'
import { FileFailure } from '../../../src/host/files.js'
import { listVersionsJob } from '../../../src/replica/jobs/list-versions.js'
import { type Need, pruneVersionsJob } from '../../../src/replica/jobs/prune-versions.js'
import { recoverJob } from '../../../src/replica/jobs/recover.js'
import { sweepJob } from '../../../src/replica/jobs/sweep.js'
import { dayNs, type Fixture, freshRoot, remove, writeFile } from './fixture.js'
import { Crash } from './stepping.js'

const second = 1_100_000_000n
const mib = 1_048_576

function sweep(root: Fixture) {
  root.aheadNs += second
  return sweepJob.run(root.world, { place: root.place })
}

/** What is kept, by the path it was at, the stamps left out; several of one path in the order of their names. */
function kept(root: Fixture): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  const top = root.abs('.tandem/versions')
  const walk = (below: string) => {
    for (const entry of fs.readdirSync(`${top}/${below}`, { withFileTypes: true }).sort(byName)) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.isDirectory()) walk(path)
      else if (below !== '') {
        const known = path.replace(/^[\d-]+\//, '').replace(/~\d{8}T\d{6}\.\d{3}Z(-\d+)?/, '')
        const text = entry.isSymbolicLink()
          ? `-> ${fs.readlinkSync(`${top}/${path}`)}`
          : fs.readFileSync(`${top}/${path}`, 'utf8')
        found[known] = [...(found[known] ?? []), text]
      }
    }
  }
  walk('')
  return found
}

const byName = (one: fs.Dirent, other: fs.Dirent) => (one.name < other.name ? -1 : 1)

/** One of each that ends a version: a file that is replaced, one that is removed with its directory, a link. */
function prepared(): { root: Fixture; operations: Operation[]; texts: string[] } {
  const root = freshRoot()
  root.write('a.txt', 'old a')
  root.write('d/e/b', 'old b')
  fs.symlinkSync('one', root.abs('l'))
  root.scan(['a.txt', 'd/e/b', 'l'])
  const operations: Operation[] = [
    writeFile('n', absent, 1, 'new n'),
    writeFile('a.txt', root.content('a.txt'), 0, 'new a'),
    { op: 'write-symlink', path: relPath('l'), expect: root.content('l'), target: 'two' },
    remove('d/e/b', root.content('d/e/b')),
    remove('d/e', root.content('d/e')),
  ]
  return { root, operations, texts: ['new a', 'new n'] }
}

const all = { 'a.txt': ['old a'], 'd/e/b': ['old b'], l: ['-> one'] }

test('what a clock has leapt over did not go by: what was replaced is looked at again a second later', () => {
  const { root, operations, texts } = prepared()
  root.apply(operations, texts)
  root.aheadNs += dayNs
  expect(sweepJob.run(root.world, { place: root.place, steadyNs: 900_000_000n })).toMatchObject({ pending: 3 })
  expect(kept(root)).toEqual({})
  expect(sweepJob.run(root.world, { place: root.place, steadyNs: second })).toMatchObject({ pending: 0 })
  expect(kept(root)).toEqual(all)
})

test('nor in a recovery beside work that goes on', () => {
  const { root, operations, texts } = prepared()
  root.apply(operations, texts)
  root.aheadNs += dayNs
  const { place, locks } = root
  expect(recoverJob.run(root.world, { place, locks, steadyNs: 900_000_000n })).toMatchObject({ pending: 3 })
  expect(kept(root)).toEqual({})
})

test('what is replaced or removed is kept at its path, and what is new costs nothing', () => {
  const { root, operations, texts } = prepared()
  const before = root.stat('a.txt')
  root.apply(operations, texts)
  expect(kept(root)).toEqual({})
  expect(sweep(root)).toMatchObject({ pending: 0, keptBytes: 'old aold b'.length + 3 })
  expect(kept(root)).toEqual(all)
  const day = fs.readdirSync(root.abs('.tandem/versions'))[0] ?? ''
  const [name = ''] = fs.readdirSync(root.abs(`.tandem/versions/${day}`)).filter((one) => one.startsWith('a'))
  // By rename: the very file, with its properties.
  expect(root.stat(`.tandem/versions/${day}/${name}`)).toMatchObject({
    inode: before.inode,
    mtimeNs: before.mtimeNs,
    mode: before.mode,
  })
  expect(fs.statSync(root.abs('.tandem/versions')).mode & 0o777).toBe(0o700)
})

test('nothing is kept where nothing shall be', () => {
  const { root, operations, texts } = prepared()
  root.place = { ...root.place, keeps: false }
  root.apply(operations, texts)
  expect(sweep(root)).toMatchObject({ pending: 0, keptBytes: 0 })
  expect(kept(root)).toEqual({})
  expect(root.slots('out')).toEqual([])
})

test('a crash at any call of a sweep: each version is in staging or kept, whole, and once in the end', () => {
  for (let n = 0; ; n++) {
    const { root, operations, texts } = prepared()
    root.apply(operations, texts)
    root.aheadNs += second
    root.trap.crash(n)
    let crashed = false
    try {
      sweepJob.run(root.world, { place: root.place })
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      crashed = true
    }
    root.restart()
    recoverJob.run(root.world, { place: root.place, locks: root.locks })
    sweep(root)
    expect(kept(root)).toEqual(all)
    expect(root.slots('out')).toEqual([])
    root.dispose()
    if (!crashed) {
      expect(n).toBeGreaterThan(20)
      break
    }
  }
})

test('S2-23: a version of a file with another name is a copy: what is written under that name is no part of it', () => {
  const root = freshRoot()
  root.write('a', 'old')
  fs.linkSync(root.abs('a'), root.abs('other'))
  root.scan(['a', 'other'])
  root.apply([writeFile('a', root.content('a'), 0, 'new')], ['new'])
  sweep(root)
  fs.writeFileSync(root.abs('other'), 'written later')
  expect(kept(root)).toEqual({ a: ['old'] })
  expect(root.tree()).toEqual({ a: 'new', other: 'written later' })
  expect([...root.slots('in'), ...root.slots('out')]).toEqual([])
})

test('a version on another file system is copied to the root\u2019s own', () => {
  const root = freshRoot()
  root.write('mount/a', 'old')
  root.scan(['mount/a'])
  const operations = [remove('mount/a', root.content('mount/a'))]
  root.trap.fail((call, path) => {
    const inside = path.split(' -> ').filter((one) => one.startsWith(root.abs('mount/'))).length
    return call.startsWith('rename') && inside === 1 ? new FileFailure('crosses', 'a', 'rename', 'EXDEV') : undefined
  })
  root.apply(operations)
  sweep(root)
  expect(kept(root)).toEqual({ 'mount/a': ['old'] })
  expect(root.tree()).toEqual({ mount: '/' })
})

test('a file system in the root that became read-only is swept when it can be, and holds up nothing', () => {
  const root = freshRoot()
  root.write('mount/a', 'old')
  root.scan(['mount/a'])
  const within = (path: string) => path.split(' -> ').filter((one) => one.startsWith(root.abs('mount/'))).length
  const crosses = (call: string, path: string) =>
    call.startsWith('rename') && within(path) === 1 ? new FileFailure('crosses', 'a', 'rename', 'EXDEV') : undefined
  root.trap.fail(crosses)
  root.apply([remove('mount/a', root.content('mount/a'))])
  root.trap.fail((call, path) =>
    /^(rename|remove|create)/.test(call) && within(path) > 0
      ? new FileFailure('read-only', path, call, 'EROFS')
      : undefined,
  )
  root.aheadNs += second
  expect(sweepJob.run(root.world, { place: root.place })).toMatchObject({ pending: 1 })
  root.trap.fail(crosses)
  expect(sweepJob.run(root.world, { place: root.place })).toMatchObject({ pending: 0 })
  expect(kept(root)).toEqual({ 'mount/a': ['old'] })
})

test('two versions of one moment have two names; a version that bears the name of a directory is kept all the same', () => {
  const root = freshRoot()
  for (const round of ['one', 'two']) {
    root.write('a', round)
    root.scan(['a'])
    // The clock stands still.
    root.world = { ...root.world, clock: { ...root.world.clock, wallNs: () => 1_800_000_000_000_000_000n } }
    root.apply([remove('a', root.content('a'))])
    root.world = { ...root.world, clock: { ...root.world.clock, wallNs: () => 4_000_000_000_000_000_000n } }
    sweepJob.run(root.world, { place: root.place })
  }
  expect(kept(root)).toEqual({ a: ['one', 'two'] })
  const [day = ''] = fs.readdirSync(root.abs('.tandem/versions'))
  const [name = ''] = fs.readdirSync(root.abs(`.tandem/versions/${day}`))
  root.write(`${name}/b`, 'below')
  root.scan([`${name}/b`])
  root.world = { ...root.world, clock: { ...root.world.clock, wallNs: () => 1_800_000_000_000_000_000n } }
  root.apply([remove(`${name}/b`, root.content(`${name}/b`))])
  root.world = { ...root.world, clock: { ...root.world.clock, wallNs: () => 4_000_000_000_000_000_000n } }
  expect(sweepJob.run(root.world, { place: root.place }).pending).toBe(0)
  const stray = fs.readdirSync(root.abs('.tandem/versions')).find((one) => one.startsWith('stray-')) ?? ''
  expect(fs.readFileSync(root.abs(`.tandem/versions/${stray}`), 'utf8')).toBe('below')
})

/** Versions of `sizes` MiB, one a day, the oldest first: d0 is the oldest. The last is of today. */
function withVersions(sizesMib: readonly number[]): Fixture {
  const root = freshRoot()
  const nowNs = root.world.clock.wallNs()
  for (const [at, size] of sizesMib.entries()) {
    const iso = new Date(Number((nowNs - dayNs * BigInt(sizesMib.length - 1 - at)) / 1_000_000n)).toISOString()
    const directory = root.abs(`.tandem/versions/${iso.slice(0, 10)}/deep/er`)
    fs.mkdirSync(directory, { recursive: true })
    fs.writeFileSync(`${directory}/d${at}~${iso.replace(/[-:]/g, '')}.txt`, Buffer.alloc(size * mib))
  }
  return root
}

function prune(root: Fixture, keep: { days: number; mib: number }, addedMib = 0, need?: Need) {
  return pruneVersionsJob.run(root.world, {
    place: root.place,
    keep: { ageMs: keep.days * 86_400_000, sizeBytes: keep.mib * mib },
    addedBytes: addedMib * mib,
    need,
  })
}

const names = (root: Fixture) => Object.keys(kept(root)).map((path) => path.replace(/^deep\/er\/|\.txt$/g, ''))

test('versions go by age', () => {
  const root = withVersions([1, 1, 1, 1])
  expect(prune(root, { days: 2.5, mib: 100 })).toEqual({ files: 1, bytes: mib, leftBytes: 3 * mib })
  expect(names(root)).toEqual(['d1', 'd2', 'd3'])
  // With the day that has nothing left.
  expect(fs.readdirSync(root.abs('.tandem/versions'))).toHaveLength(4)
})

test('versions go by size, the oldest first', () => {
  const root = withVersions([2, 1, 1, 1])
  expect(prune(root, { days: 30, mib: 3 })).toEqual({ files: 1, bytes: 2 * mib, leftBytes: 3 * mib })
  expect(names(root)).toEqual(['d1', 'd2', 'd3'])
  // It is not looked at again for what fits.
  expect(prune(root, { days: 30, mib: 5 }, 1)).toEqual({ files: 0, bytes: 0, leftBytes: 4 * mib })
  expect(prune(root, { days: 30, mib: 3 }, 0).leftBytes).toBe(3 * mib)
})

const wants: [what: string, freeMib: number, need: Need, left: string[]][] = [
  ['there is room enough', 3, { bytes: 2.5 * mib, refused: false }, ['d0', 'd1', 'd2']],
  ['as many as it takes', 1, { bytes: 2.5 * mib, refused: false }, ['d2']],
  ['all, where that is not enough', 1, { bytes: 9 * mib, refused: false }, []],
  ['what was refused has room made for it, and some more', 1, { bytes: 2.5 * mib, refused: true }, []],
  ['none for what finds no room without them either', 1, { bytes: 9 * mib, refused: true }, ['d0', 'd1', 'd2']],
  [
    'as many as it takes where a quota is full and statfs tells of room',
    90,
    { bytes: 1.5 * mib, refused: true },
    ['d2'],
  ],
  ['one where inodes may have run out', 90, { bytes: 0, refused: true }, ['d1', 'd2']],
]
test.each(wants)('31: versions go for want of room: %s', (_, freeMib, need, left) => {
  const root = withVersions([1, 1, 1])
  prune(root, { days: 30, mib: 100 })
  root.trap.room = () => ({ freeBytes: freeMib * mib, totalBytes: 100 * mib })
  expect(prune(root, { days: 30, mib: 100 }, 0, need)).toMatchObject({ files: 3 - left.length })
  expect(names(root)).toEqual(left)
})

test('what is no version of ours stays, whatever its age', () => {
  const root = withVersions([1, 1])
  fs.mkdirSync(root.abs('.tandem/versions/2001-01-01'), { recursive: true })
  fs.writeFileSync(root.abs('.tandem/versions/2001-01-01/note'), 'mine')
  fs.writeFileSync(root.abs('.tandem/versions/strange-1.2'), 'somebody\u2019s')
  prune(root, { days: 0.001, mib: 1 })
  expect(fs.readdirSync(root.abs('.tandem/versions')).sort()).toContain('strange-1.2')
  expect(fs.readFileSync(root.abs('.tandem/versions/2001-01-01/note'), 'utf8')).toBe('mine')
})

/** What nobody can tell the path of, of so many MiB: it is kept from now on. */
function strayIn(root: Fixture, sizeMib: number): string {
  const path = root.abs('.tandem/versions/stray-1.2')
  fs.writeFileSync(path, Buffer.alloc(sizeMib * mib))
  return path
}

test('what has no path goes by its age like any version, and does not hold up the others', () => {
  const root = withVersions([1])
  const stray = strayIn(root, 1)
  fs.mkdirSync(root.abs('.tandem/versions/stray-1.3'))
  fs.mkdirSync(root.abs('.tandem/versions/stray-1.4'))
  fs.writeFileSync(root.abs('.tandem/versions/stray-1.4/mine'), 'mine')
  expect(prune(root, { days: 2, mib: 100 })).toMatchObject({ files: 0, leftBytes: expect.any(Number) })
  expect(fs.existsSync(stray)).toBe(true)
  root.aheadNs += 3n * dayNs
  expect(prune(root, { days: 2, mib: 100 }).bytes).toBeGreaterThanOrEqual(2 * mib)
  // A directory goes only when nothing is in it.
  expect(fs.readdirSync(root.abs('.tandem/versions')).filter((one) => one !== 'kept')).toEqual(['stray-1.4'])
})

test.each([
  ['what is older goes before it', [1, 1], 2, ['d1'], true],
  ['and it goes before what is newer', [1, 1], 0, [], false],
] as const)('what has no path counts into what may be kept: %s', (_, sizes, keepMib, left, stays) => {
  const root = withVersions(sizes)
  const stray = strayIn(root, 1)
  root.aheadNs += 1n
  prune(root, { days: 30, mib: keepMib })
  expect([names(root), fs.existsSync(stray)]).toEqual([left, stays])
})

test('what has no path is listed for the root, and by where it is kept', () => {
  const root = withVersions([1])
  strayIn(root, 1)
  const list = (path: string) => listVersionsJob.run(root.world, { root: root.root, path: relPath(path) })
  const kept = '.tandem/versions/stray-1.2'
  const stray = { path: kept, kept, kind: 'file', sizeBytes: mib }
  expect(list('')).toMatchObject({ own: [], strays: [stray] })
  expect(list('deep')).toMatchObject({ strays: [] })
  expect(list(kept)).toMatchObject({ own: [stray], strays: [] })
})

test('a crash at any call of pruning loses no more than was to go', () => {
  for (let n = 0; ; n++) {
    const root = withVersions([1, 1, 1])
    root.trap.crash(n)
    let crashed = false
    try {
      prune(root, { days: 30, mib: 2 })
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      crashed = true
    }
    root.restart()
    expect(names(root).slice(-2)).toEqual(['d1', 'd2'])
    prune(root, { days: 30, mib: 2 })
    expect(names(root)).toEqual(['d1', 'd2'])
    root.dispose()
    if (!crashed) break
  }
})

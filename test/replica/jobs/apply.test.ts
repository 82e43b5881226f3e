import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absent, type Content } from '../../../src/core/content.js'
import type { Operation } from '../../../src/core/operation.js'
import { relPath } from '../../../src/core/path.js'
import { type FileCode, FileFailure } from '../../../src/host/files.js'
import { acknowledgeJob } from '../../../src/replica/jobs/acknowledge.js'
import { sweepJob } from '../../../src/replica/jobs/sweep.js'
import { type Fixture, fileOf, freshRoot, makeDirectory, oldNs, pair, remove, writeFile } from './fixture.js'
import { crashes } from './stepping.js'

const second = 1_100_000_000n

test('a new file is there whole, with its mode and its time to the nanosecond, and the index knows it', () => {
  const root = freshRoot()
  root.scan([''])
  const applied = root.apply([writeFile('a.txt', absent, 0, 'new')], ['new'])
  expect(applied.outcomes).toEqual([{ kind: 'done', path: 'a.txt', content: fileOf('new') }])
  expect(root.read('a.txt')).toBe('new')
  expect(root.stat('a.txt')).toMatchObject({ mode: 0o640, mtimeNs: oldNs + 1n })
  expect(root.record('a.txt')).toMatchObject({ kind: 'file', racy: false, fingerprint: root.fingerprint('a.txt') })
  expect(root.record('a.txt')).toMatchObject({ inode: root.stat('a.txt').inode, ctimeNs: root.stat('a.txt').ctimeNs })
  expect(applied.last).toBeGreaterThanOrEqual(applied.first)
  expect(applied.dirty).toEqual([])
  expect(root.slots('in')).toEqual([])
})

test('directories, files in them, links and an empty file are made in one batch, top down', () => {
  const root = freshRoot()
  root.scan([''])
  const applied = root.apply(
    [
      makeDirectory('d', 0o700),
      makeDirectory('d/e', 0o777),
      writeFile('d/e/f', absent, 0, 'x'),
      writeFile('d/empty', absent, 1, ''),
      { op: 'write-symlink', path: relPath('d/l'), expect: absent, target: '../\udc80 nowhere' },
    ],
    ['x', ''],
  )
  expect(kinds(applied)).toEqual(['done', 'done', 'done', 'done', 'done'])
  expect(root.tree()).toMatchObject({ d: '/', 'd/e': '/', 'd/e/f': 'x', 'd/empty': '' })
  expect(root.stat('d').mode).toBe(0o700)
  expect(root.stat('d/e').mode).toBe(0o777)
  expect(fs.readlinkSync(root.abs('d/l'), 'buffer')).toEqual(Buffer.from('../\x80 nowhere', 'latin1'))
  for (const path of ['d', 'd/e', 'd/e/f', 'd/empty', 'd/l']) expect(root.record(path), path).toBeDefined()
})

test('a file is replaced, another removed, a link becomes a file and a file a link', () => {
  const root = withFiles({ a: 'old a', b: 'old b', c: 'old c' })
  fs.symlinkSync('a', root.abs('l'))
  root.scan(['a', 'b', 'c', 'l'])
  const applied = root.apply(
    [
      writeFile('a', root.content('a'), 0, 'new a'),
      remove('b', root.content('b')),
      writeFile('l', root.content('l'), 1, 'a file now'),
      { op: 'write-symlink', path: relPath('c'), expect: root.content('c'), target: 'a' },
    ],
    ['new a', 'a file now'],
  )
  expect(kinds(applied)).toEqual(['done', 'done', 'done', 'done'])
  expect(root.tree()).toEqual({ a: 'new a', l: 'a file now', c: '-> a' })
  expect(root.record('b')).toBeUndefined()
  expect(root.record('c')).toMatchObject({ kind: 'symlink', target: 'a' })
})

test('S1-4: a directory that becomes a file, and a file that becomes a directory, are known to the index at once', () => {
  const root = withFiles({ 'd/old': 'old', f: 'old' })
  const applied = root.apply(
    [
      remove('d/old', root.content('d/old')),
      remove('d', root.content('d')),
      remove('f', root.content('f')),
      writeFile('d', absent, 0, 'a file now'),
      makeDirectory('f'),
      writeFile('f/new', absent, 1, 'new'),
    ],
    ['a file now', 'new'],
  )
  expect(kinds(applied)).toEqual(['done', 'done', 'done', 'done', 'done', 'done'])
  // Else what the user takes away before the next scan was never there, as far as the index knows, and nobody hears of it.
  expect(root.record('d')).toMatchObject({ kind: 'file', inode: root.stat('d').inode })
  expect(root.record('f')).toMatchObject({ kind: 'directory', inode: root.stat('f').inode })
  expect(root.record('f/new')).toMatchObject({ kind: 'file' })
  expect(applied.dirty).toEqual([])
})

test('a tree is removed from the leaves up', () => {
  const root = withFiles({ 'd/e/f': 'f', 'd/g': 'g' })
  const paths = ['d/e/f', 'd/e', 'd/g', 'd']
  const applied = root.apply(paths.map((path) => remove(path, root.content(path))))
  expect(kinds(applied)).toEqual(['done', 'done', 'done', 'done'])
  expect(root.tree()).toEqual({})
})

test('a directory that holds what nobody reported stays, and so says the outcome', () => {
  const root = withFiles({ 'd/known': 'k' })
  root.write('d/ignored', 'i')
  const applied = root.apply([remove('d/known', root.content('d/known')), remove('d', root.content('d'))])
  expect(applied.outcomes).toMatchObject([{ kind: 'done' }, { kind: 'failed', code: 'not-empty', transient: false }])
  expect(root.tree()).toEqual({ d: '/', 'd/ignored': 'i' })
})

test('properties are set and read back, on files, directories and the root itself', () => {
  const root = withFiles({ 'd/a': 'a' })
  const applied = root.apply([
    { op: 'set-props', path: relPath('d/a'), expect: root.content('d/a'), props: { mode: 0o600, mtimeNs: -5n } },
    { op: 'set-props', path: relPath('d'), expect: root.content('d'), props: { mode: 0o711, mtimeNs: undefined } },
    { op: 'set-props', path: relPath(''), expect: root.content('d'), props: { mode: 0o701, mtimeNs: undefined } },
  ])
  expect(kinds(applied)).toEqual(['done', 'done', 'done'])
  expect(root.stat('d/a')).toMatchObject({ mode: 0o600, mtimeNs: -5n })
  expect(root.stat('d').mode).toBe(0o711)
  expect(fs.statSync(root.root).mode & 0o7777).toBe(0o701)
  // The time was overwritten: a write just before it would leave no trace, so the bytes are read again.
  expect(root.record('d/a')).toMatchObject({ racy: true, mtimeNs: -5n })
})

test.each<[op: string, operation: (expect: Content) => Operation]>([
  ['replaced', (was) => writeFile('a', was, 0, 'from there')],
  ['removed', (was) => remove('a', was)],
])('what was never read is not %s for what was agreed, though size, time and mode are the same', (_, operation) => {
  const root = withFiles({ a: 'old a' })
  const was = root.content('a')
  root.saveAtomically('a', 'new a')
  root.retime('a', oldNs)
  root.scan(['a'])
  root.amend('a', { fingerprint: undefined })
  const applied = root.apply([operation(was)], ['from there'])
  expect(applied.outcomes).toMatchObject([{ kind: 'superseded', path: 'a' }])
  expect(root.read('a')).toBe('new a')
})

const refusals: [what: string, change: (root: Fixture) => void, operation: (expect: Content) => Operation][] = [
  ['the file grew', (root) => root.write('a', 'longer'), (was) => writeFile('a', was, 0, 'new')],
  ['its time moved', (root) => root.retime('a', 5n), (was) => writeFile('a', was, 0, 'new')],
  ['its mode changed', (root) => fs.chmodSync(root.abs('a'), 0o600), (was) => writeFile('a', was, 0, 'new')],
  ['it is gone', (root) => fs.rmSync(root.abs('a')), (was) => writeFile('a', was, 0, 'new')],
  ['it is a directory now', (root) => swapForDirectory(root), (was) => writeFile('a', was, 0, 'new')],
  ['it was rewritten with the same size and time', (root) => root.write('a', 'OLD'), (was) => remove('a', was)],
  ['it was replaced by its twin', (root) => root.saveAtomically('a', 'old'), (was) => remove('a', was)],
  ['something is there already', () => {}, () => writeFile('a', absent, 0, 'new')],
  ['a directory is there already', (root) => swapForDirectory(root), () => makeDirectory('a')],
]

test.each(refusals)('superseded, and left as it is: %s', (_, change, operation) => {
  const root = withFiles({ a: 'old' })
  const was = root.content('a')
  change(root)
  const before = root.tree()
  const applied = root.apply([operation(was)], ['new'])
  expect(applied.outcomes).toMatchObject([{ kind: 'superseded', path: 'a' }])
  expect(applied.dirty).toContain('a')
  expect(root.tree()).toEqual(before)
})

test('each operation stands alone: one that fails does not stop the others', () => {
  const root = withFiles({ a: 'old', b: 'old' })
  root.trap.fail((call, path) => failure(call === 'rename:exchange' && path.includes('/a '), 'io'))
  const applied = root.apply(
    [writeFile('a', root.content('a'), 0, 'A'), writeFile('b', root.content('b'), 1, 'B')],
    ['A', 'B'],
  )
  expect(applied.outcomes).toMatchObject([{ kind: 'failed', code: 'io', transient: true }, { kind: 'done' }])
  expect(root.tree()).toEqual({ a: 'old', b: 'B' })
})

test('what should stand in a directory that was not made fails with its reason', () => {
  const root = freshRoot()
  root.scan([''])
  root.trap.fail((call, path) => failure(call === 'makeDirectory' && path.endsWith('/d'), 'disk-full'))
  const applied = root.apply(
    [makeDirectory('d'), writeFile('d/a', absent, 0, 'A'), writeFile('b', absent, 1, 'B')],
    ['A', 'B'],
  )
  expect(applied.outcomes).toMatchObject([
    { kind: 'failed', code: 'disk-full' },
    { kind: 'failed', code: 'disk-full', detail: expect.stringContaining('its directory d was not made') },
    { kind: 'done' },
  ])
})

test('bytes that could not be staged, or never came, fail their own operation only', () => {
  const root = freshRoot()
  root.scan([''])
  root.trap.fail((call, path) => failure(call === 'write' && path.endsWith('-0'), 'disk-full'))
  const applied = root.apply(
    [writeFile('full', absent, 0, 'A'), writeFile('never', absent, 9, 'B'), writeFile('c', absent, 1, 'C')],
    ['A', 'C'],
  )
  expect(applied.outcomes).toMatchObject([
    { kind: 'failed', code: 'disk-full', transient: true },
    { kind: 'failed', code: 'changing', transient: true },
    { kind: 'done' },
  ])
  expect(root.slots('in')).toEqual([])
})

test('S2-23: a replacement without a mode of its own keeps owner, group, mode and attributes of what it replaces', () => {
  const root = withFiles({ a: 'old' })
  fs.chmodSync(root.abs('a'), 0o754)
  if (process.getuid?.() === 0) fs.chownSync(root.abs('a'), 12_345, 23_456)
  root.scan(['a'])
  const before = root.stat('a')
  const props = { mode: undefined, mtimeNs: oldNs }
  const applied = root.apply([writeFile('a', root.content('a'), 0, 'new', props)], ['new'])
  expect(kinds(applied)).toEqual(['done'])
  expect(root.stat('a')).toMatchObject({ mode: 0o754, uid: before.uid, gid: before.gid, mtimeNs: oldNs })
  expect(root.stat('a').inode).not.toBe(before.inode)
})

test('a new file without a mode of its own gets what the process gives to new files', () => {
  const root = freshRoot()
  root.scan([''])
  root.apply([writeFile('a', absent, 0, 'new', { mode: undefined, mtimeNs: undefined })], ['new'])
  expect(root.stat('a').mode).toBe(0o666 & ~process.umask())
})

test('T17: a file with another name elsewhere is parted from it, which keeps its content', () => {
  const root = withFiles({ a: 'old' })
  fs.linkSync(root.abs('a'), root.abs('../outside'))
  root.scan(['a'])
  expect(kinds(root.apply([writeFile('a', root.content('a'), 0, 'new')], ['new']))).toEqual(['done'])
  expect(root.read('a')).toBe('new')
  expect(root.read('../outside')).toBe('old')
})

test('S1-4: a directory that took the place of another is not recorded with the members of that one', () => {
  const root = freshRoot()
  root.write('d/member', 'agreed')
  root.scan(['d', 'd/member'])
  const before = root.record('d')
  const was = root.content('d')
  if (was.kind !== 'directory') throw new Error('no directory')
  fs.renameSync(root.abs('d'), root.abs('old'))
  fs.mkdirSync(root.abs('d'))
  fs.chmodSync(root.abs('d'), was.props.mode ?? 0)
  const { outcomes, dirty } = root.apply([
    { op: 'set-props', path: relPath('d'), expect: was, props: { mode: 0o700, mtimeNs: undefined } },
  ])
  expect(outcomes).toMatchObject([{ kind: 'superseded', detail: 'another directory is there' }])
  expect(dirty).toContain('d')
  expect(root.record('d')).toEqual(before)
  expect(root.stat('d').mode).toBe(was.props.mode)
})

test('T2: a directory that became a symbolic link is not followed', () => {
  const root = withFiles({ 'd/a': 'old' })
  const was = root.content('d/a')
  fs.renameSync(root.abs('d'), root.abs('../canary'))
  fs.symlinkSync('../canary', root.abs('d'))
  const applied = root.apply(
    [
      writeFile('d/a', was, 0, 'new'),
      writeFile('d/b', absent, 1, 'new'),
      makeDirectory('d/c'),
      remove('d/a', was),
      { op: 'set-props', path: relPath('d/a'), expect: was, props: { mode: 0o777, mtimeNs: 1n } },
    ],
    ['new', 'new'],
  )
  expect(kinds(applied)).toEqual(Array(5).fill('superseded'))
  expect(fs.readdirSync(root.abs('../canary'))).toEqual(['a'])
  expect(root.read('../canary/a')).toBe('old')
  expect(fs.statSync(root.abs('../canary/a')).mode & 0o777).toBe(0o644)
})

test('T2: a directory that is moved away while it is changed takes the changes with it, and none is told as done', () => {
  const root = withFiles({ 'd/a': 'old' })
  root.trap.before('rename:no-replace', 1, () => fs.renameSync(root.abs('d'), root.abs('e')))
  const applied = root.apply([writeFile('d/b', absent, 0, 'new'), makeDirectory('d/c')], ['new'])
  expect(kinds(applied)).toEqual(['superseded', 'superseded'])
  expect(root.record('d/b')).toBeUndefined()
  expect(applied.dirty).toContain('d')
})

test('a directory that cannot be looked for again is not taken for one that was moved', () => {
  const root = withFiles({ 'd/a': 'old' })
  root.trap.fail((call, path) => failure(call === 'openDirectory' && path.endsWith('/d') && root.has('d/b'), 'io'))
  const applied = root.apply([makeDirectory('d/b')])
  expect(kinds(applied)).toEqual(['done'])
  expect(root.record('d/b')).toBeDefined()
  expect(applied.dirty).toEqual(['d'])
})

test('the mode that its user gives a directory at the moment it is made is his change', () => {
  const root = freshRoot()
  root.scan([''])
  root.trap.after('makeDirectory', 1, () => root.trap.after('statAt', 1, () => fs.chmodSync(root.abs('d'), 0o700)))
  const [made] = root.apply([makeDirectory('d')]).outcomes
  expect(root.stat('d').mode & 0o777).toBe(0o700)
  expect(made).toMatchObject({ kind: 'done', content: { props: { mode: 0o755 } } })
  expect(root.record('d')?.mode).toBe(0o755)
})

test('a reserved name is refused in every folding', () => {
  const root = freshRoot()
  root.scan([''])
  const applied = root.apply([makeDirectory('.tandem/x'), makeDirectory('.TANDEM'), makeDirectory('d/.tan\u200bdem')])
  expect(applied.outcomes).toMatchObject(Array(3).fill({ kind: 'failed', code: 'name', transient: false }))
})

test('S2-26: a stamp that belongs to the user\u2019s next edit is not recorded', () => {
  const root = withFiles({ a: 'old' })
  root.trap.after('rename:exchange', 1, () => fs.appendFileSync(root.abs('a'), ' and more'))
  const applied = root.apply([writeFile('a', root.content('a'), 0, 'new')], ['new'])
  expect(applied.outcomes).toEqual([{ kind: 'done', path: 'a', content: fileOf('new') }])
  expect(applied.dirty).toContain('a')
  expect(root.read('a')).toBe('new and more')
  expect(root.record('a')?.sizeBytes).toBe(3)
})

test('S2-16: a property that the root cannot hold is read back', () => {
  const root = freshRoot()
  root.scan([''])
  // A file system of whole seconds.
  root.trap.after('futimens', 1, (path) => fs.utimesSync(path, 1_700_000_000, 1_700_000_000))
  const applied = root.apply([writeFile('a', absent, 0, 'new')], ['new'])
  const content = fileOf('new', { mode: 0o640, mtimeNs: 1_700_000_000_000_000_000n })
  expect(applied.outcomes).toEqual([{ kind: 'done', path: 'a', content }])
  expect(applied.dirty).toEqual([])
})

test('S2-15: after a failed sync nothing it covered is believed: no second sync, slots and intent gone', () => {
  for (const count of [2, 9]) {
    const root = withFiles({ a: 'old' })
    const texts = Array.from({ length: count }, (_, at) => `new ${at}`)
    root.trap.fail((call) => failure(call === (count > 8 ? 'syncFilesystem' : 'syncFile'), 'io'))
    const applied = root.apply(
      texts.map((text, at) => writeFile(`n${at}`, absent, at, text)),
      texts,
    )
    expect(applied.outcomes).toMatchObject(Array(count).fill({ kind: 'failed', code: 'io', transient: true }))
    expect(root.tree()).toEqual({ a: 'old' })
    expect([...root.slots('in'), ...root.slots('out'), ...root.slots('intents')]).toEqual([])
    expect(root.trap.calls.filter(({ call }) => call.startsWith('sync'))).toHaveLength(1)
  }
})

test('one syncfs for many files, before the first of them is visible', () => {
  const root = freshRoot()
  root.scan([''])
  const texts = Array.from({ length: 20 }, (_, at) => `new ${at}`)
  root.apply(
    texts.map((text, at) => writeFile(`n${at}`, absent, at, text)),
    texts,
  )
  const calls = root.trap.calls.map(({ call, path }) => (path.includes('/root/n') ? `visible ${call}` : call))
  expect(calls.filter((call) => call.startsWith('sync'))).toEqual(['syncFilesystem'])
  const published = root.trap.calls.findIndex(({ path }) => / -> .*\/root\/n0$/.test(path))
  expect(calls.indexOf('syncFilesystem')).toBeLessThan(published)
})

test('S2-15: where a syncfs does not tell of errors each of many files is synced by itself, and then the intent', () => {
  const texts = Array.from({ length: 20 }, (_, at) => `new ${at}`)
  const operations = texts.map((text, at) => writeFile(`n${at}`, absent, at, text))
  const root = onOldKernel()
  root.apply(operations, texts)
  const synced = root.trap.calls.filter(({ call }) => call.startsWith('sync'))
  expect(synced.map(({ call }) => call)).toEqual([...Array(20).fill('syncFile'), 'syncFile', 'syncDirectory'])
  const folders = synced.map(({ path }) => path.split('/').at(-2))
  expect(folders.filter((folder) => folder === 'in')).toHaveLength(20)
  expect(new Set(synced.slice(0, 20).map(({ path }) => path)).size).toBe(20)
  const last = root.trap.calls.findLastIndex(({ call }) => call.startsWith('sync'))
  const published = root.trap.calls.findIndex(({ path }) => / -> .*\/root\/n0$/.test(path))
  expect(last).toBeLessThan(published)

  const failing = onOldKernel()
  let asked = 0
  failing.trap.fail((call) => failure(call === 'syncFile' && ++asked === 20, 'io'))
  const applied = failing.apply(operations, texts)
  expect(applied.outcomes).toMatchObject(Array(20).fill({ kind: 'failed', code: 'io', transient: true }))
  expect(failing.tree()).toEqual({})
  expect(failing.slots('in')).toEqual([])
})

function onOldKernel(): Fixture {
  const root = freshRoot()
  root.scan([''])
  root.world = { ...root.world, machine: { ...root.world.machine, kernel: '5.4.0-100-generic' } }
  root.trap.calls.length = 0
  return root
}

test('S2-24: a directory that its owner may not write is opened for the batch and closed again', () => {
  const root = withFiles({ 'd/a': 'old' })
  fs.chmodSync(root.abs('d'), 0o555)
  root.scan(['d'])
  const denied = () => (fs.statSync(root.abs('d')).mode & 0o200) === 0
  root.trap.fail((call, path) => failure(call.startsWith('rename') && path.includes('/root/d/') && denied(), 'denied'))
  const applied = root.apply(
    [writeFile('d/a', root.content('d/a'), 0, 'new'), writeFile('d/b', absent, 1, 'b')],
    ['new', 'b'],
  )
  expect(kinds(applied)).toEqual(['done', 'done'])
  expect(root.stat('d').mode).toBe(0o555)
  expect(root.tree()).toEqual({ d: '/', 'd/a': 'new', 'd/b': 'b' })
})

test.each([
  ['after the batch was acknowledged', false],
  ['and by another process', true],
])('S2-24: a mode that could not be put back is put back later: %s', (_, restarts) => {
  const root = withFiles({ 'd/a': 'old' })
  fs.chmodSync(root.abs('d'), 0o555)
  root.scan(['d'])
  const denied = () => (fs.statSync(root.abs('d')).mode & 0o200) === 0
  root.trap.fail((call, path) => {
    if (call === 'setMode' && !denied()) return new FileFailure('io', path, 'chmod', 'EIO')
    return failure(call.startsWith('rename') && path.includes('/root/d/') && denied(), 'denied')
  })
  const applied = root.apply([writeFile('d/a', root.content('d/a'), 0, 'new')], ['new'])
  expect(kinds(applied)).toEqual(['done'])
  acknowledgeJob.run(root.world, { place: root.place, pair, batches: [root.batch] })
  root.aheadNs += 2_000_000_000n
  expect(sweepJob.run(root.world, { place: root.place })).toMatchObject({ pending: 1 })
  expect(root.stat('d').mode).toBe(0o755)
  root.trap.release()
  if (restarts) {
    root.restart()
    root.recover()
  } else sweepJob.run(root.world, { place: root.place })
  expect(root.stat('d').mode).toBe(0o555)
  expect(root.slots('intents')).toEqual([])
})

test('S2-24: a recovery that cannot put a mode back goes on, and it is put back later', () => {
  const root = withFiles({ 'd/a': 'old' })
  fs.chmodSync(root.abs('d'), 0o555)
  root.scan(['d'])
  const denied = () => (fs.statSync(root.abs('d')).mode & 0o200) === 0
  root.trap.fail((call, path) => failure(call.startsWith('rename') && path.includes('/root/d/') && denied(), 'denied'))
  root.trap.after('setMode', 1, () => root.trap.crash(0))
  expect(crashes(() => root.apply([remove('d/a', root.content('d/a'))]))).toBe(true)
  root.restart()
  root.trap.fail((call, path) => (call === 'setMode' ? new FileFailure('io', path, 'chmod', 'EIO') : undefined))
  expect(root.recover()).toMatchObject({ pending: 1 })
  expect(root.stat('d').mode).toBe(0o755)
  root.trap.release()
  root.restart()
  root.recover()
  expect(root.stat('d').mode).toBe(0o555)
})

test('S2-24: where rename crosses, staging stands beside the target and leaves nothing behind', () => {
  const root = withFiles({ 'mount/d/a': 'old', 'mount/d/b': 'old', 'mount/d/e/f': 'old' })
  root.trap.fail((call, path) => failure(call.startsWith('rename') && crossesMount(root, path), 'crosses'))
  const applied = root.apply(
    [
      writeFile('mount/d/a', root.content('mount/d/a'), 0, 'new'),
      writeFile('mount/d/n', absent, 1, 'new too'),
      { op: 'write-symlink', path: relPath('mount/l'), expect: absent, target: 'd' },
      remove('mount/d/e/f', root.content('mount/d/e/f')),
      remove('mount/d/e', root.content('mount/d/e')),
    ],
    ['new', 'new too'],
  )
  expect(kinds(applied)).toEqual(['done', 'done', 'done', 'done', 'done'])
  const goal = {
    mount: '/',
    'mount/d': '/',
    'mount/d/a': 'new',
    'mount/d/b': 'old',
    'mount/d/n': 'new too',
    'mount/l': '-> d',
  }
  expect(root.tree()).toEqual(goal)
  expect(root.stat('mount/d/a')).toMatchObject({ mode: 0o640, mtimeNs: oldNs + 1n })
  root.aheadNs += second
  expect(sweepJob.run(root.world, { place: root.place })).toMatchObject({ pending: 0, dirty: [] })
  expect(root.has('mount/.tandem')).toBe(false)
  expect(root.slots('out')).toEqual([])
})

test('S2-35: a file that is a mount point is busy, which waiting does not change', () => {
  const root = withFiles({ a: 'old' })
  root.trap.fail((call) => failure(call === 'rename:exchange', 'busy'))
  const applied = root.apply([writeFile('a', root.content('a'), 0, 'new')], ['new'])
  expect(applied.outcomes).toMatchObject([{ kind: 'failed', code: 'busy', transient: false }])
  expect(root.tree()).toEqual({ a: 'old' })
})

test('5,001 files are recorded in two transactions, with rising sequences', { timeout: 300_000 }, () => {
  const root = freshRoot()
  root.scan([''])
  const operations = Array.from({ length: 5_001 }, (_, at) => makeDirectory(`d${at}`))
  const applied = root.apply(operations)
  expect(applied.outcomes.every((outcome) => outcome.kind === 'done')).toBe(true)
  expect(applied.last - applied.first).toBe(5_000)
  expect(root.record('d5000')?.sequence).toBe(applied.last)
})

test('a directory that could not be looked at when it was made is taken back, and nothing comes in it', () => {
  const root = freshRoot()
  root.scan([''])
  root.trap.fail((call, path) =>
    failure(call === 'statAt' && path.endsWith('/d') && fs.existsSync(root.abs('d')), 'io'),
  )
  const applied = root.apply([makeDirectory('d', 0o755), writeFile('d/f', absent, 0, 'f')], ['f'])
  expect(applied.outcomes).toMatchObject([{ kind: 'failed', code: 'io' }, { kind: 'failed' }])
  expect(root.tree()).toEqual({})
})

test('a file that could not be looked at when it was published is done, and is looked at later', () => {
  const root = freshRoot()
  root.scan([''])
  root.trap.fail((call, path) =>
    failure(call === 'statAt' && path.endsWith('/f') && fs.existsSync(root.abs('f')), 'io'),
  )
  const applied = root.apply([writeFile('f', absent, 0, 'f')], ['f'])
  expect(applied.outcomes).toMatchObject([{ kind: 'done' }])
  expect(applied.dirty).toEqual(['f'])
  expect(root.record('f')).toMatchObject({ kind: 'file', racy: true })
})

function withFiles(files: Record<string, string>): Fixture {
  const root = freshRoot()
  for (const [path, text] of Object.entries(files)) root.write(path, text)
  root.scan(Object.keys(files))
  return root
}

function kinds(applied: { readonly outcomes: readonly { readonly kind: string }[] }): string[] {
  return applied.outcomes.map((outcome) => outcome.kind)
}

function failure(when: boolean, code: FileCode): FileFailure | undefined {
  return when ? new FileFailure(code, 'there', 'call', code.toUpperCase()) : undefined
}

function swapForDirectory(root: Fixture): void {
  fs.rmSync(root.abs('a'))
  fs.mkdirSync(root.abs('a'))
}

/** Whether exactly one of the two paths lies on the file system that `mount` would be. */
function crossesMount(root: Fixture, paths: string): boolean {
  const [from = '', to = ''] = paths.split(' -> ')
  const inside = (path: string) => path.startsWith(root.abs('mount/'))
  return inside(from) !== inside(to)
}

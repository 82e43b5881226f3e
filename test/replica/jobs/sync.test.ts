import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absent } from '../../../src/core/content.js'
import { relPath } from '../../../src/core/path.js'
import { FileFailure } from '../../../src/host/files.js'
import { syncJob } from '../../../src/replica/jobs/sync.js'
import { type Fixture, freshRoot, writeFile } from './fixture.js'

const canMount = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tandem-test', '/mnt']).status === 0

test('few paths: each file and all directories that lead to it, once; for what is gone its nearest directory', () => {
  const root = freshRoot()
  for (const path of ['d/a', 'd/b', 'e/f']) root.write(path, path)
  fs.symlinkSync('a', root.abs('d/l'))
  expect(syncs(root, ['d/a', 'd/b', 'd/l', 'e', 'no/such/path', ''])).toEqual([
    'syncFile d/a',
    'syncDirectory d',
    'syncDirectory ',
    'syncFile d/b',
    'syncDirectory e',
  ])
})

test('S1-1: what was renamed since it was sent is on disk wherever it is: one syncfs', () => {
  const root = freshRoot()
  for (const path of ['d/a', 'd/b']) root.write(path, path)
  root.scan(['d', 'd/a', 'd/b'])
  fs.renameSync(root.abs('d/a'), root.abs('elsewhere'))
  expect(syncs(root, ['d/a', 'd/b'])).toEqual(['syncFilesystem d', 'syncDirectory d', 'syncDirectory ', 'syncFile d/b'])
  fs.renameSync(root.abs('d'), root.abs('away'))
  expect(syncs(root, ['d/b'])).toEqual(['syncFilesystem ', 'syncDirectory '])
})

test('many paths: one syncfs', () => {
  const root = freshRoot()
  const paths = Array.from({ length: 9 }, (_, at) => `d/${at}`)
  for (const path of paths) root.write(path, path)
  expect(syncs(root, paths)).toEqual(['syncFilesystem '])
})

test('S2-15: many paths where a syncfs does not tell of errors: each file, and each directory once', () => {
  const root = freshRoot()
  root.world = { ...root.world, machine: { ...root.world.machine, kernel: '5.4.0-100-generic' } }
  const paths = Array.from({ length: 9 }, (_, at) => `d/${at}`)
  for (const path of paths) root.write(path, path)
  const [first = '', ...rest] = paths.map((path) => `syncFile ${path}`)
  expect(syncs(root, paths)).toEqual([first, 'syncDirectory d', 'syncDirectory ', ...rest])
})

test("S1-1: 'all' is one syncfs, not the paths a, l and l", () => {
  const root = freshRoot()
  root.write('a', 'a')
  root.trap.calls.length = 0
  syncJob.run(root.world, { place: root.place, paths: 'all' })
  expect(root.trap.calls.filter(({ call }) => call.startsWith('sync')).map(({ call }) => call)).toEqual([
    'syncFilesystem',
  ])
})

// Skipped where this user may not mount.
test.skipIf(!canMount)("'all' is one syncfs for each file system that is mounted in the root, too", () => {
  const root = freshRoot()
  root.write('d/e/f', 'f')
  const mounted = root.abs('d/e')
  execFileSync('mount', ['-t', 'tmpfs', 'tandem-test', mounted])
  try {
    root.write('d/e/g', 'g')
    root.trap.calls.length = 0
    syncJob.run(root.world, { place: root.place, paths: 'all' })
    expect(root.trap.calls.filter(({ call }) => call === 'syncFilesystem').map(({ path }) => path)).toEqual([
      root.root,
      mounted,
    ])
  } finally {
    execFileSync('umount', [mounted])
  }
})

test('S2-15: a sync that failed is told as a failure, once', () => {
  const root = freshRoot()
  root.write('a', 'a')
  root.trap.fail((call) => (call === 'syncFile' ? new FileFailure('io', 'a', 'fdatasync', 'EIO') : undefined))
  expect(() => syncJob.run(root.world, { place: root.place, paths: [relPath('a')] })).toThrow(FileFailure)
  expect(root.trap.calls.filter(({ call }) => call === 'syncFile')).toHaveLength(1)
})

test('a file that may not be opened is on disk with its file system', () => {
  const root = freshRoot()
  root.write('a', 'a')
  root.trap.fail((call, path) =>
    call === 'openFile' && path.endsWith('root/a') ? new FileFailure('denied', 'a', 'open', 'EACCES') : undefined,
  )
  expect(syncs(root, ['a'])).toEqual(['syncFilesystem ', 'syncDirectory '])
})

function syncs(root: Fixture, paths: string[]): string[] {
  root.trap.calls.length = 0
  syncJob.run(root.world, { place: root.place, paths: paths.map(relPath) })
  return root.trap.calls
    .filter(({ call }) => call.startsWith('sync'))
    .map(({ call, path }) => `${call} ${path.slice(root.root.length).replace(/^\//, '')}`)
}

test('a root that is to outlive no more than a kill is never synced, whatever is done', () => {
  const root = freshRoot()
  root.write('a', 'old')
  root.scan(['a'])
  root.place = { ...root.place, durability: 'process' }
  root.trap.crash(Number.POSITIVE_INFINITY)
  root.apply([writeFile('a', root.content('a'), 0, 'new'), writeFile('n', absent, 1, 'new n')], ['new', 'new n'])
  syncJob.run(root.world, { place: root.place, paths: [relPath('a')] })
  syncJob.run(root.world, { place: root.place, paths: 'all' })
  expect(root.trap.calls.filter(({ call }) => call.startsWith('sync'))).toEqual([])
  expect(root.tree()).toEqual({ a: 'new', n: 'new n' })
})

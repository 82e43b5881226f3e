import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { expectEqual, giveToPlainUser, placeForOthers, plainUser, sandbox, touch, tree } from './harness.js'

test('everything that a tree can hold arrives as it is', async () => {
  const box = sandbox()
  box.write('a/plain.txt', 'plain\n', { mtime: '@1700000000.123456789' })
  box.write('a/script', '#!/bin/sh\n', { mode: 0o750, mtime: '@-1.999999999' })
  box.write('a/read-only', 'x', { mode: 0o400 })
  box.write('a/empty', '')
  box.write('a/large', Buffer.alloc(3_000_000, 7))
  box.write('a/d/e/f/deep', 'deep\n', { mtime: '@0.000000001' })
  mkdirSync(box.at('a/empty-directory'), { mode: 0o700 })
  mkdirSync(box.at('a/sticky'))
  chmodSync(box.at('a/sticky'), 0o1777)
  symlinkSync('plain.txt', box.at('a/link'))
  symlinkSync('/nowhere at all', box.at('a/dangling'))
  symlinkSync('../..', box.at('a/d/up'))
  box.write('b/from-beta', 'beta\n')

  const first = await box.tandem(['sync', 'a', 'b'])
  expect(first).toMatchObject({ code: 0, stderr: '' })
  expect(box.read('b/d/e/f/deep')).toBe('deep\n')
  expect(box.read('a/from-beta')).toBe('beta\n')
  expectEqual(box.at('a'), box.at('b'))

  const again = await box.tandem(['sync', 'a', 'b'])
  expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/all files are equal/) })
})

test('names are kept byte for byte', async () => {
  const box = sandbox()
  mkdirSync(box.at('a'))
  const names = [
    Buffer.from('käse'),
    Buffer.from('ka\u0308se'),
    Buffer.from([0x6b, 0xe4, 0x73, 0x65]), // latin1
    Buffer.from([0xff, 0xfe]),
    Buffer.from([0xed, 0xb2, 0x80]), // a surrogate in UTF-8, which is none
    Buffer.from('two\nlines'),
    Buffer.from('\x1b[31mred'),
    Buffer.from(' blanks  '),
    Buffer.from('back\\slash'),
    Buffer.from('-batch'),
    Buffer.from('n'.repeat(255)),
    Buffer.from('.hidden'),
  ]
  for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${box.at('a')}/`), name]), name)
  const end = await box.tandem(['sync', 'a', 'b'])
  expect(end.code).toBe(0)
  expect(Object.keys(tree(box.at('b')))).toHaveLength(names.length + 1)
  expectEqual(box.at('a'), box.at('b'))
  // What was printed of them cannot hurt a terminal.
  expect(end.stdout).not.toMatch(/[\x1b\x9b]/)
})

test('changes go both ways, removals and renames too', async () => {
  const box = sandbox()
  for (const name of ['keep', 'edit', 'remove', 'rename', 'chmod', 'touch', 'retype', 'd/x', 'd/y'])
    box.write(`a/${name}`, name)
  await box.tandem(['sync', 'a', 'b'])

  box.write('a/edit', 'edited on a')
  rmSync(box.at('b/remove'))
  renameSync(box.at('a/rename'), box.at('a/renamed'))
  chmodSync(box.at('b/chmod'), 0o600)
  touch(box.at('a/touch'), '@1234567890.5')
  rmSync(box.at('b/retype'))
  symlinkSync('keep', box.at('b/retype'))
  rmSync(box.at('b/d'), { recursive: true })
  const end = await box.tandem(['sync', 'a', 'b'])
  expect(end.code).toBe(0)
  expectEqual(box.at('a'), box.at('b'))
  expect(box.read('b/edit')).toBe('edited on a')
  expect(Object.keys(tree(box.at('a')))).toEqual(['.', 'chmod', 'edit', 'keep', 'renamed', 'retype', 'touch'])
})

test('a chmod here and an edit there are one change', async () => {
  const box = sandbox()
  box.write('a/f', 'one', { mode: 0o644 })
  await box.tandem(['sync', 'a', 'b'])
  chmodSync(box.at('a/f'), 0o755)
  box.write('b/f', 'two, longer')
  expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
  expectEqual(box.at('a'), box.at('b'))
  expect(box.read('a/f')).toBe('two, longer')
})

test('a difference in time alone is no conflict: the later time is set', async () => {
  const box = sandbox()
  box.write('a/f', 'same', { mtime: '@1000000000' })
  box.write('b/f', 'same', { mtime: '@2000000000.000000007' })
  const end = await box.tandem(['sync', 'a', 'b'])
  expect(end.code).toBe(0)
  expectEqual(box.at('a'), box.at('b'))
  expect(tree(box.at('a')).f).toContain(' 2000000000000000007 ')
})

test('conflicts stay as they are on both sides and are listed', async () => {
  const box = sandbox()
  for (const name of ['both', 'gone', 'ok']) box.write(`a/${name}`, 'old')
  await box.tandem(['sync', 'a', 'b'])
  box.write('a/both', 'from a')
  box.write('b/both', 'from b, longer')
  rmSync(box.at('a/gone'))
  box.write('b/gone', 'edited instead')
  box.write('a/ok', 'travels')
  for (const run of [1, 2]) {
    const end = await box.tandem(['sync', 'a', 'b'])
    expect(end.code, `run ${run}`).toBe(1)
    expect(end.stdout).toMatch(/changed +<-\?-> changed +both/)
    expect(end.stdout).toMatch(/deleted +<-\?-> changed +gone/)
    expect(end.stdout).toMatch(/skipped: both/)
    expect([box.read('a/both'), box.read('b/both')]).toEqual(['from a', 'from b, longer'])
    expect(box.exists('a/gone')).toBe(false)
    expect(box.read('b/gone')).toBe('edited instead')
    expect(box.read('b/ok')).toBe('travels')
  }
  const settled = await box.tandem(['sync', 'a', 'b', '-prefer', 'b'])
  expect(settled.code).toBe(0)
  expect(box.read('a/both')).toBe('from b, longer')
  expectEqual(box.at('a'), box.at('b'))
})

test('a dry run prints the plan and changes nothing', async () => {
  const box = sandbox()
  box.write('a/both', 'old')
  await box.tandem(['sync', 'a', 'b'])
  box.write('a/new', 'n')
  box.write('a/both', 'from a')
  box.write('b/both', 'from b, longer')
  box.write('b/other', 'o')
  const before = [tree(box.at('a')), tree(box.at('b'))]
  const end = await box.tandem(['sync', 'a', 'b', '--dry-run'])
  expect(end.stdout).toMatch(/new file +---> +new$/m)
  expect(end.stdout).toMatch(/<--- new file +other$/m)
  expect(end.stdout).toMatch(/changed +<-\?-> changed +both$/m)
  expect([tree(box.at('a')), tree(box.at('b'))]).toEqual(before)
  // Nor is anything remembered: the real run finds the same.
  expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(1)
  expect(box.read('b/new')).toBe('n')
})

test('special files are skipped and named; their neighbours travel', async () => {
  const box = sandbox()
  box.write('a/d/file', 'x')
  expect(spawnSync('mkfifo', [box.at('a/d/fifo')]).status).toBe(0)
  const end = await box.tandem(['sync', 'a', 'b'])
  expect(end.code).toBe(1)
  expect(end.stdout).toMatch(/d\/fifo/)
  expect(box.read('b/d/file')).toBe('x')
  expect(box.exists('b/d/fifo')).toBe(false)
})

test.skipIf(placeForOthers === undefined)(
  'what cannot be read is a problem and never a removal; its neighbours travel (needs a place that others can reach)',
  async () => {
    const box = sandbox(placeForOthers)
    for (const name of ['a/secret', 'a/closed/inside', 'a/open']) box.write(name, name)
    mkdirSync(box.at('b'))
    giveToPlainUser(box)
    expect(await box.tandem(['sync', 'a', 'b'], plainUser)).toMatchObject({ code: 0, stderr: '' })
    box.write('a/open', 'changed meanwhile')
    box.write('a/secret', 'changed, and then closed')
    chmodSync(box.at('a/closed'), 0o000)
    chmodSync(box.at('a/secret'), 0o000)
    const end = await box.tandem(['sync', 'a', 'b'], plainUser)
    expect([1, 2]).toContain(end.code)
    expect(end.stdout).toMatch(/closed/)
    expect(end.stdout).toMatch(/secret/)
    expect(box.read('b/open')).toBe('changed meanwhile')
    expect(box.read('b/secret')).toBe('a/secret')
    expect(box.read('b/closed/inside')).toBe('a/closed/inside')
  },
)

test('a known root that is gone or emptied is in doubt: nothing is done', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  await box.tandem(['sync', 'a', 'b'])
  renameSync(box.at('a'), box.at('elsewhere'))
  const gone = await box.tandem(['sync', 'a', 'b'])
  expect(gone.code).toBe(3)
  expect(gone.stderr + gone.stdout).toContain(box.at('a'))
  mkdirSync(box.at('a'))
  expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(3)
  expect(box.read('b/f')).toBe('x')
  rmSync(box.at('a'), { recursive: true })
  renameSync(box.at('elsewhere'), box.at('a'))
  expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
})

test('a known root that is gone for good is made again as the message says, and filled from the other side', async () => {
  const box = sandbox()
  box.write('a/d/f', 'x')
  await box.tandem(['sync', 'a', 'b'])
  rmSync(box.at('a'), { recursive: true })
  const gone = await box.tandem(['sync', 'a', 'b'])
  expect(gone.code).toBe(3)
  expect(gone.stderr).toMatch(
    /nothing is deleted anywhere\. Move or mount it back, and run it again\.\n.*-ignorearchives/,
  )
  expect((await box.tandem(['sync', 'a', 'b', '-ignorearchives'])).code).toBe(0)
  expect(box.read('a/d/f')).toBe('x')
  expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
})

test('patterns and paths leave out what they say', async () => {
  const box = sandbox()
  for (const name of ['x.o', 'x.c', 'd/y.o', 'd/keep.o', 'tmp/z', 'sub/f']) box.write(`a/${name}`, name)
  const end = await box.tandem(['sync', 'a', 'b', '-ignore', 'Name *.o', '-ignorenot=Name keep.o', '--ignore=Path tmp'])
  expect(end.code).toBe(0)
  expect(Object.keys(tree(box.at('b')))).toEqual(['.', 'd', 'd/keep.o', 'sub', 'sub/f', 'x.c'])
  box.write('a/sub/g', 'g')
  box.write('a/h', 'h')
  expect((await box.tandem(['sync', 'a', 'b', '-path', 'sub'])).code).toBe(0)
  expect([box.exists('b/sub/g'), box.exists('b/h')]).toEqual([true, false])
})

test('a profile names the roots and the preferences', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  box.write('a/f.bak', 'x')
  box.write('work.prf', `# the pair\nroot = ${box.at('a')}\nroot = ${box.at('b')}\nignore = Name *.bak\nbatch = true\n`)
  expect((await box.tandem(['sync', '--profile', 'work.prf'])).code).toBe(0)
  expect(Object.keys(tree(box.at('b')))).toEqual(['.', 'f'])
})

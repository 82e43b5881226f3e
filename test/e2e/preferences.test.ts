import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually, eventuallyEqual, expectEqual, type Sandbox, sandbox, serve, touch, tree } from './harness.js'

/** Two roots that agreed on these files, each of which holds its name. */
async function agreedOn(...names: string[]): Promise<Sandbox> {
  const box = sandbox()
  for (const name of names) box.write(`a/${name}`, name)
  expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
  return box
}

test('a mirror undoes whatever happened to the second root', async () => {
  const box = await agreedOn('keep', 'edit', 'gone', 'd/x', 'd/y', 'kind')
  const before = tree(box.at('a'))
  box.write('b/edit', 'edited on b')
  rmSync(box.at('b/gone'))
  rmSync(box.at('b/d'), { recursive: true })
  box.write('b/new/deep', 'created on b')
  chmodSync(box.at('b/keep'), 0o600)
  touch(box.at('b/keep'), '@2000000000')
  rmSync(box.at('b/kind'))
  mkdirSync(box.at('b/kind'))

  const planned = await box.tandem(['sync', 'a', 'b', '--mirror', '--dry-run'])
  expect(planned.stdout).toMatch(/---> deleted +gone/)
  expect(box.read('b/edit')).toBe('edited on b')
  expect((await box.tandem(['sync', 'a', 'b', '--mirror'])).code).toBe(0)
  expect(tree(box.at('a'))).toEqual(before)
  expectEqual(box.at('a'), box.at('b'))
  expect((await box.tandem(['sync', 'a', 'b'])).stdout).toMatch(/all files are equal/)

  // A second root that lost everything is filled again; a first one that did is in doubt.
  for (const name of ['keep', 'edit', 'gone', 'd', 'kind']) rmSync(box.at('b', name), { recursive: true })
  expect((await box.tandem(['sync', 'a', 'b', '--mirror'])).code).toBe(0)
  expect(tree(box.at('b'))).toEqual(before)
  mkdirSync(box.at('empty'))
  const refused = await box.tandem(['sync', 'empty', 'b', '--mirror'])
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringMatching(/is empty on one side/) })
  expect(tree(box.at('b'))).toEqual(before)
})

test('a resident mirror over a link undoes what happens to the second root, as it happens', async () => {
  const box = sandbox()
  box.write('a/f', 'one')
  mkdirSync(box.at('b'))
  const serving = await serve(box, { mirrored: 'b' })
  const watching = box.start(['watch', 'a', serving.url('mirrored'), '--secret-file', serving.keyFile, '--mirror'])
  await watching.event('pair-current')
  box.write('b/f', 'changed on b')
  box.write('b/g', 'made on b')
  await eventuallyEqual(box.at('a'), box.at('b'), () => !existsSync(box.at('b/g')))
  box.write('a/f', 'two')
  await eventuallyEqual(box.at('a'), box.at('b'), () => box.read('b/f') === 'two')
  expect(readdirSync(box.at('a')).toSorted()).toEqual(['.tandem', 'f'])
})

test('what is overridden is kept beside it, and travels', async () => {
  const box = await agreedOn('f.txt', 'gone', 'deleted', 'd/x', 'd/y')
  const day = /\d{4}-\d\d-\d\d/
  box.write('a/f.txt', 'from a')
  box.write('b/f.txt', 'from b, longer', { mode: 0o640, mtime: '@1500000000.5' })
  rmSync(box.at('a/gone'))
  box.write('b/gone', 'edited on b')
  box.write('a/deleted', 'edited on a')
  rmSync(box.at('b/deleted'))
  rmSync(box.at('a/d'), { recursive: true })
  box.write('b/d/x', 'edited on b too')
  const lost = tree(box.at('b'))
  const end = await box.tandem(['sync', 'a', 'b', '-prefer', 'a', '-copyonconflict'])
  expect(end).toMatchObject({ code: 0, stderr: '' })
  expectEqual(box.at('a'), box.at('b'))
  const kept = Object.fromEntries(
    Object.entries(tree(box.at('a'))).map(([name, what]) => [name.replace(day, 'DAY'), what]),
  )
  expect(Object.keys(kept)).toEqual([
    '.',
    'd (conflict_on_DAY)',
    'd (conflict_on_DAY)/x',
    'd (conflict_on_DAY)/y',
    'deleted',
    'f (conflict_on_DAY).txt',
    'f.txt',
    'gone (conflict_on_DAY)',
  ])
  expect(kept['f (conflict_on_DAY).txt']).toBe(lost['f.txt'])
  expect(kept['gone (conflict_on_DAY)']).toBe(lost.gone)
  expect(kept['d (conflict_on_DAY)/x']).toBe(lost['d/x'])
  expect(kept['d (conflict_on_DAY)/y']).toBe(lost['d/y'])
  expect(box.read('a/deleted')).toBe('edited on a')
  expect((await box.tandem(['sync', 'a', 'b'])).stdout).toMatch(/all files are equal/)

  // A second one of the day has a number; a mirror keeps what it undoes, once.
  box.write('b/f.txt', 'from b again')
  for (const run of [1, 2]) {
    expect((await box.tandem(['sync', 'a', 'b', '--mirror', '-copyonconflict'])).code, `run ${run}`).toBe(0)
    expectEqual(box.at('a'), box.at('b'))
    const numbered = readdirSync(box.at('a')).filter((name) => name.startsWith('f '))
    expect(numbered.map((name) => name.replace(day, 'DAY')).toSorted()).toEqual([
      'f (conflict_on_DAY 2).txt',
      'f (conflict_on_DAY).txt',
    ])
  }
})

test('a resident pair over a link keeps the version that loses, on both sides', async () => {
  const box = sandbox()
  box.write('a/f', 'from a, newer', { mtime: '@1700000000' })
  box.write('b/f', 'from b', { mtime: '@1600000000' })
  const serving = await serve(box, { pair: 'b' })
  const rules = ['-prefer', 'newer', '-copyonconflict']
  const watching = box.start(['watch', 'a', serving.url('pair'), '--secret-file', serving.keyFile, ...rules])
  await watching.event('pair-current')
  await eventuallyEqual(box.at('a'), box.at('b'), () => Object.keys(tree(box.at('a'))).length === 3)
  expect(box.read('b/f')).toBe('from a, newer')
  const copy = readdirSync(box.at('a')).find((name) => name.startsWith('f (conflict_on_')) ?? ''
  expect(box.read(`a/${copy}`)).toBe('from b')
})

test('partial preferences decide their paths, and the rest stays in conflict', async () => {
  const box = await agreedOn('one', 'two', 'log.txt', 'other')
  for (const name of ['one', 'two', 'log.txt', 'other']) {
    box.write(`a/${name}`, 'from a', { mtime: '@1000000000' })
    box.write(`b/${name}`, 'from b, later', { mtime: '@1500000000' })
  }
  const first = [
    '-preferpartial',
    'Path one -> a',
    '-preferpartial',
    'Path two -> b',
    '-preferpartial',
    'Name *.txt -> newer',
  ]
  const end = await box.tandem(['sync', 'a', 'b', ...first])
  expect(end).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/skipped: other \(contents changed on both sides\)/),
  })
  expect(['one', 'two', 'log.txt', 'other'].map((name) => [box.read(`a/${name}`), box.read(`b/${name}`)])).toEqual([
    ['from a', 'from a'],
    ['from b, later', 'from b, later'],
    ['from b, later', 'from b, later'],
    ['from a', 'from b, later'],
  ])
})

test('what a root is spared waits, and travels once it is not spared any more', async () => {
  const box = await agreedOn('edited', 'deleted', 'd/x', 'plain')
  box.write('a/edited', 'edited on a')
  rmSync(box.at('a/deleted'))
  rmSync(box.at('a/d'), { recursive: true })
  box.write('a/created', 'created on a')
  const kept = tree(box.at('b'))
  const spare = ['-nodeletion', 'b', '-noupdate', 'b', '-nocreationpartial', 'Name cr* -> b']
  for (const more of [[], ['-prefer', 'a'], ['-force', 'a']]) {
    const end = await box.tandem(['sync', 'a', 'b', ...spare, ...more])
    expect(end.code).toBe(1)
    expect(end.stdout).toMatch(/deleted +<-\?-> +d\n/)
    expect(end.stdout).toMatch(/skipped: deleted \(beta is kept as it is \(nodeletion\)\)/)
    expect(end.stdout).toMatch(/skipped: edited \(beta is kept as it is \(noupdate\)\)/)
    expect(end.stdout).toMatch(/skipped: created \(beta is kept as it is \(nocreation\)\)/)
    expect(tree(box.at('b'))).toEqual(kept)
  }
  expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
  expectEqual(box.at('a'), box.at('b'))
  expect(Object.keys(tree(box.at('b')))).toEqual(['.', 'created', 'edited', 'plain'])
})

test('files that are too large and links stay where they are', async () => {
  const box = await agreedOn('plain')
  box.write('a/large', Buffer.alloc(4_000, 7))
  box.write('a/fits', Buffer.alloc(3_999, 7))
  symlinkSync('plain', box.at('a/link'))
  const end = await box.tandem(['sync', 'a', 'b', '-maxsizethreshold', '4', '-links', 'false'])
  expect(end).toMatchObject({ code: 1, stdout: expect.stringMatching(/skipped: large \(too large: 4000 bytes/) })
  expect(Object.keys(tree(box.at('b')))).toEqual(['.', 'fits', 'plain'])
  expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
  expectEqual(box.at('a'), box.at('b'))
})

test('without its mount point nothing is done, and a resident pair waits for it', async () => {
  const box = await agreedOn('usb/photo', 'plain')
  renameSync(box.at('b/usb'), box.at('elsewhere'))
  box.write('a/new', 'new')
  const before = [tree(box.at('a')), tree(box.at('b'))]
  for (const more of [[], ['--dry-run']])
    expect(await box.tandem(['sync', 'a', 'b', '-mountpoint', 'usb', ...more])).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/mount point usb does not exist on beta/),
    })
  expect([tree(box.at('a')), tree(box.at('b'))]).toEqual(before)

  const watching = box.start(['watch', 'a', 'b', '-mountpoint', 'usb'])
  expect(await watching.event('pair-halted')).toMatchObject({ code: 'mountpoint-missing' })
  expect([tree(box.at('a')), tree(box.at('b'))]).toEqual(before)
  renameSync(box.at('elsewhere'), box.at('b/usb'))
  await watching.event('pair-resumed')
  await eventually(
    () => existsSync(box.at('b/new')),
    () => 'the new file on b',
  )
  expectEqual(box.at('a'), box.at('b'))
  renameSync(box.at('a/usb'), box.at('elsewhere'))
  await watching.event('pair-halted', 1)
  expect(box.read('b/usb/photo')).toBe('usb/photo')
})

import { readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventuallyEqual, expectEqual, type Sandbox, sandbox, serve } from './harness.js'

/** A pass over a and b; what it did. */
async function pass(box: Sandbox): Promise<void> {
  const { code, stderr } = await box.tandem(['sync', '--batch', 'a', 'b'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
}

async function ran(box: Sandbox, ...args: string[]) {
  const { code, stdout, stderr } = await box.tandem(args)
  return { code, lines: stdout.split('\n').filter((line) => line !== ''), stderr }
}

test('what nobody can tell the path of is listed, and copied to where somebody says', async () => {
  const box = sandbox()
  box.write('a/f', 'f')
  await pass(box)
  const kept = 'b/.tandem/versions/stray-1.2'
  box.write(kept, 'somebody\u2019s')
  const line = expect.stringContaining(`kept        ${box.at(kept)}  (12 bytes)`)
  expect((await ran(box, 'log', 'b')).lines).toEqual([expect.stringContaining('created'), line])
  expect((await ran(box, 'log', 'b/f')).lines).toHaveLength(1)
  expect((await ran(box, 'log', '--json', 'b')).lines.map((one) => JSON.parse(one).did)).toEqual(['created', 'kept'])
  expect(await ran(box, 'restore', 'b')).toMatchObject({ code: 1, lines: [line] })
  expect(await ran(box, 'restore', kept)).toMatchObject({ code: 64, stderr: expect.stringContaining('--to') })
  expect(await ran(box, 'restore', kept, '--to', 'copy')).toMatchObject({ code: 0 })
  expect(box.read('copy')).toBe('somebody\u2019s')
})

test('what the other side replaced and removed comes back, and travels like any edit', async () => {
  const box = sandbox()
  box.write('a/notes.txt', 'first', { mtime: '@1700000000.123456789', mode: 0o640 })
  box.write('a/d/e/deep', 'below')
  await pass(box)
  box.write('a/notes.txt', 'second')
  rmSync(box.at('a/d'), { recursive: true })
  await pass(box)

  const log = await ran(box, 'log', 'b')
  expect(log.lines.map((line) => line.replace(/^.{25}| +\(.*$|,.*$/g, '').trim())).toEqual([
    'created     d',
    'created     d/e',
    'created     d/e/deep',
    'created     notes.txt',
    'replaced    notes.txt',
    'removed     d/e/deep',
    'removed     d/e',
    'removed     d',
  ])
  expect(log.lines.at(-1)).toContain(box.at('a'))
  expect((await ran(box, 'log', 'b/d/e')).lines).toHaveLength(4)
  const [entry = '{}'] = (await ran(box, 'log', '--json', 'b/notes.txt')).lines
  expect(JSON.parse(entry)).toMatchObject({ did: 'created', path: 'notes.txt', sizeBytes: 5, root: box.at('b') })

  expect(await ran(box, 'restore', 'b/notes.txt', '--to', 'copy')).toMatchObject({ code: 0 })
  expect(box.read('copy')).toBe('first')
  expect(await ran(box, 'restore', 'b/notes.txt')).toMatchObject({ code: 0 })
  expect(await ran(box, 'restore', 'b/d')).toMatchObject({ code: 0 })
  expect(statSync(box.at('b/notes.txt'), { bigint: true })).toMatchObject({ mtimeNs: 1_700_000_000_123_456_789n })
  await pass(box)
  expectEqual(box.at('a'), box.at('b'))
  expect([box.read('a/notes.txt'), box.read('a/d/e/deep')]).toEqual(['first', 'below'])
})

test('of several versions one is named by its time, and what is restored over is kept', async () => {
  const box = sandbox()
  for (const text of ['one', 'two', 'three']) {
    box.write('a/f', text)
    await pass(box)
  }
  const listed = await ran(box, 'restore', 'b/f')
  expect(listed).toMatchObject({
    code: 1,
    lines: [expect.stringContaining('3 bytes'), expect.stringContaining('3 bytes')],
  })
  expect(listed.stderr).toContain('--at')
  expect(box.read('b/f')).toBe('three')
  const [newest, oldest] = listed.lines.map((line) => line.slice(0, 23))
  expect((await ran(box, 'restore', 'b/f', '--at', oldest ?? '')).code).toBe(0)
  expect(box.read('b/f')).toBe('one')
  // What was there is the newest version now.
  const again = await ran(box, 'restore', 'b/f')
  expect(again.lines).toHaveLength(3)
  expect((await ran(box, 'restore', 'b/f', '--at', again.lines[0]?.slice(0, 23) ?? '')).code).toBe(0)
  expect(box.read('b/f')).toBe('three')
  expect((await ran(box, 'restore', 'b/f', '--at', newest ?? '')).code).toBe(0)
  expect(box.read('b/f')).toBe('two')
})

test('while a pair is kept over a link, what its peer removed comes back on both sides', async () => {
  const box = sandbox()
  box.write('a/one', 'one')
  box.write('a/two', 'two')
  const serving = await serve(box, { photos: 'b' })
  box.start(['watch', 'a', serving.url('photos'), '--secret-file', serving.keyFile])
  await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('b/two'))
  rmSync(box.at('a/two'))
  await eventuallyEqual(box.at('a'), box.at('b'), () => !box.exists('b/two'))
  let code: number | null = 1
  // It is settled about a second after the removal.
  for (let tries = 0; code !== 0 && tries < 20; tries++) code = (await ran(box, 'restore', 'b/two')).code
  await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/two'))
  expect(box.read('a/two')).toBe('two')
})

test('--mirror keeps what it replaces', async () => {
  const box = sandbox()
  box.write('a/f', 'mine')
  await pass(box)
  box.write('b/f', 'yours')
  box.write('b/only', 'there')
  expect((await box.tandem(['sync', '--batch', '--mirror', 'a', 'b'])).code).toBe(0)
  expect([box.read('b/f'), box.exists('b/only')]).toEqual(['mine', false])
  expect((await ran(box, 'restore', 'b/f')).code).toBe(0)
  expect((await ran(box, 'restore', 'b/only')).code).toBe(0)
  expect([box.read('b/f'), box.read('b/only')]).toEqual(['yours', 'there'])
})

test('what was moved is told at both places', async () => {
  const box = sandbox()
  for (const name of ['one', 'two']) box.write(`a/d/${name}`, `${name} `.repeat(100))
  await pass(box)
  renameSync(box.at('a/d'), box.at('a/e'))
  await pass(box)
  for (const path of ['b/d', 'b/e'])
    expect((await ran(box, 'log', path)).lines.at(-1)).toMatch(/moved {7}e {2}\(was d\)/)
})

const refused: [what: string, args: string[], code: number, said: RegExp][] = [
  ['a path in no root', ['restore', 'elsewhere/f'], 64, /in no root/],
  ['a log of no root', ['log', 'elsewhere'], 64, /in no root/],
  ['what nobody replaced', ['restore', 'b/f'], 1, /no version/],
  ['a time that is none', ['restore', 'b/f', '--at', 'lunch'], 64, /is no time/],
]

test.each(refused)('%s', async (_, args, code, said) => {
  const box = sandbox()
  box.write('a/f', 'text')
  box.write('elsewhere/f', 'text')
  await pass(box)
  const end = await ran(box, ...args)
  expect(end.code).toBe(code)
  expect(end.stderr).toMatch(said)
})

test('nothing is kept with keep = 0', async () => {
  const box = sandbox()
  box.write('a/f', 'one')
  await pass(box)
  box.write('a/f', 'two')
  await box.tandem(['sync', '--batch', '-keep', '0', 'a', 'b'])
  await box.tandem(['sync', '--batch', '-keep', '0', 'a', 'b'])
  expect(readdirSync(box.at('b/.tandem/versions'))).toEqual(['kept'])
})

import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absPath } from '../../../src/core/path.js'
import { FileFailure } from '../../../src/host/files.js'
import { applyJob } from '../../../src/replica/jobs/apply.js'
import { checkRoot, parseMarker, setGenerationJob } from '../../../src/replica/jobs/marker.js'
import { openRootJob } from '../../../src/replica/jobs/open-root.js'
import { openRoot } from '../../../src/replica/jobs/place.js'
import { ReplicaFailure } from '../../../src/replica/replica.js'
import { operationList } from '../../../src/wire/list.js'
import { countedMax } from '../../../src/wire/text.js'
import { type Fixture, freshRoot, makeDirectory, pair, remove } from './fixture.js'

test('a root is made, with a private folder that nobody else can read and that git ignores', () => {
  const root = freshRoot()
  expect(root.facts).toMatchObject({ created: true, fresh: true, generations: {}, folding: false })
  expect(root.facts.rootId).toMatch(/^[0-9a-f]{32}$/)
  expect(root.stat('.tandem')).toMatchObject({ kind: 'directory', mode: 0o700 })
  expect(root.read('.tandem/.gitignore')).toBe('*\n')
  expect(fs.readdirSync(root.abs('.tandem')).sort()).toEqual(['.gitignore', 'marker', 'stage', 'versions'])
  expect(root.facts.abilities).toMatchObject({ exchange: true, noReplace: true })
  expect(root.slots('in')).toEqual([])
})

test('the next process finds the same root, and its generations', () => {
  const root = freshRoot()
  const { rootId } = root.facts
  setGenerationJob.run(root.world, { place: root.place, pair, generation: 7 })
  setGenerationJob.run(root.world, { place: root.place, pair: 'b'.repeat(32), generation: 1 })
  setGenerationJob.run(root.world, { place: root.place, pair, generation: 8 })
  root.restart()
  expect(root.facts).toMatchObject({ rootId, created: false, fresh: false })
  expect(root.facts.generations).toEqual({ [pair]: 8, ['b'.repeat(32)]: 1 })
})

test('the marker, pinned', () => {
  const root = 'c'.repeat(32)
  const text = `{"version":1,"root":"${root}","generations":{"${pair}":8}}\n`
  expect(parseMarker(text)).toEqual({ rootId: root, generations: { [pair]: 8 } })
  for (const bad of [
    '',
    'x',
    '{}',
    '[]',
    'null',
    text.replace('1', '2'),
    text.replace('8', '8.5'),
    text.replace('c', 'X'),
  ])
    expect(parseMarker(bad), bad).toBeUndefined()
})

test.each([
  [-1, false],
  [0.5, false],
  [countedMax + 1, true],
  [2 ** 48 - 1, false],
  [Number.MAX_SAFE_INTEGER, false],
])('a marker with a generation of %d: %s that it is taken for whole', (generation, isWhole) => {
  const text = JSON.stringify({ version: 1, root: 'c'.repeat(32), generations: { ['a'.repeat(32)]: generation } })
  expect(parseMarker(text) !== undefined).toBe(isWhole)
})

test('opening it again in the same process is harmless, another process may not use the same folder', () => {
  const root = freshRoot()
  const open = (world = root.world) =>
    openRootJob.run(world, { root: root.root, folder: root.place.folder, locks: root.locks, create: false })
  expect(open().rootId).toBe(root.facts.rootId)
  expect(open({ ...root.world }).rootId).toBe(root.facts.rootId)
  const other = { ...root.world, machine: { ...root.world.machine, pid: 1 } }
  expect(codeOf(() => open(other))).toBe('unwritable')
})

const failures: [what: string, prepare: (root: Fixture) => void, code: string][] = [
  ['it is not there', (root) => fs.rmSync(root.abs(''), { recursive: true }), 'missing'],
  [
    'it is a file',
    (root) => fs.rmSync(root.abs(''), { recursive: true }) ?? fs.writeFileSync(root.root, ''),
    'not-directory',
  ],
  ['it cannot be listed', (root) => fails(root, 'names', 'denied'), 'unreadable'],
  ['it cannot be opened', (root) => fails(root, 'openRoot', 'denied'), 'unreadable'],
  ['it is read-only', (root) => fails(root, 'makeDirectory', 'read-only'), 'unwritable'],
  ['its marker is damaged', (root) => fs.writeFileSync(root.abs('.tandem/marker'), '{'), 'in-doubt'],
  ['its marker cannot be read', (root) => fails(root, 'openFile', 'io'), 'unreadable'],
]

test.each(failures)('a root that cannot be opened: %s', (_, prepare, code) => {
  const root = freshRoot()
  prepare(root)
  expect(
    codeOf(() => openRootJob.run(root.world, { root: root.root, folder: 'other', locks: root.locks, create: false })),
  ).toBe(code)
})

test('a root is made only where its parent is', () => {
  const root = freshRoot()
  const open = (path: string) => () =>
    openRootJob.run(root.world, { root: absPath(`${root.root}/${path}`), folder: 'f', locks: root.locks, create: true })
  expect(codeOf(open('no/such'))).toBe('missing')
})

const doubts: [what: string, change: (root: Fixture) => void][] = [
  ['the marker is gone', (root) => fs.rmSync(root.abs('.tandem/marker'))],
  ['the private folder is gone', (root) => fs.rmSync(root.abs('.tandem'), { recursive: true })],
  [
    'another root stands there',
    (root) =>
      fs.writeFileSync(root.abs('.tandem/marker'), `{"version":1,"root":"${'d'.repeat(32)}","generations":{}}\n`),
  ],
  ['its folder in staging is gone', (root) => fs.rmSync(root.abs('.tandem/stage'), { recursive: true })],
]

test.each(doubts)('nothing is applied to a root in doubt: %s', (_, change) => {
  const root = freshRoot()
  root.write('a', 'old')
  root.scan(['a'])
  const operation = remove('a', root.content('a'))
  change(root)
  expect(codeOf(() => root.apply([operation]))).toBe('in-doubt')
  expect(root.read('a')).toBe('old')
})

test('a root in doubt is told with what stands there', () => {
  const root = freshRoot()
  for (const name of ['a', 'b']) root.write(name, 'old')
  fs.rmSync(root.abs('.tandem/marker'))
  const text = 'its marker .tandem/marker is gone, and 2 files or directories stand there'
  expect(() => root.apply([makeDirectory('d')])).toThrow(text)
  for (const name of ['a', 'b']) fs.rmSync(root.abs(name))
  expect(() => root.apply([makeDirectory('d')])).toThrow('is gone, and nothing else stands there')
})

test('S1-14: a root that is exchanged during a batch of removals is found out, and no outcome is told', () => {
  const root = freshRoot()
  root.write('a', 'old')
  root.scan(['a'])
  const operation = remove('a', root.content('a'))
  root.trap.after('rename:no-replace', 1, () => fs.rmSync(root.abs('.tandem/marker')))
  const input = {
    place: root.place,
    pair,
    batch: 1,
    operations: operationList.toBytes([operation]),
    supplier: 's',
    from: '',
    budget: undefined,
  }
  expect(codeOf(() => applyJob.run(root.world, input))).toBe('in-doubt')
  expect(root.record('a')).toBeDefined()
  expect(root.slots('out')).toHaveLength(1)
})

test('a check of the root compares the id of its marker', () => {
  const root = freshRoot()
  const opened = openRoot(root.world.files, root.root)
  expect(checkRoot(opened, root.place).rootId).toBe(root.facts.rootId)
  expect(codeOf(() => checkRoot(opened, { root: root.root, rootId: 'e'.repeat(32) }))).toBe('in-doubt')
  opened.close()
})

function fails(root: Fixture, call: string, code: 'denied' | 'read-only' | 'io'): void {
  root.trap.fail((seen, path) => (seen === call ? new FileFailure(code, path, seen, 'E') : undefined))
}

function codeOf(body: () => unknown): string | undefined {
  try {
    body()
    return undefined
  } catch (error) {
    if (!(error instanceof ReplicaFailure)) throw error
    return error.code
  }
}

import { expect, test } from 'vitest'
import type { Choice, Item } from '../../src/engine/pass.js'
import { FakePair } from './fake-pair.js'

/** A directory with two files and one beside it, agreed. */
async function met(): Promise<FakePair> {
  const pair = new FakePair()
  for (const root of [pair.alpha, pair.beta]) {
    root.write('d/one', 'one, as it was', 7n)
    root.write('d/two', 'two, as it was', 7n)
    root.write('f', 'a file that is moved', 7n)
    root.write('kept', 'it stays', 7n)
  }
  expect((await pair.pass()).items).toEqual([])
  return pair
}

const before = { 'd/': '', 'd/one': 'one, as it was', 'd/two': 'two, as it was' }
const file = { f: 'a file that is moved', kept: 'it stays' }

const shown = ({ path, from, alpha, beta, direction, bytes }: Item) => [from, path, alpha, beta, direction, bytes]

/** A pass in which a person says this of these paths, and yes to all else; what they were shown, and what was renamed on beta. */
async function answered(pair: FakePair, choices: Readonly<Record<string, Choice>>) {
  let items: readonly Item[] = []
  const decide = async (asked: readonly Item[]) => {
    items = asked
    return asked.map(({ path }) => choices[path] ?? 'default')
  }
  const events = pair.events.length
  const { applied } = await pair.pass({ dryRun: false, decide })
  const renamed = pair.events
    .slice(events)
    .flatMap((one) => (one.event === 'path-applied' && one.what === 'moved' ? [[one.from, one.path]] : []))
  return {
    shown: items.map(shown),
    renamed,
    applied,
    sent: pair.alpha.calls.filter((call) => call.startsWith('supply')),
  }
}

test('a directory and a file that were moved are an item each; accepted, each is one rename and no byte', async () => {
  const pair = await met()
  pair.alpha.rename('d', 'e')
  pair.alpha.rename('f', 'g')
  expect(await answered(pair, {})).toEqual({
    shown: [
      ['d', 'e', 'moved', '', 'to-beta', 0],
      ['f', 'g', 'moved', '', 'to-beta', 0],
    ],
    renamed: [
      ['d', 'e'],
      ['f', 'g'],
    ],
    applied: 2,
    sent: [],
  })
  expect(pair.beta.tree()).toEqual(pair.alpha.tree())
  expect((await pair.pass()).items).toEqual([])
})

test('what was edited inside goes along, and its bytes are told', async () => {
  const pair = await met()
  pair.alpha.rename('d', 'e')
  pair.alpha.write('e/one', 'edited in its new place')
  pair.alpha.write('e/three', 'new')
  pair.alpha.remove('e/two')
  expect(await answered(pair, {})).toMatchObject({
    shown: [['d', 'e', 'moved', '', 'to-beta', 'edited in its new place'.length + 'new'.length]],
    renamed: [['d', 'e']],
  })
  const moved = { 'e/': '', 'e/one': 'edited in its new place', 'e/three': 'new', ...file }
  expect(pair.beta.tree()).toEqual(moved)
  expect(pair.alpha.tree()).toEqual(moved)
  expect(pair.opens()).toEqual([])
})

test('a move that is skipped leaves both places as they are, and the rest travels', async () => {
  const pair = await met()
  pair.alpha.rename('d', 'e')
  pair.alpha.write('kept', 'edited')
  expect(await answered(pair, { e: 'skip' })).toMatchObject({ renamed: [], applied: 1 })
  expect(pair.beta.tree()).toEqual({ ...before, ...file, kept: 'edited' })
  expect(
    pair
      .opens()
      .map(({ path, why }) => [path, why])
      .sort(),
  ).toEqual([
    ['d', 'skipped'],
    ['e', 'skipped'],
  ])
})

test('of two moves one is accepted', async () => {
  const pair = await met()
  pair.alpha.rename('d', 'e')
  pair.alpha.rename('f', 'g')
  expect(await answered(pair, { e: 'skip' })).toMatchObject({ renamed: [['f', 'g']] })
  expect(pair.beta.tree()).toEqual({ ...before, g: file.f, kept: file.kept })
})

test('a move that is turned round brings back what was moved', async () => {
  const pair = await met()
  pair.alpha.rename('d', 'e')
  await answered(pair, { e: 'to-alpha' })
  expect(pair.alpha.tree()).toEqual({ ...before, ...file })
  expect(pair.beta.tree()).toEqual({ ...before, ...file })
})

test('a move into a new directory that is skipped is not half made', async () => {
  const pair = await met()
  pair.alpha.directory('new')
  pair.alpha.rename('f', 'new/g')
  expect(await answered(pair, { new: 'skip' })).toMatchObject({
    shown: [
      [undefined, 'new', 'new dir', '', 'to-beta', 0],
      ['f', 'new/g', 'moved', '', 'to-beta', 0],
    ],
    renamed: [],
  })
  expect(pair.beta.tree()).toEqual({ ...before, ...file })
  expect(await answered(pair, {})).toMatchObject({ renamed: [['f', 'new/g']] })
  expect(pair.beta.tree()).toEqual(pair.alpha.tree())
})

test('a move out of a directory whose removal is skipped is not half made', async () => {
  const pair = await met()
  pair.alpha.rename('d/one', 'one')
  pair.alpha.remove('d')
  expect(await answered(pair, { d: 'skip' })).toMatchObject({ renamed: [] })
  expect(pair.beta.tree()).toEqual({ ...before, ...file })
})

test('what the other side changed at the old place is asked about as a conflict, and nothing is moved', async () => {
  const pair = await met()
  pair.alpha.rename('d', 'e')
  pair.beta.write('d/one', 'edited on the other side')
  const { shown, renamed } = await answered(pair, { d: 'skip', e: 'skip' })
  expect(shown.map(([, path, alpha, , direction]) => [path, alpha, direction])).toEqual([
    ['d', 'deleted', 'none'],
    ['e', 'new dir', 'to-beta'],
  ])
  expect(renamed).toEqual([])
  expect(pair.beta.at('d/one')).not.toEqual({ kind: 'absent' })
})

test('a rename that fails is carried out as what it means', async () => {
  const pair = await met()
  pair.alpha.rename('f', 'g')
  let refused = false
  pair.beta.beforeOperation = ({ op, path }) => {
    // Somebody was faster, and is gone again.
    if (op === 'rename') {
      refused = true
      pair.beta.write(path, 'in the way')
    } else if (path === 'g') pair.beta.remove('g')
  }
  await answered(pair, {})
  expect(refused).toBe(true)
  expect(pair.beta.at('g')).toMatchObject({ kind: 'file' })
  pair.beta.beforeOperation = () => {}
  await pair.pass()
  expect(pair.beta.tree()).toEqual(pair.alpha.tree())
})

test('a dry run shows moves as they would be made, and makes none', async () => {
  const pair = await met()
  pair.alpha.rename('d', 'e')
  pair.alpha.rename('f', 'g')
  const { items } = await pair.pass({ dryRun: true })
  expect(items.map(shown)).toEqual([
    ['d', 'e', 'moved', '', 'to-beta', 0],
    ['f', 'g', 'moved', '', 'to-beta', 0],
  ])
  expect(pair.beta.tree()).toEqual({ ...before, ...file })
  await pair.pass()
  expect(pair.beta.tree()).toEqual(pair.alpha.tree())
})

test('a directory that nobody knows to be moved is two lines as ever, and its files are renamed if both are accepted', async () => {
  const pair = await met()
  pair.alpha.hints = false
  pair.alpha.rename('d', 'e')
  expect(await answered(pair, {})).toEqual({
    shown: [
      [undefined, 'd', 'deleted', '', 'to-beta', 0],
      [undefined, 'e', 'new dir', '', 'to-beta', 0],
    ],
    renamed: [
      ['d/one', 'e/one'],
      ['d/two', 'e/two'],
    ],
    applied: 4,
    sent: [],
  })
  expect(pair.beta.tree()).toEqual(pair.alpha.tree())
})

test('of these two lines one alone is a copy', async () => {
  const pair = await met()
  pair.alpha.hints = false
  pair.alpha.rename('d', 'e')
  expect(await answered(pair, { d: 'skip' })).toMatchObject({ renamed: [] })
  expect(pair.beta.tree()).toEqual({
    ...before,
    'e/': '',
    'e/one': 'one, as it was',
    'e/two': 'two, as it was',
    ...file,
  })
})

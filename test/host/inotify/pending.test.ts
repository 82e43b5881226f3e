import { expect, test } from 'vitest'
import { type RelPath, relPath } from '../../../src/core/path.js'
import { batchPathsMax, Pending, pendingPathsMax, unpackBatch } from '../../../src/host/node/inotify/pending.js'
import type { WatchBatch } from '../../../src/host/watcher.js'

/** 'a' an entry, 'a/**' a subtree, 'a!' closed. */
function spoken({ dirty, lost, gone, unwatched }: WatchBatch): string {
  const words = dirty.map((one) => `${one.path}${one.depth === 'subtree' ? '/**' : ''}${one.closed ? '!' : ''}`)
  if (lost) words.push('lost')
  if (gone) words.push('gone')
  if (unwatched.length > 0) words.push(`unwatched ${unwatched.join()}`)
  return words.join(' ')
}

function unpack(pending: Pending, unwatched: readonly RelPath[] = []): WatchBatch {
  return unpackBatch(
    pending.take(() => unwatched),
    [],
  )
}

function taken(pending: Pending): string {
  return spoken(unpack(pending))
}

type Mark = (pending: Pending) => void
const [a, b, nested] = [relPath('a'), relPath('b'), relPath('a/c')]
const entry: Mark = (pending) => pending.entry(a)
const written: Mark = (pending) => pending.written(a)
const closed: Mark = (pending) => pending.closed(a)
const subtree: Mark = (pending) => pending.subtree(a)

const rows: [what: string, marks: Mark[], batch: string][] = [
  ['many events of one path are one report', [written, written, entry, written], 'a'],
  ['a file written and closed is closed', [written, written, closed], 'a!'],
  ['a file closed and written again is open', [closed, written], 'a'],
  ['a chmod after the close leaves it closed', [written, closed, entry], 'a!'],
  ['a directory that appeared stays a subtree', [entry, subtree, entry, written], 'a/**'],
  ['paths come in the order of their first event', [(p) => p.entry(b), entry, (p) => p.entry(b)], 'b a'],
  ['the root itself has the empty path', [(p) => p.entry(relPath(''))], ''],
  ['what is below a subtree is told as well', [subtree, (p) => p.closed(nested)], 'a/** a/c!'],
  [
    'a loss makes the paths before it worthless, not those after',
    [entry, (p) => p.everything(), (p) => p.entry(b)],
    'b lost',
  ],
  ['the end comes with the last paths', [entry, (p) => p.end()], 'a gone'],
  ['bytes that are not UTF-8 cross unharmed', [(p) => p.entry(relPath('x\udcff/\udc80'))], 'x\udcff/\udc80'],
]
test.each(rows)('%s', (_, marks, batch) => {
  const pending = new Pending()
  for (const mark of marks) mark(pending)
  expect(pending.isEmpty).toBe(false)
  expect(taken(pending)).toBe(batch)
  expect(pending.isEmpty).toBe(true)
})

test('the root alone is one dirty path, and nothing is none', () => {
  const pending = new Pending()
  expect(unpack(pending).dirty).toEqual([])
  pending.entry(relPath(''))
  expect(unpack(pending).dirty).toEqual([{ path: '', depth: 'entry', closed: false }])
})

test('what is unwatched crosses when it changed, which alone is a batch, and every batch tells it', () => {
  const pending = new Pending()
  pending.unwatchedChanged()
  expect(pending.isEmpty).toBe(false)
  const first = unpack(pending, [relPath('x'), relPath('y/z')])
  expect(spoken(first)).toBe('unwatched x,y/z')
  expect(pending.isEmpty).toBe(true)
  pending.entry(a)
  const packed = pending.take(() => [])
  expect(packed.unwatched).toBeUndefined()
  expect(spoken(unpackBatch(packed, first.unwatched))).toBe('a unwatched x,y/z')
  pending.unwatchedChanged()
  expect(unpack(pending, [relPath('')]).unwatched).toEqual([''])
})

test('a burst comes in batches of bounded size, the end with the last', () => {
  const pending = new Pending()
  const count = batchPathsMax * 2 + 10
  for (let at = 0; at < count; at++) pending.entry(relPath(`f${at}`))
  pending.end()
  const batches: WatchBatch[] = []
  while (!pending.isEmpty) batches.push(unpack(pending))
  expect(batches.map((batch) => [batch.dirty.length, batch.gone])).toEqual([
    [batchPathsMax, false],
    [batchPathsMax, false],
    [10, true],
  ])
  expect(batches.flatMap((batch) => batch.dirty).every((one, at) => one.path === `f${at}`)).toBe(true)
})

test('more paths than are worth telling become a loss', () => {
  const pending = new Pending()
  for (let at = 0; at <= pendingPathsMax; at++) pending.entry(relPath(`f${at}`))
  pending.entry(b)
  expect(taken(pending)).toBe('b lost')
})

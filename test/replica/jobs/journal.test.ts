import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { entryText } from '../../../src/cli/log.js'
import { absent } from '../../../src/core/content.js'
import { relPath } from '../../../src/core/path.js'
import { type JournalEntry, readJournal } from '../../../src/replica/jobs/journal.js'
import { restoreJob } from '../../../src/replica/jobs/restore.js'
import { type Fixture, freshRoot, makeDirectory, pair, remove, writeFile } from './fixture.js'

function journalOf(root: Fixture): JournalEntry[] {
  const opened = root.world.files.openDirectory(root.root)
  try {
    return readJournal(opened, () => true)
  } finally {
    opened.close()
  }
}

const file = (root: Fixture) => `${root.root}/.tandem/journal/${pair}`

test('the journal says why, of each operation for itself', () => {
  const root = freshRoot()
  root.write('old', 'old')
  root.scan(['old'])
  const operations = [
    makeDirectory('d'),
    { ...writeFile('d/f', absent, 1, 'text'), why: 'overruled' as const },
    { ...remove('old', root.content('old')), why: 'overruled' as const },
  ]
  root.apply(operations, ['', 'text'])
  const from = '//other//root'
  expect(journalOf(root)).toMatchObject([
    { did: 'created', path: 'd', why: 'changed', from },
    { did: 'created', path: 'd/f', why: 'overruled', from },
    { did: 'removed', path: 'old', why: 'overruled', from },
  ])
})

test('a version that comes back is noted, each time, and nobody else has done it', () => {
  const root = freshRoot()
  const kept = relPath('.tandem/versions/2026-11-22/f~20261122T143012.345Z.txt')
  root.write(kept, 'kept')
  for (const aheadNs of [0n, 1_000_000_000n]) {
    root.aheadNs = aheadNs
    expect(restoreJob.run(root.world, { place: root.place, kept, path: relPath('f.txt') })).toBe('restored')
  }
  const noted = { path: 'f.txt', sizeBytes: 4, from: '', why: 'restored' }
  expect(journalOf(root)).toMatchObject([
    { ...noted, did: 'created' },
    { ...noted, did: 'replaced' },
  ])
})

test('lines, pinned: those of before have no reason, and what nobody knows is none', () => {
  const root = freshRoot()
  root.apply([makeDirectory('d')])
  const written = fs.readFileSync(file(root), 'utf8').replace(/"at":\d+/, '"at":7')
  expect(written).toBe('{"version":1,"at":7,"from":"//other//root","batch":1,"why":"changed"}\n["created","d",0]\n')
  const lines = [
    '{"version":1,"at":1,"from":"//a","batch":1}',
    '["replaced","f",3]',
    '["moved","g",0,"f"]',
    '{"version":1,"at":2,"from":"//a","batch":2,"why":"changed"}',
    '["moved","h",0,"g","overruled"]',
    '["removed","f",0,null,"overruled"]',
    '["removed","x",0,null,"of a later version"]',
    '{"version":1,"at":3,"from":"//a","batch":3,"why":"of a later version"}',
    '["properties","h",0]',
  ]
  fs.writeFileSync(file(root), `${lines.join('\n')}\n`)
  expect(journalOf(root).map(({ path, why, movedFrom }) => [path, why, movedFrom])).toEqual([
    ['f', undefined, undefined],
    ['g', undefined, 'f'],
    ['h', 'overruled', 'g'],
    ['f', 'overruled', undefined],
    ['x', 'changed', undefined],
    ['h', undefined, undefined],
  ])
})

const entry = { atMs: 0, batch: 1, did: 'replaced', path: relPath('f'), sizeBytes: 12 } as const
const texts: readonly [Partial<JournalEntry> & { readonly from: string }, string][] = [
  [{ from: '//b' }, '(12 bytes), as in //b'],
  [{ from: '//b', why: 'changed' }, '(12 bytes), as in //b: it was changed there'],
  [{ from: '//b', why: 'overruled' }, '(12 bytes), as in //b: that was chosen over what was here'],
  [{ from: '//b', why: 'recovered' }, '(12 bytes), as in //b: finished after a crash'],
  [{ from: '', why: 'restored' }, '(12 bytes), a version that was kept came back'],
  [{ from: '' }, '(12 bytes)'],
]

test.each(texts)('tandem log of %j', (part, told) => {
  expect(entryText({ ...entry, ...part }).endsWith(told)).toBe(true)
})

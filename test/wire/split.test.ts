import fc from 'fast-check'
import { expect, test } from 'vitest'
import { absent } from '../../src/core/content.js'
import { relPath, rootPath } from '../../src/core/path.js'
import type { Member, Report } from '../../src/core/report.js'
import { encode } from '../../src/wire/message.js'
import { joinReports, listBytes, split, splitPack, splitReports, splitView } from '../../src/wire/split.js'
import { anyReports } from './message.arbitrary.js'

const listing = (members: readonly Member[], more = false): Report => ({
  kind: 'listing',
  path: rootPath,
  members,
  more,
})

test('a long listing is cut into frames of bounded length, and comes whole again', () => {
  const members = Array.from({ length: 100_000 }, (_, at): Member => ({ name: `file-${at}.txt`, found: absent }))
  const groups = [...splitReports([listing(members)])]
  expect(groups.length).toBeGreaterThan(4)
  for (const [at, reports] of groups.entries()) {
    expect(encode({ kind: 'reports', id: 1, last: false, reports }).length).toBeLessThanOrEqual(listBytes + 64)
    for (const report of reports) expect(report).toMatchObject({ more: at < groups.length - 1 })
  }
  expect(joinReports(groups.flat())).toEqual([listing(members)])
})

test('many reports are spread over frames, and joining gives them back', () => {
  const reports = Array.from({ length: 30_000 }, (_, at): Report => {
    return { kind: 'entry', path: relPath(`some/directory/${at}`), found: absent }
  })
  const groups = [...splitReports(reports)]
  expect(groups.length).toBeGreaterThan(2)
  expect(joinReports(groups.flat())).toEqual(reports)
})

test('joining what was split gives the reports, whatever they are', () => {
  fc.assert(
    fc.property(anyReports, (reports) => {
      // Listings that go on are joined with what goes on; whole ones stay as they are.
      const whole = reports.map((report) => (report.kind === 'listing' ? { ...report, more: false } : report))
      expect(joinReports([...splitReports(whole)].flat())).toEqual(whole)
    }),
  )
})

test('a listing that goes on in another report stays open at its end', () => {
  const a = { name: 'a', found: absent }
  const b = { name: 'b', found: absent }
  expect(joinReports([listing([a], true), listing([b])])).toEqual([listing([a, b])])
  expect(joinReports([listing([a], true)])).toEqual([listing([a], true)])
  expect(joinReports([listing([a], true), listing([b], true)])).toEqual([listing([a, b], true)])
})

test('nothing is one empty group', () => {
  expect([...split([], () => 1)]).toEqual([[]])
})

test('a view with many patterns travels in pieces', () => {
  const ignore = Array.from({ length: 10_000 }, (_, at) => `Path ${'x'.repeat(100)}${at}`)
  const views = [...splitView({ ignore, ignorenot: ['Name a'], paths: ['p'] })]
  expect(views.length).toBeGreaterThan(3)
  expect(views.flatMap((view) => view.ignore)).toEqual(ignore)
  expect(views.flatMap((view) => view.ignorenot)).toEqual(['Name a'])
  expect(views.flatMap((view) => view.paths)).toEqual(['p'])
})

test('the bytes of a pack go with its first message', () => {
  const finished = Array.from({ length: 3_000 }, (_, want) => {
    return { want, kind: 'problem', code: 'io', detail: 'x'.repeat(250) } as const
  })
  const packs = [...splitPack({ bytes: Uint8Array.of(1), finished })]
  expect(packs.length).toBeGreaterThan(1)
  expect(packs.map(({ bytes }) => bytes.length)).toEqual([1, ...Array(packs.length - 1).fill(0)])
  expect(packs.flatMap((pack) => pack.finished)).toEqual(finished)
})

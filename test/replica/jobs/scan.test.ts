import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { relPath, rootPath } from '../../../src/core/path.js'
import { openIndex } from '../../../src/index/index.js'
import { digestOf } from '../../../src/replica/jobs/digest.js'
import { type ScanOutput, scanJob } from '../../../src/replica/jobs/scan.js'
import { BytesReader } from '../../../src/wire/bytes.js'
import { readReports } from '../../../src/wire/report.js'
import { type Fixture, freshRoot } from './fixture.js'

/** A whole scan of the root: paths that were reported and how many were looked at. */
function scan(root: Fixture): { readonly told: string[]; readonly looked: number; readonly outputs: ScanOutput[] } {
  const { world, place } = root
  const outputs: ScanOutput[] = []
  const run = (directory: string, names: string[] | undefined, placed: boolean, full: boolean): void => {
    const targets = [{ directory: relPath(directory), names, placed, settled: [] }]
    const output = scanJob.run(world, { place, targets, full, sealing: true, reporting: true })
    outputs.push(output)
    for (const below of output.deeper) run(below.directory, undefined, below.placed, full)
  }
  run('', [''], false, false)
  run('', undefined, false, true)
  const reports = outputs.flatMap((output) => readReports(new BytesReader(output.reports)))
  return {
    told: [...new Set(reports.map(({ path }): string => path))].sort(),
    looked: outputs.reduce((sum, { looked }) => sum + looked, 0),
    outputs,
  }
}

/** A root that has been scanned until nothing changed, with a directory of files in it; one that gets files read once. */
function quietRoot(): Fixture {
  const root = freshRoot()
  fs.mkdirSync(`${root.root}/d/sub`, { recursive: true })
  for (const name of ['a', 'b', 'sub/c']) {
    root.write(`d/${name}`, name)
    fs.utimesSync(`${root.root}/d/${name}`, 1, 1)
  }
  for (let times = 0; times < 3; times++) scan(root)
  return root
}

const sealOf = (root: Fixture, path: string) => {
  const index = openIndex(root.world, root.place.index)
  return index.seal(index.directoryId(relPath(path)) ?? 0)
}

test('a directory in which nothing changed is looked at with one survey, and counts all its members', () => {
  const root = quietRoot()
  expect(sealOf(root, 'd')).toBeDefined()
  root.trap.calls.length = 0
  const { told, looked } = scan(root)
  expect(told).toEqual([])
  expect(looked).toBe(6)
  // The survey here asks once for each member, that which is left out not counted.
  expect(root.trap.calls.filter(({ call }) => call === 'statAt')).toHaveLength(5)
})

const rows: readonly (readonly [string, (at: string) => void, string[]])[] = [
  ['nothing happened', () => {}, []],
  ['a file was written', (at) => fs.writeFileSync(`${at}/d/a`, 'A'), ['d/a']],
  ['a file was removed', (at) => fs.rmSync(`${at}/d/b`), ['d/b']],
  ['a file came', (at) => fs.writeFileSync(`${at}/d/n`, 'n'), ['d/n']],
  ['a file far below was written', (at) => fs.writeFileSync(`${at}/d/sub/c`, 'C'), ['d/sub/c']],
  ['a mode changed', (at) => fs.chmodSync(`${at}/d/a`, 0o640), ['d/a']],
  ['two files changed places', (at) => exchange(`${at}/d/a`, `${at}/d/b`), ['d/a', 'd/b']],
  ['a directory went', (at) => fs.rmSync(`${at}/d/sub`, { recursive: true }), ['d/sub']],
]
test.each(rows)('a scan of sealed directories tells what changed: %s', (_, change, expected) => {
  const root = quietRoot()
  change(root.root)
  expect(scan(root).told).toEqual(expected)
  expect(scan(root).told).toEqual([])
})

test('S1-8 a file that may have other bytes under its stamp is read by the next scan, sealed before or not', () => {
  const root = quietRoot()
  const index = openIndex(root.world, root.place.index)
  const { directoryId, name, record } = index.find(relPath('d/a')) ?? expect.fail()
  const fingerprint = digestOf(Buffer.from('another'))
  index.write((edit) => edit.amend(directoryId, name, { ...record, fingerprint, racy: true }))
  expect(sealOf(root, 'd')).toBeUndefined()
  root.aheadNs = 5_000_000_000n
  scan(root)
  expect(index.find(relPath('d/a'))?.record.racy).toBe(false)
})

test('the root is sealed without its private folder', () => {
  const root = quietRoot()
  expect(sealOf(root, '')).toBeDefined()
  fs.writeFileSync(`${root.root}/.tandem/anything`, '')
  expect(scan(root).told).toEqual([])
  expect(openIndex(root.world, root.place.index).directoryId(rootPath)).toBeDefined()
})

function exchange(one: string, other: string): void {
  fs.renameSync(one, `${one}.tmp`)
  fs.renameSync(other, one)
  fs.renameSync(`${one}.tmp`, other)
}

test('of a root that is one file nothing else is looked at, whoever hints at it, and nothing below it', () => {
  const root = freshRoot()
  for (const path of ['one', 'other', 'd/inner']) {
    root.write(path, path)
    fs.utimesSync(root.abs(path), 1, 1)
  }
  root.place = { ...root.place, only: relPath('one') }
  const { told, looked } = scan(root)
  // The one member is in the listing.
  expect(told).toEqual([''])
  // The root itself, and twice its file.
  expect(looked).toBe(3)
  for (let times = 0; times < 3; times++) scan(root)
  // How all of the directory looks is nothing to it.
  expect(sealOf(root, '')).toBeUndefined()
  const index = openIndex(root.world, root.place.index)
  const known = () => [...index.members(index.directoryId(rootPath) ?? 0)].map(({ name }) => name)
  const hinted = (directory: string, names: string[] | undefined, full = false) => {
    const targets = [{ directory: relPath(directory), names, placed: false, settled: [] }]
    const output = scanJob.run(root.world, { place: root.place, targets, full, sealing: true, reporting: true })
    return [output.looked, readReports(new BytesReader(output.reports)).map(({ path }): string => path), output.deeper]
  }
  expect(hinted('', ['other', 'd', 'none'])).toEqual([0, [], []])
  expect(hinted('d', ['inner'])).toEqual([0, [], []])
  expect(hinted('d', undefined, true)).toEqual([0, [], []])
  expect(known()).toEqual(['one'])
  fs.rmSync(`${root.root}/one`)
  fs.renameSync(`${root.root}/d`, `${root.root}/one`)
  expect(hinted('', ['one'])).toMatchObject([1, ['one'], [{ directory: 'one' }]])
  expect(hinted('one', undefined, true)).toEqual([0, [], []])
  fs.renameSync(`${root.root}/one`, `${root.root}/d`)
  expect(hinted('', ['one'])).toMatchObject([1, ['one'], []])
  expect(known()).toEqual([])
})

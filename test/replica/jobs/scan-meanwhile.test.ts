import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { relPath, rootPath } from '../../../src/core/path.js'
import { openIndex } from '../../../src/index/index.js'
import { scanJob } from '../../../src/replica/jobs/scan.js'
import { type Fixture, freshRoot } from './fixture.js'

function scanned(root: Fixture, names: readonly string[] | undefined) {
  const target = { directory: rootPath, names, placed: false, settled: [] }
  return scanJob.run(root.world, { place: root.place, targets: [target], full: false, sealing: false, reporting: true })
}

/** Another job records something newer just before the scan looks at `path`, whose record the scan has read by then. */
function recordMeanwhile(root: Fixture, path: string, record: () => void): void {
  let done = false
  root.trap.fail((call, at) => {
    if (done || call !== 'statAt' || at !== root.abs(path)) return undefined
    done = true
    record()
    return undefined
  })
}

test('S1-3: a record that is newer than the look of the scan is not written over; the path is looked at again', () => {
  const root = freshRoot()
  root.write('a', 'before')
  root.scan(['a'])
  root.write('a', 'as the scan finds it')
  let newer: number | undefined
  recordMeanwhile(root, 'a', () => {
    openIndex(root.world, root.place.index).write((edit) => {
      const found = edit.find(relPath('a'))
      if (found !== undefined)
        newer = edit.put(found.directoryId, found.name, { ...found.record, mode: 0o600 }).sequence
    })
  })
  expect(scanned(root, undefined).again).toEqual(['a'])
  expect(newer).toBeDefined()
  expect(root.record('a')).toMatchObject({ sequence: newer, mode: 0o600 })
})

test('S1-3: what was recorded under the scan is not taken for gone because the listing was older', () => {
  const root = freshRoot()
  root.write('a', 'known, and taken away')
  root.write('b', 'b')
  root.scan(['a', 'b'])
  const record = root.record('a')
  root.saveAtomically('b', 'b again')
  // The listing has no `a`: it is there again, and recorded, when the scan comes to the members.
  recordMeanwhile(root, 'b', () => {
    openIndex(root.world, root.place.index).write((edit) => {
      const found = edit.find(relPath('a'))
      if (found !== undefined && record !== undefined)
        edit.put(found.directoryId, found.name, { ...record, mode: 0o600 })
    })
  })
  fs.rmSync(root.abs('a'))
  expect(scanned(root, undefined).again).toEqual(['a'])
  expect(root.record('a')).toMatchObject({ mode: 0o600 })
})

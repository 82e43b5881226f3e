import * as fs from 'node:fs'
import { describe, expect, test } from 'vitest'
import { relPath, rootPath } from '../../../src/core/path.js'
import { type FileCode, FileFailure } from '../../../src/host/files.js'
import { fileFailure } from '../../../src/host/node/file-failure.js'
import { type ScanTarget, scanJob } from '../../../src/replica/jobs/scan.js'
import { BytesReader } from '../../../src/wire/bytes.js'
import { readReports } from '../../../src/wire/report.js'
import { type Fixture, freshRoot } from './fixture.js'
import type { Call } from './stepping.js'

/** Looks at the whole root as the agent does: directory by directory, then what turned out to be below. */
function scanAll(root: Fixture): { troubled: string[]; again: string[] } {
  const seen = { troubled: [] as string[], again: [] as string[] }
  let targets: ScanTarget[] = [{ directory: rootPath, names: [''], placed: false, settled: [] }]
  let entry = true
  while (targets.length > 0) {
    const output = scanJob.run(root.world, { place: root.place, targets, full: true, sealing: true, reporting: true })
    // A report that cannot be read would end the pair.
    readReports(new BytesReader(output.reports))
    seen.troubled.push(...output.troubled)
    seen.again.push(...output.again)
    targets = output.deeper.map(({ directory, placed }) => ({ directory, names: undefined, placed, settled: [] }))
    if (entry && targets.length === 0) targets = [{ directory: rootPath, names: undefined, placed: false, settled: [] }]
    entry = false
  }
  return seen
}

const paths = ['a/deep/er/file', 'a/deep/er/other', 'a/deep/sibling', 'a/file', 'b/file', 'top']

/** A root that is known, and whose files have all changed since. */
function changedRoot(): Fixture {
  const root = freshRoot()
  for (const path of paths) root.write(path, path)
  scanAll(root)
  for (const path of paths) root.write(path, `${path}, edited`, 1_800_000_000_000_000_000n)
  return root
}

const wasSeen = (root: Fixture, path: string) => root.record(path)?.sizeBytes === `${path}, edited`.length

const errnos = {
  // errno    problem   waiting can help
  EACCES: ['denied', false],
  EPERM: ['denied', false],
  EIO: ['io', true],
  ESTALE: ['io', true],
  ENOTCONN: ['io', true],
  EMFILE: ['io', true],
} as const

const places: readonly [what: string, call: Call, at: string, hidden: (path: string) => boolean][] = [
  ['a file at the top', 'statAt', 'top', (path) => path === 'top'],
  ['a file far down', 'statAt', 'a/deep/er/file', (path) => path === 'a/deep/er/file'],
  ['a directory that cannot be looked at', 'statAt', 'a/deep', () => false],
  ['a directory that cannot be opened', 'openDirectory', 'a/deep', (path) => /^a\/deep\/[a-z]+$/.test(path)],
  ['a directory that cannot be listed', 'names', 'a/deep/er', (path) => path.startsWith('a/deep/er/')],
  ['one at the top that cannot be listed', 'names', 'b', (path) => path.startsWith('b/')],
]

describe.each(Object.entries(errnos))('%s', (errno, [code, helps]) => {
  test.each(places)('%s is a problem at its path, with all below kept, and the rest is seen', (_, call, at, hidden) => {
    const root = changedRoot()
    root.trap.fail((one, path) => (one === call && path === root.abs(at) ? fileFailure(one, path, errno) : undefined))
    const seen = scanAll(root)
    expect(root.record(at)?.problem).toMatchObject({ code, detail: expect.stringContaining(errno) })
    expect(seen.troubled.includes(at)).toBe(helps)
    for (const path of paths) {
      expect(root.record(path), path).toBeDefined()
      if (!hidden(path) && !path.startsWith(`${at}/`)) expect(wasSeen(root, path), path).toBe(true)
    }

    root.trap.release()
    scanAll(root)
    for (const path of [at, ...paths]) expect(root.record(path)?.problem, path).toBeUndefined()
    for (const path of paths) expect(wasSeen(root, path), path).toBe(true)
  })
})

test('a root that could not be listed is listed when it is looked at again, though nothing else tells of it', () => {
  const root = freshRoot()
  for (const path of paths) root.write(path, path)
  root.trap.fail((call, path) => (call === 'names' && path === root.root ? fileFailure(call, path, 'EIO') : undefined))
  scanAll(root)
  expect(root.record('top')).toBeUndefined()
  root.trap.release()
  const targets: ScanTarget[] = [{ directory: rootPath, names: [''], placed: false, settled: [] }]
  const { deeper } = scanJob.run(root.world, {
    place: root.place,
    targets,
    full: false,
    sealing: false,
    reporting: true,
  })
  expect(deeper.map(({ directory }) => directory)).toEqual([rootPath])
})

test('a link that stands where a directory was is no directory, and nothing behind it is looked at (ELOOP)', () => {
  const root = changedRoot()
  fs.renameSync(root.abs('a/deep'), root.abs('../elsewhere'))
  fs.symlinkSync('../../elsewhere', root.abs('a/deep'))
  const output = scanJob.run(root.world, {
    place: root.place,
    targets: [{ directory: relPath('a/deep'), names: undefined, placed: false, settled: [] }],
    full: true,
    sealing: true,
    reporting: true,
  })
  // Its own entry is looked at from above before anything is concluded.
  expect(output.stray).toEqual(['a/deep'])
  for (const path of paths) expect(root.record(path), path).toBeDefined()
})

test('every code of a failure has a problem of its own, and none of them is an absence', () => {
  const root = changedRoot()
  const codes: FileCode[] = ['denied', 'not-permitted', 'read-only', 'name-too-long', 'stale', 'interrupted', 'io']
  for (const code of codes) {
    root.trap.fail((call, path) =>
      call === 'statAt' && path === root.abs('top') ? new FileFailure(code, path, call, code) : undefined,
    )
    scanAll(root)
    expect(root.record('top'), code).toMatchObject({ kind: 'file', problem: { kind: 'problem' } })
  }
})

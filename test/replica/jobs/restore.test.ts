import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absPath, relPath } from '../../../src/core/path.js'
import { FileFailure } from '../../../src/host/files.js'
import { listVersionsJob } from '../../../src/replica/jobs/list-versions.js'
import { copyOutJob, restoreJob } from '../../../src/replica/jobs/restore.js'
import { sweepJob } from '../../../src/replica/jobs/sweep.js'
import { type Fixture, freshRoot, writeFile } from './fixture.js'

/** A file that was replaced, and where what was there before is kept. */
function withVersion(): { root: Fixture; kept: ReturnType<typeof relPath> } {
  const root = freshRoot()
  root.write('a', 'old')
  root.scan(['a'])
  root.apply([writeFile('a', root.content('a'), 0, 'new')], ['new'])
  root.aheadNs += 1_100_000_000n
  sweepJob.run(root.world, { place: root.place })
  const [version] = listVersionsJob.run(root.world, { root: root.root, path: relPath('a') }).own
  if (version === undefined) throw new Error('no version')
  return { root, kept: version.kept }
}

function putDirectory(root: Fixture): void {
  fs.rmSync(root.abs('a'))
  root.write('a/own', 'own')
}

const restore = ({ root, kept }: ReturnType<typeof withVersion>) =>
  restoreJob.run(root.world, { place: root.place, kept, path: relPath('a') })

test('S2-27: a directory that its user puts at the path while a version is restored stays where it is', () => {
  const given = withVersion()
  given.root.trap.before('createFile', 1, () => putDirectory(given.root))
  expect(restore(given)).toBe('directory')
  expect(given.root.tree()).toEqual({ a: '/', 'a/own': 'own' })
})

test('S2-27: also where the file system cannot exchange', () => {
  const given = withVersion()
  const { root } = given
  root.trap.before('createFile', 1, () => putDirectory(root))
  root.trap.fail((call, path) =>
    call === 'rename:exchange' ? new FileFailure('unsupported', path, call, 'EINVAL') : undefined,
  )
  expect(restore(given)).toBe('directory')
  expect(root.tree()).toEqual({ a: '/', 'a/own': 'own' })
})

test('S2-27: where it cannot go back it is beside', () => {
  const given = withVersion()
  const { root } = given
  root.trap.before('createFile', 1, () => putDirectory(root))
  root.trap.after('rename:exchange', 1, () => fs.rmSync(root.abs('a')))
  restore(given)
  expect(Object.entries(root.tree()).find(([path]) => path.endsWith('/own'))?.[1]).toBe('own')
})

test('a version that could not be copied out whole is not left as if it were; what was there stays', () => {
  const { root, kept } = withVersion()
  const to = absPath(`${root.root}-copy`)
  root.trap.fail((call, path) =>
    call === 'write' && path === to ? new FileFailure('disk-full', to, 'write', 'ENOSPC') : undefined,
  )
  const copy = () => copyOutJob.run(root.world, { root: root.root, kept, to })
  expect(copy).toThrow('ENOSPC')
  expect(fs.existsSync(to)).toBe(false)
  root.trap.release()
  fs.writeFileSync(to, 'of somebody')
  expect(copy).toThrow('EEXIST')
  expect(fs.readFileSync(to, 'utf8')).toBe('of somebody')
})

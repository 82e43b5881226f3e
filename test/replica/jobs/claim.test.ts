import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absent } from '../../../src/core/content.js'
import { absPath } from '../../../src/core/path.js'
import { FileFailure } from '../../../src/host/files.js'
import { closeRootJob, openRootJob } from '../../../src/replica/jobs/open-root.js'
import { type Owner, ownerText, parseOwner } from '../../../src/replica/jobs/owner.js'
import { recoverJob } from '../../../src/replica/jobs/recover.js'
import { sweepJob } from '../../../src/replica/jobs/sweep.js'
import { ReplicaFailure } from '../../../src/replica/replica.js'
import { type Fixture, freshRoot, pair, remove, writeFile } from './fixture.js'
import { Crash } from './stepping.js'

const folderOf = (root: Fixture, folder = root.place.folder) => root.abs(`.tandem/stage/${folder}`)
const stages = (root: Fixture) => fs.readdirSync(root.abs('.tandem/stage')).sort()
const lockFiles = (root: Fixture) => fs.readdirSync(root.locks).sort()
const recover = (root: Fixture) => root.recover()

function ownerOf(root: Fixture, folder = root.place.folder): Owner {
  const owner = parseOwner(fs.readFileSync(`${folderOf(root, folder)}/owner`, 'utf8'))
  if (owner === undefined || owner === 'newer') throw new Error('no owner')
  return owner
}

/** A folder with a received file in it, as if the process that `amend` makes of this one had left it. */
function leftBy(root: Fixture, amend: Partial<Owner> | string | undefined, name = 'process-0'): void {
  const folder = folderOf(root, name)
  fs.mkdirSync(folder)
  for (const inner of ['in', 'out', 'intents']) fs.mkdirSync(`${folder}/${inner}`)
  fs.writeFileSync(`${folder}/in/half`, 'half')
  const lock = { path: absPath(`${root.locks}/stage-${name}`), device: 1n, inode: 1n }
  const text = typeof amend === 'object' ? ownerText({ ...ownerOf(root), lock, ...amend }) : amend
  if (text !== undefined) fs.writeFileSync(`${folder}/owner`, text)
}

test('an owner is written down, durably, before anything can be staged', () => {
  const root = freshRoot()
  const owner = ownerOf(root)
  expect(owner.pid).toBe(process.pid)
  expect(owner.lock.path).toBe(`${root.locks}/stage-${root.place.folder}`)
  expect(owner.lock.inode).toBe(fs.statSync(owner.lock.path, { bigint: true }).ino)
  expect(fs.readdirSync(folderOf(root)).sort()).toEqual(['in', 'intents', 'out', 'owner'])
  root.trap.calls.length = 0
  openRootJob.run(root.world, { root: root.root, folder: 'next', locks: root.locks, create: false })
  const calls = root.trap.calls.map(({ call, path }) => `${call} ${path.slice(path.lastIndexOf('/') + 1)}`)
  const [written, made] = [calls.indexOf('syncFile owner'), calls.indexOf('makeDirectory in')]
  expect(written).toBeGreaterThan(0)
  expect(calls[written + 1]).toBe('syncDirectory next')
  expect(made).toBeGreaterThan(written)
  // An intent is as durable as the directory that it lies in. That takes its time: another process finds an owner by then.
  expect(calls).toContain('syncDirectory .tandem')
  expect(calls.indexOf('syncDirectory stage')).toBeGreaterThan(written)
  expect(calls.lastIndexOf('syncDirectory next')).toBeGreaterThan(calls.indexOf('makeDirectory intents'))
})

test.runIf(process.platform === 'linux')('between jobs no handle on the root is open', () => {
  const root = freshRoot()
  const settled: string[] = []
  const look = (when: string) => settled.push(...openBelow(root.root).map((path) => `${when}: ${path}`))
  look('opened')
  root.write('a', 'old')
  root.scan(['a'])
  look('scanned')
  root.apply([writeFile('a', root.content('a'), 0, 'new'), writeFile('n', absent, 1, 'n')], ['new', 'n'])
  look('applied')
  root.apply([remove('n', root.content('n'))])
  look('removed')
  leftBy(root, undefined)
  recover(root)
  look('recovered')
  expect(settled).toEqual([])
})

/** What this process has open at or below the path. */
function openBelow(path: string): string[] {
  return fs.readdirSync('/proc/self/fd').flatMap((fd) => {
    const place = `/proc/self/fd/${fd}`
    // The handle of the listing itself is gone.
    const target = fs.lstatSync(place, { throwIfNoEntry: false }) === undefined ? '' : fs.readlinkSync(place)
    return target === path || target.startsWith(`${path}/`) ? [target] : []
  })
}

test('a crash at any call of opening or closing leaves nothing that the next process cannot clear away', () => {
  let runs = 0
  for (let n = 0; n < 1_000; n++) {
    const root = freshRoot()
    const input = { root: root.root, folder: 'cut', locks: root.locks }
    root.trap.crash(n)
    let crashed = false
    try {
      openRootJob.run(root.world, { ...input, create: true })
      closeRootJob.run(root.world, input)
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      crashed = true
    }
    root.restart()
    expect(recover(root).unclear).toEqual([])
    expect(stages(root)).toEqual([root.place.folder])
    // A lock file whose folder is not made, or is gone already, is empty and stays.
    for (const name of lockFiles(root)) expect([`stage-${root.place.folder}`, 'stage-cut']).toContain(name)
    root.dispose()
    runs++
    if (!crashed) break
  }
  expect(runs).toBeGreaterThan(40)
})

test('a root that is closed leaves neither folder nor lock file', () => {
  const root = freshRoot()
  closeRootJob.run(root.world, { root: root.root, folder: root.place.folder })
  expect(stages(root)).toEqual([])
  expect(lockFiles(root)).toEqual([])
})

test('a root that could not be opened is given back: its folder is free, and no lock is held', () => {
  const root = freshRoot()
  fs.rmSync(root.abs('.tandem/marker'))
  root.trap.fail((call, path) =>
    call === 'createFile' && path.endsWith('marker.new')
      ? new FileFailure('disk-full', path, call, 'ENOSPC')
      : undefined,
  )
  const open = () => openRootJob.run(root.world, { root: root.root, folder: 'full', locks: root.locks, create: true })
  expect(open).toThrow(ReplicaFailure)
  expect(stages(root)).toEqual([root.place.folder])
  expect(lockFiles(root)).toEqual([`stage-${root.place.folder}`])
})

test('the root is away when it is closed, and back later: what it left is recovered, by the same process too', () => {
  const root = freshRoot()
  root.write('a', 'old')
  root.scan(['a'])
  root.apply([writeFile('a', root.content('a'), 0, 'new')], ['new'])
  const before = root.place.folder
  fs.renameSync(root.root, `${root.root}-away`)
  closeRootJob.run(root.world, { root: root.root, folder: before })
  fs.renameSync(`${root.root}-away`, root.root)
  expect(lockFiles(root)).toEqual([`stage-${before}`])
  root.restart()
  expect(recover(root).unacknowledged.flatMap(({ outcomes }) => outcomes)).toHaveLength(1)
  expect(stages(root)).toEqual([root.place.folder])
  expect(lockFiles(root)).toEqual([`stage-${root.place.folder}`])
})

test('a recovery that fails lets go of what it had taken: the next one finds it', () => {
  const root = freshRoot()
  for (const name of ['process-0', 'process-9']) leftBy(root, undefined, name)
  // Without an owner it has to be taken before it can be looked into.
  root.trap.fail((call, path) =>
    call === 'openDirectory' && path.endsWith('process-9/out')
      ? new FileFailure('stale', path, call, 'ESTALE')
      : undefined,
  )
  expect(() => recover(root)).toThrow('ESTALE')
  expect(stages(root)).toEqual(['process-0', root.place.folder, 'process-9'].sort())
  root.trap.release()
  if (process.platform === 'linux') expect(openBelow(root.root)).toEqual([])
  recover(root)
  expect(stages(root)).toEqual([root.place.folder])
})

test('of a pair that has been told of the past, what is found later needs to be told to nobody', () => {
  const root = freshRoot()
  root.write('a', 'old')
  root.scan(['a'])
  root.apply([writeFile('a', root.content('a'), 0, 'new')], ['new'])
  root.restart()
  const input = { place: root.place, locks: root.locks, heard: [pair] }
  expect(recoverJob.run(root.world, input)).toMatchObject({ dirty: [], pending: 1 })
  expect(root.slots('intents')).toEqual([expect.stringMatching(/\.acknowledged$/)])
  root.aheadNs += 1_100_000_000n
  sweepJob.run(root.world, { place: root.place })
  expect([...root.slots('out'), ...root.slots('intents')]).toEqual([])
})

const gonePid = 4_000_000
const left: [what: string, amend: Partial<Owner> | string | undefined][] = [
  ['a process that is gone', { pid: gonePid }],
  ['a process whose pid was used again', { began: '1' }],
  ['an earlier boot', { boot: 'earlier' }],
  ['another machine, on a disk that is here now', { boot: 'other', machine: 'other', host: 'other' }],
  ['a process that died before it said who it is', undefined],
  ['a process whose word the power loss cut off', '{"version":1,"ho'],
  ['a process whose word the power loss made zeros', '\0\0\0\0'],
]
test.each(left)('what was left is recovered: by %s', (_, amend) => {
  const root = freshRoot()
  leftBy(root, amend)
  expect(recover(root).unclear).toEqual([])
  expect(stages(root)).toEqual([root.place.folder])
})

test('a process that is there is left alone, also where its lock file cannot be reached', () => {
  const root = freshRoot()
  leftBy(root, {})
  leftBy(root, { lock: { ...ownerOf(root).lock, path: absPath('/nowhere/stage-process-9') } }, 'process-9')
  expect(recover(root).unclear).toEqual([])
  expect(stages(root)).toEqual(['process-0', root.place.folder, 'process-9'].sort())
  expect(fs.readdirSync(`${folderOf(root, 'process-0')}/in`)).toEqual(['half'])
  expect(fs.existsSync('/nowhere')).toBe(false)
})

test('a lock in the folder itself still counts, as older versions and commands that are soon over have it', () => {
  const root = freshRoot()
  const input = { root: root.root, folder: 'command', locks: undefined, create: false }
  openRootJob.run(root.world, input)
  expect(fs.readdirSync(folderOf(root, 'command')).sort()).toEqual(['in', 'intents', 'lock', 'out'])
  recover(root)
  expect(stages(root)).toEqual(['command', root.place.folder])
  root.trap.dropLocks()
  root.restart()
  recover(root)
  expect(stages(root)).toEqual([root.place.folder])
})

const unclear: [what: string, amend: Partial<Owner> | string, distant: boolean, who: string][] = [
  ['another container', { namespace: 'pid:[1]' }, false, `process ${process.pid} of`],
  ['another machine on a shared disk', { boot: 'b', machine: 'm', host: 'laptop' }, true, 'of laptop'],
  ['a later version', '{"version":2}', false, 'a later version of tandem'],
]
test.each(unclear)('what may be in use is left alone, and it is said what to do: %s', (_, amend, distant, who) => {
  const root = freshRoot()
  leftBy(root, amend)
  if (distant) root.trap.filesystem = 'nfs'
  const [told, ...more] = recover(root).unclear
  expect(more).toEqual([])
  expect(told?.folder).toBe('.tandem/stage/process-0')
  expect(told?.detail).toContain(who)
  expect(told?.detail).toContain('remove .tandem/stage/process-0/owner')
  expect(stages(root)).toEqual(['process-0', root.place.folder].sort())
  // What is said helps.
  fs.rmSync(`${folderOf(root, 'process-0')}/owner`)
  expect(recover(root).unclear).toEqual([])
  expect(stages(root)).toEqual([root.place.folder])
})

test('the path of a lock file may be as long and as odd as a path can be', () => {
  const root = freshRoot()
  const path = absPath(`/${'\udcff'.repeat(4_080)}/stage-process-0`)
  leftBy(root, { namespace: 'pid:[1]', lock: { path, device: 1n, inode: 1n } })
  expect(recover(root).unclear).toHaveLength(1)
})

test('nobody is led to lock, make or remove a file by what stands in a root', () => {
  const root = freshRoot()
  const precious = absPath(root.abs('../precious'))
  fs.writeFileSync(precious, 'precious')
  const { ino, dev } = fs.statSync(precious, { bigint: true })
  root.trap.calls.length = 0
  leftBy(root, { pid: gonePid, lock: { path: precious, device: dev, inode: ino } })
  leftBy(
    root,
    { pid: gonePid, lock: { path: absPath(root.abs('../stage-process-9')), device: 1n, inode: 1n } },
    'process-9',
  )
  recover(root)
  expect(root.trap.calls.filter(({ call }) => call === 'lock').map(({ path }) => path)).toEqual([
    `${folderOf(root, 'process-0')}/lock`,
    `${folderOf(root, 'process-9')}/lock`,
  ])
  expect(fs.readFileSync(precious, 'utf8')).toBe('precious')
  expect(fs.existsSync(root.abs('../stage-process-9'))).toBe(false)
})

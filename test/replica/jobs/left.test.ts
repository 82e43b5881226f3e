import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absent } from '../../../src/core/content.js'
import { relPath } from '../../../src/core/path.js'
import { FileFailure } from '../../../src/host/files.js'
import { acknowledgeJob } from '../../../src/replica/jobs/acknowledge.js'
import { recoverJob } from '../../../src/replica/jobs/recover.js'
import { dropBatchJob } from '../../../src/replica/jobs/stage.js'
import { type Received, sweepJob } from '../../../src/replica/jobs/sweep.js'
import { unacknowledgedJob } from '../../../src/replica/jobs/unacknowledged.js'
import { type Fixture, freshRoot, oldNs, pair, writeFile } from './fixture.js'
import type { Call } from './stepping.js'

/** Every such call on a path with `part` in it fails, until it is released. */
function refuse(root: Fixture, call: Call, part: string, code: 'io' | 'disk-full' = 'io'): void {
  root.trap.fail((one, path) =>
    one === call && path.includes(part) ? new FileFailure(code, path, call, code) : undefined,
  )
}

const isFull = (root: Fixture) => refuse(root, 'reopenFile', '/intents', 'disk-full')

test('a link that could not be looked at when it was staged does not stay in staging', () => {
  const root = freshRoot()
  refuse(root, 'statAt', '/in/')
  const { outcomes, isLeft } = root.apply([
    { op: 'write-symlink', path: relPath('l'), expect: absent, target: 'somewhere' },
  ])
  expect(outcomes).toMatchObject([{ kind: 'failed', code: 'io' }])
  expect({ isLeft, in: root.slots('in') }).toEqual({ isLeft: false, in: [] })
})

test('a file that could not be opened when it was to be made ready does not stay in staging', () => {
  const root = freshRoot()
  root.write('a', 'old')
  root.scan(['a'])
  const batch = root.nextBatch()
  root.stage(['new'], batch)
  refuse(root, 'reopenFile', '/in/')
  const { outcomes, isLeft } = root.apply([writeFile('a', root.content('a'), 0, 'new')], [], batch)
  expect(outcomes).toMatchObject([{ kind: 'failed', code: 'io' }])
  expect({ isLeft, in: root.slots('in') }).toEqual({ isLeft: false, in: [] })
})

test('what was received goes when the batch is dropped, also after it could not be applied at all', () => {
  const root = freshRoot()
  const batch = root.nextBatch()
  root.stage(['a'], batch)
  refuse(root, 'openDirectory', '/out')
  expect(() => root.apply([writeFile('a', absent, 0, 'a')], [], batch)).toThrow(FileFailure)
  root.trap.release()
  expect(root.slots('in')).toHaveLength(1)
  dropBatchJob.run(root.world, { place: root.place, pair, batch })
  expect(root.slots('in')).toEqual([])
})

test('what could not be dropped is found by a sweep, and goes with the next', () => {
  const root = freshRoot()
  const batch = root.nextBatch()
  root.stage(['a', 'b'], batch)
  refuse(root, 'openDirectory', '/stage/')
  dropBatchJob.run(root.world, { place: root.place, pair, batch })
  root.trap.release()
  const { strays } = sweep(root)
  expect([...strays].sort()).toEqual(root.slots('in').sort())
  refuse(root, 'removeFile', '/in/')
  expect(sweep(root, strays).strays).toEqual(strays)
  root.trap.release()
  expect(sweep(root, strays)).toMatchObject({ strays: [], isNeeded: false })
  expect(root.slots('in')).toEqual([])
})

/** A batch that its user overtakes, on a disk that is full when it is to be told: what was received is not published. */
function untold(root: Fixture): void {
  root.trap.before('rename:no-replace', 1, () => root.write('a', 'its user was faster'))
  isFull(root)
  const { outcomes, isLeft } = root.apply([writeFile('a', absent, 0, 'a')], ['a'])
  root.trap.release()
  expect(outcomes).toMatchObject([{ kind: 'superseded' }])
  expect({ isLeft, in: root.slots('in').length }).toEqual({ isLeft: true, in: 1 })
  expect(sweep(root)).toMatchObject({ strays: [], isNeeded: true })
}

function sweep(root: Fixture, strays: readonly string[] = []): Received {
  const { received } = sweepJob.run(root.world, { place: root.place, strays })
  if (received === undefined) throw new Error('it was not looked')
  return received
}

test('a batch that could not be told keeps what its intent needs until it is finished', () => {
  const root = freshRoot()
  untold(root)
  expect(unacknowledgedJob.run(root.world, { place: root.place, pair })).toMatchObject({ outcomes: [] })
  sweep(root, sweep(root).strays)
  expect([...root.slots('in'), ...root.slots('intents')]).toEqual([])
})

test('a batch that could not be told needs nothing any more when it is acknowledged', () => {
  const root = freshRoot()
  untold(root)
  acknowledgeJob.run(root.world, { place: root.place, pair, batches: [root.batch] })
  sweep(root, sweep(root).strays)
  expect([...root.slots('in'), ...root.slots('intents')]).toEqual([])
})

test('an intent that could neither be written nor removed goes when the pair is opened again', () => {
  const root = freshRoot()
  root.trap.fail((call, path) => {
    if (!path.includes('/intents/')) return undefined
    if (call === 'write') return new FileFailure('disk-full', path, call, 'ENOSPC')
    return call === 'removeFile' ? new FileFailure('io', path, call, 'EIO') : undefined
  })
  expect(root.apply([writeFile('a', absent, 0, 'a')], ['a']).outcomes).toMatchObject([{ code: 'disk-full' }])
  root.trap.release()
  expect(root.slots('intents')).toHaveLength(1)
  expect(unacknowledgedJob.run(root.world, { place: root.place, pair })).toMatchObject({ outcomes: [], dirty: [] })
  expect(root.slots('intents')).toEqual([])
})

test('a batch that could not be told and is acknowledged is not done once more by the next process', () => {
  const root = freshRoot()
  for (const path of ['a', 'b']) root.write(path, path)
  root.scan(['a', 'b'])
  isFull(root)
  const { outcomes } = root.apply(
    [
      writeFile('a', root.content('a'), 0, 'new'),
      { op: 'set-props', path: relPath('b'), expect: root.content('b'), props: { mode: 0o600, mtimeNs: oldNs } },
    ],
    ['new'],
  )
  root.trap.release()
  expect(outcomes).toMatchObject([{ kind: 'done' }, { kind: 'done' }])
  acknowledgeJob.run(root.world, { place: root.place, pair, batches: [root.batch] })
  expect(root.slots('intents')).toMatchObject([expect.stringMatching(/\.acknowledged$/)])
  // Its user takes the mode back.
  fs.chmodSync(root.abs('b'), 0o644)
  root.restart()
  recoverJob.run(root.world, { place: root.place, locks: root.locks })
  expect(root.stat('b').mode).toBe(0o644)
  root.aheadNs += 1_100_000_000n
  expect(sweepJob.run(root.world, { place: root.place })).toMatchObject({ pending: 0, dirty: [] })
  expect([...root.slots('out'), ...root.slots('intents')]).toEqual([])
})

test('what was acknowledged is not brought back after a power loss that took its outcomes from the intent', () => {
  const root = freshRoot()
  root.write('a', 'old')
  root.scan(['a'])
  root.apply([writeFile('a', root.content('a'), 0, 'new')], ['new'])
  acknowledgeJob.run(root.world, { place: root.place, pair, batches: [root.batch] })
  // Lines that are added to an intent are not synced, and its user's removal was the last thing that reached the disk.
  const intent = root.abs(`.tandem/stage/${root.place.folder}/intents/${root.slots('intents')[0]}`)
  const lines = fs.readFileSync(intent, 'utf8').split('\n')
  fs.writeFileSync(intent, `${lines.slice(0, 2).join('\n')}\n`)
  fs.rmSync(root.abs('a'))
  root.restart('boot-2')
  recoverJob.run(root.world, { place: root.place, locks: root.locks })
  expect(root.tree()).toEqual({})
})

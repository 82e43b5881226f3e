import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import type { Operation } from '../../../src/core/operation.js'
import { acknowledgeJob } from '../../../src/replica/jobs/acknowledge.js'
import { unacknowledgedJob } from '../../../src/replica/jobs/unacknowledged.js'
import { type Fixture, freshRoot, makeDirectory } from './fixture.js'

const peer = 'a'.repeat(8)
const [one, same, other] = [`${peer}${'1'.repeat(24)}`, `${peer}${'2'.repeat(24)}`, 'b'.repeat(32)]

/** 'done', or why not. */
const apply = (root: Fixture, ...operations: Operation[]) =>
  root.apply(operations).outcomes.map((outcome) => (outcome.kind === 'done' ? 'done' : outcome.detail))

/** What a pair did long ago seems to be so long: without a byte on disk. */
function lengthen(root: Fixture, pair: string, bytes: number): void {
  const name = root.slots('intents').find((intent) => intent.startsWith(pair))
  if (name === undefined) throw new Error('no intent')
  fs.truncateSync(root.abs(`.tandem/stage/${root.place.folder}/intents/${name}`), bytes)
}

test('T8: what others have not acknowledged is not read when a pair is opened', () => {
  const root = freshRoot()
  root.pair = other
  expect(apply(root, makeDirectory('theirs'))).toEqual(['done'])
  lengthen(root, other, 2 ** 31)
  root.pair = one
  expect(apply(root, makeDirectory('mine'))).toEqual(['done'])
  const { outcomes } = unacknowledgedJob.run(root.world, { place: root.place, pair: one })
  expect(outcomes.map(({ outcome }) => outcome.path)).toEqual(['mine'])
})

test('T8: a lead that acknowledges nothing is refused when that is too long, and goes on when it has', () => {
  const root = freshRoot()
  root.pair = one
  expect(apply(root, makeDirectory('first'))).toEqual(['done'])
  const { batch } = root
  lengthen(root, one, 128 << 20)
  expect(apply(root, makeDirectory('second'))).toEqual(['1 of its batches are done and not acknowledged'])
  expect(root.has('second')).toBe(false)
  expect(root.slots('intents')).toHaveLength(1)
  root.pair = other
  expect(apply(root, makeDirectory('another'))).toEqual(['done'])
  root.pair = one
  acknowledgeJob.run(root.world, { place: root.place, pair: one, batches: [batch] })
  expect(apply(root, makeDirectory('second'))).toEqual(['done'])
})

test('T8: nor does it help to call the pair otherwise: what the peer left behind under other names goes, and nobody else’s', () => {
  const root = freshRoot()
  for (const pair of [other, same]) {
    root.pair = pair
    expect(apply(root, makeDirectory(`of-${pair}`))).toEqual(['done'])
  }
  // Complete as it is: more of the same lines.
  const folder = root.abs(`.tandem/stage/${root.place.folder}/intents`)
  const name = root.slots('intents').find((intent) => intent.startsWith(same)) ?? ''
  for (let at = 0; at < 4_096; at++) fs.copyFileSync(`${folder}/${name}`, `${folder}/${same}-${1_000 + at}-abcdef`)
  root.pair = one
  expect(apply(root, makeDirectory('mine'))).toEqual(['done'])
  expect(
    root
      .slots('intents')
      .map((intent) => intent.slice(0, 32))
      .sort(),
  ).toEqual([one, other])
})

test('T8: of one peer 64 pairs have a journal, the ones that did something last', () => {
  const root = freshRoot()
  for (let at = 0; at < 70; at++) {
    root.pair = `${peer}${String(at).padStart(24, '0')}`
    apply(root, makeDirectory(`d-${at}`))
    fs.utimesSync(root.abs(`.tandem/journal/${root.pair}`), at, at)
  }
  root.pair = other
  apply(root, makeDirectory('theirs'))
  const names = fs.readdirSync(root.abs('.tandem/journal')).sort()
  expect(names).toHaveLength(65)
  expect(names[0]).toBe(`${peer}${'6'.padStart(24, '0')}`)
  expect(names.at(-1)).toBe(other)
})

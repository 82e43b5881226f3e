import { expect, test } from 'vitest'
import type { OpenPath } from '../../src/archive/archive.js'
import { relPath } from '../../src/core/path.js'
import { haltText } from '../../src/engine/advice.js'
import { AskedCycles, NotReady, Standing, type StateWord, type Steered } from '../../src/engine/state.js'
import { LinkFailure } from '../../src/host/sockets.js'
import { ReplicaFailure } from '../../src/replica/replica.js'

let nowMs = 1_000
const clock = { now: () => nowMs, wallNs: () => 0n, sleep: () => Promise.resolve() }
const cut = new LinkFailure('lost', 'the connection ended')
const gone = new ReplicaFailure('missing', '/a', 'it is not there')

function open(why: OpenPath['why'], path = 'f'): OpenPath {
  return { path: relPath(path), why, detail: '' }
}

/** A life that is in sync, unless it says otherwise. */
function life(part: Partial<Steered> = {}): Steered & { readonly heard: boolean[] } {
  const heard: boolean[] = []
  return {
    heard,
    isCurrent: true,
    currentAt: 1_000,
    lookedAt: undefined,
    auditedAt: undefined,
    auditDifferences: 0,
    isLooking: false,
    isBusy: false,
    opened: () => [],
    letGo: () => {},
    pause: (on) => void heard.push(on),
    rescan: async () => {},
    accept: async () => 'id',
    flush: async () => [],
    ...part,
  }
}

const words: [string, ((standing: Standing) => void)[], StateWord][] = [
  // what happened                                what it is
  ['nothing yet', [], 'scanning'],
  ['a life that does not know its roots yet', [(s) => s.opened(life({ isCurrent: false }))], 'scanning'],
  ['in sync', [(s) => s.opened(life())], 'watching'],
  ['everything is looked at again', [(s) => s.opened(life({ isLooking: true }))], 'scanning'],
  ['a cycle', [(s) => s.opened(life({ isBusy: true }))], 'syncing'],
  ['a cycle while everything is looked at', [(s) => s.opened(life({ isBusy: true, isLooking: true }))], 'syncing'],
  ['a path that is tried again', [(s) => s.opened(life({ opened: () => [open('superseded')] }))], 'syncing'],
  ['a conflict', [(s) => s.opened(life({ opened: () => [open('conflict')] }))], 'watching'],
  ['paused', [(s) => s.opened(life()), (s) => s.pause(true)], 'paused'],
  ['paused before it was opened', [(s) => s.pause(true), (s) => s.opened(life())], 'paused'],
  ['resumed', [(s) => s.opened(life()), (s) => s.pause(true), (s) => s.pause(false)], 'watching'],
  ['a link that was cut', [(s) => s.opened(life()), (s) => s.failed(cut, 0)], 'disconnected'],
  ['a link that is back', [(s) => s.failed(cut, 0), (s) => s.opened(life())], 'watching'],
  ['a root in doubt', [(s) => s.opened(life()), (s) => s.failed(gone, 0)], 'halted'],
  ['a root in doubt that opens', [(s) => s.failed(gone, 0), (s) => s.opened(life())], 'halted'],
  ['a root in doubt that works', [(s) => s.failed(gone, 0), (s) => s.opened(life()), (s) => s.worked()], 'watching'],
  ['a root in doubt while it is paused', [(s) => s.pause(true), (s) => s.failed(gone, 0)], 'halted'],
]
test.each(words)('%s', (_, steps, word) => {
  const standing = new Standing(clock)
  for (const happen of steps) happen(standing)
  expect(standing.state().word).toBe(word)
})

test('what is open is counted, and remembered while no life is there to ask', () => {
  const standing = new Standing(clock)
  standing.opened(
    life({ opened: () => [open('conflict', 'c'), open('problem', 'p'), open('held', 'h'), open('superseded', 's')] }),
  )
  expect(standing.state()).toMatchObject({ conflicts: 1, problems: 2, code: '', why: '' })
  standing.failed(gone, 7)
  expect(standing.state()).toMatchObject({ conflicts: 1, problems: 2, code: 'missing', why: haltText(gone, 7) })
  expect(standing.open()).toHaveLength(4)
})

test('what the archive held open is told before the peer was reached', () => {
  const standing = new Standing(clock)
  standing.remembers([open('conflict', 'c')])
  standing.failed(cut, 0)
  expect(standing.open()).toEqual([open('conflict', 'c')])
  standing.opened(life({ opened: () => [] }))
  expect(standing.open()).toEqual([])
})

test('the age of the last full scan outlives a link, for a life after a cut looks at nothing', () => {
  const standing = new Standing(clock)
  nowMs = 1_000
  expect(standing.state().scanAgeMs).toBeUndefined()
  standing.opened(life({ currentAt: 1_000 }))
  nowMs = 5_000
  expect(standing.state().scanAgeMs).toBe(4_000)
  standing.failed(cut, 0)
  standing.opened(life({ currentAt: 5_000 }))
  nowMs = 6_000
  expect(standing.state().scanAgeMs).toBe(5_000)
  standing.opened(life({ currentAt: 5_000, lookedAt: 5_500 }))
  expect(standing.state().scanAgeMs).toBe(500)
})

const never = new AbortController().signal

test('flush answers what the life answers', async () => {
  const standing = new Standing(clock)
  standing.opened(life({ flush: async () => [open('conflict')] }))
  expect(await standing.flush(never)).toEqual([open('conflict')])
})

test('flush waits for a link that is away, and asks the life after it', async () => {
  const standing = new Standing(clock)
  standing.opened(life({ flush: () => Promise.reject(new NotReady('disconnected', 'over')) }))
  const flushed = standing.flush(never)
  standing.failed(cut, 0)
  await Promise.resolve()
  standing.opened(life({ flush: async () => [open('held')] }))
  expect(await flushed).toEqual([open('held')])
})

const refused: [string, (standing: Standing) => void, string][] = [
  // what happens while it waits        what flush says
  ['it is paused', (s) => s.pause(true), 'paused'],
  ['a root is in doubt', (s) => s.failed(gone, 0), 'halted'],
  ['the agent stops', (s) => s.ended(), 'stopping'],
]
test.each(refused)('flush gives up when %s', async (_, happen, code) => {
  const standing = new Standing(clock)
  standing.opened(life({ flush: () => new Promise(() => {}) }))
  const flushed = standing.flush(never)
  happen(standing)
  await expect(flushed).rejects.toMatchObject({ name: 'NotReady', code })
})

test.each([
  ['a life that works on', undefined, 'timed-out'],
  ['a link that stays away', cut, 'disconnected'],
] as const)('flush gives up in time, with %s', async (_, trouble, code) => {
  const standing = new Standing(clock)
  if (trouble === undefined) standing.opened(life({ flush: () => new Promise(() => {}) }))
  else standing.failed(trouble, 0)
  const patience = new AbortController()
  const flushed = standing.flush(patience.signal)
  patience.abort()
  await expect(flushed).rejects.toMatchObject({ code })
})

test('who asks during a cycle waits for the next one', async () => {
  const cycles = new AskedCycles()
  const answers: string[] = []
  const ask = (name: string) =>
    cycles.ask().then(
      () => answers.push(name),
      () => answers.push(`${name} failed`),
    )
  const first = ask('first')
  cycles.begin()
  const second = ask('second')
  cycles.done([])
  await first
  expect(answers).toEqual(['first'])
  expect(cycles.isEmpty).toBe(false)
  cycles.begin()
  cycles.end()
  await second
  expect(answers).toEqual(['first', 'second failed'])
})

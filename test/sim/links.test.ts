import { expect, test } from 'vitest'
import { relPath } from '../../src/core/path.js'
import { plainWorld } from './plain-world.js'
import type { SimWorld } from './world.js'

const note = relPath('note')

/** What happens to the link, and how long an edit that is made at that moment takes to be on the other side. */
const breaks: readonly [string, (world: SimWorld) => void, withinMs: number][] = [
  ['nothing', () => {}, 300],
  ['it is cut', ({ network }) => network.cutAll(), 1_000],
  ['it is half open: nothing arrives, and nobody is told', ({ network }) => network.silenceAll(), 15_500],
  [
    'the machine of the lead slept, and no connection has outlived that',
    ({ network, machines: [alpha] }) => {
      network.silenceAll()
      if (alpha !== undefined) alpha.skewNs += 3_600_000_000_000n
    },
    3_000,
  ],
]

test.each(breaks)('an edit arrives, when %s', async (_, happen, withinMs) => {
  const world = plainWorld(11, 'linked')
  const [alpha, beta] = world.users.map(({ files }) => files)
  if (alpha === undefined || beta === undefined) throw new Error('no users')
  for (const agent of world.agents) agent.startAfter(1e6)
  alpha.create(note, 'before')
  await world.scheduler.pass(30e9)
  expect(Buffer.from(beta.find(note)?.data ?? []).toString()).toBe('before')

  happen(world)
  const handle = alpha.open(note)
  handle.write('after!', 0)
  handle.close()
  let tookMs = 0
  for (; tookMs < 60_000; tookMs += 20) {
    if (Buffer.from(beta.find(note)?.data ?? []).toString() === 'after!') break
    await world.scheduler.pass(20e6)
  }
  expect(tookMs).toBeLessThan(withinMs)
})

/** Without a network, and then with one again: what is told of that, and how soon an edit of the meantime is on the other side. */
const absences: readonly [string, seconds: number, (world: SimWorld) => void, withinMs: number][] = [
  ['longer than a silent link is waited for', 25, () => {}, 1_000],
  ['almost a minute', 55, () => {}, 1_000],
  ['an hour, and the machine of the lead has other addresses then', 3_600, moved, 3_000],
  ['an hour, and nobody can tell', 3_600, () => {}, 40_000],
]

function moved({ machines: [alpha] }: SimWorld): void {
  if (alpha !== undefined) alpha.networkSign = 'elsewhere'
}

test.each(absences)('an edit arrives after a time without a network: %s', async (_, seconds, happen, withinMs) => {
  const world = plainWorld(12, 'linked')
  const [alpha, beta] = world.users.map(({ files }) => files)
  if (alpha === undefined || beta === undefined) throw new Error('no users')
  for (const agent of world.agents) agent.startAfter(1e6)
  await world.scheduler.pass(30e9)
  world.partNetwork()
  await world.scheduler.pass(seconds * 1e9)
  alpha.create(note, 'meanwhile')
  world.joinNetwork()
  happen(world)
  await world.scheduler.pass(withinMs * 1e6)
  expect(Buffer.from(beta.find(note)?.data ?? []).toString()).toBe('meanwhile')
})

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
    4_000,
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

test('a network that is parted for a while: an edit is on the other side soon after they reach each other again', async () => {
  const world = plainWorld(12, 'linked')
  const [alpha, beta] = world.users.map(({ files }) => files)
  if (alpha === undefined || beta === undefined) throw new Error('no users')
  for (const agent of world.agents) agent.startAfter(1e6)
  await world.scheduler.pass(30e9)
  world.partNetwork()
  await world.scheduler.pass(25e9)
  alpha.create(note, 'meanwhile')
  world.joinNetwork()
  // An attempt that was made before has its ten seconds.
  await world.scheduler.pass(11e9)
  expect(Buffer.from(beta.find(note)?.data ?? []).toString()).toBe('meanwhile')
})

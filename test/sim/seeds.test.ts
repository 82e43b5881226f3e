import { describe, expect, test } from 'vitest'
import { relPath } from '../../src/core/path.js'
import { agentHouse } from './agent-house.js'
import type { Faults } from './faults.js'
import { effectsOf, type SimOptions, simulate } from './simulate.js'
import type { SimWorld, Topology } from './world.js'

/**
 * Histories with one kind of fault each, so that what a fault breaks is told by its name. A failing one is read again with
 * `simulate({ seed, topology, faults, house: agentHouse(), keepLines: true })`: its `lines` say what came when. Most histories
 * are in seeds-*.test.ts.
 */
const rows: readonly [what: string, topology: Topology, faults: Partial<Faults>, seeds: number][] = [
  ['users alone', 'linked', {}, 3],
  ['users between the calls of jobs, and jobs within jobs', 'linked', { interleave: 0.02 }, 5],
  ['the same with both roots on one machine', 'local', { interleave: 0.02 }, 4],
  ['processes that die at any effect', 'linked', { crashes: 4, interleave: 0.01 }, 5],
  ['the one agent of two roots dying', 'local', { crashes: 4 }, 3],
  ['links cut, silent and parted', 'linked', { cuts: 4, silences: 1, partings: 1 }, 4],
  ['machines losing their power', 'linked', { powerLosses: 2, crashes: 1, cuts: 1 }, 5],
  ['one machine losing its power', 'local', { powerLosses: 2 }, 3],
  ['watchers that overflow', 'linked', { overflow: 0.03 }, 3],
  ['syncs that fail and disks that are full', 'linked', { syncFailures: 3, fullDisks: 2 }, 3],
  ['clocks hours apart, and stores put back to an earlier time', 'linked', { skew: true, rollbacks: 1 }, 3],
  ['an archive put back to an earlier time', 'linked', { archiveRollbacks: 1, interleave: 0.02 }, 3],
  ['indexes put back to an earlier time', 'linked', { indexRollbacks: 2, interleave: 0.02 }, 3],
  ['clocks that jump', 'linked', { clockJumps: 3, interleave: 0.02 }, 3],
  ['watchers that drop events and are late', 'local', { drops: 0.03, lateness: 2 }, 3],
  ['a network that crawls', 'linked', { slowness: 2, interleave: 0.02 }, 3],
  ['calls that fail', 'linked', { calls: 0.01 }, 3],
  ['stores whose disk is full', 'linked', { stores: 0.05 }, 3],
]

describe.each(rows)('%s (%s)', (_, topology, faults, count) => {
  const seeds = Array.from({ length: count }, (_, index) => index + 1)
  test.each(seeds)('seed %i loses nothing and settles', async (seed) => {
    const { violations } = await simulate({ seed, topology, faults, house: agentHouse() })
    expect(violations).toEqual([])
  })
})

test.each([1, 2])('two roots that are polled (local): seed %i loses nothing and settles', async (seed) => {
  const faults = { crashes: 1, interleave: 0.01 }
  const { violations } = await simulate({ seed, topology: 'local', faults, house: agentHouse({ watcher: 'poll' }) })
  expect(violations).toEqual([])
})

test('one seed is one history, with every fault there is', async () => {
  const options: SimOptions = {
    seed: 11,
    house: agentHouse(),
    faults: { interleave: 0.02, crashes: 2, powerLosses: 1, cuts: 2, overflow: 0.01, skew: true },
  }
  expect((await simulate(options)).trace).toBe((await simulate(options)).trace)
})

describe('a directory that is renamed', () => {
  const renamed: SimOptions = {
    seed: 5,
    topology: 'local',
    house: agentHouse(),
    chaosMs: 2_500,
    script: [
      { atMs: 500, act: (world: SimWorld) => fill(world) },
      { atMs: 1_500, act: (world: SimWorld) => rename(world) },
    ],
  }

  test('is renamed on the other side, and nothing of it is sent', async () => {
    const { events, violations } = await simulate(renamed)
    const after = events.slice(events.findIndex((one) => one.event === 'path-applied' && one.what === 'moved'))
    const applied = after.flatMap((one) => (one.event === 'path-applied' ? [[one.what, one.path, one.bytes]] : []))
    expect(violations).toEqual([])
    expect(applied).toEqual([['moved', 'moved', 0]])
  })

  test('a crash at any effect loses nothing', { timeout: 120_000 }, async () => {
    const effects = await effectsOf(renamed, 'solo')
    const late = effects.slice(Math.floor(effects.length / 2))
    for (const effect of late.filter((at) => at % 5 === 0)) {
      const crashAt = { agent: 'solo', effect, powerLoss: effect % 2 === 0 }
      const { violations } = await simulate({ ...renamed, crashAt })
      expect({ effect, violations }).toEqual({ effect, violations: [] })
    }
  })
})

function fill(world: SimWorld): void {
  const { files } = world.users[0]
  for (const path of ['d', 'd/e']) files.makeDirectory(relPath(path))
  for (const path of ['d/f', 'd/e/g']) files.create(relPath(path), `${path} 1\n`)
}

function rename(world: SimWorld): void {
  const { files } = world.users[0]
  // It may have gone with the power.
  if (files.find(relPath('d')) !== undefined) files.rename(relPath('d'), relPath('moved'))
}

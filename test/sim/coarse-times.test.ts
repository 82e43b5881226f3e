import { expect, test } from 'vitest'
import { relPath } from '../../src/core/path.js'
import { plainWorld } from './plain-world.js'
import type { Topology } from './world.js'

/** Times of exFAT. */
const unitNs = 2_000_000_000n
const f = relPath('f')
const g = relPath('g')

/**
 * One root cuts times to two seconds: what it made of a time is read back and known as what it holds, so that the difference
 * is nobody's change, and a time of its own travels as any other.
 */
test.each<[Topology, coarse: 0 | 1]>([
  ['linked', 1],
  ['linked', 0],
  ['local', 1],
])('a root that cannot hold a time does not play ping-pong with it: %s, root %i', async (topology, coarse) => {
  const world = plainWorld(5, topology)
  const disk = world.disks[coarse]
  if (disk === undefined) throw new Error('no disk')
  disk.timeUnitNs = unitNs
  const cut = world.users[coarse].files
  const fine = world.users[coarse === 0 ? 1 : 0].files
  const time = (files: typeof fine, path: typeof f) => files.find(path)?.mtimeNs
  const text = (files: typeof fine, path: typeof f) => Buffer.from(files.find(path)?.data ?? []).toString()
  /** Long enough for several full scans, in which nothing is written by anybody. */
  const expectQuiet = async () => {
    await world.scheduler.pass(45e9)
    const before = { commits: world.commits, changes: world.oracle.agentChanges }
    await world.scheduler.pass(70e9)
    expect({ commits: world.commits, changes: world.oracle.agentChanges }).toEqual(before)
  }

  const odd = 1_700_000_001_123_456_789n
  fine.create(f, 'fine\n')
  fine.setTime(f, odd)
  cut.create(g, 'coarse\n')
  for (const agent of world.agents) agent.startAfter(1e6)
  await expectQuiet()
  expect([text(cut, f), text(fine, g)]).toEqual(['fine\n', 'coarse\n'])
  expect([time(fine, f), time(cut, f)]).toEqual([odd, odd - (odd % unitNs)])
  expect(time(fine, g)).toBe(time(cut, g))

  // A touch on the side that can hold it travels as far as it can; one on the other side travels whole.
  fine.setTime(f, odd + 10n * unitNs)
  cut.setTime(g, 1_600_000_000_000_000_000n)
  await expectQuiet()
  expect([time(fine, f), time(cut, f)]).toEqual([odd + 10n * unitNs, odd - (odd % unitNs) + 10n * unitNs])
  expect(time(fine, g)).toBe(1_600_000_000_000_000_000n)

  // Whoever starts anew finds nothing to do.
  for (const agent of world.agents) world.kill(agent)
  for (const agent of world.agents) agent.startAfter(1e6)
  const changes = world.oracle.agentChanges
  await expectQuiet()
  expect(world.oracle.agentChanges).toBe(changes)
  expect([time(fine, f), time(cut, f)]).toEqual([odd + 10n * unitNs, odd - (odd % unitNs) + 10n * unitNs])
})

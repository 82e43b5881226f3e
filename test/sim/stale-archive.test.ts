import { expect, test } from 'vitest'
import { relPath } from '../../src/core/path.js'
import { plainWorld } from './plain-world.js'
import type { Topology } from './world.js'

const hourNs = 3_600e9

test.each<Topology>(['local', 'linked'])(
  'S1-13: an archive put back from earlier in a life of days is recognised: what was removed since, and is made again, stays: %s',
  async (topology) => {
    const world = plainWorld(7, topology)
    const [alpha, beta] = world.users
    const f = relPath('f')
    alpha.files.create(f, 'one\n')
    for (const agent of world.agents) agent.startAfter(1e6)
    await world.scheduler.pass(60e9)
    world.takeSnapshots()
    await world.scheduler.pass(2 * hourNs)
    alpha.files.remove(f)
    await world.scheduler.pass(60e9)
    expect([...beta.files.paths().keys()]).not.toContain('f')
    for (const agent of world.agents) agent.kill()
    for (const machine of world.machines) world.restoreSnapshot(machine, (name) => name.startsWith('archive'))
    alpha.files.create(f, 'one\n')
    for (const agent of world.agents) agent.startAfter(1e6)
    await world.scheduler.pass(60e9)
    const told = world.agents.flatMap(({ events }) => events)
    expect(told.filter(({ event }) => event === 'store-moved-aside')).toHaveLength(1)
    for (const { files } of [alpha, beta]) expect(files.find(f)?.text).toBe('one\n')
  },
)

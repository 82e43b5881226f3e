import { expect, test } from 'vitest'
import { relPath } from '../../src/core/path.js'
import { plainWorld } from './plain-world.js'
import type { Topology } from './world.js'

test.each<Topology>(['local', 'linked'])(
  'full scans of a pair with a conflict that waits write nothing: %s',
  async (topology) => {
    const world = plainWorld(5, topology)
    const [alpha, beta] = world.users
    alpha.files.create(relPath('f'), 'of alpha\n')
    beta.files.create(relPath('f'), 'of beta, longer\n')
    alpha.files.create(relPath('g'), 'g\n')
    for (const agent of world.agents) agent.startAfter(1e6)
    await world.scheduler.pass(100e9)
    expect(world.agents.flatMap(({ events }) => events).filter(({ event }) => event === 'conflict-found')).toHaveLength(
      1,
    )
    const before = { commits: world.commits, changes: world.oracle.agentChanges }
    await world.scheduler.pass(100e9)
    expect({ commits: world.commits, changes: world.oracle.agentChanges }).toEqual(before)
  },
)

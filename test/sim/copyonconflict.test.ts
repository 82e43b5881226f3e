import { describe, expect, test } from 'vitest'
import type { Preferences } from '../../src/config/preferences.js'
import { agentHouse } from './agent-house.js'
import type { Faults } from './faults.js'
import { simulate } from './simulate.js'
import type { Topology } from './world.js'

const rows: readonly [Preferences['prefer'], Topology, Partial<Faults>][] = [
  ['alpha', 'linked', { interleave: 0.02 }],
  ['beta', 'local', { crashes: 4, interleave: 0.01 }],
  ['newer', 'linked', { crashes: 4, cuts: 2 }],
  ['newer', 'local', { powerLosses: 2 }],
]

/** A directory that one side removed and the other one changed comes back whole when the change wins: that is no loss. */
const isMeant = (violation: string): boolean => violation.includes('came back')

describe.each(rows)('with copyonconflict, %s preferred (%s, %j)', (prefer, topology, faults) => {
  test.each([1, 2, 3])('seed %i loses no version, whoever wins', async (seed) => {
    const house = agentHouse({ prefer, copyonconflict: true })
    const { violations } = await simulate({ seed, topology, faults, house })
    expect(violations.filter((violation) => !isMeant(violation))).toEqual([])
  })
})

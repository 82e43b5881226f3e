import { afterAll, describe, expect, test } from 'vitest'
import type { FileCode } from '../../src/host/files.js'
import type { Topology } from '../sim/world.js'
import { scripts } from './scripts.js'
import { deathsOf, type Searched, searchDeaths, searchFaults } from './search.js'

/** Every effect and every call of the scripts from `first` to before `end`, each as a history that is cut off there. */
export function describeCrashes(
  first: number,
  end: number,
  topologies: readonly Topology[],
  codes: readonly FileCode[],
): void {
  let points = 0
  const expectKept = ({ points: searched, broken }: Searched, isNoticed = true): void => {
    points += searched
    expect(broken).toEqual([])
    expect(searched > 0).toBe(isNoticed)
  }
  afterAll(() => console.log(`${points} crash points of scripts ${first + 1} to ${Math.min(end, scripts.length)}`))

  describe.each(scripts.slice(first, end).map((script) => [script.name, script] as const))('%s', (_, script) => {
    const deaths = topologies.flatMap((topology) => deathsOf(topology).map((death) => ({ topology, ...death })))
    test.each(deaths)(
      '$topology: $agent dies at every effect (power loss: $powerLoss)',
      { timeout: 600_000 },
      async ({ topology, ...death }) => {
        expectKept(await searchDeaths(script, topology, death))
      },
    )
    test.each(codes)('every call in turn fails: %s', { timeout: 600_000 }, async (code) => {
      expectKept(await searchFaults(script, 'linked', code), code !== 'disk-full' || script.needsNoRoom !== true)
    })
  })
}

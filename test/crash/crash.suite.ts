import { afterAll, describe, expect, test } from 'vitest'
import type { FileCode } from '../../src/host/files.js'
import type { Topology } from '../sim/world.js'
import { type Script, scripts } from './scripts.js'
import { type Death, deathsOf, type Searched, searchDeaths, searchFaults } from './search.js'

/** Where nothing is synced the power must not go; whoever dies otherwise loses nothing all the same. */
export function describeUnsynced(names: readonly string[]): void {
  const some = scripts.filter(({ name }) => names.includes(name))
  const rows = some.flatMap((script) =>
    (['linked', 'local'] as const).flatMap((topology) =>
      deathsOf(topology, [false]).map((death): [string, Topology, Death['agent'], Script, Death] => [
        script.name,
        topology,
        death.agent,
        { ...script, preferences: { ...script.preferences, durability: 'process' } },
        death,
      ]),
    ),
  )
  test('each script is known', () => expect(some.map(({ name }) => name)).toEqual(names))
  test.each(rows)(
    'durability = process: %s, %s: %s dies at every effect',
    { timeout: 600_000 },
    async (_, topology, __, script, death) => {
      const { points, broken } = await searchDeaths(script, topology, death)
      expect(broken).toEqual([])
      expect(points).toBeGreaterThan(0)
    },
  )
}

/** Every effect and every call of the scripts from `first` to before `end`, each as a history that is cut off there. */
export function describeCrashes(
  first: number,
  end: number,
  topologies: readonly Topology[],
  codes: readonly FileCode[],
): void {
  let points = 0
  const expectKept = ({ points: searched, broken }: Searched): void => {
    points += searched
    expect(broken).toEqual([])
    expect(searched).toBeGreaterThan(0)
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
      expectKept(await searchFaults(script, 'linked', code))
    })
  })
}

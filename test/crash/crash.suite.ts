import { afterAll, describe, expect, test } from 'vitest'
import { scripts } from './scripts.js'
import { codes, linkedDeaths, localDeaths, type Searched, searchDeaths, searchFaults } from './search.js'

/** Every effect and every call of the scripts from `first` to before `end`, each as a history that is cut off there. */
export function describeCrashes(first: number, end: number, searchLocal: boolean): void {
  let points = 0
  const expectKept = ({ points: searched, broken }: Searched): void => {
    points += searched
    expect(broken).toEqual([])
    expect(searched).toBeGreaterThan(0)
  }
  afterAll(() => console.log(`${points} crash points of scripts ${first + 1} to ${Math.min(end, scripts.length)}`))

  describe.each(scripts.slice(first, end).map((script) => [script.name, script] as const))('%s', (_, script) => {
    const timeout = 300_000
    test.each(linkedDeaths)('$agent dies at every effect (power loss: $powerLoss)', { timeout }, async (death) => {
      expectKept(await searchDeaths(script, 'linked', death))
    })
    test.runIf(searchLocal).each(localDeaths)(
      'one agent of both dies at every effect (power loss: $powerLoss)',
      { timeout },
      async (death) => {
        expectKept(await searchDeaths(script, 'local', death))
      },
    )
    test.each(codes)('every call in turn fails with %s', { timeout }, async (code) => {
      expectKept(await searchFaults(script, 'linked', code))
    })
  })
}

import { describe, expect, test } from 'vitest'
import type { Faults } from './faults.js'
import { hastyHouse, plainHouse } from './fixtures/plain-house.js'
import type { OpenHouse } from './house.js'
import { type SimResult, simulate } from './simulate.js'

const seeds = Array.from({ length: 12 }, (_, index) => index + 1)

async function history(seed: number, faults: Partial<Faults> = {}, house = plainHouse): Promise<SimResult> {
  return simulate({ seed, house, topology: 'local', faults, keeps: false })
}

describe('the simulation, tried on a synchronizer that is right only when it is alone', () => {
  test.each(seeds)('seed %i: with nothing in between it keeps every promise', async (seed) => {
    expect((await history(seed)).violations).toEqual([])
  })

  test('one seed is one history', async () => {
    const one = await history(3, { interleave: 0.05, crashes: 2 })
    const again = await history(3, { interleave: 0.05, crashes: 2 })
    expect(again.trace).toBe(one.trace)
    expect((await history(4, { interleave: 0.05, crashes: 2 })).trace).not.toBe(one.trace)
  })

  const rows: [what: string, house: OpenHouse, faults: Partial<Faults>, seen: RegExp][] = [
    ['a user who writes between its calls', plainHouse, { interleave: 0.1 }, /lost/],
    ['a crash, when its archive leads', hastyHouse, { crashes: 8 }, /lost|came back|never agreed/],
    ['a call that fails half-way', plainHouse, { calls: 0.02 }, /only one side has touched/],
  ]
  test.each(rows)('it is caught by %s', async (_, house, faults, seen) => {
    const found: string[] = []
    for (let seed = 1; seed <= 40 && !found.some((violation) => seen.test(violation)); seed++)
      found.push(...(await history(seed, faults, house)).violations)
    expect(found.join('\n')).toMatch(seen)
  })
})

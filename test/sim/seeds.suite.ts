import { describe, expect, test } from 'vitest'
import { optionsOf, profileOf } from './profile.js'
import { simulate } from './simulate.js'

/** Histories of one test: enough that the code is warm, few enough that a failing one is soon read. */
const chunk = 50

/**
 * Whole histories of 60 operations, each with the faults, disks and topology that its seed draws. A failing one is read
 * again, and made smaller, with `npm run sim -- --from SEED --seeds 1`.
 */
export function describeSeeds(from: number, to: number): void {
  describe('a history of 60 operations with faults loses nothing, tears nothing, invents nothing and settles', () => {
    const starts = Array.from({ length: Math.ceil((to - from + 1) / chunk) }, (_, at) => from + at * chunk)
    test.each(starts.map((start) => [start, Math.min(to, start + chunk - 1)]))(
      'seeds %i to %i',
      async (first, last) => {
        for (let seed = first; seed <= last; seed++) {
          const { violations } = await simulate(optionsOf(profileOf(seed)))
          expect({ seed, violations }).toEqual({ seed, violations: [] })
        }
      },
      240_000,
    )
  })
}

import { expect, test } from 'vitest'
import { noFaults } from './faults.js'
import { isFault, optionsOf, profileOf } from './profile.js'
import { type SimResult, simulate } from './simulate.js'

/** Chosen so that together they draw every kind of fault, disk and watcher, and both topologies. */
const profiles = Array.from({ length: 24 }, (_, index) => profileOf(633 + index))

test('the seeds together draw every fault there is, and both topologies', () => {
  const drawn = new Set(profiles.flatMap(({ faults }) => Object.keys(faults).filter(isFault)))
  expect([...drawn].sort()).toEqual(Object.keys(noFaults).sort())
  expect(new Set(profiles.map(({ topology }) => topology))).toEqual(new Set(['linked', 'local']))
  expect(new Set(profiles.map(({ watcher }) => watcher))).toEqual(new Set(['auto', 'poll']))
  expect(new Set(profiles.flatMap(({ disks }) => disks)).size).toBe(6)
})

test('a seed is one history, whatever ran before it in the process', { timeout: 60_000 }, async () => {
  const first: string[] = []
  for (const profile of profiles) first.push(told(await simulate(optionsOf(profile))))
  // In another order: what a history leaves behind in the process must change no other.
  for (const [at, profile] of [...profiles.entries()].reverse())
    expect(told(await simulate(optionsOf(profile)))).toBe(first[at])
})

function told({ seed, trace, steps, effects, virtualMs, conflicts }: SimResult): string {
  return `${seed}: ${trace}, ${steps} steps, ${effects} effects, ${virtualMs} ms, conflicts at ${conflicts.join(', ')}`
}

import { expect, test } from 'vitest'
import { optionsOf, type Profile } from './profile.js'
import { simulate } from './simulate.js'

/** Drawn histories that once broke a promise, made small: what was wrong, and the profile that showed it. */
const once: readonly [wrong: string, profile: Profile][] = [
  [
    'each full scan wrote down anew what an open conflict had left as it was',
    {
      seed: 696,
      topology: 'linked',
      steps: 60,
      chaosMs: 2_109,
      faults: { stores: 0.01861926003592089, cuts: 2, archiveRollbacks: 1, clockJumps: 1 },
      disks: ['fresh', 'fresh'],
      watcher: 'auto',
    },
  ],
  [
    'outcomes of an earlier life were written down without a sync of what had supplied them',
    {
      seed: 2_231,
      topology: 'local',
      steps: 60,
      chaosMs: 3_976,
      faults: { interleave: 0.024077021051198244, calls: 0.0013107657697983086, powerLosses: 2 },
      disks: ['usual', 'usual'],
      watcher: 'auto',
      only: [0, 1, 14, 15, 16, 17, 52, 53, 54],
    },
  ],
  [
    'a new directory with the inode and the second of birth of a removed one was taken for it',
    {
      seed: 2_180,
      topology: 'local',
      steps: 60,
      chaosMs: 1_166,
      faults: { interleave: 0.045934350481256846, lateness: 2 },
      disks: ['no-leases', 'coarse'],
      watcher: 'auto',
      only: [47, 49, 50],
    },
  ],
  [
    'what was reported below a root that could not be read was forgotten before the root was listed',
    {
      seed: 5_304,
      topology: 'local',
      steps: 60,
      chaosMs: 839,
      faults: { interleave: 0.012564469855278732, calls: 0.0011106274782214315 },
      disks: ['usual', 'usual'],
      watcher: 'auto',
      only: [5, 8, 11, 12, 17, 20, 21, 29, 45, 49, 51, 52, 59],
    },
  ],
  [
    'what had been sent was renamed before it was synced, and so was not',
    {
      seed: 4844,
      topology: 'local',
      steps: 60,
      chaosMs: 614,
      faults: { interleave: 0.043994800951331854, powerLosses: 2 },
      disks: ['usual', 'usual'],
      watcher: 'auto',
      only: [
        0, 1, 4, 5, 6, 7, 12, 13, 14, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 36, 37, 38, 41, 42, 43, 46, 47,
        49, 54, 55,
      ],
    },
  ],
  [
    'a directory whose mode was changed just before it was renamed for the other side: nobody told of the mode',
    {
      seed: 152_629,
      topology: 'local',
      steps: 60,
      chaosMs: 630,
      faults: { interleave: 0.04856189973652363, lateness: 1 },
      disks: ['usual', 'usual'],
      watcher: 'auto',
      only: [19, 34],
    },
  ],
  [
    'the disk was full when removals were counted: what had been done was forgotten',
    {
      seed: 100_354,
      topology: 'linked',
      steps: 60,
      chaosMs: 1_019,
      faults: { interleave: 0.04569514006376267, fullDisks: 2 },
      disks: ['usual', 'usual'],
      watcher: 'auto',
    },
  ],
]

test.each(once)('no longer: %s', async (_, profile) => {
  expect((await simulate(optionsOf(profile))).violations).toEqual([])
})

import type { WatcherChoice } from '../../src/host/watcher.js'
import { agentHouse } from './agent-house.js'
import type { DiskOptions } from './disk.js'
import { type Faults, noFaults } from './faults.js'
import { Dice } from './random.js'
import type { SimOptions } from './simulate.js'
import { type Topology, type Traits, usualTraits } from './world.js'

/** What kind of history a seed stands for: all of it can be said on a command line. */
export interface Profile {
  readonly seed: number
  readonly topology: Topology
  readonly steps: number
  readonly chaosMs: number
  readonly faults: Partial<Faults>
  /** What the disks of alpha and beta are like. */
  readonly disks: readonly [DiskKind, DiskKind]
  readonly watcher: WatcherChoice
  /** Only these of the users' steps. */
  readonly only?: readonly number[]
}

export type DiskKind = keyof typeof diskKinds

const diskKinds = {
  usual: {},
  /** As tmpfs: no inode number comes twice. */
  fresh: { reuseInodes: false, filesystem: 'tmpfs' },
  'no-exchange': { exchange: false },
  'no-leases': { leases: false },
  /** Times to the second. */
  coarse: { timeUnitNs: 1_000_000_000n },
  /** As a Mac's: the users write names in both cases then. */
  folding: { folding: 'case-and-form' },
} satisfies Record<string, Partial<DiskOptions>>

/** How often each kind of fault is part of a history, and how strong it is then. */
const shares: Readonly<Record<keyof Faults, readonly [chance: number, least: number, most: number]>> = {
  interleave: [0.85, 0.01, 0.05],
  calls: [0.1, 0.001, 0.01],
  stores: [0.1, 0.005, 0.05],
  crashes: [0.5, 1, 4],
  powerLosses: [0.35, 1, 2],
  cuts: [0.4, 1, 4],
  silences: [0.08, 1, 1],
  partings: [0.15, 1, 2],
  slowness: [0.1, 1, 2],
  overflow: [0.15, 0.005, 0.05],
  drops: [0.05, 0.005, 0.05],
  lateness: [0.15, 1, 3],
  syncFailures: [0.2, 1, 3],
  fullDisks: [0.15, 1, 2],
  rollbacks: [0.06, 1, 1],
  archiveRollbacks: [0.06, 1, 1],
  indexRollbacks: [0.06, 1, 1],
  skew: [0.2, 1, 1],
  clockJumps: [0.1, 1, 2],
}

const rates = new Set<keyof Faults>(['interleave', 'calls', 'stores', 'overflow', 'drops'])

/** What is not left to the seed. */
export interface Given {
  readonly topology: Topology | undefined
  readonly faults: Partial<Faults> | undefined
}

/** The history that a seed stands for, of 60 operations. */
export function profileOf(seed: number, given?: Given): Profile {
  const dice = new Dice(seed).stream('profile')
  const folding = dice.stream('folding')
  const folds = folding.chance(0.05) ? folding.below(2) : undefined
  const kinds = { usual: 80, fresh: 8, 'no-exchange': 4, 'no-leases': 4, coarse: 4 } as const
  return {
    seed,
    topology: given?.topology ?? (dice.stream('topology').chance(0.7) ? 'linked' : 'local'),
    steps: 60,
    chaosMs: dice.stream('chaos').skewed(600, 4_000),
    faults: given?.faults ?? drawn(dice.stream('faults')),
    disks: [
      folds === 0 ? 'folding' : dice.stream('alpha').weighted(kinds),
      folds === 1 ? 'folding' : dice.stream('beta').weighted(kinds),
    ],
    watcher: dice.stream('watcher').chance(0.04) ? 'poll' : 'auto',
  }
}

function drawn(dice: Dice): Partial<Faults> {
  const faults: { -readonly [Key in keyof Faults]?: Faults[Key] } = {}
  for (const name in shares) {
    if (!isFault(name)) continue
    const [chance, least, most] = shares[name]
    const own = dice.stream(name)
    if (!own.chance(chance)) continue
    // A sync of a user's own file that failed is believed the second time: see "Known limits" in ARCHITECTURE.md.
    if (name === 'syncFailures' && faults.powerLosses !== undefined) continue
    if (name === 'skew') faults.skew = true
    else faults[name] = rates.has(name) ? least + own.fraction() * (most - least) : own.between(least, most)
  }
  return faults
}

export function isFault(name: string): name is keyof Faults {
  return name in noFaults
}

export function isDiskKind(name: string): name is DiskKind {
  return name in diskKinds
}

export function optionsOf(profile: Profile): SimOptions {
  const { seed, topology, steps, chaosMs, faults, disks, watcher, only } = profile
  const [alphaDisk, betaDisk] = disks
  const traits: Traits = { ...usualTraits, alphaDisk: diskKinds[alphaDisk], betaDisk: diskKinds[betaDisk] }
  // Where no lease tells of writers, what was displaced is looked at for a minute.
  const lingerMs = disks.includes('no-leases') ? 66_000 : 0
  const options = { seed, topology, steps, chaosMs, faults, traits, lingerMs, house: agentHouse({ watcher }) }
  return only === undefined ? options : { ...options, only: new Set(only) }
}

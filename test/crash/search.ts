import type { FileCode } from '../../src/host/files.js'
import { agentHouse } from '../sim/agent-house.js'
import { type SimOptions, type SimResult, simulate } from '../sim/simulate.js'
import type { Topology } from '../sim/world.js'
import { beginMs, Hands, type Script, usualTree } from './scripts.js'

/** How a history is cut off: who dies, and how. */
export interface Death {
  readonly agent: 'lead' | 'peer' | 'solo' | 'all'
  readonly powerLoss: boolean
}

export function deathsOf(topology: Topology, ways: readonly boolean[] = [false, true]): Death[] {
  const agents = topology === 'linked' ? (['lead', 'peer', 'all'] as const) : (['solo'] as const)
  return agents.flatMap((agent) => ways.map((powerLoss) => ({ agent, powerLoss })))
}

/** EIO, ENOSPC, EACCES, EMFILE. */
export const codes: readonly FileCode[] = ['io', 'disk-full', 'denied', 'too-many-open']

export interface Searched {
  /** Histories that were cut off. */
  readonly points: number
  /** Those that broke a promise, and which. */
  readonly broken: readonly { readonly at: number; readonly violations: readonly string[] }[]
}

/** A death at every effect of the script: the oracle holds after each. */
export async function searchDeaths(script: Script, topology: Topology, death: Death): Promise<Searched> {
  const at = (effect: number): Promise<SimResult> =>
    simulate({ ...optionsOf(script, topology), crashAt: { ...death, effect } })
  // No effect has this number: undisturbed, and counted.
  const { effects, violations } = await at(-1)
  if (violations.length > 0) return { points: 0, broken: [{ at: -1, violations }] }
  return await each(effects, at)
}

/** The n-th call that can fail so does, for every n. */
export async function searchFaults(script: Script, topology: Topology, code: FileCode): Promise<Searched> {
  const at = (call: number): Promise<SimResult> => simulate({ ...optionsOf(script, topology), failAt: { call, code } })
  const { calls } = await at(-1)
  return await each(calls, at)
}

async function each(count: number, at: (point: number) => Promise<SimResult>): Promise<Searched> {
  const broken: { at: number; violations: readonly string[] }[] = []
  for (let point = 1; point <= count; point++) {
    const { violations } = await at(point)
    if (violations.length > 0) broken.push({ at: point, violations })
  }
  return { points: count, broken }
}

export function optionsOf(script: Script, topology: Topology): SimOptions {
  const { before = usualTree, steps, fromStart = false, lastMs = 0, preferences = {}, recordsMax } = script
  return {
    seed: 7,
    topology,
    house: agentHouse(preferences),
    chaosMs: beginMs + lastMs + 500,
    script: steps,
    prepare: (world) => {
      const [alpha, beta] = world.users
      before(new Hands(alpha.files), new Hands(beta.files))
      if (recordsMax !== undefined) world.limitTransactions(recordsMax)
      if (preferences.keep !== undefined) world.oracle.keptBytesMax = preferences.keep.sizeBytes
      for (const disk of world.disks) disk.syncFilesystem()
    },
    ...(fromStart ? {} : { countAfterMs: beginMs - 10 }),
    brief: true,
  }
}

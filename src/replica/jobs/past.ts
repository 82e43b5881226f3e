import type { Directory } from '../../host/files.js'
import type { Job } from '../../host/workers.js'
import type { PastOutcome } from '../replica.js'
import { intentFileName, intentNames, readIntent } from './intent-file.js'
import { openRoot, openStage, type RootPlace } from './place.js'

/** Outcomes of one pair that its lead has not acknowledged, oldest first. */
export interface PastOutcomes {
  readonly pair: string
  readonly outcomes: readonly PastOutcome[]
}

/** What this process's folder tells of batches that were done and not acknowledged: its own, and those it recovered. */
export const unacknowledgedJob: Job<{ readonly place: RootPlace; readonly pair: string }, readonly PastOutcome[]> = {
  name: 'unacknowledged',
  run(world, { place, pair }) {
    const root = openRoot(world.files, place.root)
    try {
      const stage = openStage(root, place)
      try {
        return pastOutcomes(stage.intents).find((past) => past.pair === pair)?.outcomes ?? []
      } finally {
        stage.close()
      }
    } finally {
      root.close()
    }
  },
}

export function pastOutcomes(intents: Directory): PastOutcomes[] {
  const found = intentNames(intents)
    .filter(({ acknowledged }) => !acknowledged)
    .map(({ name }) => readIntent(intents, intentFileName(name, false)))
    .filter((intent) => intent?.complete === true)
    .filter((intent) => intent !== undefined)
    .sort((one, other) => Number(one.header.beganNs - other.header.beganNs))
  const byPair = new Map<string, PastOutcome[]>()
  for (const { header, outcomes } of found) {
    const list = byPair.get(header.pair) ?? []
    byPair.set(header.pair, list)
    for (const outcome of outcomes.values()) list.push({ batch: header.batch, supplier: header.supplier, outcome })
  }
  return [...byPair].map(([pair, outcomes]) => ({ pair, outcomes }))
}

import type { Directory } from '../../host/files.js'
import type { PastOutcome } from '../replica.js'
import { intentFileName, intentNames, readIntent } from './intent-file.js'

/** Outcomes of one pair that its lead has not acknowledged, oldest first. */
export interface PastOutcomes {
  readonly pair: string
  readonly outcomes: readonly PastOutcome[]
}

/** Of all pairs, or of this one: what others left is not even read. */
export function pastOutcomes(intents: Directory, pair = ''): PastOutcomes[] {
  const found = intentNames(intents)
    .filter(({ name, acknowledged }) => !acknowledged && name.startsWith(pair))
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

import type { RelPath } from '../../core/path.js'
import type { Job } from '../../host/workers.js'
import { countOf } from '../../status/amounts.js'
import { pairPrefixChars } from '../peer-pair.js'
import type { PastOutcome } from '../replica.js'
import { acknowledgeIntents } from './acknowledge.js'
import { intentFileName, intentNames, readIntent } from './intent-file.js'
import { pastOutcomes } from './past.js'
import { openRoot, openStage, type RootPlace, type StageFolder } from './place.js'
import { finishOwn } from './recover.js'

export interface Unacknowledged {
  readonly outcomes: readonly PastOutcome[]
  /** Paths that must be looked at before the outcomes are told. */
  readonly dirty: readonly RelPath[]
}

/**
 * What this process's folder tells of batches that were done and not acknowledged: its own, and those it recovered. A batch that
 * did not come to its end (its outcomes could not be written down, or a call failed on the way) is finished first, as a recovery
 * does: what it had staged and not published is for the next sweep. While no batch of the pair is under way.
 */
export const unacknowledgedJob: Job<{ readonly place: RootPlace; readonly pair: string }, Unacknowledged> = {
  name: 'unacknowledged',
  run(world, { place, pair }) {
    const root = openRoot(world.files, place.root)
    try {
      const stage = openStage(root, place)
      try {
        const dirty = finishOwn(world, place, root, stage, pair)
        // Of a batch of which nothing was done nobody will ever hear.
        acknowledgeIntents(stage, (name) => {
          const intent = name.startsWith(`${pair}-`)
            ? readIntent(stage.intents, intentFileName(name, false))
            : undefined
          return intent?.complete === true && intent.outcomes.size === 0
        })
        const outcomes = pastOutcomes(stage.intents, pair)[0]?.outcomes ?? []
        return { outcomes, dirty }
      } finally {
        stage.close()
      }
    } finally {
      root.close()
    }
  },
}

/**
 * Why no further batch of the pair is applied: what its peer has not acknowledged fills the disk, and is read as a whole when the pair is
 * opened. A lead acknowledges within its cycle, and goes on when it has. What other pairs of the same peer left behind goes first: it may
 * have invented them, and what both roots hold is agreed on without having been told.
 */
export function unheardOf(stage: StageFolder, pair: string): string | undefined {
  const peer = pair.slice(0, pairPrefixChars)
  if (!isTooMuch(unheardIn(stage, peer))) return undefined
  acknowledgeIntents(
    stage,
    (name) =>
      name.startsWith(peer) && !name.startsWith(`${pair}-`) && readIntent(stage.intents, name)?.complete === true,
  )
  const { batches, bytes } = unheardIn(stage, peer)
  if (!isTooMuch({ batches, bytes })) return undefined
  return `${countOf(batches)} of its batches are done and not acknowledged`
}

interface Unheard {
  readonly batches: number
  readonly bytes: number
}

function unheardIn({ intents }: StageFolder, peer: string): Unheard {
  let batches = 0
  let bytes = 0
  for (const { name, acknowledged } of intentNames(intents)) {
    if (acknowledged || !name.startsWith(peer)) continue
    batches++
    bytes += intents.statAt(name)?.sizeBytes ?? 0
  }
  return { batches, bytes }
}

function isTooMuch({ batches, bytes }: Unheard): boolean {
  return batches >= unheardBatchesMax || bytes >= unheardBytesMax
}

/** A lead acknowledges once a second, and after 100 operations; as it settles what it has done it is some dozens of batches behind. */
const unheardBatchesMax = 4_096
/** Outcomes of 200,000 operations or so. */
const unheardBytesMax = 128 << 20

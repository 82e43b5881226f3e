import type { RelPath } from '../../core/path.js'
import type { Job } from '../../host/workers.js'
import type { PastOutcome } from '../replica.js'
import { acknowledgeIntents } from './acknowledge.js'
import { intentFileName, readIntent } from './intent-file.js'
import { pastOutcomes } from './past.js'
import { dropFiles, openRoot, openStage, type RootPlace } from './place.js'
import { finishOwn } from './recover.js'

export interface Unacknowledged {
  readonly outcomes: readonly PastOutcome[]
  /** Paths that must be looked at before the outcomes are told. */
  readonly dirty: readonly RelPath[]
  /** Names in `in/` of what is of no use any more and could not be removed: a sweep tries again. */
  readonly left: readonly string[]
}

/**
 * What this process's folder tells of batches that were done and not acknowledged: its own, and those it recovered. A batch that
 * did not come to its end (its outcomes could not be written down, or a call failed on the way) is finished first, as a recovery
 * does. While no batch of the pair is under way.
 */
export const unacknowledgedJob: Job<{ readonly place: RootPlace; readonly pair: string }, Unacknowledged> = {
  name: 'unacknowledged',
  run(world, { place, pair }) {
    const root = openRoot(world.files, place.root)
    try {
      const stage = openStage(root, place)
      try {
        const { dirty, staged } = finishOwn(world, place, root, stage, pair)
        const left = dropFiles(stage.in, staged)
        // Of a batch of which nothing was done nobody will ever hear.
        acknowledgeIntents(stage, (name) => {
          const intent = name.startsWith(`${pair}-`)
            ? readIntent(stage.intents, intentFileName(name, false))
            : undefined
          return intent?.complete === true && intent.outcomes.size === 0
        })
        const outcomes = pastOutcomes(stage.intents).find((past) => past.pair === pair)?.outcomes ?? []
        return { outcomes, dirty, left }
      } finally {
        stage.close()
      }
    } finally {
      root.close()
    }
  },
}

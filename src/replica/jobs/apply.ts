import type { Operation, Outcome } from '../../core/operation.js'
import type { RelPath } from '../../core/path.js'
import type { Job } from '../../host/workers.js'
import { operationList, outcomeList } from '../../wire/list.js'
import { ApplyBatch } from './apply-batch.js'
import type { Budget } from './budget.js'
import { checkRoot } from './marker.js'
import { openRoot, openStage, type RootPlace } from './place.js'
import { forgetReceived } from './stage.js'

/** One batch. */
export interface Apply {
  readonly place: RootPlace
  /** Id of the pair: 32 hex digits. */
  readonly pair: string
  readonly batch: number
  readonly operations: readonly Operation[]
  /** Boot of the machine whose content it is. */
  readonly supplier: string
  /** Canonical name of the root whose changes these are, for the journal. */
  readonly from: string
  /** The lead does not say why. */
  readonly isSilent?: boolean
  /** undefined: any number may be removed. */
  readonly budget: Budget | undefined
}

/** As it travels to the thread: `operations` in the layout of wire/operation.ts. */
export interface ApplyInput extends Omit<Apply, 'operations'> {
  readonly operations: Uint8Array<ArrayBuffer>
}

export interface Applied {
  /** One for each operation, in the order given. */
  readonly outcomes: readonly Outcome[]
  /** Index sequences given; `first` > `last`: none. */
  readonly first: number
  readonly last: number
  /** Paths that must be looked at again. */
  readonly dirty: readonly RelPath[]
  /** What a replacement could not take over from what it replaced (owner, group, attributes): one line each. */
  readonly notes: readonly { readonly path: RelPath; readonly detail: string }[]
  /**
   * Something of it is still in `in/`: it could not be removed, or the intent needs it until the batch is acknowledged or finished, as the
   * outcomes could not be written into it. For a sweep.
   */
  readonly isLeft: boolean
}

/** As it travels back: `outcomes` in the layout of wire/operation.ts. */
export interface ApplyOutput extends Omit<Applied, 'outcomes'> {
  readonly outcomes: Uint8Array<ArrayBuffer>
}

/**
 * Applies the operations of a batch in order, each on its own: one that fails does not stop the others. Visible when it
 * returns; on disk after syncJob. What was replaced or removed lies in staging until sweepJob has looked at it again, a
 * second later or more. In the lane of the batch's stageJobs; scans of the directories concerned wait meanwhile. What was received is
 * over with it; of a batch that failed as a whole, with dropBatchJob.
 * @throws ReplicaFailure 'missing', 'unreadable', 'in-doubt', StoreFailure: what was done by then is told by the intent when the pair is
 * opened again
 */
export const applyJob: Job<ApplyInput, ApplyOutput> = {
  name: 'apply',
  run(world, given) {
    const { place, pair, batch } = given
    const input = { ...given, operations: operationList.fromBytes(given.operations) }
    const root = openRoot(world.files, place.root)
    try {
      checkRoot(root, place)
      const stage = openStage(root, place)
      try {
        const work = new ApplyBatch(world, input, root, stage)
        try {
          const { outcomes, ...applied } = work.run()
          forgetReceived(world, place, pair, batch)
          return { ...applied, outcomes: outcomeList.toBytes(outcomes) }
        } finally {
          work.close()
        }
      } finally {
        stage.close()
      }
    } finally {
      root.close()
    }
  },
  transferInput: ({ operations }) => [operations.buffer],
  transfer: ({ outcomes }) => [outcomes.buffer],
}

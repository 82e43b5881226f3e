import type { Job } from '../../host/workers.js'
import { intentOfSlot, isBesideIntent, isModeIntent } from './intent.js'
import { intentFileName, intentNames } from './intent-file.js'
import { dropFile, openRoot, openStage, type RootPlace, type StageFolder } from './place.js'

export interface Acknowledge {
  readonly place: RootPlace
  readonly pair: string
  readonly batches: readonly number[]
}

/**
 * The lead's archive holds the outcomes of these batches, durably: their intents go, at once or, while a slot of theirs
 * has not been settled, with the sweep that settles it. Batches that are not known are none.
 */
export const acknowledgeJob: Job<Acknowledge, void> = {
  name: 'acknowledge',
  run(world, { place, pair, batches }) {
    const root = openRoot(world.files, place.root)
    try {
      const stage = openStage(root, place)
      try {
        const prefixes = new Set(batches.map((batch) => `${pair}-${batch}`))
        acknowledgeIntents(stage, (name) => prefixes.has(name.slice(0, name.lastIndexOf('-'))))
      } finally {
        stage.close()
      }
    } finally {
      root.close()
    }
  },
}

/** Nobody need hear any more what these tell. */
export function acknowledgeIntents(stage: StageFolder, isTold: (name: string) => boolean): void {
  const told = intentNames(stage.intents).filter(
    ({ name, acknowledged }) => !acknowledged && !isModeIntent(name) && isTold(name),
  )
  if (told.length === 0) return
  const unsettled = new Set(stage.out.names().map(intentOfSlot))
  for (const { name } of told) {
    if (unsettled.has(name) || isBesideIntent(name))
      stage.intents.rename(name, stage.intents, intentFileName(name, true), 'no-replace')
    else dropFile(stage.intents, name)
  }
}

import type { RelPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import type { Job } from '../../host/workers.js'
import { dropBeside, openBeside } from './beside.js'
import { type Intent, intentOfSlot, isBesideIntent, oldSlotName, type Step, slotName } from './intent.js'
import { intentFileName, intentNames, readIntent } from './intent-file.js'
import { dropFile, dropFiles, openRoot, openStage, type RootPlace, type StageFolder } from './place.js'
import { type Settling, settleSlot } from './settle-slot.js'
import { Versions } from './versions.js'

export interface Sweep {
  readonly place: RootPlace
  /** Names in `in/` of what is of no use any more and could not be removed yet. */
  readonly left?: readonly string[]
}

export interface Swept {
  /** Slots that are still there: sweep again, a second later or more. */
  readonly pending: number
  /** Paths of conflict copies that were made, and the paths they belong to. */
  readonly dirty: readonly RelPath[]
  /** Bytes of what was kept as versions. */
  readonly keptBytes: number
  /** What still could not be removed, of those. */
  readonly left: readonly string[]
}

/**
 * Looks a second time at what was replaced or removed, and keeps what is as expected as a version, or lets it go; a slot that was written since
 * becomes a conflict copy beside its path. Intents that are acknowledged go with their last slot. At least a second after
 * the batches concerned; sooner does nothing. One at a time for a root.
 */
export const sweepJob: Job<Sweep, Swept> = {
  name: 'sweep',
  run(world, { place, left = [] }) {
    const root = openRoot(world.files, place.root)
    try {
      const stage = openStage(root, place)
      try {
        const swept = sweepFolder(root, stage, place.keeps, world.clock.wallNs())
        return { ...swept, left: dropFiles(stage.in, left) }
      } finally {
        stage.close()
      }
    } finally {
      root.close()
    }
  },
}

/** `keeps`: what was at a path becomes a version. */
export function sweepFolder(root: Directory, stage: StageFolder, keeps: boolean, wallNs: bigint): Omit<Swept, 'left'> {
  const versions = keeps ? new Versions(root, stage.in) : undefined
  try {
    const { pending, dirty } = sweepIntents(stage, { root, out: stage.out, wallNs, versions })
    return { pending, dirty, keptBytes: versions?.bytes ?? 0 }
  } finally {
    versions?.close()
  }
}

type Looked = Pick<Swept, 'pending' | 'dirty'>

function sweepIntents(stage: StageFolder, settling: Settling): Looked {
  const slots = new Map<string, string[]>()
  for (const slot of stage.out.names()) {
    const intent = intentOfSlot(slot)
    const list = slots.get(intent)
    if (list === undefined) slots.set(intent, [slot])
    else list.push(slot)
  }
  let pending = 0
  const dirty: RelPath[] = []
  for (const { name, acknowledged: wasAcknowledged } of intentNames(stage.intents)) {
    let acknowledged = wasAcknowledged
    const beside = isBesideIntent(name)
    const own = slots.get(name) ?? []
    let left = own.length
    if (beside || own.length > 0) {
      let intent = readIntent(stage.intents, intentFileName(name, acknowledged))
      if (intent === undefined && !acknowledged) {
        // At this very moment, perhaps.
        intent = readIntent(stage.intents, intentFileName(name, true))
        acknowledged = intent !== undefined
      }
      // Work in hand, or damaged: not for a sweep.
      if (intent === undefined || !(intent.complete || acknowledged)) continue
      const swept = beside ? sweepBeside(name, intent, settling) : sweepSlots(own, intent, settling)
      left = swept.pending
      dirty.push(...swept.dirty)
    }
    pending += left
    if (acknowledged && left === 0) dropFile(stage.intents, intentFileName(name, true))
  }
  return { pending, dirty }
}

function sweepSlots(slots: readonly string[], intent: Intent, settling: Settling): Looked {
  let pending = 0
  const dirty: RelPath[] = []
  for (const slot of slots) {
    const step = stepOfSlot(intent, slot)
    if (step === undefined) continue
    try {
      const settled = settleSlot(settling, slot, step, intent.header.beganNs, 'stat')
      if (settled.kind === 'kept') pending++
      if (settled.kind === 'copied') dirty.push(step.path, settled.copy)
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      pending++
    }
  }
  return { pending, dirty }
}

function sweepBeside(name: string, intent: Intent, settling: Settling): Looked {
  const { root } = settling
  const { anchor, folder } = intent.header
  const beside = openBeside(root, anchor, folder)
  if (beside === undefined) return { pending: 0, dirty: [] }
  try {
    dropFile(beside.in, slotName(name, 0))
    const slots = [slotName(name, 0), oldSlotName(name, 0)]
    const swept = sweepSlots(slots, intent, { ...settling, out: beside.out })
    dropBeside(root, anchor, folder, beside)
    return swept
  } finally {
    beside.close()
  }
}

function stepOfSlot(intent: Intent, slot: string): Step | undefined {
  return intent.steps[Number.parseInt(slot.slice(slot.indexOf('.') + 1), 10)]
}

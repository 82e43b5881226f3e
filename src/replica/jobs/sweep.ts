import type { RelPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import type { Job } from '../../host/workers.js'
import { dropBeside, isAway, openBeside } from './beside.js'
import { dropSlots, folderOfSlot } from './folder.js'
import { type Intent, intentOfSlot, isBesideIntent, isModeIntent, oldSlotName, type Step, slotName } from './intent.js'
import { intentFileName, intentNames, readIntent } from './intent-file.js'
import { restoreMode } from './parents.js'
import { dropFile, openRoot, openStage, type RootPlace, type StageFolder } from './place.js'
import { type Settling, settleSlot } from './settle-slot.js'
import { Versions } from './versions.js'

export interface Sweep {
  readonly place: RootPlace
  /** Names in `in/` that an earlier sweep has found there, while no batch was in hand: they go. */
  readonly strays?: readonly string[]
  /** See Settling. */
  readonly steadyNs?: bigint | undefined
  /** Whether to look into `in/`: while batches are in hand it tells nothing, and is long. */
  readonly looks?: boolean
}

export interface Swept {
  /** Slots that are still there: sweep again, a second later or more. */
  readonly pending: number
  /** Paths of conflict copies that were made, and the paths they belong to. */
  readonly dirty: readonly RelPath[]
  /** Bytes of what was kept as versions. */
  readonly keptBytes: number
  readonly received: Received | undefined
}

export interface Received {
  /** What is in `in/` and no intent needs: it is of no use any more unless it belongs to a batch in hand. */
  readonly strays: readonly string[]
  /** Intents need what is in `in/`, until their batches are acknowledged or finished. */
  readonly isNeeded: boolean
}

/**
 * Looks a second time at what was replaced or removed, and keeps what is as expected as a version, or lets it go; a slot that was written since
 * becomes a conflict copy beside its path. Intents that are acknowledged go with their last slot. At least a second after
 * the batches concerned; sooner does nothing. One at a time for a root.
 */
export const sweepJob: Job<Sweep, Swept> = {
  name: 'sweep',
  run(world, { place, strays = [], looks = true, steadyNs }) {
    const root = openRoot(world.files, place.root)
    try {
      const stage = openStage(root, place)
      try {
        const swept = sweepFolder(root, stage, place.keeps, world.clock.wallNs(), steadyNs)
        dropSlots(stage.in, strays)
        return { ...swept, received: looks ? lookInto(stage) : undefined }
      } finally {
        stage.close()
      }
    } finally {
      root.close()
    }
  },
}

/** `keeps`: what was at a path becomes a version. */
export function sweepFolder(
  root: Directory,
  stage: StageFolder,
  keeps: boolean,
  wallNs: bigint,
  steadyNs?: bigint,
): Omit<Swept, 'received'> {
  const versions = keeps ? new Versions(root, stage.in) : undefined
  try {
    const { pending, dirty } = sweepIntents(stage, { root, out: stage.out, wallNs, steadyNs, versions })
    return { pending, dirty, keptBytes: versions?.bytes ?? 0 }
  } finally {
    versions?.close()
  }
}

/** A batch that could not say how it ended has published what is not in `in/` any more: recover.ts asks for that. */
function lookInto(stage: StageFolder): Received {
  const names = stage.in.names()
  if (names.length === 0) return { strays: [], isNeeded: false }
  const needed = new Set<string>()
  for (const { name, acknowledged } of intentNames(stage.intents)) {
    if (acknowledged) continue
    const intent = readIntent(stage.intents, name)
    if (intent?.complete === false) for (const { staged } of intent.steps) needed.add(folderOfSlot(staged) ?? staged)
  }
  const strays = names.filter((name) => !needed.has(name))
  return { strays, isNeeded: strays.length < names.length }
}

interface Looked extends Pick<Swept, 'pending' | 'dirty'> {
  /** It lies on a file system that is not mounted: there is nothing to be settled now, and what is there is not forgotten. */
  readonly isAway?: boolean
}

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
    if (isModeIntent(name)) {
      pending += sweepMode(stage, intentFileName(name, wasAcknowledged), settling.root)
      continue
    }
    let acknowledged = wasAcknowledged
    const beside = isBesideIntent(name)
    const own = slots.get(name) ?? []
    let left = own.length
    let isHeld = false
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
      isHeld = swept.isAway === true
      dirty.push(...swept.dirty)
    }
    pending += left
    if (acknowledged && left === 0 && !isHeld) dropFile(stage.intents, intentFileName(name, true))
  }
  return { pending, dirty }
}

/** How many directories it still has to tell of. */
function sweepMode(stage: StageFolder, file: string, root: Directory): number {
  const intent = readIntent(stage.intents, file)
  // It is being written.
  if (intent?.complete !== true) return 0
  const left = intent.chmods.filter((chmod) => !restoreMode(root, chmod)).length
  if (left === 0) dropFile(stage.intents, file)
  return left
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

/** On a file system of its own, which may have become read-only, or fail: it is looked at again, and the root goes on. */
function sweepBeside(name: string, intent: Intent, settling: Settling): Looked {
  try {
    return settleBeside(name, intent, settling)
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return { pending: 1, dirty: [] }
  }
}

function settleBeside(name: string, intent: Intent, settling: Settling): Looked {
  const { root, wallNs } = settling
  const { anchor, folder } = intent.header
  const beside = openBeside(root, anchor, folder)
  if (beside === undefined) {
    const held = isAway(root, intent.header, wallNs)
    // Perhaps it was only half made.
    if (!held) dropBeside(root, anchor, folder, undefined)
    return { pending: 0, dirty: [], isAway: held }
  }
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

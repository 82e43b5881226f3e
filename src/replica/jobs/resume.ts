import { FileFailure } from '../../host/files.js'
import type { Job } from '../../host/workers.js'
import { fingerprintOf } from '../../wire/bytes.js'
import type { Part, Resumable } from '../replica.js'
import { hasParts, openParts, partName, takePart } from './part.js'
import { dropFile, openRoot, openStage, type RootPlace, type StageFolder } from './place.js'
import { PrefixDigest, prefixEnds } from './prefix.js'
import { batchOf, emptySlot, type PartOffer, type Received, receivedOf, type Slot, slotNameOf } from './stage.js'

export interface BatchPlace {
  readonly place: RootPlace
  readonly pair: string
  readonly batch: number
}

export interface Resume extends BatchPlace {
  readonly files: readonly Resumable[]
}

export interface TakenUp {
  /** Parts that were found: measurePartsJob tells of them. */
  readonly taken: number
  /** There are parts of other files of the pair. */
  readonly others: boolean
}

/**
 * Makes large files of a batch such as can be resumed, and takes up what was received of them earlier. In the lane of the batch,
 * before its packs; a file of which something was staged already is left alone.
 * @throws ReplicaFailure when the root is not there
 */
export const resumeJob: Job<Resume, TakenUp> = {
  name: 'resume',
  run(world, { place, pair, batch, files }) {
    const root = openRoot(world.files, place.root)
    try {
      const received = batchOf(world, place, pair, batch, root)
      for (const { want, path } of files)
        if (!received.slots.has(want) && received.parts.size < filesMax) received.parts.set(want, partName(pair, path))
      const parts = openParts(root)
      if (parts === undefined) return { taken: 0, others: false }
      const stage = openStage(root, place)
      try {
        let taken = 0
        for (const { want, sizeBytes } of files) {
          const part = received.parts.get(want)
          if (part === undefined || received.slots.has(want)) continue
          const slot = emptySlot(slotNameOf(received, want))
          const presentBytes = takePart(parts, part, stage.in, slot.name, sizeBytes)
          if (presentBytes === 0) continue
          const reading = new PrefixDigest(prefixEnds(presentBytes, sizeBytes))
          slot.offer = { presentBytes, reading, digests: new Map(), isRead: false }
          received.slots.set(want, slot)
          taken++
        }
        return { taken, others: hasParts(parts, pair) }
      } finally {
        stage.close()
        parts.close()
      }
    } finally {
      root.close()
    }
  },
}

/**
 * Reads on in what resumeJob took up. Undefined while there is more to read: to be called again, so that a part of any length
 * holds nobody up.
 */
export const measurePartsJob: Job<BatchPlace, readonly Part[] | undefined> = {
  name: 'measure-parts',
  run(world, { place, pair, batch }) {
    const received = receivedOf(world, place, pair, batch)
    if (received === undefined) return []
    const root = openRoot(world.files, place.root)
    try {
      const stage = openStage(root, place)
      try {
        return measure(stage, received) ? offered(received) : undefined
      } finally {
        stage.close()
      }
    } finally {
      root.close()
    }
  },
}

function measure(stage: StageFolder, { slots }: Received): boolean {
  for (const [want, slot] of slots) {
    if (slot.offer === undefined || slot.offer.isRead) continue
    try {
      readOn(stage, slot, slot.offer)
      return false
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      // A part that cannot be read is none.
      slots.delete(want)
      dropFile(stage.in, slot.name)
    }
  }
  return true
}

function readOn(stage: StageFolder, slot: Slot, offer: PartOffer): void {
  const file = stage.in.openFile(slot.name)
  try {
    offer.isRead = offer.reading.read(file, Buffer.allocUnsafe(bufferBytes), readBytesMax, (end, digest) => {
      offer.digests.set(end, digest)
      return true
    })
  } finally {
    file.close()
  }
}

function offered({ slots }: Received): Part[] {
  const parts: Part[] = []
  for (const [want, { offer }] of slots) {
    if (offer === undefined || offer.digests.size === 0) continue
    const prefixes = [...offer.digests].map(([sizeBytes, digest]) => {
      return { sizeBytes, fingerprint: fingerprintOf(digest.copy().digest()) }
    })
    parts.push({ want, prefixes })
  }
  return parts
}

/** Files of one batch that can be resumed: far more than a lead puts into one. */
const filesMax = 1_000
const bufferBytes = 256 * 1024
/** What one job reads. */
const readBytesMax = 32 * 1024 * 1024

import { type Directory, FileFailure, type FileHandle } from '../../host/files.js'
import { atSlot } from './folder.js'
import { createIntent, syncIntent } from './intent-file.js'
import type { StageFolder } from './place.js'

/** Slots that are synced one by one; more are synced by one syncfs, where it tells of errors. */
const fewFiles = 8

export interface Durable {
  readonly stage: StageFolder
  readonly filesystem: Directory
  /** Name and text of the intent. */
  readonly intent: string
  readonly text: string
  /** Names in `in` of files that were staged. */
  readonly files: readonly string[]
  /** Whether anything goes through a slot: then the intent is on disk before the first change. */
  readonly slots: boolean
  /** See syncfsTells. */
  readonly syncfsTells: boolean
  /** Only written: a kill is all that it has to outlive. */
  readonly unsynced: boolean
}

/**
 * Writes the intent and brings it and all staged bytes to the disk. A failure answers why: then nothing that was staged is
 * believed any more, for an error of write-back is told once, and a second sync would say that all is well.
 */
export function makeDurable(durable: Durable): FileFailure | undefined {
  const { stage, filesystem, intent, text, files, slots, syncfsTells, unsynced } = durable
  try {
    createIntent(stage.intents, intent, text)
    if (unsynced) return undefined
    if (files.length > fewFiles && syncfsTells) filesystem.syncFilesystem()
    else if (slots) {
      for (const name of files) syncSlot(stage.in, name, filesystem)
      syncIntent(stage.intents, intent)
    }
    return undefined
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return error
  }
}

function syncSlot(received: Directory, name: string, filesystem: Directory): void {
  let file: FileHandle
  try {
    file = atSlot(received, name, (directory, own) => directory.openFile(own))
  } catch (error) {
    // Its new mode keeps its own owner from reading it.
    if (!(error instanceof FileFailure) || error.code !== 'denied') throw error
    filesystem.syncFilesystem()
    return
  }
  try {
    file.sync()
  } finally {
    file.close()
  }
}

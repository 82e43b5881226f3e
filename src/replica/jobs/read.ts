import type { Fingerprint } from '../../core/content.js'
import type { FileHandle, Stat } from '../../host/files.js'
import type { World } from '../../host/workers.js'
import { digestFile } from './digest.js'
import { isRacy, sameStamp } from './stamp.js'

/** A file as it was read: the stamp and the fingerprint belong together. */
export interface ReadFile {
  readonly stat: Stat
  readonly fingerprint: Fingerprint
  readonly racy: boolean
}

/** Reads a file to its end; undefined when it changed each time it was read. */
export function readWhole(world: World, handle: FileHandle): ReadFile | undefined {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const beganNs = world.clock.wallNs()
    const before = handle.stat()
    const fingerprint = digestFile(handle)
    // Stat again after reading: a writer may have been at work meanwhile. Only if both stamps are equal does the fingerprint
    // belong to the stamp; and only if nobody can write any more will the stamp tell of the next change.
    const probe = handle.probe()
    const stat = handle.stat()
    if (sameStamp(before, stat)) return { stat, fingerprint, racy: isRacy(stat, beganNs, probe) }
  }
  return undefined
}

const attemptsMax = 3

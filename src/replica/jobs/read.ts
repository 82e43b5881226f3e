import { createHash, hash } from 'node:crypto'
import type { Fingerprint } from '../../core/content.js'
import type { FileHandle, Stat } from '../../host/files.js'
import type { World } from '../../host/workers.js'
import { fingerprintOf } from '../../wire/bytes.js'
import { isRacy } from './racy.js'

/** A file as it was read: the stamp and the fingerprint belong together. */
export interface ReadFile {
  readonly stat: Stat
  readonly fingerprint: Fingerprint
  readonly racy: boolean
}

/** Reads a file to its end; undefined when it changed each time it was read. */
export function readWhole(world: World, handle: FileHandle): ReadFile | undefined {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const before = handle.stat()
    const fingerprint = digest(handle, before.sizeBytes)
    // Stat again after reading: a writer may have been at work meanwhile. Only if both stamps are equal does the fingerprint
    // belong to the stamp; and only if nobody can write any more will the stamp tell of the next change.
    const probe = handle.probe()
    const stat = handle.stat()
    if (fingerprint !== undefined && sameMoment(before, stat))
      return { stat, fingerprint, racy: isRacy(stat, world.clock.wallNs(), probe, false) }
  }
  return undefined
}

export function sameMoment(before: Stat, after: Stat): boolean {
  return before.sizeBytes === after.sizeBytes && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs
}

const attemptsMax = 3
/** Read at once; one buffer for each thread. */
const bufferBytes = 1 << 20
const buffer = Buffer.allocUnsafeSlow(bufferBytes)

/** Fingerprint of the bytes, or undefined when there were not `sizeBytes` of them. */
function digest(handle: FileHandle, sizeBytes: number): Fingerprint | undefined {
  if (sizeBytes < bufferBytes) {
    const length = fill(handle, buffer, 0)
    return length === sizeBytes ? fingerprintOf(hash('sha256', buffer.subarray(0, length), 'buffer')) : undefined
  }
  const sha = createHash('sha256')
  let position = 0
  for (;;) {
    const length = handle.read(buffer, position)
    if (length === 0) break
    sha.update(buffer.subarray(0, length))
    position += length
  }
  return position === sizeBytes ? fingerprintOf(sha.digest()) : undefined
}

/** Reads until the buffer is full or the file ends; answers the count. */
export function fill(handle: FileHandle, into: Uint8Array, position: number): number {
  let length = 0
  while (length < into.length) {
    const count = handle.read(length === 0 ? into : into.subarray(length), position + length)
    if (count === 0) break
    length += count
  }
  return length
}

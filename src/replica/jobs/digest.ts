import { createHash, hash } from 'node:crypto'
import type { Fingerprint } from '../../core/content.js'
import type { FileHandle } from '../../host/files.js'
import { fingerprintOf, fingerprintOfHex } from '../../wire/bytes.js'

/** Bytes that are read at once. */
const sliceBytes = 256 * 1024

/** The fingerprint of bytes that are all at hand. */
export function digestOf(bytes: Uint8Array): Fingerprint {
  return fingerprintOfHex(hash('sha256', bytes, 'hex'))
}

/** Reads a file from its beginning to its end. The caller knows whether it held still meanwhile. */
export function digestFile(file: FileHandle): Fingerprint {
  const size = file.stat().sizeBytes
  // One byte more than the file is said to have: a short read then ends a small file without another call for its end.
  const slice = Buffer.allocUnsafe(Math.min(size + 1, sliceBytes))
  const first = file.read(slice, 0)
  if (first < slice.length && file.read(slice.subarray(first), first) === 0) return digestOf(slice.subarray(0, first))
  // More than one read is needed: begin again, piece by piece.
  const digest = createHash('sha256')
  let at = 0
  for (;;) {
    const count = file.read(slice, at)
    if (count === 0) return fingerprintOf(digest.digest())
    digest.update(slice.subarray(0, count))
    at += count
  }
}

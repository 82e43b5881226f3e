import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from '../../host/files.js'
import { fingerprintOf } from '../../wire/bytes.js'
import { prefixesMax } from '../../wire/operation.js'
import type { Prefix } from '../replica.js'

/** Where the beginnings of a file of which `presentBytes` are here end, ascending: before its last byte, so that something is left to send. */
export function prefixEnds(presentBytes: number, sizeBytes: number): number[] {
  const last = Math.min(presentBytes, sizeBytes - 1)
  if (last <= 0) return []
  const step = Math.max(prefixBytesMin, Math.ceil(last / prefixesMax))
  const ends: number[] = []
  for (let end = step; end < last; end += step) ends.push(end)
  return [...ends, last]
}

/** Finer steps save nothing worth speaking of. */
const prefixBytesMin = 128 * 1024

/** Hashes a file from its beginning, a piece at a time, and stops for a look at each of some places. */
export class PrefixDigest {
  private readonly digest = createHash('sha256')
  private at = 0
  private next = 0

  /** `ends`: ascending. */
  constructor(private readonly ends: readonly number[]) {}

  /**
   * Reads on through `buffer`, about `bytesMax` bytes, and hands over the state of the hash at each end; `reached` answers
   * whether to go on. Answers whether all is read: because the last end is reached, the file ends before, or nobody goes on.
   */
  read(
    file: FileHandle,
    buffer: Uint8Array,
    bytesMax: number,
    reached: (end: number, digest: Hash) => boolean,
  ): boolean {
    for (let left = bytesMax; left > 0; ) {
      const end = this.ends[this.next]
      if (end === undefined) return true
      const count = file.read(buffer.subarray(0, Math.min(buffer.length, end - this.at)), this.at)
      if (count === 0) return true
      this.digest.update(buffer.subarray(0, count))
      this.at += count
      left -= count
      if (this.at < end) continue
      this.next++
      if (!reached(end, this.digest.copy())) return true
    }
    return this.next >= this.ends.length
  }
}

/** Looks how much of a file is what the other side says it has. */
export class PrefixCheck {
  /** The longest beginning that both have: where the sending begins, and the hash of what is before. */
  agreed: { readonly sizeBytes: number; readonly digest: Hash } = { sizeBytes: 0, digest: createHash('sha256') }
  private readonly reading: PrefixDigest
  private readonly fingerprints: ReadonlyMap<number, string>

  constructor(prefixes: readonly Prefix[]) {
    this.reading = new PrefixDigest(prefixes.map(({ sizeBytes }) => sizeBytes))
    this.fingerprints = new Map(prefixes.map(({ sizeBytes, fingerprint }) => [sizeBytes, fingerprint]))
  }

  /** As PrefixDigest.read. */
  read(file: FileHandle, buffer: Uint8Array, bytesMax: number): boolean {
    return this.reading.read(file, buffer, bytesMax, (sizeBytes, digest) => {
      if (fingerprintOf(digest.copy().digest()) !== this.fingerprints.get(sizeBytes)) return false
      this.agreed = { sizeBytes, digest }
      return true
    })
  }
}

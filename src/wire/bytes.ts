import type { Fingerprint } from '../core/content.js'
import { Failure } from '../core/failure.js'
import { decodeName, encodeName } from '../core/path.js'

/** Bytes that are not what their format says: from a peer a violation of the protocol, from a store damage. */
export class Malformed extends Failure {
  override readonly name = 'Malformed'
  readonly code = 'malformed'
}

/** Writes values one after the other, little-endian, into a buffer that grows. */
export class BytesWriter {
  private buffer: Buffer
  /** For what is wider than 32 bits: Buffer puts such numbers together from halves, which is slow. */
  private wide: DataView
  private at = 0

  constructor(sizeBytes = 256) {
    this.buffer = Buffer.allocUnsafeSlow(sizeBytes)
    this.wide = wideOf(this.buffer)
  }

  get length(): number {
    return this.at
  }

  u8(value: number): void {
    this.room(1)
    this.buffer[this.at++] = value
  }

  u16(value: number): void {
    this.room(2)
    this.at = this.buffer.writeUInt16LE(value, this.at)
  }

  u32(value: number): void {
    this.room(4)
    this.at = this.buffer.writeUInt32LE(value, this.at)
  }

  /** Up to 2^48 - 1: sizes, positions, sequences. */
  u48(value: number): void {
    this.room(6)
    this.at = this.buffer.writeUIntLE(value, this.at, 6)
  }

  i64(value: bigint): void {
    this.room(8)
    this.wide.setBigInt64(this.at, value, true)
    this.at += 8
  }

  u64(value: bigint): void {
    this.room(8)
    this.wide.setBigUint64(this.at, value, true)
    this.at += 8
  }

  raw(bytes: Uint8Array): void {
    this.room(bytes.length)
    this.buffer.set(bytes, this.at)
    this.at += bytes.length
  }

  /** A name, path, link target or message: length u32, then its bytes as decodeName reads them. */
  text(value: string): void {
    if (this.asciiText(value)) return
    const bytes = encodeName(value)
    this.u32(bytes.length)
    this.raw(bytes)
  }

  /** Algorithm u8 (1 is SHA-256), then the digest. */
  fingerprint(value: Fingerprint): void {
    this.u8(1)
    this.room(32)
    this.at += this.buffer.write(value.slice(sha256Prefix.length), this.at, 32, 'hex')
  }

  /** What was written so far, without a copy: valid until the next write. */
  view(): Uint8Array {
    return this.buffer.subarray(0, this.at)
  }

  /** What was written, in a buffer of its own that can be handed over. */
  finish(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.buffer.subarray(0, this.at))
  }

  /** The same for few bytes that stay in this thread: cut from Node's pool, since memory of their own costs more than they do. */
  finishSmall(): Uint8Array {
    const { buffer, at: length } = this
    const copy = Buffer.allocUnsafe(length)
    for (let at = 0; at < length; at++) copy[at] = buffer[at] ?? 0
    return copy
  }

  /** Starts again in the same buffer. */
  reset(): void {
    this.at = 0
  }

  /** Almost every text: put down character by character, no encoder is needed. Nothing is written if there is any other. */
  private asciiText(value: string): boolean {
    const { length } = value
    this.room(4 + length)
    const { buffer } = this
    const start = this.at + 4
    let every = 0
    for (let at = 0; at < length; at++) {
      const code = value.charCodeAt(at)
      every |= code
      buffer[start + at] = code
    }
    if (every >= 0x80) return false
    buffer.writeUInt32LE(length, this.at)
    this.at = start + length
    return true
  }

  private room(count: number): void {
    if (this.at + count <= this.buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.at + count))
    this.buffer.copy(larger, 0, 0, this.at)
    this.buffer = larger
    this.wide = wideOf(larger)
  }
}

const wideOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const sha256Prefix = 'sha256:'

/** The fingerprint of a SHA-256 digest of 32 bytes. */
export function fingerprintOf(digest: Uint8Array): Fingerprint {
  return fingerprintOfHex(Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('hex'))
}

/** The same of a digest that is told in 64 lower-case hex digits. */
export function fingerprintOfHex(digest: string): Fingerprint {
  return (sha256Prefix + digest) as Fingerprint
}

// One number of 64 bits and its halves, in the order of this machine.
const halves = new Uint32Array(2)
const signed = new BigInt64Array(halves.buffer)
const unsigned = new BigUint64Array(halves.buffer)
const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** Reads what BytesWriter wrote and never past the end. Every method throws Malformed. */
export class BytesReader {
  private readonly buffer: Buffer
  private at = 0

  constructor(bytes: Uint8Array) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  atEnd(): boolean {
    return this.at >= this.buffer.length
  }

  remaining(): number {
    return this.buffer.length - this.at
  }

  u8(): number {
    return this.buffer.readUInt8(this.take(1))
  }

  u16(): number {
    return this.buffer.readUInt16LE(this.take(2))
  }

  u32(): number {
    return this.buffer.readUInt32LE(this.take(4))
  }

  u48(): number {
    return this.buffer.readUIntLE(this.take(6), 6)
  }

  i64(): bigint {
    this.takeHalves()
    return signed[0] ?? 0n
  }

  u64(): bigint {
    this.takeHalves()
    return unsigned[0] ?? 0n
  }

  /** A view of the next `length` bytes. */
  raw(length: number): Uint8Array {
    const start = this.take(length)
    return this.buffer.subarray(start, start + length)
  }

  /** A text of at most `bytesMax` bytes. */
  text(bytesMax: number): string {
    const length = this.u32()
    if (length > bytesMax) throw new Malformed(`a text of ${length} bytes where ${bytesMax} are allowed`)
    const start = this.take(length)
    let every = 0
    for (let at = start; at < start + length; at++) every |= this.buffer[at] ?? 0
    // Plain ASCII is one character a byte; the decoder of everything else takes several times as long.
    if (every < 0x80) return this.buffer.toString('latin1', start, start + length)
    return decodeName(this.buffer.subarray(start, start + length))
  }

  fingerprint(): Fingerprint {
    const algorithm = this.u8()
    if (algorithm !== 1) throw new Malformed(`unknown fingerprint algorithm ${algorithm}`)
    const start = this.take(32)
    return fingerprintOfHex(this.buffer.toString('hex', start, start + 32))
  }

  /** A count of things that take at least `eachBytes` each: never more than the bytes that are left can hold. */
  count(eachBytes: number): number {
    const count = this.u32()
    if (count * eachBytes > this.remaining())
      throw new Malformed(`${count} records announced in ${this.remaining()} bytes`)
    return count
  }

  /** The next eight bytes as one number of 64 bits, without a view of these bytes: most readers are of few bytes. */
  private takeHalves(): void {
    const start = this.take(8)
    halves[littleEndian ? 0 : 1] = this.buffer.readUInt32LE(start)
    halves[littleEndian ? 1 : 0] = this.buffer.readUInt32LE(start + 4)
  }

  private take(count: number): number {
    const start = this.at
    if (start + count > this.buffer.length) throw new Malformed(`ends after ${this.buffer.length} bytes`)
    this.at = start + count
    return start
  }
}

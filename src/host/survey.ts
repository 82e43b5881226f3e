import { hash } from 'node:crypto'
import { encodeName } from '../core/path.js'
import { type Directory, FileFailure, type Stat } from './files.js'

/** What lstat tells of all members of a directory at once. */
export interface Survey {
  /** Of names and stamps: equal for two surveys between which no member came, went or got another stamp. 32 bytes. */
  readonly digest: Uint8Array
  readonly count: number
  /** Members that are directories, in the order of their bytes. */
  readonly directories: readonly string[]
  /** One of the files that have several names. */
  readonly linked: string | undefined
}

/** What of a member goes into the digest. */
export type Surveyed = Pick<Stat, 'kind' | 'mode' | 'inode' | 'birthNs' | 'sizeBytes' | 'mtimeNs' | 'ctimeNs'> & {
  /** A directory on which another file system begins. */
  readonly boundary: boolean
}

/**
 * 32-bit words of one member, in the order of the machine:
 *
 *     | mode and kind as in st_mode, 1 << 16 for a boundary | inode 2 | size 2 | birth 3 | change 3 | modification 3 |
 *
 * A time is seconds i64 and nanoseconds. Of a directory size, change and modification are 0: they move with its members.
 * Of what is neither file, directory nor symbolic link all is 0.
 */
export const surveyWords = 14
export const fileBits = 0o100000
export const directoryBits = 0o040000
export const symlinkBits = 0o120000
export const boundaryBit = 1 << 16

/**
 * Folds members, which come in the order of the bytes of their names, into one SHA-256: of each its words and its name,
 * ended by NULs up to the next word. A name is given as its bytes, one character each: byteName.
 */
export class SurveyDigest {
  private words = new Uint32Array(1_024)
  private bytes = Buffer.from(this.words.buffer)
  private length = 0

  /** `from` has the member's words at `at`. */
  add(name: string, from: Uint32Array, at: number): void {
    const nameWords = (name.length >> 2) + 1
    if (this.length + surveyWords + nameWords > this.words.length) this.grow(surveyWords + nameWords)
    for (let word = 0; word < surveyWords; word++) this.words[this.length++] = from[at + word] ?? 0
    this.words[this.length + nameWords - 1] = 0
    this.bytes.write(name, this.length * 4, 'latin1')
    this.length += nameWords
  }

  /** Of all that was added; it can be used again. */
  end(): Uint8Array {
    const digest = hash('sha256', this.bytes.subarray(0, this.length * 4), 'buffer')
    this.length = 0
    return new Uint8Array(digest)
  }

  private grow(wordsMore: number): void {
    const words = new Uint32Array(Math.max(this.words.length * 2, this.length + wordsMore))
    words.set(this.words)
    this.words = words
    this.bytes = Buffer.from(words.buffer)
  }
}

/** The bytes of a name, one character each: so they compare as bytes do. */
export function byteName(name: string): string {
  return plainName.test(name) ? name : encodeName(name).toString('latin1')
}

const plainName = /^[\0-\x7f]*$/

/** Writes the words of one member to `into`, from `at` on. */
export function writeSurveyed(member: Surveyed, into: Uint32Array, at: number): void {
  into.fill(0, at, at + surveyWords)
  if (member.kind === 'special') return
  into[at] = kindBits[member.kind] | member.mode | (member.boundary ? boundaryBit : 0)
  writeU64(into, at + 1, member.inode)
  writeTime(into, at + 5, member.birthNs)
  if (member.kind === 'directory') return
  writeU64(into, at + 3, BigInt(member.sizeBytes))
  writeTime(into, at + 8, member.ctimeNs)
  writeTime(into, at + 11, member.mtimeNs)
}

const kindBits = { file: fileBits, directory: directoryBits, symlink: symlinkBits } as const

const nsPerSecond = 1_000_000_000n

function writeTime(into: Uint32Array, at: number, ns: bigint): void {
  const rest = ((ns % nsPerSecond) + nsPerSecond) % nsPerSecond
  writeU64(into, at, (ns - rest) / nsPerSecond)
  into[at + 2] = Number(rest)
}

function writeU64(into: Uint32Array, at: number, value: bigint): void {
  into[at] = Number(BigInt.asUintN(32, value))
  into[at + 1] = Number(BigInt.asUintN(32, value >> 32n))
}

/** A survey by the other calls of a directory; see Directory.survey. */
export function surveyOf(directory: Pick<Directory, 'stat' | 'names' | 'statAt'>, without: string): Survey | undefined {
  try {
    const { device } = directory.stat()
    const members: { readonly name: string; readonly bytes: string; readonly stat: Stat }[] = []
    for (const name of directory.names()) {
      if (name === without) continue
      const stat = directory.statAt(name)
      if (stat === undefined) return undefined
      members.push({ name, bytes: byteName(name), stat })
    }
    members.sort((one, other) => (one.bytes < other.bytes ? -1 : 1))
    const digest = new SurveyDigest()
    const words = new Uint32Array(surveyWords)
    for (const { bytes, stat } of members) {
      writeSurveyed({ ...stat, boundary: stat.kind === 'directory' && stat.device !== device }, words, 0)
      digest.add(bytes, words, 0)
    }
    return {
      digest: digest.end(),
      count: members.length,
      directories: members.filter(({ stat }) => stat.kind === 'directory').map(({ name }) => name),
      linked: members.find(({ stat }) => stat.kind === 'file' && stat.links > 1)?.name,
    }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return undefined
  }
}

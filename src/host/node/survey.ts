import { decodeName } from '../../core/path.js'
import { boundaryBit, directoryBits, fileBits, type Survey, SurveyDigest, surveyWords, symlinkBits } from '../survey.js'
import { addressOf, atFlags, cPath, getdents64, lseek, statx, statxAt } from './libc.js'

// One of each for all surveys of a thread. The listing is large, for a listing of n entries costs n/2000 calls.
const listing = Buffer.alloc(64 * 1024)
const listingAt = addressOf(listing)
const facts = new Uint32Array(64)
const factsAt = addressOf(facts)
const digest = new SurveyDigest()

/** struct statx, in 32-bit words: see stat.ts for the layout in bytes. */
const word = { mask: 0, links: 4, mode: 7, inode: 8, size: 10, birth: 20, change: 24, modification: 28, device: 34 }
const lookFlags = atFlags.symlinkNoFollow | atFlags.noAutomount
const birthTime = 0x800
const wanted = 0x7ff | birthTime
const noName = cPath('')

interface Seen {
  /** Bytes of the name, one character each. */
  readonly name: string
  /** Where its words begin in `words`. */
  readonly at: number
}

/** Directory.survey of the open directory `fd`, straight from what the kernel writes: no name and no time is made of it. */
export function surveyLinux(fd: number, without: string): Survey | undefined {
  if (statx(fd, noName, atFlags.emptyPath, wanted, facts) !== 0) return undefined
  const major = facts[word.device]
  const minor = facts[word.device + 1]
  // The handle's position is where the last listing ended.
  if (lseek(fd, 0, 0) !== 0) return undefined

  const seen: Seen[] = []
  const directories: Seen[] = []
  let words = new Uint32Array(firstMembers * surveyWords)
  let linked: Seen | undefined
  for (;;) {
    const length = getdents64(fd, listing, listing.length)
    if (length < 0) return undefined
    if (length === 0) break
    for (let entry = 0; entry < length; entry += listing.readUInt16LE(entry + 16)) {
      const start = entry + 19
      const name = listing.toString('latin1', start, listing.indexOf(0, start))
      if (name === '.' || name === '..' || name === without) continue
      if (statxAt(fd, listingAt + start, lookFlags, wanted, factsAt) !== 0) return undefined
      const at = seen.length * surveyWords
      if (at === words.length) {
        const larger = new Uint32Array(words.length * 4)
        larger.set(words)
        words = larger
      }
      const member = { name, at }
      seen.push(member)
      const kind = writeFacts(words, at, facts[word.device] !== major || facts[word.device + 1] !== minor)
      if (kind === directoryBits) directories.push(member)
      else if (kind === fileBits && (facts[word.links] ?? 0) > 1) linked ??= member
    }
  }
  seen.sort(byName)
  for (const { name, at } of seen) digest.add(name, words, at)
  return {
    digest: digest.end(),
    count: seen.length,
    directories: directories.sort(byName).map(({ name }) => textOf(name)),
    linked: linked === undefined ? undefined : textOf(linked.name),
  }
}

const firstMembers = 64

/** Takes the member's words out of `facts`; answers the bits of its kind, 0 for what is no file, directory or link. */
function writeFacts(words: Uint32Array, at: number, elsewhere: boolean): number {
  const mode = (facts[word.mode] ?? 0) & 0xffff
  const kind = mode & 0o170000
  if (kind !== fileBits && kind !== directoryBits && kind !== symlinkBits) return 0
  const isDirectory = kind === directoryBits
  words[at] = mode | (isDirectory && elsewhere ? boundaryBit : 0)
  words[at + 1] = facts[word.inode] ?? 0
  words[at + 2] = facts[word.inode + 1] ?? 0
  if (((facts[word.mask] ?? 0) & birthTime) !== 0) copyTime(words, at + 5, word.birth)
  if (isDirectory) return kind
  words[at + 3] = facts[word.size] ?? 0
  words[at + 4] = facts[word.size + 1] ?? 0
  copyTime(words, at + 8, word.change)
  copyTime(words, at + 11, word.modification)
  return kind
}

function copyTime(words: Uint32Array, at: number, from: number): void {
  words[at] = facts[from] ?? 0
  words[at + 1] = facts[from + 1] ?? 0
  words[at + 2] = facts[from + 2] ?? 0
}

function byName(one: Seen, other: Seen): number {
  return one.name < other.name ? -1 : 1
}

function textOf(bytes: string): string {
  return decodeName(Buffer.from(bytes, 'latin1'))
}

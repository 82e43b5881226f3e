import { decodeName } from '../../core/path.js'
import { checked, fileFailure } from './file-failure.js'
import { close, cPath, getattrlistbulk, getdents64, lseek, onLinux, openat, openFlags } from './libc.js'

/** Names of all members of the open directory `fd`, '.' and '..' left out. `label` is for the message. @throws FileFailure */
export const namesOf = onLinux ? namesOfLinux : namesOfMacos

// One for all listings of a thread. Large, for a listing of n entries costs n/2000 calls.
const listing = Buffer.alloc(64 * 1024)

function namesOfLinux(fd: number, label: string): string[] {
  // The handle's position is where the last listing ended.
  checked('lseek', label, () => lseek(fd, 0, 0))
  const names: string[] = []
  for (;;) {
    const length = checked('getdents', label, () => getdents64(fd, listing, listing.length))
    if (length === 0) return names
    decodeDirents(listing, length, names)
  }
}

/**
 * Adds the names of the first `length` bytes of `from` to `names`. An entry of Linux:
 *
 *     | ino u64 | offset u64 | entryBytes u16 | type u8 | name, NUL-terminated, padded |
 */
export function decodeDirents(from: Buffer, length: number, names: string[]): void {
  let at = 0
  while (at < length) {
    const start = at + 19
    at += from.readUInt16LE(at + 16)
    const name = decodeTerminated(from, start)
    if (name !== '.' && name !== '..') names.push(name)
  }
}

const attributes = {
  name: 0x0000_0001,
  error: 0x2000_0000,
  returned: 0x8000_0000,
} as const

/** struct attrlist: the number of bitmaps u16, reserved u16, and five bitmaps u32, of which the first is the common one. */
const wanted = new Uint32Array([5, attributes.returned | attributes.error | attributes.name, 0, 0, 0, 0])

function namesOfMacos(fd: number, label: string): string[] {
  // A listing has its place in the open file; a fresh one begins at the start.
  const own = checked('openat', label, () =>
    openat(fd, cPath('.'), openFlags.readOnly | openFlags.directory | openFlags.closeOnExec, 0),
  )
  try {
    const names: string[] = []
    for (;;) {
      const count = checked('getattrlistbulk', label, () => getattrlistbulk(own, wanted, listing, listing.length, 0))
      if (count === 0) return names
      if (!decodeBulk(listing, count, names)) throw fileFailure('getattrlistbulk', label, 'EIO')
    }
  } finally {
    close(own)
  }
}

/**
 * Adds the names of `count` entries to `names`; false if one has none. An entry of macOS:
 *
 *     | entryBytes u32 | returned 5 x u32 | error u32, if returned | offset of the name from here i32 | its length u32 | ... |
 */
export function decodeBulk(from: Buffer, count: number, names: string[]): boolean {
  let at = 0
  for (let entry = 0; entry < count; entry++) {
    const returned = from.readUInt32LE(at + 4)
    if ((returned & attributes.name) === 0) return false
    const reference = at + 24 + ((returned & attributes.error) === 0 ? 0 : 4)
    names.push(decodeTerminated(from, reference + from.readInt32LE(reference)))
    at += from.readUInt32LE(at)
  }
  return true
}

/** The name that begins at `start` and ends before a NUL. */
function decodeTerminated(from: Buffer, start: number): string {
  let end = start
  let every = 0
  for (let byte = from[end]; byte !== 0 && byte !== undefined; byte = from[++end]) every |= byte
  // Plain ASCII, as almost all: no decoder needed.
  return every < 0x80 ? from.toString('latin1', start, end) : decodeName(from.subarray(start, end))
}

import { decodeName } from '../../../core/path.js'

const directoryType = 4
/** The file system does not say: add_watch with ONLYDIR finds out. */
const unknownType = 0

/**
 * Adds to `names` the members that are or may be directories, '.' and '..' left out, from the first `length` bytes that
 * getdents64 gave.
 *
 *     | ino u64 | offset u64 | entryBytes u16 | type u8 | name, NUL-terminated, padded |
 */
export function decodeDirectories(from: Buffer, length: number, names: string[]): void {
  for (let at = 0; at < length; at += from.readUInt16LE(at + 16)) {
    const type = from[at + 18]
    if (type !== directoryType && type !== unknownType) continue
    const start = at + 19
    const name = decodeName(from.subarray(start, from.indexOf(0, start)))
    if (name !== '.' && name !== '..') names.push(name)
  }
}

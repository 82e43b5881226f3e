import { decodeName } from '../../../core/path.js'

/** Bits of an event, as inotify(7) has them. */
export const eventBits = {
  modify: 0x0000_0002,
  attributes: 0x0000_0004,
  closeWrite: 0x0000_0008,
  movedFrom: 0x0000_0040,
  movedTo: 0x0000_0080,
  create: 0x0000_0100,
  delete: 0x0000_0200,
  deleteSelf: 0x0000_0400,
  moveSelf: 0x0000_0800,
  unmount: 0x0000_2000,
  overflow: 0x0000_4000,
  ignored: 0x0000_8000,
  directory: 0x4000_0000,
} as const

const onlyDirectory = 0x0100_0000
const dontFollow = 0x0200_0000
const exclUnlink = 0x0400_0000

/** Watched in every directory: whatever changes a member, or the directory itself. */
const changes =
  eventBits.modify |
  eventBits.attributes |
  eventBits.closeWrite |
  eventBits.movedFrom |
  eventBits.movedTo |
  eventBits.create |
  eventBits.delete |
  eventBits.deleteSelf |
  eventBits.moveSelf

/** A symbolic link in the path of the root is followed, since the user named it; below the root none is. */
export const rootMask = changes | onlyDirectory | exclUnlink
export const directoryMask = rootMask | dontFollow

export interface InotifyEvent {
  /** Of the directory; -1 for an overflow. */
  readonly watch: number
  readonly bits: number
  /** Of the member, '' when the event is of the directory itself. */
  readonly name: string
}

/**
 * Calls `on` for each event in the first `length` bytes of `from`, in order. Answers whether they ended with an event, as
 * the kernel promises: a rest means that something was lost.
 *
 *     | watch i32 | bits u32 | cookie u32 | nameBytes u32 | name, NUL-terminated, padded with NULs to nameBytes |
 */
export function eachEvent(from: Buffer, length: number, on: (event: InotifyEvent) => void): boolean {
  let at = 0
  while (at + headerBytes <= length) {
    const nameAt = at + headerBytes
    const end = nameAt + from.readUInt32LE(at + 12)
    if (end > length) return false
    on({ watch: from.readInt32LE(at), bits: from.readUInt32LE(at + 4), name: nameIn(from, nameAt, end) })
    at = end
  }
  return at === length
}

const headerBytes = 16

function nameIn(from: Buffer, start: number, limit: number): string {
  let end = start
  let every = 0
  for (let byte = from[end]; end < limit && byte !== 0 && byte !== undefined; byte = from[++end]) every |= byte
  // Plain ASCII, as almost all: no decoder needed.
  return every < 0x80 ? from.toString('latin1', start, end) : decodeName(from.subarray(start, end))
}

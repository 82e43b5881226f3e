import type { Fingerprint, Props } from '../core/content.js'
import { BytesReader, type BytesWriter } from './bytes.js'
import { readProps, writeProps } from './content.js'

/**
 * A pack: bytes of one or many files on their way from one root to the other.
 *
 *     item*    | want u32 | flags u8 | position u48 | length u32 | fingerprint 33 bytes if last | data |
 *
 * All numbers little-endian. flags: 1 the file's last item. Items of one file come in order, without gaps, and a file that
 * is not whole when the next one begins was given up by its supplier. The fingerprint is of the whole file. So long at most
 * with a part of a file in it:
 */
export const packBytesMax = 256 * 1024

/**
 * A pack of nothing but whole files that would each fit into one above may be so long, together with what is said of each file beside
 * it: a frame, less what stands around both. Four times as many files a message cost an eighth less of a first sync.
 */
export const smallFilesBytesMax = 1024 * 1024 - 8192

/** The most that one item adds to its data. */
export const itemOverheadBytes = 4 + 1 + 6 + 4 + 33

export interface Item {
  readonly want: number
  readonly position: number
  readonly data: Uint8Array
  /** Given with the last item of a file, else undefined. */
  readonly fingerprint: Fingerprint | undefined
}

const lastFlag = 1

export function writeItem(to: BytesWriter, item: Item): void {
  to.u32(item.want)
  to.u8(item.fingerprint === undefined ? 0 : lastFlag)
  to.u48(item.position)
  to.u32(item.data.length)
  if (item.fingerprint !== undefined) to.fingerprint(item.fingerprint)
  to.raw(item.data)
}

/** The items of a pack; `data` are views into it. @throws Malformed */
export function* readItems(pack: Uint8Array): Iterable<Item> {
  const from = new BytesReader(pack)
  while (!from.atEnd()) {
    const want = from.u32()
    const flags = from.u8()
    const position = from.u48()
    const length = from.u32()
    const fingerprint = (flags & lastFlag) === 0 ? undefined : from.fingerprint()
    yield { want, position, data: from.raw(length), fingerprint }
  }
}

/**
 * Beside a pack that is delivered:
 *
 *     properties of a file that ends in it*    | want u32 | props |
 */
export function writeWantProps(to: BytesWriter, want: number, props: Props): void {
  to.u32(want)
  writeProps(to, props)
}

/** The most that one file takes there. */
export const wantPropsBytes = 4 + 1 + 2 + 8

/** By want. @throws Malformed */
export function readWantProps(bytes: Uint8Array): Map<number, Props> {
  const from = new BytesReader(bytes)
  const props = new Map<number, Props>()
  while (!from.atEnd()) props.set(from.u32(), readProps(from))
  return props
}

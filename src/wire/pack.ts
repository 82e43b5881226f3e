import type { Fingerprint, Props } from '../core/content.js'
import { nameFault } from '../core/path.js'
import { BytesReader, type BytesWriter, Malformed } from './bytes.js'
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
 * Beside a pack that is delivered, of new files that end in it:
 *
 *     properties*    | want u32 | props |
 *     places*        | want u32 with its top bit set | folder u32 | name text |
 */
export interface NewFile {
  readonly props: Props
  readonly place: FolderPlace | undefined
}

/** Where a file belongs in a directory that its batch makes. */
export interface FolderPlace {
  /** Any number that stands for this directory in the batch. */
  readonly folder: number
  readonly name: string
}

export function writeWantProps(to: BytesWriter, want: number, props: Props): void {
  to.u32(want)
  writeProps(to, props)
}

/** The most that the properties of one file take there. */
export const wantPropsBytes = 4 + 1 + 2 + 8

/** After the properties of the same want. For a far end that knows 'folders'. */
export function writeWantPlace(to: BytesWriter, want: number, { folder, name }: FolderPlace): void {
  to.u32(want + placeBit)
  to.u32(folder)
  to.text(name)
}

const placeBit = 2 ** 31
/** As many bytes as a name has at most on any file system. */
const nameBytesMax = 1_024

/** Both, if a frame holds them with the pack; the places are what can be spared. */
export function besideOf({ bytes, props, places }: Beside): Uint8Array {
  if (places === undefined || places.length === 0) return props
  const fits = bytes.length + props.length + places.length <= smallFilesBytesMax
  return fits ? Buffer.concat([props, places]) : props
}

interface Beside {
  readonly bytes: Uint8Array
  readonly props: Uint8Array
  readonly places?: Uint8Array
}

/** By want. @throws Malformed */
export function readNewFiles(bytes: Uint8Array): Map<number, NewFile> {
  const from = new BytesReader(bytes)
  const files = new Map<number, NewFile>()
  while (!from.atEnd()) {
    const word = from.u32()
    if (word < placeBit) {
      files.set(word, { props: readProps(from), place: undefined })
      continue
    }
    const want = word - placeBit
    const place = { folder: from.u32(), name: from.text(nameBytesMax) }
    const why = nameFault(place.name)
    if (why !== undefined) throw new Malformed(why)
    const { props } = files.get(want) ?? {}
    if (props === undefined) throw new Malformed('the place of a file of which nothing else is said')
    files.set(want, { props, place })
  }
  return files
}

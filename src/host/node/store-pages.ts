import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

/**
 * Whether LMDB can map a store without touching a page that the file does not have: that would be a SIGBUS, and the end
 * of the process. LMDB itself looks only at the two meta pages, and lmdb-js crashes where LMDB refuses to open.
 *
 * A page of LMDB 0.9.90 as lmdb-js builds it, little-endian:
 *
 *     | page u64 | transaction u64 | pad u16 | flags u16 | lower u16 | upper u16 | pointers u16 each ... nodes |
 *     meta:  | magic u32 | version u32 | address u64 | mapSize u64 | free tree 48 | main tree 48 | lastPage u64 | transaction u64 |
 *     tree:  | pageSize u32 | flags u16 | depth u16 | four counts u64 | root u64 |
 *     node:  | low u16 | high u16 | flags u16 | keyBytes u16 | key | value |, a page number in a branch being low, high, flags
 */
const headerBytes = 24
const metaBytes = headerBytes + 144
const magic = 0xbeefc0de
const version = 2
const branchFlag = 0x01
const leafFlag = 0x02
const metaFlag = 0x08
const bigValueFlag = 0x01
const noPage = 0xffff_ffff_ffff_ffffn

/** Why the file cannot be a whole store, or undefined. An empty file is a store that was never written. */
export function storeFault(path: string): string | undefined {
  // A fifo would keep a blocking open waiting for a writer.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const facts = fstatSync(fd)
    if (!facts.isFile()) return 'not a regular file'
    return facts.size === 0 ? undefined : faultOf(fd, facts.size)
  } finally {
    closeSync(fd)
  }
}

interface Meta {
  readonly pageBytes: number
  readonly roots: readonly bigint[]
  readonly pages: number
  readonly transaction: bigint
}

function faultOf(fd: number, sizeBytes: number): string | undefined {
  const first = metaAt(fd, 0)
  if (first === undefined) return 'no first meta page'
  const second = metaAt(fd, first.pageBytes)
  if (second === undefined) return 'no second meta page'
  const newest = second.transaction > first.transaction ? second : first
  // The common case. A shorter file is whole all the same when what it lacks is free: LMDB does not write pages that a
  // transaction took and gave back. Then only a walk tells.
  if (newest.pages * newest.pageBytes <= sizeBytes) return undefined
  return walkFault(fd, newest, Math.floor(sizeBytes / newest.pageBytes))
}

function metaAt(fd: number, position: number): Meta | undefined {
  const bytes = Buffer.alloc(metaBytes)
  if (readSync(fd, bytes, 0, metaBytes, position) < metaBytes) return undefined
  if ((bytes.readUInt16LE(18) & metaFlag) === 0) return undefined
  if (bytes.readUInt32LE(headerBytes) !== magic || bytes.readUInt16LE(headerBytes + 4) !== version) return undefined
  const pageBytes = bytes.readUInt32LE(headerBytes + 24)
  if (pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0) return undefined
  const roots = [bytes.readBigUInt64LE(headerBytes + 64), bytes.readBigUInt64LE(headerBytes + 112)]
  const lastPage = bytes.readBigUInt64LE(headerBytes + 120)
  if (lastPage > 1n << 40n) return undefined
  return { pageBytes, roots, pages: Number(lastPage) + 1, transaction: bytes.readBigUInt64LE(headerBytes + 128) }
}

/** Follows every page that the trees of `meta` name; the first that the file lacks is the fault. */
function walkFault(fd: number, meta: Meta, pagesHeld: number): string | undefined {
  const open = meta.roots.filter((root) => root !== noPage)
  const bytes = Buffer.alloc(meta.pageBytes)
  for (let visited = 0; open.length > 0; visited++) {
    const page = open.pop() ?? noPage
    if (page >= BigInt(pagesHeld)) return `page ${page} is cut off`
    if (visited > pagesHeld) return 'pages in a circle'
    if (readSync(fd, bytes, 0, bytes.length, Number(page) * meta.pageBytes) < bytes.length)
      return `page ${page} is cut off`
    const fault = followPage(bytes, page, BigInt(pagesHeld), open)
    if (fault !== undefined) return fault
  }
  return undefined
}

function followPage(bytes: Buffer, page: bigint, pagesHeld: bigint, open: bigint[]): string | undefined {
  const flags = bytes.readUInt16LE(18)
  const branch = (flags & branchFlag) !== 0
  if (!branch && (flags & leafFlag) === 0) return `page ${page} is not part of a tree`
  const nodes = bytes.readUInt16LE(20) >> 1
  for (let node = 0; node < nodes; node++) {
    const pointerAt = headerBytes + node * 2
    if (pointerAt + 2 > bytes.length) return `page ${page} is damaged`
    const at = bytes.readUInt16LE(pointerAt) + headerBytes
    if (at + 8 > bytes.length) return `page ${page} is damaged`
    if (branch) {
      open.push(BigInt(bytes.readUInt32LE(at)) | (BigInt(bytes.readUInt16LE(at + 4)) << 32n))
    } else if ((bytes.readUInt16LE(at + 4) & bigValueFlag) !== 0) {
      const value = at + 8 + bytes.readUInt16LE(at + 6)
      if (value + 24 > bytes.length) return `page ${page} is damaged`
      if (bytes.readBigUInt64LE(value) + bytes.readBigUInt64LE(value + 16) > pagesHeld)
        return `a value of page ${page} is cut off`
    }
  }
  return undefined
}

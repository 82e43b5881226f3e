import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { type Meta, type Tree, walkFault } from './store-walk.js'

/**
 * Whether LMDB can use a store without leaving the file or its pages: that would be a SIGBUS or SIGSEGV, and the end of the
 * process. LMDB itself looks only at the two meta pages, and lmdb-js crashes where LMDB refuses to open.
 *
 * A meta page of LMDB 0.9.90 as lmdb-js builds it, little-endian, after the page header of store-walk.ts:
 *
 *     | magic u32 | version u32 | address u64 | mapSize u64 | free tree 48 | main tree 48 | lastPage u64 | transaction u64 |
 *     tree: | pageSize u32 | flags u16 | depth u16 | four counts u64 | root u64 |
 */
const headerBytes = 24
const metaBytes = headerBytes + 144
const magic = 0xbeefc0de
const version = 2
const metaFlag = 0x08
const noPage = 0xffff_ffff_ffff_ffffn
const pagesMax = 2 ** 40
/** Walks that another writer's transactions may spoil. */
const walksMax = 8

/** Why the file cannot be a whole store, as far as its ends tell, or undefined. An empty file is a store that was never written. */
export function storeFault(path: string): string | undefined {
  return reading(path, (fd, sizeBytes) => {
    const meta = newestMeta(fd)
    if (typeof meta === 'string') return meta
    // The common case. A shorter file is whole all the same when what it lacks is free: LMDB does not write pages that a
    // transaction took and gave back. Then only a walk tells.
    return meta.pages * meta.pageBytes <= sizeBytes ? undefined : settledFault(fd, meta)
  })
}

/** The same, after a look at every page that is in use. */
export function storePagesFault(path: string): string | undefined {
  return reading(path, (fd) => {
    const meta = newestMeta(fd)
    return typeof meta === 'string' ? meta : settledFault(fd, meta)
  })
}

function reading(path: string, look: (fd: number, sizeBytes: number) => string | undefined): string | undefined {
  // A fifo would keep a blocking open waiting for a writer.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const facts = fstatSync(fd)
    if (!facts.isFile()) return 'not a regular file'
    return facts.size === 0 ? undefined : look(fd, facts.size)
  } finally {
    closeSync(fd)
  }
}

/** Pages of the newest transaction stay as they are until a newer one is committed: a fault is one only if none was. */
function settledFault(fd: number, first: Meta): string | undefined {
  let meta = first
  for (let walks = 1; ; walks++) {
    const fault = walkFault(fd, meta)
    if (fault === undefined || walks === walksMax) return fault
    const now = newestMeta(fd)
    if (typeof now === 'string') return now
    if (now.transaction === meta.transaction) return fault
    meta = now
  }
}

/** The meta page that LMDB takes, or why there is none. */
function newestMeta(fd: number): Meta | string {
  const first = metaAt(fd, 0)
  if (first === undefined) return 'no first meta page'
  const second = metaAt(fd, first.pageBytes)
  if (second === undefined) return 'no second meta page'
  return second.transaction > first.transaction ? second : first
}

function metaAt(fd: number, position: number): Meta | undefined {
  const bytes = Buffer.alloc(metaBytes)
  if (readSync(fd, bytes, 0, metaBytes, position) < metaBytes) return undefined
  if ((bytes.readUInt16LE(18) & metaFlag) === 0) return undefined
  if (bytes.readUInt32LE(headerBytes) !== magic || bytes.readUInt16LE(headerBytes + 4) !== version) return undefined
  const pageBytes = bytes.readUInt32LE(headerBytes + 24)
  if (pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0) return undefined
  const pages = Number(bytes.readBigUInt64LE(headerBytes + 120)) + 1
  if (pages > pagesMax) return undefined
  return {
    pageBytes,
    free: treeAt(bytes, headerBytes + 24),
    main: treeAt(bytes, headerBytes + 72),
    pages,
    transaction: Number(bytes.readBigUInt64LE(headerBytes + 128)),
  }
}

function treeAt(bytes: Buffer, at: number): Tree {
  const root = bytes.readBigUInt64LE(at + 40)
  return { root: root === noPage ? undefined : Number(root), depth: bytes.readUInt16LE(at + 6) }
}

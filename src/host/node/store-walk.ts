import { fstatSync, readSync } from 'node:fs'

/**
 * The pages of a store, followed as LMDB will follow them. It trusts what a page says of itself, so noise in one makes it
 * read and write outside the page.
 *
 * A page of LMDB 0.9.90 as lmdb-js builds it, little-endian; offsets in it count from the end of its header:
 *
 *     page:   | page u64 | transaction u64 | pad u16 | flags u16 | lower u16 | upper u16 | offsets u16 each ... nodes |
 *     branch: | page u48 | keyBytes u16 | key |, the first key of a page meaning nothing
 *     leaf:   | valueBytes u32 | flags u16 | keyBytes u16 | key | value |
 *     value elsewhere: | page u64 | transaction u64 | pages u64 |, a header there with the count of pages in place of lower and upper
 *     free list: key a transaction u64, value | count u64 | entries i64 each |, an entry a page, 0, or -(pages) and then the first
 */
const headerBytes = 24
const nodeBytes = 8
const branchFlag = 0x01
const leafFlag = 0x02
const elsewhereFlag = 0x04
const bigValueFlag = 0x01
const keyBytesMax = 1_978
/** LMDB's own bound on the pages between a root and a leaf. */
const depthMax = 32

/** What the newest transaction left: where its trees begin, and how many pages the file counts. */
export interface Meta {
  readonly pageBytes: number
  readonly free: Tree
  readonly main: Tree
  readonly pages: number
  readonly transaction: number
}

export interface Tree {
  /** undefined: nothing is in it. */
  readonly root: number | undefined
  /** Pages from the root down to a leaf, both counted. */
  readonly depth: number
}

/** The first thing that is wrong with a page in use or with the list of free ones, or undefined. */
export function walkFault(fd: number, meta: Meta): string | undefined {
  try {
    const pages = new Pages(fd, meta)
    pages.walk(meta.main, undefined)
    const free: number[] = []
    pages.walk(meta.free, free)
    for (let at = 0; at < free.length; at += 2) pages.checkFree(free[at] ?? 0, free[at + 1] ?? 0)
    return undefined
  } catch (error) {
    if (error instanceof Fault) return error.message
    throw error
  }
}

class Fault extends Error {}

class Pages {
  /** Pages that are in use, a byte each. */
  private readonly used: Uint8Array
  private readonly held: number

  constructor(
    private readonly fd: number,
    private readonly meta: Meta,
  ) {
    this.held = Math.min(Math.floor(fstatSync(fd).size / meta.pageBytes), meta.pages)
    this.used = new Uint8Array(this.held).fill(1, 0, 2)
  }

  /** Every page of a tree; with `free` the tree is the list of free pages, which is added as first page, pages, ... */
  walk(tree: Tree, free: number[] | undefined): void {
    if (tree.root === undefined) return
    if (tree.depth < 1 || tree.depth > depthMax) throw new Fault('a tree of no depth')
    this.visit(tree.root, tree.depth, new KeyOrder(free === undefined), free)
  }

  /** A free page may lie behind the end of the file, but not in a tree: LMDB would write over it. */
  checkFree(first: number, pages: number): void {
    if (first < 2 || pages < 1 || first + pages > this.meta.pages) throw new Fault(`no free page can be ${first}`)
    for (let page = first; page < first + pages && page < this.held; page++)
      if (this.used[page] !== 0) throw new Fault(`page ${page} is in use and free`)
  }

  private visit(page: number, level: number, order: KeyOrder, free: number[] | undefined): void {
    const bytes = this.read(page, 1)
    const flags = bytes.readUInt16LE(18)
    if (flags !== (level === 1 ? leafFlag : branchFlag)) throw new Fault(`page ${page} is not part of a tree`)
    const lower = bytes.readUInt16LE(20)
    const upper = bytes.readUInt16LE(22)
    const end = bytes.length - headerBytes
    const nodes = lower >> 1
    // LMDB asserts two nodes in a branch, and moves what lies between `upper` and the end as one.
    if (nodes < (level === 1 ? 1 : 2) || lower > upper || upper > end) throw new Fault(`page ${page} is damaged`)
    let taken = 0
    for (let node = 0; node < nodes; node++) {
      const offset = bytes.readUInt16LE(headerBytes + node * 2)
      if (offset < upper || offset + nodeBytes > end) throw new Fault(`page ${page} is damaged`)
      const at = headerBytes + offset
      const keyAt = at + nodeBytes
      const valueAt = keyAt + bytes.readUInt16LE(at + 6)
      if (valueAt > bytes.length || valueAt - keyAt > keyBytesMax) throw new Fault(`a key of page ${page} is damaged`)
      let nodeEnd = valueAt
      if (level === 1) {
        if (!order.follows(bytes, keyAt, valueAt, false)) throw new Fault(`keys of page ${page} are out of order`)
        nodeEnd = this.visitValue(bytes, page, at, valueAt, free)
      } else {
        if (node > 0 && !order.follows(bytes, keyAt, valueAt, true))
          throw new Fault(`keys of page ${page} are out of order`)
        this.visit(bytes.readUIntLE(at, 6), level - 1, order, free)
      }
      taken += (nodeEnd - at + 1) & ~1
    }
    if (upper + taken !== end) throw new Fault(`page ${page} is damaged`)
  }

  /** Where the node ends. */
  private visitValue(bytes: Buffer, page: number, at: number, valueAt: number, free: number[] | undefined): number {
    const sizeBytes = bytes.readUInt32LE(at)
    const flags = bytes.readUInt16LE(at + 4)
    const elsewhere = flags === bigValueFlag
    const nodeEnd = valueAt + (elsewhere ? headerBytes : sizeBytes)
    if ((flags !== 0 && !elsewhere) || nodeEnd > bytes.length) throw new Fault(`a value of page ${page} is damaged`)
    let value = bytes.subarray(valueAt, nodeEnd)
    if (elsewhere) {
      // A shorter value than the one before keeps its pages.
      const pages = u64At(value, 16)
      if (pages * this.meta.pageBytes < headerBytes + sizeBytes) throw new Fault(`a value of page ${page} is damaged`)
      const whole = this.read(u64At(value, 0), pages)
      if (whole.readUInt16LE(18) !== elsewhereFlag || whole.readUInt32LE(20) !== pages)
        throw new Fault(`a value of page ${page} is damaged`)
      value = whole.subarray(headerBytes, headerBytes + sizeBytes)
    }
    if (free !== undefined) readFree(value, page, free)
    return nodeEnd
  }

  /** The bytes of pages that nothing else uses. */
  private read(page: number, pages: number): Buffer {
    if (page + pages > this.held) throw new Fault(`page ${page} is cut off`)
    for (let at = page; at < page + pages; at++) {
      if (this.used[at] !== 0) throw new Fault(`page ${at} is in use twice`)
      this.used[at] = 1
    }
    const bytes = Buffer.allocUnsafe(pages * this.meta.pageBytes)
    if (readSync(this.fd, bytes, 0, bytes.length, page * this.meta.pageBytes) < bytes.length)
      throw new Fault(`page ${page} is cut off`)
    // A page of a later transaction would be taken for one of the writer's own, and written through the map.
    if (u64At(bytes, 0) !== page || u64At(bytes, 8) > this.meta.transaction) throw new Fault(`page ${page} is damaged`)
    return bytes
  }
}

function readFree(value: Buffer, page: number, free: number[]): void {
  const count = value.length < 8 ? Number.POSITIVE_INFINITY : u64At(value, 0)
  if ((count + 1) * 8 > value.length) throw new Fault(`a free list of page ${page} is damaged`)
  for (let entry = 1; entry <= count; entry++) {
    const first = Number(value.readBigInt64LE(entry * 8))
    if (first > 0) free.push(first, 1)
    if (first >= 0) continue
    entry++
    if (entry > count) throw new Fault(`a free list of page ${page} is damaged`)
    free.push(Number(value.readBigInt64LE(entry * 8)), -first)
  }
}

/** Keys in the order of their bytes, each once; those of the free list are transactions, in the order of numbers. */
class KeyOrder {
  private bytes: Buffer = Buffer.alloc(0)
  private from = 0
  private to = 0
  /** The last key stood in a branch: the leaf below may begin with it. */
  private mayRepeat = true

  constructor(private readonly byBytes: boolean) {}

  /** Whether the key in `bytes` comes after the last one, whose bytes are kept where they lie. */
  follows(bytes: Buffer, from: number, to: number, branch: boolean): boolean {
    const order = this.byBytes ? this.compare(bytes, from, to) : this.compareNumbers(bytes, from, to)
    const good = order > 0 || (order === 0 && this.mayRepeat)
    this.bytes = bytes
    this.from = from
    this.to = to
    this.mayRepeat = branch
    return good
  }

  private compare(bytes: Buffer, from: number, to: number): number {
    const last = this.bytes
    const length = Math.min(to - from, this.to - this.from)
    for (let at = 0; at < length; at++) {
      const step = (bytes[from + at] ?? 0) - (last[this.from + at] ?? 0)
      if (step !== 0) return step
    }
    return to - from - (this.to - this.from)
  }

  private compareNumbers(bytes: Buffer, from: number, to: number): number {
    if (to - from !== 8) return -1
    return u64At(bytes, from) - (this.to === this.from ? 0 : u64At(this.bytes, this.from))
  }
}

/** Not exact beyond 2^53, where nothing valid lies. */
function u64At(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
}

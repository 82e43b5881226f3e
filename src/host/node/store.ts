import { accessSync, constants, existsSync, linkSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { threadId } from 'node:worker_threads'
import { type Database, open, type RootDatabase } from 'lmdb'
import type { AbsPath } from '../../core/path.js'
import { encodeName } from '../../core/path.js'
import { type Store, StoreFailure, type StoreRecord, type Stores, type Transaction } from '../store.js'
import { storeFault, storePagesFault } from './store-pages.js'

/** Stores on LMDB: one file and a lock file (`path` with '-lock') each. */
export function nodeStores(): Stores {
  return {
    open: (path) => new LmdbStore(path),
    check(path) {
      refuse(path, storePagesFault)
    },
  }
}

type Records = RootDatabase<Uint8Array, Uint8Array>

/** Records that a range inside a transaction reads ahead, so that the body may change what it walks over. */
const rangeStep = 256
/** Room for the readers' table (126 readers of 64 bytes and a header) that LMDB maps. */
const lockFileBytes = 16_384
/** With less room than this an i/o error of LMDB is a full disk. */
const freeBytesMin = 1 << 20

class LmdbStore implements Store {
  readonly recordsMax = 5_000
  private readonly records: Records
  private open = true
  private readers = 0

  constructor(private readonly path: AbsPath) {
    // lmdb takes a string and encodes it as UTF-8.
    if (encodeName(path).toString('utf8') !== path) throw new StoreFailure('io', path, new Error('name is not UTF-8'))
    this.records = openRecords(path)
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.failing(() => {
      try {
        return copied(this.records.getBinaryFast(key))
      } finally {
        this.giveBack()
      }
    })
  }

  count(from: Uint8Array, to: Uint8Array): number {
    if (Buffer.compare(from, to) >= 0) return 0
    return this.failing(() => {
      try {
        return this.records.getKeysCount({ start: from, end: to })
      } finally {
        this.giveBack()
      }
    })
  }

  *range(from: Uint8Array, to: Uint8Array): Generator<StoreRecord, void, undefined> {
    if (Buffer.compare(from, to) >= 0) return
    const snapshot = this.failing(() => this.records.useReadTransaction())
    try {
      // Other reads of this turn take a snapshot of their own.
      this.giveBack()
      const steps = this.failing(() =>
        this.records.getRange({ start: from, end: to, transaction: snapshot })[Symbol.iterator](),
      )
      try {
        for (;;) {
          const step = this.failing(() => steps.next())
          if (step.done === true) return
          yield { key: plain(step.value.key), value: plain(step.value.value) }
        }
      } finally {
        if (this.open) steps.return?.()
      }
    } finally {
      if (this.open) {
        snapshot.done()
        this.giveBack()
      }
    }
  }

  reading<T>(body: () => T): T {
    this.readers++
    try {
      return body()
    } finally {
      this.readers--
      if (this.open) this.giveBack()
    }
  }

  write<T>(body: (transaction: Transaction) => T): T {
    let answer: { readonly value: T } | undefined
    let thrown: { readonly error: unknown } | undefined
    try {
      // The answer goes around lmdb, which would wait for a promise and take its own ABORT for an order.
      this.records.transactionSync(() => {
        try {
          answer = { value: body(new LmdbTransaction(this.records, this.path)) }
        } catch (error) {
          thrown = { error }
          throw error
        }
      })
    } catch (error) {
      if (thrown !== undefined) throw thrown.error
      throw failureOf(this.path, error)
    }
    if (answer === undefined) throw new Error('a transaction ended without an answer')
    return answer.value
  }

  close(): void {
    if (!this.open) return
    this.open = false
    // Nothing is in flight, since nothing here is asynchronous: lmdb closes before it returns its promise.
    void this.records.close()
  }

  /**
   * lmdb keeps its snapshot for the rest of the event turn. Given back, the next read takes the newest, and no writer is kept from
   * reusing pages; but each snapshot starts a timer, so that those who read much share one.
   */
  private giveBack(): void {
    if (this.readers === 0) this.records.resetReadTxn()
  }

  private failing<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      throw failureOf(this.path, error)
    }
  }
}

/** Reads and writes inside the one write transaction that this thread has open on the records. */
class LmdbTransaction implements Transaction {
  constructor(
    private readonly records: Database<Uint8Array, Uint8Array>,
    private readonly path: string,
  ) {}

  get(key: Uint8Array): Uint8Array | undefined {
    return this.failing(() => copied(this.records.getBinaryFast(key)))
  }

  *range(from: Uint8Array, to: Uint8Array): Generator<StoreRecord, void, undefined> {
    if (Buffer.compare(from, to) >= 0) return
    let start = from
    let exclusiveStart = false
    for (;;) {
      const step = this.failing(() => [...this.records.getRange({ start, exclusiveStart, end: to, limit: rangeStep })])
      for (const { key, value } of step) yield { key: plain(key), value: plain(value) }
      const last = step.at(-1)
      if (last === undefined || step.length < rangeStep) return
      start = last.key
      exclusiveStart = true
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    // Inside transactionSync a put is done when it returns; its promise is a constant.
    this.failing(() => void this.records.put(key, value))
  }

  remove(key: Uint8Array): void {
    this.failing(() => void this.records.remove(key))
  }

  private failing<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      throw failureOf(this.path, error)
    }
  }
}

function openRecords(path: string): Records {
  try {
    refuse(path, storeFault)
    reserveLockFile(`${path}-lock`)
    return open<Uint8Array, Uint8Array>(path, {
      encoding: 'binary',
      keyEncoding: 'binary',
      noSubdir: true,
      maxDbs: 1,
    })
  } catch (error) {
    throw error instanceof StoreFailure ? error : failureOf(path, error)
  }
}

/** A store that is not there yet has no fault. */
function refuse(path: string, faultOf: (path: string) => string | undefined): void {
  let fault: string | undefined
  try {
    fault = faultOf(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw failureOf(path, error)
  }
  if (fault !== undefined) throw new StoreFailure('corrupt', path, new Error(fault))
}

/**
 * LMDB makes its lock file sparse and writes it through a mapping: on a full disk that is a SIGBUS. So it is written
 * beforehand, and put in place whole, since another thread may be opening the store at this moment.
 */
function reserveLockFile(path: string): void {
  if (existsSync(path)) {
    // lmdb-js crashes when it cannot open the file. Not tried by opening it: a close would drop LMDB's locks on it.
    accessSync(path, constants.R_OK | constants.W_OK)
    if (!statSync(path).isFile()) throw new Error(`${path}: not a regular file`)
    return
  }
  const draft = `${path}.${process.pid}.${threadId}`
  try {
    writeFileSync(draft, Buffer.alloc(lockFileBytes), { mode: 0o600 })
    linkSync(draft, path)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** lmdb hands out Buffers; their `slice` shares memory and their equality differs, so the house sees plain arrays. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Memory from which copies of small values are cut: an array of its own costs more than reading the value. */
const slabBytes = 8_192
const smallBytes = 512
let slab = new ArrayBuffer(slabBytes)
let slabUsed = 0

/** lmdb reads every value into one buffer, which the next read overwrites and whose `length` alone tells where it ends. */
function copied(bytes: Uint8Array | undefined): Uint8Array | undefined {
  if (bytes === undefined) return undefined
  const { length } = bytes
  if (length > smallBytes) return new Uint8Array(bytes.subarray(0, length))
  if (slabUsed + length > slabBytes) {
    slab = new ArrayBuffer(slabBytes)
    slabUsed = 0
  }
  const copy = new Uint8Array(slab, slabUsed, length)
  slabUsed += length
  for (let at = 0; at < length; at++) copy[at] = bytes[at] ?? 0
  return copy
}

/** MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_PANIC, MDB_VERSION_MISMATCH, MDB_INVALID and what reads like them. */
const corruptCodes = [-30_797, -30_796, -30_795, -30_794, -30_793, -30_784, -30_779]
const ioCode = 5
const fullCodes = [28, 122]

function failureOf(path: string, error: unknown): StoreFailure {
  const code = codeOf(error)
  if (typeof code === 'number' && corruptCodes.includes(code)) return new StoreFailure('corrupt', path, error)
  if (code === 'ENOSPC' || code === 'EDQUOT') return new StoreFailure('disk-full', path, error)
  if (typeof code === 'number' && fullCodes.includes(code)) return new StoreFailure('disk-full', path, error)
  // A write that came out short is EIO to LMDB.
  if (code === ioCode && freeBytesAt(path) < freeBytesMin) return new StoreFailure('disk-full', path, error)
  return new StoreFailure('io', path, error)
}

function freeBytesAt(path: string): number {
  try {
    const facts = statfsSync(dirname(path))
    return facts.bavail * facts.bsize
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return Number.POSITIVE_INFINITY
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

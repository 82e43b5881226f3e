import type { AbsPath } from '../../src/core/path.js'
import { FileFailure } from '../../src/host/files.js'
import { type Store, StoreFailure, type StoreRecord, type Stores, type Transaction } from '../../src/host/store.js'
import { failure, type Inode } from './inode.js'
import type { Machine } from './machine.js'
import type { Process } from './process.js'

/** The records of one store file: values by key, the keys as text whose order is that of the bytes. */
export class Records {
  constructor(
    public keys: string[] = [],
    public values = new Map<string, Uint8Array>(),
  ) {}

  copy(): Records {
    return new Records([...this.keys], new Map(this.values))
  }

  /** The place of the first key that is not before `key`. */
  placeOf(key: string): number {
    let low = 0
    let high = this.keys.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.keys[middle] ?? '') < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

/**
 * The stores of one machine. A store is tied to its file, so it moves with it; what a transaction has written survives any
 * power loss, as LMDB promises, apart from what an outside hand does: `restore` puts an older state back.
 */
export class StoreShelf {
  /** As the real store has it; a test may lower it, so that few paths are several transactions. */
  recordsMax = 5_000
  /** Transactions committed so far, on any store, that left something else than they found. */
  commits = 0
  /** Told of each such transaction. */
  onCommit: ((path: AbsPath, records: Records) => void) | undefined
  private readonly stores = new Map<Inode, Records>()

  constructor(private readonly machine: Machine) {}

  /** @throws StoreFailure */
  recordsAt(path: AbsPath, process: Process): Records {
    const { directory, name } = this.machine.resolveParent(path)
    if (directory === undefined) throw new StoreFailure('io', path, failure('absent', path, 'open'))
    const found = this.machine.member(directory, name)
    const file = found ?? this.create(directory, name, process.name)
    if (file.kind !== 'file' || file.data.length > 0) throw new StoreFailure('corrupt', path, new Error('not a store'))
    let records = this.stores.get(file)
    if (records === undefined) {
      records = new Records()
      this.stores.set(file, records)
    }
    return records
  }

  committed(path: AbsPath, records: Records): void {
    this.commits += 1
    this.onCommit?.(path, records)
  }

  /** What all stores hold now, to be put back later: a backup, or a snapshot of the virtual machine. */
  snapshot(): ReadonlyMap<Inode, Records> {
    const copy = new Map<Inode, Records>()
    for (const [file, records] of this.stores) copy.set(file, records.copy())
    return copy
  }

  /** Puts an older state back of the files of such names. No process may have one open. Stores made since are empty. */
  restore(snapshot: ReadonlyMap<Inode, Records>, which: (name: string) => boolean): void {
    for (const [file, records] of this.stores) {
      if (!which(file.home?.name ?? '')) continue
      const older = snapshot.get(file)
      records.keys = older === undefined ? [] : [...older.keys]
      records.values = new Map(older?.values)
    }
  }

  private create(directory: Inode, name: string, actor: string): Inode {
    const disk = directory.disk
    const file = disk.create(directory, name, 'file', 0o600, actor)
    disk.syncDirectory(directory)
    return file
  }
}

export class SimStores implements Stores {
  constructor(
    private readonly process: Process,
    private readonly shelf: StoreShelf,
  ) {}

  open(path: AbsPath): Store {
    enter(this.process, 'store-open', path, false)
    return new SimStore(this.process, this.shelf, path, this.shelf.recordsAt(path, this.process))
  }

  /** A simulated store is whole or none: opening it tells. */
  check(): void {}
}

class SimStore implements Store {
  readonly recordsMax: number

  constructor(
    private readonly process: Process,
    private readonly shelf: StoreShelf,
    private readonly path: AbsPath,
    private readonly records: Records,
  ) {
    this.recordsMax = shelf.recordsMax
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return copied(this.records.values.get(textOf(key)))
  }

  *range(from: Uint8Array, to: Uint8Array): Generator<StoreRecord, void, undefined> {
    yield* between(this.records, from, to)
  }

  count(from: Uint8Array, to: Uint8Array): number {
    return between(this.records, from, to).length
  }

  reading<T>(body: () => T): T {
    return body()
  }

  write<T>(body: (transaction: Transaction) => T): T {
    // A dead main thread runs on until it waits; what it writes goes nowhere.
    if (!enter(this.process, 'store-write', this.path, true)) return body(new SimTransaction(this.records.copy()))
    const transaction = new SimTransaction(this.records)
    // Another writer would wait for this one, so none may run meanwhile.
    this.process.transactions += 1
    try {
      const answer = body(transaction)
      if (transaction.changes()) this.shelf.committed(this.path, this.records)
      return answer
    } catch (error) {
      transaction.rollBack()
      throw error
    } finally {
      this.process.transactions -= 1
    }
  }

  close(): void {}
}

class SimTransaction implements Transaction {
  private readonly before: [key: string, value: Uint8Array | undefined][] = []

  constructor(private readonly records: Records) {}

  get(key: Uint8Array): Uint8Array | undefined {
    return copied(this.records.values.get(textOf(key)))
  }

  *range(from: Uint8Array, to: Uint8Array): Generator<StoreRecord, void, undefined> {
    yield* between(this.records, from, to)
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.set(textOf(key), copied(value))
  }

  remove(key: Uint8Array): void {
    this.set(textOf(key), undefined)
  }

  /** Whether any record is another now. */
  changes(): boolean {
    const seen = new Set<string>()
    return this.before.some(([key, value]) => {
      if (seen.has(key)) return false
      seen.add(key)
      const now = this.records.values.get(key)
      return now === undefined || value === undefined ? now !== value : Buffer.compare(now, value) !== 0
    })
  }

  rollBack(): void {
    for (const [key, value] of this.before.reverse()) assign(this.records, key, value)
  }

  private set(key: string, value: Uint8Array | undefined): void {
    this.before.push([key, this.records.values.get(key)])
    assign(this.records, key, value)
  }
}

/** Whether the process lives; a job of a dead one is ended here. */
function enter(process: Process, call: string, path: AbsPath, effect: boolean): boolean {
  if (process.depth === 0) return effect ? process.act(call, path) : true
  try {
    process.enter(call, path, effect)
    return true
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    throw new StoreFailure(error.code === 'disk-full' ? 'disk-full' : 'io', path, error)
  }
}

function assign(records: Records, key: string, value: Uint8Array | undefined): void {
  const known = records.values.has(key)
  if (value === undefined) {
    if (!known) return
    records.values.delete(key)
    records.keys.splice(records.placeOf(key), 1)
  } else {
    if (!known) records.keys.splice(records.placeOf(key), 0, key)
    records.values.set(key, value)
  }
}

/** The records of the range as they are at this moment. */
function between(records: Records, from: Uint8Array, to: Uint8Array): StoreRecord[] {
  const first = records.placeOf(textOf(from))
  const end = records.placeOf(textOf(to))
  const found: StoreRecord[] = []
  for (let at = first; at < end; at++) {
    const key = records.keys[at] ?? ''
    const value = copied(records.values.get(key))
    if (value !== undefined) found.push({ key: bytesOf(key), value })
  }
  return found
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
}

/** Plain arrays, as the real store hands them out. */
function bytesOf(key: string): Uint8Array {
  const bytes = cut(key.length)
  for (let at = 0; at < key.length; at++) bytes[at] = key.charCodeAt(at)
  return bytes
}

function copied(value: Uint8Array | undefined): Uint8Array | undefined {
  if (value === undefined) return undefined
  const copy = cut(value.length)
  copy.set(value)
  return copy
}

/** Memory from which copies are cut, as in the real store: an array of its own costs more than reading it. */
const slabBytes = 65_536
let slab = new ArrayBuffer(slabBytes)
let slabUsed = 0

function cut(length: number): Uint8Array {
  if (length > slabBytes / 8) return new Uint8Array(length)
  if (slabUsed + length > slabBytes) {
    slab = new ArrayBuffer(slabBytes)
    slabUsed = 0
  }
  slabUsed += length
  return new Uint8Array(slab, slabUsed - length, length)
}

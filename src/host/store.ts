import { Failure } from '../core/failure.js'
import type { AbsPath } from '../core/path.js'

/** Ordered stores of bytes on disk. Every thread opens its own handle of a path; all see the same transactions. */
export interface Stores {
  /**
   * Opens or creates the store in the file `path` (its directory must exist).
   * @throws StoreFailure 'corrupt' when the file is not a store or is damaged: the caller moves it aside
   */
  open(path: AbsPath): Store
  /**
   * Reads all that the store in the file `path` holds, if there is one, and finds whether it can be used: `open` looks only at
   * its ends, and damage in between can end the process when it is read. To be asked by whoever owns a store, before it is
   * opened; it takes about half a second for a million records.
   * @throws StoreFailure as `open`
   */
  check(path: AbsPath): void
}

export interface Store {
  /** Most records of one transaction: who has more to write makes several of it, each of which may be the last. */
  readonly recordsMax: number
  /** Sees every transaction that any handle of this path committed before the call. */
  get(key: Uint8Array): Uint8Array | undefined
  /**
   * Records with from <= key < to in the order of their bytes, as of the first step. Both arrays are fresh: they stay good
   * after the step. The store may be written meanwhile, by this thread too.
   */
  range(from: Uint8Array, to: Uint8Array): Iterable<StoreRecord>
  /** How many those are. A million take some 20 ms. */
  count(from: Uint8Array, to: Uint8Array): number
  /**
   * Reads in `body` see all that was committed before the call, and may see nothing later. Each takes half the time of one alone.
   * Synchronous.
   */
  reading<T>(body: () => T): T
  /**
   * One transaction: all of it or nothing, durable when it returns. Writers of all threads and processes wait for each
   * other. A throw inside rolls back and comes out. Synchronous; at most `recordsMax` records.
   * @throws StoreFailure
   */
  write<T>(body: (transaction: Transaction) => T): T
  close(): void
}

export interface StoreRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Reads inside a transaction see its own writes. */
export interface Transaction {
  get(key: Uint8Array): Uint8Array | undefined
  range(from: Uint8Array, to: Uint8Array): Iterable<StoreRecord>
  put(key: Uint8Array, value: Uint8Array): void
  remove(key: Uint8Array): void
}

/** Longest key in bytes that every store takes. */
export const keyBytesMax = 1_024

export class StoreFailure extends Failure {
  override readonly name = 'StoreFailure'
  constructor(
    readonly code: 'corrupt' | 'disk-full' | 'io',
    readonly path: string,
    cause: unknown,
  ) {
    super(`${path}: ${code}`, { cause })
  }
  override get transient(): boolean {
    return this.code === 'disk-full'
  }
}

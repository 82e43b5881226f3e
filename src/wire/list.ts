import type { Operation, Outcome } from '../core/operation.js'
import type { Supplied, Want } from '../replica/replica.js'
import { BytesReader, BytesWriter } from './bytes.js'
import {
  readOperation,
  readOutcome,
  readSupplied,
  readWant,
  writeOperation,
  writeOutcome,
  writeSupplied,
  writeWant,
} from './operation.js'
import { readPath } from './report.js'

/**
 * Lists for another thread of this process, items one after the other: structured clone of thousands of small objects takes
 * several times as long as writing and reading them.
 */
export interface ListCodec<T> {
  toBytes(items: readonly T[]): Uint8Array<ArrayBuffer>
  /** @throws Malformed, BadPath */
  fromBytes(bytes: Uint8Array): T[]
}

export const operationList = codec<Operation>(writeOperation, (from) => readOperation(from, readPath))
export const outcomeList = codec<Outcome>(writeOutcome, (from) => readOutcome(from, readPath))
export const wantList = codec<Want>(writeWant, (from) => readWant(from, readPath))
export const suppliedList = codec<Supplied>(writeSupplied, readSupplied)

function codec<T>(write: (to: BytesWriter, item: T) => void, read: (from: BytesReader) => T): ListCodec<T> {
  return {
    toBytes(items) {
      const to = new BytesWriter(64 + items.length * eachBytes)
      for (const item of items) write(to, item)
      return to.finish()
    },
    fromBytes(bytes) {
      const from = new BytesReader(bytes)
      const items: T[] = []
      while (!from.atEnd()) items.push(read(from))
      return items
    },
  }
}

/** About what an item takes. */
const eachBytes = 96

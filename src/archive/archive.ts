import type { Agreement } from '../core/agreement.js'
import { componentsOf, decodeName, encodeName, type RelPath, relPath } from '../core/path.js'
import type { Store, Transaction } from '../host/store.js'
import type { Cursor } from '../replica/replica.js'
import { BytesReader, BytesWriter, Malformed } from '../wire/bytes.js'
import { readContent, readProps, writeFound, writeProps } from '../wire/content.js'

/**
 * What both roots of a pair last agreed on, in an ordered store that the lead owns. It may lag behind the roots and never
 * runs ahead of them. Keys begin with the letter of their table; ids in them are big-endian.
 *
 *     m name                    facts: format, pair, roots, generation, cursors, next directory id
 *     e directory id u48, name  ArchiveRecord; the root itself is the entry '' of directory 0
 *     o SHA-256 of the path     open record: a reported path that the archive does not now equal, and why
 *     g directory id u48        members of a directory that is gone, to be removed in time
 *
 * The entry of a directory names its members' keys, so that a renamed directory is one record.
 */
export class Archive {
  constructor(private readonly store: Store) {}

  /** The agreement at a place, with the id of its members' keys (0 for what is no directory). */
  at(directoryId: number, name: string): ArchiveRecord | undefined {
    return recordAt(this.store, directoryId, name)
  }

  find(path: RelPath): ArchiveRecord | undefined {
    return findRecord(this.store, path)
  }

  *members(directoryId: number): Iterable<{ readonly name: string; readonly record: ArchiveRecord }> {
    for (const { key, value } of this.store.range(entryKey(directoryId, ''), entryKey(directoryId + 1, '')))
      yield { name: decodeName(key.subarray(7)), record: decodeRecord(value) }
  }

  facts(): ArchiveFacts | undefined {
    const value = this.store.get(factsKey)
    return value === undefined ? undefined : decodeFacts(value)
  }

  *opens(): Iterable<OpenPath> {
    for (const { value } of this.store.range(Buffer.from('o'), Buffer.from('p'))) yield decodeOpen(value)
  }

  /** How many paths are agreed on, the root not among them; those of directories that are gone count until they are removed. */
  count(): number {
    return Math.max(0, this.store.count(Buffer.from('e'), Buffer.from('f')) - 1)
  }

  close(): void {
    this.store.close()
  }
}

export interface ArchiveRecord {
  readonly agreement: Agreement
  readonly directoryId: number
}

export interface ArchiveFacts {
  /** Canonical names, in the order in which they are alpha and beta here. */
  readonly alpha: string
  readonly beta: string
  /** The markers' ids; '' before the first commit. */
  readonly alphaRoot: string
  readonly betaRoot: string
  readonly generation: number
  readonly alphaCursor: Cursor | undefined
  readonly betaCursor: Cursor | undefined
  /** A cycle was committed: the roots are known, and a missing one is not to be created. */
  readonly met: boolean
  /** Outcomes of batches before this number have been taken in, or are to be left alone. */
  readonly batches: number
  /** The roots are files: the name under which they are one member of a directory here. undefined: they are directories. */
  readonly file?: RelPath | undefined
}

/** `emptied`: what one side emptied is held as a whole; `held`: something else is that waits for somebody. */
export type OpenWhy = 'conflict' | 'problem' | 'superseded' | 'failed' | 'held' | 'skipped' | 'emptied'

export interface OpenPath {
  readonly path: RelPath
  readonly why: OpenWhy
  readonly detail: string
}

export const archiveVersion = 1

/** Reads of a store or of a transaction. */
type Reader = Pick<Store, 'get' | 'range'>

export function findRecord(from: Reader, path: RelPath): ArchiveRecord | undefined {
  let record = recordAt(from, 0, '')
  for (const name of componentsOf(path)) {
    if (record === undefined || record.directoryId === 0) return undefined
    record = recordAt(from, record.directoryId, name)
  }
  return record
}

export function recordAt(from: Reader, directoryId: number, name: string): ArchiveRecord | undefined {
  const value = from.get(entryKey(directoryId, name))
  return value === undefined ? undefined : decodeRecord(value)
}

export function entryKey(directoryId: number, name: string): Uint8Array {
  const bytes = encodeName(name)
  const key = Buffer.allocUnsafe(7 + bytes.length)
  key[0] = 0x65
  key.writeUIntBE(directoryId, 1, 6)
  key.set(bytes, 7)
  return key
}

export function garbageKey(directoryId: number): Uint8Array {
  const key = Buffer.allocUnsafe(7)
  key[0] = 0x67
  key.writeUIntBE(directoryId, 1, 6)
  return key
}

export const factsKey = Buffer.from('mfacts')
const nextIdKey = Buffer.from('mnext-id')

export function nextId(from: Reader): number {
  const value = from.get(nextIdKey)
  return value === undefined ? 1 : Buffer.from(value).readUIntBE(0, 6)
}

export function putNextId(transaction: Transaction, id: number): void {
  const bytes = Buffer.allocUnsafe(6)
  bytes.writeUIntBE(id, 0, 6)
  transaction.put(nextIdKey, bytes)
}

/**
 * Record, version 1: | version u8 | holds u8 (1 alpha, 2 beta) | directory id u48 | content | props of alpha | props of beta |
 */
export function encodeRecord(record: ArchiveRecord): Uint8Array {
  const { content, alphaHolds, betaHolds } = record.agreement
  const to = scratch
  to.reset()
  to.u8(archiveVersion)
  to.u8((alphaHolds === undefined ? 0 : 1) | (betaHolds === undefined ? 0 : 2))
  to.u48(record.directoryId)
  writeFound(to, content)
  if (alphaHolds !== undefined) writeProps(to, alphaHolds)
  if (betaHolds !== undefined) writeProps(to, betaHolds)
  return to.finish()
}

/** @throws Malformed */
export function decodeRecord(bytes: Uint8Array): ArchiveRecord {
  const from = new BytesReader(bytes)
  const version = from.u8()
  if (version !== archiveVersion) throw new Malformed(`an archive record of version ${version}`)
  const holds = from.u8()
  const directoryId = from.u48()
  const content = readContent(from)
  const alphaHolds = (holds & 1) === 0 ? undefined : readProps(from)
  const betaHolds = (holds & 2) === 0 ? undefined : readProps(from)
  return { agreement: { content, alphaHolds, betaHolds }, directoryId }
}

const scratch = new BytesWriter(256)

/** Facts, version 1: texts and numbers in the order of ArchiveFacts; a cursor is preceded by 1, its absence is 0. `file` is there or not. */
export function encodeFacts(facts: ArchiveFacts): Uint8Array {
  const to = new BytesWriter(512)
  to.u8(archiveVersion)
  to.u8(facts.met ? 1 : 0)
  for (const text of [facts.alpha, facts.beta, facts.alphaRoot, facts.betaRoot]) to.text(text)
  to.u48(facts.generation)
  to.text(String(facts.batches))
  for (const cursor of [facts.alphaCursor, facts.betaCursor]) {
    to.u8(cursor === undefined ? 0 : 1)
    if (cursor === undefined) continue
    to.text(cursor.index)
    to.text(cursor.run)
    to.u48(cursor.sequence)
    to.text(cursor.view)
  }
  if (facts.file !== undefined) to.text(facts.file)
  return to.finish()
}

/** @throws Malformed */
export function decodeFacts(bytes: Uint8Array): ArchiveFacts {
  const from = new BytesReader(bytes)
  const version = from.u8()
  if (version !== archiveVersion)
    throw new Malformed(`the archive has format ${version}, this version of tandem reads ${archiveVersion}`)
  const met = from.u8() !== 0
  const text = () => from.text(from.remaining())
  const alpha = text()
  const beta = text()
  const alphaRoot = text()
  const betaRoot = text()
  const generation = from.u48()
  const batches = Number(text())
  const cursor = (): Cursor | undefined =>
    from.u8() === 0 ? undefined : { index: text(), run: text(), sequence: from.u48(), view: text() }
  const [alphaCursor, betaCursor] = [cursor(), cursor()]
  const file = from.atEnd() ? undefined : relPath(text())
  return { alpha, beta, alphaRoot, betaRoot, generation, alphaCursor, betaCursor, met, batches, file }
}

const whys: readonly OpenWhy[] = ['conflict', 'problem', 'superseded', 'failed', 'held', 'skipped', 'emptied']

export function encodeOpen(open: OpenPath): Uint8Array {
  const to = new BytesWriter(64 + open.path.length)
  to.u8(archiveVersion)
  to.u8(whys.indexOf(open.why))
  to.text(open.path)
  to.text(open.detail)
  return to.finish()
}

function decodeOpen(bytes: Uint8Array): OpenPath {
  const from = new BytesReader(bytes)
  if (from.u8() !== archiveVersion) throw new Malformed('an open record of an unknown version')
  const why = whys[from.u8()]
  if (why === undefined) throw new Malformed('an open record of an unknown kind')
  return { why, path: from.text(from.remaining()) as RelPath, detail: from.text(from.remaining()) }
}

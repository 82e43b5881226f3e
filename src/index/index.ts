import type { AbsPath } from '../core/path.js'
import { componentsOf, decodeName, encodeName, join, nameOf, type RelPath, relPath, rootPath } from '../core/path.js'
import type { Store, Transaction } from '../host/store.js'
import type { World } from '../host/workers.js'
import { BytesReader, BytesWriter, Malformed } from '../wire/bytes.js'
import { decodeRecord, encodeRecord, type IndexRecord, type RecordFields, recordOf } from './record.js'
import { sealOf } from './seal.js'

/**
 * What one root holds, as last seen, in an ordered store. It belongs to the root: no preference of a pair is in it, and a
 * scan can rebuild it. Keys begin with the letter of their table; ids and sequences in them are big-endian, so that they
 * sort.
 *
 *     m name                    facts: format, id, run, sequence, next directory id, synced-until; last-change with the
 *                               sequence at which it was noted
 *     e directory id u48, name  IndexRecord; the root itself is the entry '' of directory 0
 *     d directory id u48        where a directory is and when it last changed: DirectoryPlace
 *     r first sequence u48      run id of 16 bytes: who gave the sequences from there on
 *     i inode u64, birth i64    id u48 of the directory that is this one; none where the file system knows no birth
 *     g directory id u48        a directory that is gone: since when i64 ns, and its DirectoryPlace. Its members are removed in
 *                               time, but not at once: it may only have been moved
 *     s directory id u48        seal of 32 bytes: what a survey says as long as nothing changed, of a directory whose members
 *                               can be believed by their stamps. Any write of one of them breaks it
 *
 * A directory keeps its id for as long as it is the same directory (inode and birth), wherever it is moved: its members'
 * records go with it.
 */
export class Index {
  constructor(private readonly store: Store) {}

  /** Most records of one transaction. */
  get recordsMax(): number {
    return this.store.recordsMax
  }

  /** The record at `path` and where it is kept; undefined when nothing is known there. */
  find(path: RelPath): Located | undefined {
    return find(this.store, path)
  }

  /**
   * The same for a caller who has just seen that the directory above is kept under `above`: however deep it is, one step. The
   * answer is of the past when something above was moved meanwhile.
   */
  findBelow(above: number, path: RelPath): Located | undefined {
    const name = nameOf(path)
    const record = placeOf(this.store, above) === undefined ? undefined : at(this.store, above, name)
    return record === undefined ? undefined : { directoryId: above, name, record }
  }

  at(directoryId: number, name: string): IndexRecord | undefined {
    return at(this.store, directoryId, name)
  }

  /** See Store: many reads that need not see what others write meanwhile. */
  reading<T>(body: () => T): T {
    return this.store.reading(body)
  }

  /** The id under which the members of the directory `path` are kept. */
  directoryId(path: RelPath): number | undefined {
    return directoryIdOf(this.store, path)
  }

  /** Members of a directory in the order of their bytes. */
  members(directoryId: number): Iterable<IndexMember> {
    return members(this.store, directoryId)
  }

  /** Every directory with its place, in the order of ids. */
  *places(): Iterable<{ readonly directoryId: number; readonly place: DirectoryPlace }> {
    for (const { key, value } of this.store.range(Buffer.from('d'), Buffer.from('e')))
      yield { directoryId: Buffer.from(key).readUIntBE(1, 6), place: decodePlace(value) }
  }

  place(directoryId: number): DirectoryPlace | undefined {
    return placeOf(this.store, directoryId)
  }

  /** What a survey of the directory says if it holds what its records say; undefined when that is not known. */
  seal(directoryId: number): Uint8Array | undefined {
    return this.store.get(sealKey(directoryId))
  }

  /** The directory with this identity as it was last seen, where it was, gone from there or not; undefined: never seen. */
  whereIs(inode: bigint, birthNs: bigint): Whereabouts | undefined {
    return whereIs(this.store, inode, birthNs)
  }

  /** The sequence at which a directory was last found elsewhere; 0 for never. Until the next one every id stays at its path. */
  lastMove(): number {
    return numberAt(this.store, 'last-move') ?? 0
  }

  /** The last sequence that was given. */
  sequence(): number {
    return numberAt(this.store, 'sequence') ?? 0
  }

  /** The last sequence that a record got, not a run; undefined when that is not known. */
  lastChange(): number | undefined {
    const value = this.store.get(factKey('last-change'))
    if (value === undefined) return undefined
    const bytes = Buffer.from(value)
    // Another version of the program, which does not keep it, may have written since.
    return bytes.readUIntBE(6, 6) === this.sequence() ? bytes.readUIntBE(0, 6) : undefined
  }

  fact(name: string): string | undefined {
    const value = this.store.get(factKey(name))
    return value === undefined ? undefined : Buffer.from(value).toString('utf8')
  }

  /** First and last sequence of a run, or undefined for a run that this index does not know. */
  run(run: string): { readonly first: number; readonly last: number } | undefined {
    let found: { first: number; last: number } | undefined
    for (const { key, value } of this.store.range(Buffer.from('r'), Buffer.from('s'))) {
      const first = Buffer.from(key).readUIntBE(1, 6)
      if (found !== undefined) return { first: found.first, last: first - 1 }
      if (Buffer.from(value).toString('hex') === run) found = { first, last: 0 }
    }
    return found === undefined ? undefined : { first: found.first, last: this.sequence() }
  }

  /**
   * One transaction. Sequences are given inside it, so that a reader who saw one has seen all before it.
   * `first` > `last`: nothing got a sequence.
   */
  write<T>(body: (edit: IndexEdit) => T): { readonly value: T; readonly first: number; readonly last: number } {
    return this.store.write((transaction) => {
      const edit = new IndexEdit(transaction)
      const value = body(edit)
      const { first, last } = edit.finish()
      return { value, first, last }
    })
  }

  close(): void {
    this.store.close()
  }
}

export interface Located {
  readonly directoryId: number
  readonly name: string
  readonly record: IndexRecord
}

export interface IndexMember {
  readonly name: string
  readonly record: IndexRecord
}

/** A directory that is known, and its path when it was last seen. */
export interface Whereabouts {
  readonly directoryId: number
  readonly path: RelPath
}

export interface DirectoryPlace {
  /** Directory that holds it; 0 for the root. */
  readonly parentId: number
  readonly name: string
  /** Sequence at which this directory came to this place. */
  readonly placed: number
  /** Sequence of the last change of membership or of a member. */
  readonly changed: number
  /** Its members were never looked at as a whole: nothing may be concluded from a name that is not there. */
  readonly unlisted: boolean
  readonly inode: bigint
  readonly birthNs: bigint
  /** The path from which it came to this place by a rename, as it was then; undefined: it was first seen here. */
  readonly from: RelPath | undefined
}

/** Of the tables and what is in them but the entries, which have a version of their own. History: 2 identities of directories. */
export const indexFormat = 2

/** The id of the root directory itself; its own record is the entry '' of directory 0. */
export const rootDirectoryId = 1

/** Edits within one transaction; reads see them. */
export class IndexEdit {
  private readonly before: number
  private sequence: number
  private lastChange: number
  private nextId: number
  private readonly firstNewId: number
  private readonly changed = new Map<number, number>()
  /** Directories without a seal. */
  private readonly broken = new Set<number>()

  constructor(private readonly transaction: Transaction) {
    this.before = numberAt(transaction, 'sequence') ?? 0
    this.sequence = this.before
    const noted = transaction.get(factKey('last-change'))
    const bytes = noted === undefined ? undefined : Buffer.from(noted)
    // Where it is not known, all may have changed up to now.
    this.lastChange = bytes?.readUIntBE(6, 6) === this.before ? bytes.readUIntBE(0, 6) : this.before
    this.nextId = numberAt(transaction, 'next-id') ?? rootDirectoryId + 1
    this.firstNewId = this.nextId
  }

  /** This transaction gave the id: what is recorded in that directory was recorded by it. */
  isNew(directoryId: number): boolean {
    return directoryId >= this.firstNewId
  }

  find(path: RelPath): Located | undefined {
    return find(this.transaction, path)
  }

  at(directoryId: number, name: string): IndexRecord | undefined {
    return at(this.transaction, directoryId, name)
  }

  directoryId(path: RelPath): number | undefined {
    return directoryIdOf(this.transaction, path)
  }

  members(directoryId: number): Iterable<IndexMember> {
    return members(this.transaction, directoryId)
  }

  /**
   * A content that was not known: gets the next sequence. A directory that is not the one that was there (inode or birth)
   * gets a new id, and all that was known below the old one is forgotten: it is empty, as far as the caller knows.
   */
  put(directoryId: number, name: string, fields: RecordFields): IndexRecord {
    return this.putOver(directoryId, name, fields, this.at(directoryId, name))
  }

  /**
   * The same for a caller who has read `old`, what this transaction holds there. `unlisted`: what is in a directory that came
   * new is still to be found out.
   */
  putOver(
    directoryId: number,
    name: string,
    fields: RecordFields,
    old: IndexRecord | undefined,
    unlisted = false,
  ): IndexRecord {
    const sequence = ++this.sequence
    let id = 0
    if (fields.kind === 'directory') {
      const same = old?.kind === 'directory' && old.inode === fields.inode && old.birthNs === fields.birthNs
      id = same ? old.directoryId : directoryId === 0 ? this.rootId(old) : this.nextId++
      if (!same) {
        const { inode, birthNs } = fields
        const at = { parentId: directoryId, name, placed: sequence, changed: sequence }
        this.place(id, { ...at, unlisted, inode, birthNs, from: undefined })
        if (identifies(birthNs)) this.transaction.put(identityKey(inode, birthNs), numberBytes(id))
      }
    }
    if (old !== undefined && old.directoryId !== 0 && old.directoryId !== id) this.forget(old.directoryId)
    const record = recordOf(fields, id, sequence)
    this.putEntry(directoryId, name, record)
    this.changed.set(directoryId, sequence)
    this.lastChange = sequence
    return record
  }

  whereIs(inode: bigint, birthNs: bigint): Whereabouts | undefined {
    return whereIs(this.transaction, inode, birthNs)
  }

  lastMove(): number {
    return numberAt(this.transaction, 'last-move') ?? 0
  }

  /**
   * The directory `movedId` is at a new place, with everything that is known below it; what was known there is forgotten.
   * The record at its old place goes, if that had not been noticed yet. undefined: it cannot be, as far as is known here
   * (its new place would lie below it).
   */
  move(movedId: number, directoryId: number, name: string, fields: RecordFields): IndexRecord | undefined {
    const gone = goneOf(this.transaction, movedId)
    const place = gone?.place ?? placeOf(this.transaction, movedId)
    if (place === undefined || gone?.sinceNs === 0n || this.isWithin(directoryId, movedId)) return undefined
    const from = lastPathOf(this.transaction, movedId)
    const sequence = ++this.sequence
    this.lastChange = sequence
    this.transaction.put(factKey('last-move'), numberBytes(sequence))
    if (gone === undefined) {
      this.breakSeal(place.parentId)
      this.transaction.remove(entryKey(place.parentId, place.name))
    } else this.transaction.remove(garbageKey(movedId))
    this.changed.set(place.parentId, sequence)
    const old = this.at(directoryId, name)
    if (old !== undefined && old.directoryId !== 0) this.forget(old.directoryId)
    const changed = Math.max(place.changed, sequence)
    this.place(movedId, { ...place, parentId: directoryId, name, placed: sequence, changed, from })
    const record = recordOf(fields, movedId, sequence)
    this.putEntry(directoryId, name, record)
    this.changed.set(directoryId, sequence)
    return record
  }

  /** The record of anything but a directory is that of another name now. */
  moveEntry(fromId: number, fromName: string, directoryId: number, name: string, fields: RecordFields): void {
    this.remove(fromId, fromName)
    this.putOver(directoryId, name, fields, this.at(directoryId, name))
  }

  /** Every member of the directory is recorded now. It gets a sequence of its own: a reader behind it lists the directory. */
  markListed(directoryId: number): void {
    const place = placeOf(this.transaction, directoryId)
    if (place === undefined || !place.unlisted) return
    const sequence = ++this.sequence
    this.lastChange = sequence
    this.place(directoryId, { ...place, placed: sequence, changed: sequence, unlisted: false })
  }

  /** The same content with other stat facts: nobody hears of it. */
  amend(directoryId: number, name: string, record: IndexRecord): void {
    this.putEntry(directoryId, name, record)
  }

  /** Nothing is there any more. `sinceNs`: wall clock; what was in it is kept a while, should it turn up elsewhere. */
  remove(directoryId: number, name: string, sinceNs = 0n): void {
    const old = this.at(directoryId, name)
    if (old === undefined) return
    const sequence = ++this.sequence
    this.lastChange = sequence
    if (old.directoryId !== 0) this.forget(old.directoryId, sinceNs)
    this.breakSeal(directoryId)
    this.transaction.remove(entryKey(directoryId, name))
    this.changed.set(directoryId, sequence)
  }

  /** Notes what a survey says as long as nothing changes, where the members can be believed by their stamps. */
  seal(directoryId: number): void {
    const seal =
      placeOf(this.transaction, directoryId)?.unlisted === false ? sealOf(this.members(directoryId)) : undefined
    if (seal === undefined) return
    this.broken.delete(directoryId)
    this.transaction.put(sealKey(directoryId), seal)
  }

  setFact(name: string, value: string): void {
    this.transaction.put(factKey(name), Buffer.from(value, 'utf8'))
  }

  /** Sequences from here on belong to `run`. */
  beginRun(run: string): void {
    // One sequence is spent, so that two runs never share their first.
    this.sequence++
    this.transaction.put(runKey(this.sequence), Buffer.from(run, 'hex'))
    // What was gone when the last run ended is not looked after any more (see distrust in open-index.ts).
    for (const { key, value } of this.transaction.range(Buffer.from('g'), Buffer.from('h')))
      this.transaction.put(key, encodeGone(0n, decodeGone(value).place))
  }

  /** Removes up to `most` records of directories that are gone for longer than a move takes; answers whether more are left. */
  purge(most: number, wallNs: bigint): boolean {
    let left = most
    let young = 0
    for (const { key, value } of this.transaction.range(Buffer.from('g'), Buffer.from('h'))) {
      const { sinceNs, place } = decodeGone(value)
      // A clock that was set back must not keep them for ever.
      if (sinceNs !== 0n && sinceNs <= wallNs && wallNs - sinceNs < movedWithinNs) {
        if (++young > most) return true
        continue
      }
      const id = Buffer.from(key).readUIntBE(1, 6)
      for (const member of this.members(id)) {
        if (left-- <= 0) return true
        if (member.record.directoryId !== 0) this.forget(member.record.directoryId)
        this.transaction.remove(entryKey(id, member.name))
      }
      this.transaction.remove(key)
      const identity = identityKey(place.inode, place.birthNs)
      if (idOf(this.transaction.get(identity)) === id) this.transaction.remove(identity)
    }
    // Directories that hung in the ones just purged.
    for (const _ of this.transaction.range(Buffer.from('g'), Buffer.from('h'))) return true
    return false
  }

  /** Writes what is kept once per transaction; answers the sequences given. */
  finish(): { readonly first: number; readonly last: number } {
    for (const [directoryId, sequence] of this.changed) {
      const place = placeOf(this.transaction, directoryId)
      if (place !== undefined) this.place(directoryId, { ...place, changed: Math.max(place.changed, sequence) })
    }
    if (this.sequence !== this.before) {
      this.transaction.put(factKey('sequence'), numberBytes(this.sequence))
      const noted = Buffer.concat([numberBytes(this.lastChange), numberBytes(this.sequence)])
      this.transaction.put(factKey('last-change'), noted)
    }
    this.transaction.put(factKey('next-id'), numberBytes(this.nextId))
    return { first: this.before + 1, last: this.sequence }
  }

  /** Whether a directory is another one or lies below it. */
  private isWithin(directoryId: number, aboveId: number): boolean {
    for (let id: number | undefined = directoryId; id !== undefined && id !== 0; ) {
      if (id === aboveId) return true
      id = (placeOf(this.transaction, id) ?? goneOf(this.transaction, id)?.place)?.parentId
    }
    return false
  }

  /** The root keeps its id while it is one directory; another directory in its place starts with a fresh one below. */
  private rootId(old: IndexRecord | undefined): number {
    return old === undefined ? rootDirectoryId : this.nextId++
  }

  private place(directoryId: number, place: DirectoryPlace): void {
    this.transaction.put(placeKey(directoryId), encodePlace(place))
  }

  private putEntry(directoryId: number, name: string, record: IndexRecord): void {
    this.breakSeal(directoryId)
    this.transaction.put(entryKey(directoryId, name), encodeRecord(record))
  }

  private breakSeal(directoryId: number): void {
    if (this.broken.has(directoryId)) return
    this.broken.add(directoryId)
    this.transaction.remove(sealKey(directoryId))
  }

  private forget(directoryId: number, sinceNs = 0n): void {
    this.breakSeal(directoryId)
    const place = placeOf(this.transaction, directoryId)
    if (place === undefined) return
    this.transaction.remove(placeKey(directoryId))
    this.transaction.put(garbageKey(directoryId), encodeGone(sinceNs, place))
  }
}

/** A directory that is gone from one place turns up at another within this time, or was removed. */
const movedWithinNs = 30_000_000_000n

/** The index of a root, opened once per thread. Its `Job`s share it through the World. */
export function openIndex(world: World, path: AbsPath): Index {
  let opened = openIndexes.get(world)
  if (opened === undefined) {
    opened = new Map()
    openIndexes.set(world, opened)
  }
  let index = opened.get(path)
  if (index === undefined) {
    index = new Index(world.stores.open(path))
    opened.set(path, index)
  }
  return index
}

/** Forgets the handle, so that the file can be moved or removed. */
export function closeIndex(world: World, path: AbsPath): void {
  const opened = openIndexes.get(world)
  opened?.get(path)?.close()
  opened?.delete(path)
}

const openIndexes = new WeakMap<World, Map<AbsPath, Index>>()

/** The path of a directory by its places, or undefined when it hangs in a directory that is gone. */
export function pathOf(index: Index, directoryId: number, known: Map<number, RelPath>): RelPath | undefined {
  const path = known.get(directoryId)
  if (path !== undefined) return path
  const place = index.place(directoryId)
  if (place === undefined) return undefined
  const parent = place.parentId === 0 ? rootPath : pathOf(index, place.parentId, known)
  if (parent === undefined) return undefined
  const found = place.parentId === 0 ? rootPath : join(parent, place.name)
  known.set(directoryId, found)
  return found
}

type Reader = Pick<Store, 'get' | 'range'>

/**
 * Whether a birth time tells two directories apart that had one inode number after another. One that is cut to whole seconds does
 * not: what was removed and what was made in its place are born alike.
 */
function identifies(birthNs: bigint): boolean {
  return birthNs % 1_000_000_000n !== 0n
}

function whereIs(from: Reader, inode: bigint, birthNs: bigint): Whereabouts | undefined {
  if (!identifies(birthNs)) return undefined
  const directoryId = idOf(from.get(identityKey(inode, birthNs)))
  if (directoryId === undefined || goneOf(from, directoryId)?.sinceNs === 0n) return undefined
  const path = lastPathOf(from, directoryId)
  return path === undefined ? undefined : { directoryId, path }
}

/** The path at which a directory was last seen, though it or what it was in may be gone since. */
function lastPathOf(from: Reader, directoryId: number): RelPath | undefined {
  const names: string[] = []
  for (let id = directoryId; id !== 0; ) {
    const place = placeOf(from, id) ?? goneOf(from, id)?.place
    if (place === undefined) return undefined
    if (place.parentId !== 0) names.push(place.name)
    id = place.parentId
  }
  return names.reverse().reduce<RelPath>(join, rootPath)
}

interface Gone {
  /** Wall clock; 0: it will not come back. */
  readonly sinceNs: bigint
  readonly place: DirectoryPlace
}

function goneOf(from: Reader, directoryId: number): Gone | undefined {
  const value = from.get(garbageKey(directoryId))
  return value === undefined ? undefined : decodeGone(value)
}

function idOf(value: Uint8Array | undefined): number | undefined {
  return value === undefined ? undefined : Buffer.from(value).readUIntBE(0, 6)
}

function find(from: Reader, path: RelPath): Located | undefined {
  let directoryId = 0
  let name = ''
  let record = at(from, 0, '')
  for (const component of componentsOf(path)) {
    if (record === undefined || record.directoryId === 0) return undefined
    directoryId = record.directoryId
    name = component
    record = at(from, directoryId, name)
  }
  return record === undefined ? undefined : { directoryId, name, record }
}

function directoryIdOf(from: Reader, path: RelPath): number | undefined {
  const id = find(from, path)?.record.directoryId
  return id === 0 ? undefined : id
}

function at(from: Reader, directoryId: number, name: string): IndexRecord | undefined {
  const value = from.get(entryKey(directoryId, name))
  return value === undefined ? undefined : decodeRecord(value)
}

function* members(from: Reader, directoryId: number): Iterable<IndexMember> {
  for (const { key, value } of from.range(entryKey(directoryId, ''), entryKey(directoryId + 1, '')))
    yield { name: decodeName(key.subarray(7)), record: decodeRecord(value) }
}

function entryKey(directoryId: number, name: string): Uint8Array {
  return asciiEntryKey(directoryId, name) ?? anyEntryKey(directoryId, name)
}

/** Almost every name is plain ASCII, and keys are made for each path that is looked at: no encoder is needed. */
function asciiEntryKey(directoryId: number, name: string): Uint8Array | undefined {
  const key = Buffer.allocUnsafe(7 + name.length)
  key[0] = 0x65
  key.writeUIntBE(directoryId, 1, 6)
  let every = 0
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    every |= code
    key[7 + at] = code
  }
  return every < 0x80 ? key : undefined
}

function anyEntryKey(directoryId: number, name: string): Uint8Array {
  const bytes = encodeName(name)
  const key = Buffer.allocUnsafe(7 + bytes.length)
  key[0] = 0x65
  key.writeUIntBE(directoryId, 1, 6)
  key.set(bytes, 7)
  return key
}

function numberedKey(table: string, number: number): Uint8Array {
  const key = Buffer.allocUnsafe(7)
  key.write(table, 0, 'latin1')
  key.writeUIntBE(number, 1, 6)
  return key
}

const placeKey = (directoryId: number) => numberedKey('d', directoryId)
const garbageKey = (directoryId: number) => numberedKey('g', directoryId)
const sealKey = (directoryId: number) => numberedKey('s', directoryId)
function identityKey(inode: bigint, birthNs: bigint): Uint8Array {
  const key = Buffer.allocUnsafe(17)
  key.write('i', 0, 'latin1')
  key.writeBigUInt64BE(inode, 1)
  key.writeBigInt64BE(birthNs, 9)
  return key
}

const runKey = (sequence: number) => numberedKey('r', sequence)
const factKey = (name: string) => Buffer.from(`m${name}`, 'utf8')

function numberAt(from: Reader, name: string): number | undefined {
  const value = from.get(factKey(name))
  return value === undefined ? undefined : Buffer.from(value).readUIntBE(0, 6)
}

function numberBytes(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(6)
  bytes.writeUIntBE(value, 0, 6)
  return bytes
}

function placeOf(from: Reader, directoryId: number): DirectoryPlace | undefined {
  const value = from.get(placeKey(directoryId))
  return value === undefined ? undefined : decodePlace(value)
}

/**
 * | version u8 | unlisted u8 | directory that holds it u48 | placed u48 | changed u48 | inode u64 | birth i64 | name text |
 * from text, '' for none |
 */
function encodePlace(place: DirectoryPlace): Uint8Array {
  const to = new BytesWriter(64 + place.name.length)
  writePlace(to, place)
  return to.finish()
}

function writePlace(to: BytesWriter, place: DirectoryPlace): void {
  to.u8(placeVersion)
  to.u8(place.unlisted ? 1 : 0)
  to.u48(place.parentId)
  to.u48(place.placed)
  to.u48(place.changed)
  to.u64(place.inode)
  to.i64(place.birthNs)
  to.text(place.name)
  to.text(place.from ?? '')
}

function decodePlace(bytes: Uint8Array): DirectoryPlace {
  return readPlace(new BytesReader(bytes))
}

function readPlace(from: BytesReader): DirectoryPlace {
  if (from.u8() !== placeVersion) throw new Malformed('a directory place of an unknown version')
  const unlisted = from.u8() !== 0
  const parentId = from.u48()
  const placed = from.u48()
  const changed = from.u48()
  const inode = from.u64()
  const birthNs = from.i64()
  const name = from.text(from.remaining())
  const before = from.text(from.remaining())
  return {
    parentId,
    placed,
    changed,
    unlisted,
    inode,
    birthNs,
    name,
    from: before === '' ? undefined : relPath(before),
  }
}

const placeVersion = 2

/** | since i64 ns | place | */
function encodeGone(sinceNs: bigint, place: DirectoryPlace): Uint8Array {
  const to = new BytesWriter(72 + place.name.length)
  to.i64(sinceNs)
  writePlace(to, place)
  return to.finish()
}

function decodeGone(bytes: Uint8Array): Gone {
  const from = new BytesReader(bytes)
  return { sinceNs: from.i64(), place: readPlace(from) }
}

import { createHash } from 'node:crypto'
import type { Agreement } from '../core/agreement.js'
import { type AbsPath, absPath, isWithin, nameOf, parentOf, type RelPath, relPath } from '../core/path.js'
import type { Transaction } from '../host/store.js'
import type { Job, World } from '../host/workers.js'
import { BytesReader, type BytesWriter } from '../wire/bytes.js'
import { pathBytesMax } from '../wire/report.js'
import {
  Archive,
  type ArchiveFacts,
  type ArchiveRecord,
  decodeRecord,
  encodeFacts,
  encodeOpen,
  encodeRecord,
  entryKey,
  factsKey,
  findRecord,
  garbageKey,
  nextId,
  type OpenPath,
  putNextId,
  recordAt,
} from './archive.js'

/**
 * Writes what was settled, durably, at most 5,000 records a transaction. What makes the next cycle skip something (cursors,
 * open records) goes with the last one only: a crash before it lets the next run look again.
 */
export const commitJob: Job<CommitInput, null> = {
  name: 'commit',
  run(world, input) {
    commit(world, input)
    return null
  },
  transferInput: (input) => [input.edits.buffer],
}

export interface CommitInput {
  readonly archive: AbsPath
  /** Records in the layout of encodeEdit, parents before their members. */
  readonly edits: Uint8Array<ArrayBuffer>
  readonly last: LastEdits | undefined
}

export interface LastEdits {
  /** undefined: as they are. */
  readonly facts: ArchiveFacts | undefined
  readonly opened: readonly OpenPath[]
  readonly closed: readonly RelPath[]
}

/**
 * What becomes of one path: agreed, or (undefined) agreed to be absent, with everything below. `passing`: only so that
 * there is something to hang members in; what is agreed there already stays. `from`: what was agreed there, with everything
 * below, is agreed here instead; nothing happens if nothing was.
 */
export interface ArchiveEdit {
  readonly path: RelPath
  readonly agreement: Agreement | undefined
  readonly passing?: boolean
  readonly from?: RelPath
}

/**
 * | path text | 0 absent, 1 agreed, 2 in passing, 3 moved u8 | fields |
 *
 * Fields: of 1 and 2 length u32, a record with directory id 0; of 3 from text.
 */
export function encodeEdit(to: BytesWriter, edit: ArchiveEdit): void {
  to.text(edit.path)
  if (edit.from !== undefined) {
    to.u8(3)
    to.text(edit.from)
    return
  }
  to.u8(edit.agreement === undefined ? 0 : edit.passing === true ? 2 : 1)
  if (edit.agreement === undefined) return
  const record = encodeRecord({ agreement: edit.agreement, directoryId: 0 })
  to.u32(record.length)
  to.raw(record)
}

function* decodeEdits(bytes: Uint8Array): Iterable<ArchiveEdit> {
  const from = new BytesReader(bytes)
  while (!from.atEnd()) {
    const path = relPath(from.text(pathBytesMax))
    const kind = from.u8()
    if (kind === 3) {
      yield { path, agreement: undefined, from: relPath(from.text(pathBytesMax)) }
      continue
    }
    const agreement = kind === 0 ? undefined : decodeRecord(from.raw(from.u32())).agreement
    yield { path, agreement, passing: kind === 2 }
  }
}

function commit(world: World, input: CommitInput): void {
  const store = openStore(world, input.archive)
  let some: ArchiveEdit[] = []
  const flush = (last: LastEdits | undefined) =>
    store.write((transaction) => {
      const writer = new EditWriter(transaction)
      for (const edit of some) writer.edit(edit)
      writer.finish()
      if (last === undefined) return
      for (const path of last.closed) transaction.remove(openKey(path))
      for (const open of last.opened) transaction.put(openKey(open.path), encodeOpen(open))
      if (last.facts !== undefined) transaction.put(factsKey, encodeFacts(last.facts))
    })
  for (const edit of decodeEdits(input.edits)) {
    if (some.length === store.recordsMax) {
      flush(undefined)
      some = []
    }
    some.push(edit)
  }
  if (some.length > 0 || input.last !== undefined) flush(input.last)
}

/** Applies edits to the tree of records; consecutive ones of one directory find their parent once. */
class EditWriter {
  private next: number
  /** Ids from here on were given by this transaction, since the last move: but for `written`, nothing is agreed in those directories. */
  private firstNew: number
  private readonly written = new Set<RelPath>()
  private readonly parents = new Map<RelPath, number | undefined>()

  constructor(private readonly transaction: Transaction) {
    this.next = nextId(transaction)
    this.firstNew = this.next
  }

  edit({ path, agreement, passing, from }: ArchiveEdit): void {
    if (from !== undefined) {
      this.move(from, path)
      return
    }
    const directoryId = path === '' ? 0 : this.idOf(parentOf(path))
    // Nothing is agreed below what is not an agreed directory: such an edit was overtaken, and its path is open.
    if (directoryId === undefined) return
    const name = nameOf(path)
    const isFirst = directoryId >= this.firstNew && !this.written.has(path)
    const old = isFirst ? undefined : recordAt(this.transaction, directoryId, name)
    if (passing === true && old?.agreement.content.kind === 'directory') return
    const key = entryKey(directoryId, name)
    if (agreement === undefined || agreement.content.kind === 'absent') {
      if (old === undefined) return
      this.forget(path, old)
      this.transaction.remove(key)
      return
    }
    const isDirectory = agreement.content.kind === 'directory'
    if (old !== undefined && old.directoryId !== 0 && !isDirectory) this.forget(path, old)
    const kept = isDirectory && old !== undefined ? old.directoryId : 0
    const id = isDirectory ? (kept === 0 ? this.next++ : kept) : 0
    if (isDirectory) this.parents.set(path, id)
    if (directoryId >= this.firstNew) this.written.add(path)
    this.transaction.put(key, encodeRecord({ agreement, directoryId: id }))
  }

  /** One record, whatever hangs in it. */
  private move(from: RelPath, to: RelPath): void {
    this.firstNew = this.next
    const fromId = from === '' ? undefined : this.idOf(parentOf(from))
    const toId = to === '' ? undefined : this.idOf(parentOf(to))
    if (fromId === undefined || isWithin(to, from)) return
    const record = recordAt(this.transaction, fromId, nameOf(from))
    if (record === undefined) return
    this.transaction.remove(entryKey(fromId, nameOf(from)))
    if (toId === undefined) {
      // A directory that both have made there: what was moved is as new as that, and no side holds it at the old place.
      this.forget(from, record)
      return
    }
    const old = recordAt(this.transaction, toId, nameOf(to))
    if (old !== undefined) this.forget(to, old)
    this.transaction.put(entryKey(toId, nameOf(to)), encodeRecord(record))
    // Paths below both name other directories now.
    this.parents.clear()
  }

  finish(): void {
    putNextId(this.transaction, this.next)
    this.purge()
  }

  private idOf(path: RelPath): number | undefined {
    if (this.parents.has(path)) return this.parents.get(path)
    const id = findRecord(this.transaction, path)?.directoryId
    const found = id === 0 ? undefined : id
    this.parents.set(path, found)
    return found
  }

  private forget(path: RelPath, record: ArchiveRecord): void {
    if (record.directoryId === 0) return
    this.parents.clear()
    this.parents.set(path, undefined)
    this.transaction.put(garbageKey(record.directoryId), new Uint8Array(0))
  }

  /** Removes some of what hangs in directories that are gone. */
  private purge(): void {
    let left = purgeMax
    for (const { key } of this.transaction.range(Buffer.from('g'), Buffer.from('h'))) {
      const id = Buffer.from(key).readUIntBE(1, 6)
      for (const member of this.transaction.range(entryKey(id, ''), entryKey(id + 1, ''))) {
        if (left-- <= 0) return
        const { directoryId } = decodeRecord(member.value)
        if (directoryId !== 0) this.transaction.put(garbageKey(directoryId), new Uint8Array(0))
        this.transaction.remove(member.key)
      }
      this.transaction.remove(key)
    }
  }
}

/** Records of directories that are gone, removed along with other writes. */
const purgeMax = 500

function openKey(path: RelPath): Uint8Array {
  const digest = createHash('sha256').update(Buffer.from(path, 'utf16le')).digest()
  return Buffer.concat([Buffer.from('o'), digest])
}

function openStore(world: World, path: AbsPath) {
  let stores = opened.get(world)
  if (stores === undefined) {
    stores = new Map()
    opened.set(world, stores)
  }
  let store = stores.get(path)
  if (store === undefined) {
    store = world.stores.open(path)
    stores.set(path, store)
  }
  return store
}

/** For a job: open as long as its thread lives, or until closeStore. */
export function archiveIn(world: World, path: AbsPath): Archive {
  return new Archive(openStore(world, path))
}

export function closeStore(world: World, path: AbsPath): void {
  opened.get(world)?.get(path)?.close()
  opened.get(world)?.delete(path)
}

const opened = new WeakMap<World, Map<AbsPath, ReturnType<World['stores']['open']>>>()

/** The archive's file in the directory of its pair. */
export function archivePath(directory: AbsPath): AbsPath {
  return absPath(`${directory}/archive.mdb`)
}

/** For reading on the thread that asks. */
export function openArchive(world: Pick<World, 'stores'>, path: AbsPath): Archive {
  return new Archive(world.stores.open(path))
}

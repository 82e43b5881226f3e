import { nameOf, parentOf, type RelPath, rootPath } from '../../core/path.js'
import { StoreFailure } from '../../host/store.js'
import type { Index, IndexEdit } from '../../index/index.js'
import type { IndexRecord, RecordFields } from '../../index/record.js'
import { sameRecord } from './stamp.js'

/** One path as a job left it. */
export interface Recording {
  readonly path: RelPath
  /** What the index held when the job looked: a newer record is not overwritten with the past. */
  readonly before: IndexRecord | undefined
  /** undefined: nothing is there any more. */
  readonly fields: RecordFields | undefined
  /** It was renamed: what the index held at the old path, and what is known below it goes along. */
  readonly from?: { readonly path: RelPath; readonly before: IndexRecord | undefined } | undefined
}

export interface Recorded {
  /** Sequences given; `first` > `last`: none. */
  readonly first: number
  readonly last: number
  /** Paths to be looked at: their record is newer than what the job saw, or could not be written. */
  readonly dirty: readonly RelPath[]
  /** The index knows nothing of something that is there now: it could not be written. */
  readonly failure: StoreFailure | undefined
}

/** Writes what a batch did, in its order, with fresh sequences: every pair of the root hears of it. */
export function recordAll(index: Index, recordings: readonly Recording[]): Recorded {
  let [first, last] = [1, 0]
  const dirty: RelPath[] = []
  let failure: StoreFailure | undefined
  // A type change is two steps at one path: the second finds what the first has recorded, not what the job had looked at.
  const own: Own = { records: new Map(), isAll: true }
  const { recordsMax } = index
  for (let at = 0; at < recordings.length; at += recordsMax) {
    const part = recordings.slice(at, at + recordsMax)
    try {
      const written = index.write((edit) => recordPart(edit, part, own))
      dirty.push(...written.value)
      if (written.first > written.last) continue
      if (first > last) first = written.first
      last = written.last
    } catch (error) {
      // What was done is done; the index lags, which the next scan heals: whatever it finds at a path that is known differs from
      // what is known. At others it may find nothing by then, as if nothing had been done.
      if (!(error instanceof StoreFailure)) throw error
      own.isAll = false
      if (part.some(({ before, from }) => before === undefined || from !== undefined)) failure = error
      for (const { path } of part) dirty.push(path)
    }
  }
  return { first, last, dirty, failure }
}

interface Own {
  readonly records: Map<RelPath, IndexRecord | undefined>
  /**
   * They are all that is recorded in directories that a transaction of this batch made, so that most of a first sync need not be looked
   * up. Not once a directory was moved, replaced or removed: a path may be that of another by then.
   */
  isAll: boolean
}

function recordPart(edit: IndexEdit, part: readonly Recording[], own: Own): RelPath[] {
  const dirty: RelPath[] = []
  const ids = new Map<RelPath, number>()
  for (const { path, before, fields, from } of part) {
    const parent = parentOf(path)
    let id: number | undefined
    if (path === rootPath) id = 0
    else {
      id = ids.get(parent) ?? edit.directoryId(parent)
      if (id !== undefined) ids.set(parent, id)
    }
    const name = path === rootPath ? '' : nameOf(path)
    const expected = own.records.has(path) ? own.records.get(path) : before
    const isOwn = id !== undefined && own.isAll && edit.isNew(id)
    const known = id === undefined ? undefined : isOwn ? own.records.get(path) : edit.at(id, name)
    if (id === undefined || !sameRecord(known, expected)) {
      dirty.push(path)
      continue
    }
    // Ids below may change with it.
    if (known?.kind === 'directory') ids.clear()
    if (from !== undefined && fields !== undefined) {
      ids.clear()
      own.isAll = false
      if (!moveRecord(edit, from, id, name, fields)) dirty.push(path, from.path)
      continue
    }
    if (fields === undefined) {
      edit.remove(id, name)
      own.records.set(path, undefined)
      if (known?.kind === 'directory') own.isAll = false
      continue
    }
    const record = edit.putOver(id, name, fields, known)
    own.records.set(path, record)
    if (known?.kind === 'directory' && known.directoryId !== record.directoryId) own.isAll = false
    // What comes in it next is found from here: a deep tree would be walked from the root for each of its levels.
    if (record.directoryId !== 0) ids.set(path, record.directoryId)
  }
  return dirty
}

function moveRecord(
  edit: IndexEdit,
  from: { readonly path: RelPath; readonly before: IndexRecord | undefined },
  id: number,
  name: string,
  fields: RecordFields,
): boolean {
  const old = edit.find(from.path)
  if (old === undefined || !sameRecord(old.record, from.before)) return false
  if (fields.kind === 'directory') return edit.move(old.record.directoryId, id, name, fields) !== undefined
  edit.moveEntry(old.directoryId, old.name, id, name, fields)
  return true
}

import type { Operation, Outcome } from '../../core/operation.js'
import { isReserved, isWithin, nameOf, parentOf, type RelPath, rootPath } from '../../core/path.js'
import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import { foundOf, type IndexRecord, type RecordFields, recordOf } from '../../index/record.js'
import type { Checked } from './check.js'
import { contentOf, formOf } from './form.js'
import type { Step } from './intent.js'
import { fieldsOf, isStagedRacy, isStampOf, sameObject } from './stamp.js'

type Rename = Operation & { readonly op: 'rename' }

/** What stands at the old path, found to be what the index knows there, or why it is not renamed. */
export type Renamable =
  | { readonly kind: 'renamable'; readonly step: Step; readonly checked: Checked & { readonly kind: 'expected' } }
  | { readonly kind: 'refused'; readonly outcome: Outcome }

/**
 * Only that it is the same object counts: what was written into it, or into what is below it, and has not been seen yet goes
 * along and is found at the new path.
 * @throws FileFailure
 */
export function prepareRename(
  operation: Rename,
  record: IndexRecord | undefined,
  openParent: (path: RelPath) => Directory,
): Renamable {
  const { path, from, expect } = operation
  const refuse = (detail: string): Renamable => ({ kind: 'refused', outcome: { kind: 'superseded', path, detail } })
  if (isReserved(from) || from === rootPath || isWithin(path, from) || isWithin(from, path))
    return {
      kind: 'refused',
      outcome: { kind: 'failed', path, code: 'unsupported', detail: `not renamed from ${from}`, transient: false },
    }
  const stat = openParent(from).statAt(nameOf(from))
  if (stat === undefined) return refuse('nothing is there any more to be renamed')
  if (stat.kind !== expect.kind || record === undefined || record.problem !== undefined)
    return refuse('something else is there than was to be renamed')
  if (record.kind !== stat.kind || record.inode !== stat.inode || record.birthNs !== stat.birthNs)
    return refuse('what was to be renamed was replaced')
  const form = formOf(stat, record.fingerprint, record.target ?? '')
  return {
    kind: 'renamable',
    step: {
      op: 'rename',
      path,
      staged: '',
      expect: form,
      goal: form,
      racy: record.racy,
      from,
      inode: stat.inode,
      birthNs: stat.birthNs,
    },
    checked: { kind: 'expected', stat, form, racy: record.racy },
  }
}

/** `now`: what the new path holds, and what the index is to know of it. */
export type Renamed =
  | { readonly kind: 'done'; readonly fields: RecordFields; readonly outcome: Outcome }
  | { readonly kind: 'superseded'; readonly outcome: Outcome }

/**
 * One rename, if nothing is at the new path. What comes out there is looked at once more: if the old path was given to
 * something else in the last moment, that goes back.
 * @throws FileFailure when nothing was changed
 */
export function publishRename(
  step: Step,
  before: Stat,
  record: IndexRecord,
  source: Directory,
  parent: Directory,
  wallNs: bigint,
): Renamed {
  const { path, from = path } = step
  const superseded = (detail: string): Renamed => ({
    kind: 'superseded',
    outcome: { kind: 'superseded', path, detail },
  })
  const now = source.statAt(nameOf(from))
  if (now === undefined || now.inode !== before.inode || now.kind !== before.kind)
    return superseded('what was to be renamed was replaced')
  try {
    source.rename(nameOf(from), parent, nameOf(path), 'no-replace')
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    if (error.code === 'exists') return superseded('something was made there meanwhile')
    if (error.code === 'absent') return superseded('it was removed meanwhile')
    throw error
  }
  const after = lookAgain(step, source, parent)
  if (after === undefined || after.inode !== before.inode || after.kind !== before.kind) {
    if (after !== undefined) putBack(parent, nameOf(path), source, nameOf(from))
    return superseded('it was replaced while it was renamed')
  }
  const fields = after.kind === 'directory' ? fieldsOf(after, nothingRead) : fieldsNow(record, now, after, wallNs)
  const found = foundOf(recordOf(fields, 0, 0))
  if (found.kind === 'problem') return superseded('it is nothing that is synchronized')
  return { kind: 'done', fields, outcome: { kind: 'done', path, from, content: found } }
}

const nothingRead = { fingerprint: undefined, target: undefined, racy: false }

/**
 * What came out at the new path. Where that cannot be said, nothing is to have been done: it goes back.
 * @throws FileFailure
 */
function lookAgain({ path, from = path }: Step, source: Directory, parent: Directory): Stat | undefined {
  try {
    return parent.statAt(nameOf(path))
  } catch (error) {
    putBack(parent, nameOf(path), source, nameOf(from))
    throw error
  }
}

/** The bytes are those of the record if nothing but the rename moved the stamp. Else what was known stays so until the next look. */
function fieldsNow(record: IndexRecord, now: Stat, after: Stat, wallNs: bigint): RecordFields {
  if (!isStampOf(record, now) || !sameObject(now, after)) return record
  const { fingerprint, target } = record
  const racy = record.racy || isStagedRacy(after, wallNs)
  return fieldsOf(after, { fingerprint, target, racy })
}

function putBack(parent: Directory, name: string, source: Directory, old: string): void {
  try {
    parent.rename(name, source, old, 'no-replace')
  } catch (error) {
    // It stays where it is, and is found there: a rename by somebody.
    if (!(error instanceof FileFailure)) throw error
  }
}

/** Whether a rename that was cut off had been done, as far as the two paths tell. */
function isRenamed(root: Directory, step: Step): boolean {
  return isThat(step, statAt(root, step.path))
}

function isThat({ inode, birthNs }: Step, stat: Stat | undefined): boolean {
  return stat !== undefined && stat.inode === inode && stat.birthNs === birthNs
}

/** Whether what was renamed is at its old path again: the machine went down before the rename was on the disk. */
export function isUnrenamed(root: Directory, step: Step): boolean {
  return step.from !== undefined && isThat(step, statAt(root, step.from))
}

/** What a path holds after a rename that was cut off, as a lead is told of it. */
export function renamedOutcome(root: Directory, step: Step): Outcome | undefined {
  const { path, from } = step
  const stat = statAt(root, path)
  if (from === undefined || stat === undefined || !isRenamed(root, step)) return undefined
  const content = stat.kind === 'directory' ? contentOf(formOf(stat, undefined, '')) : contentOf(step.goal)
  return { kind: 'done', path, from, content }
}

function statAt(root: Directory, path: RelPath): Stat | undefined {
  try {
    const parent = root.openDirectory(parentOf(path))
    try {
      return parent.statAt(nameOf(path))
    } finally {
      parent.close()
    }
  } catch (error) {
    if (!(error instanceof FileFailure) || error.transient === false) throw error
    return undefined
  }
}

import type { Content } from '../../core/content.js'
import type { Directory, Stat } from '../../host/files.js'
import type { IndexRecord } from '../../index/record.js'
import { absentForm, type Form, formOf, likeness } from './form.js'
import { isStampOf, sameDirectory, sameStamp } from './stamp.js'

/** What stands at a path, found to be what an operation expects. */
export type Checked =
  | {
      readonly kind: 'expected'
      /** undefined: nothing is there, as expected. */
      readonly stat: Stat | undefined
      readonly form: Form
      /** The stamp does not vouch for the bytes: they are compared as well. */
      readonly racy: boolean
    }
  | { readonly kind: 'superseded'; readonly detail: string }

/**
 * Compares what stands at a name with what an operation expects there. A file's content is known by its index record, so
 * the record must be of this very stamp; any difference means that a change is on its way that has not been seen yet.
 * @throws FileFailure
 */
export function check(parent: Directory, name: string, expect: Content, record: IndexRecord | undefined): Checked {
  const stat = parent.statAt(name)
  if (expect.kind === 'absent')
    return stat === undefined ? expected(undefined, absentForm, false) : superseded('something is there')
  if (stat === undefined) return superseded('nothing is there any more')
  if (stat.kind !== expect.kind) return superseded(`a ${stat.kind} is there, not a ${expect.kind}`)
  switch (expect.kind) {
    case 'directory':
      if (differs(expect.props.mode, stat.mode)) return superseded('its mode was changed')
      // Recorded in its place it would be known by the members of the one before.
      if (record?.kind === 'directory' && !sameDirectory(record, stat)) return superseded('another directory is there')
      return expected(stat, formOf(stat, undefined, ''), false)
    case 'symlink': {
      const target = parent.readSymlink(name)
      if (target !== expect.target) return superseded('the link was changed')
      return expected(stat, formOf(stat, undefined, target), false)
    }
    case 'file': {
      if (expect.sizeBytes !== stat.sizeBytes) return superseded('its size was changed')
      if (differs(expect.props.mtimeNs, stat.mtimeNs)) return superseded('its time was changed')
      if (differs(expect.props.mode, stat.mode)) return superseded('its mode was changed')
      if (record === undefined || record.problem !== undefined || !isStampOf(record, stat))
        return superseded('it was changed since it was last seen')
      const { fingerprint } = record
      if (expect.fingerprint !== undefined && fingerprint !== undefined && fingerprint !== expect.fingerprint)
        return superseded('its content was changed')
      // Of a file that was never read the stamp vouches for nothing.
      const isUnread = expect.fingerprint !== undefined && fingerprint === undefined
      return expected(stat, formOf(stat, expect.fingerprint ?? fingerprint, ''), record.racy || isUnread)
    }
  }
}

/**
 * Once more, just before the change: nothing may have moved since `before`, and where the content is to be replaced nobody
 * may hold the file open for writing. This makes a visible swap and swap back a matter of a true race, not the ordinary course for every edited file.
 * @throws FileFailure
 */
export function checkAgain(
  parent: Directory,
  name: string,
  before: Checked & { kind: 'expected' },
  what: 'content' | 'properties',
): Checked | 'busy' {
  // A new name needs no second look: rename and mkdir refuse one that is taken, in the step that would take it.
  if (before.stat === undefined) return before
  const stat = parent.statAt(name)
  if (stat === undefined) return superseded('nothing is there any more')
  if (before.stat.kind === 'directory') return stat.inode === before.stat.inode ? before : superseded('it was replaced')
  if (!sameStamp(stat, before.stat)) return superseded('it was changed meanwhile')
  if (what === 'properties') return before
  const found = likeness(parent, name, before.form, before.racy ? 'bytes' : 'stat')
  switch (found.kind) {
    case 'same':
      return before
    case 'written':
      return 'busy'
    case 'absent':
    case 'other':
      return superseded('it was changed meanwhile')
  }
}

function differs<T>(expected: T | undefined, found: T): boolean {
  return expected !== undefined && expected !== found
}

function expected(stat: Stat | undefined, form: Form, racy: boolean): Checked {
  return { kind: 'expected', stat, form, racy }
}

function superseded(detail: string): Checked {
  return { kind: 'superseded', detail }
}

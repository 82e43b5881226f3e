import { join, type RelPath } from '../../core/path.js'
import type { Clock } from '../../host/clock.js'
import type { Job, World } from '../../host/workers.js'
import { type Index, openIndex } from '../../index/index.js'
import { foundOf } from '../../index/record.js'
import { type Folded, type FoldMember, type FoldStep, fold } from '../../wire/fold.js'
import type { AuditRow, View } from '../replica.js'
import { seenIn } from '../view.js'
import type { RootPlace } from './place.js'

/** Rows for the paths that are directories, still without digests, and what has to be folded for these. */
export const auditJob: Job<AuditInput, { readonly rows: readonly AuditRow[]; readonly steps: readonly FoldStep[] }> = {
  name: 'audit',
  run: audit,
}

export interface AuditInput {
  readonly place: RootPlace
  readonly view: View
  readonly paths: readonly RelPath[]
  readonly members: boolean
}

/** A part of the digests. */
export const foldJob: Job<FoldInput, Folded> = {
  name: 'fold',
  run(world, { place, view, steps, perms, times, except }) {
    const index = openIndex(world, place.index)
    return fold(steps, (id) => membersOf(index, id), {
      perms,
      times,
      counts: countsPredicate(view, except, world.clock),
    })
  },
}

export interface FoldInput {
  readonly place: RootPlace
  readonly view: View
  readonly steps: readonly FoldStep[]
  readonly perms: number
  readonly times: boolean
  readonly except: readonly RelPath[]
}

/** Marks the records of these files as racy: what reads the index next reads them again. */
export const doubtJob: Job<{ readonly place: RootPlace; readonly paths: readonly RelPath[] }, null> = {
  name: 'doubt',
  run(world, { place, paths }) {
    openIndex(world, place.index).write((edit) => {
      for (const path of paths) {
        const located = edit.find(path)
        if (located?.record.kind !== 'file') continue
        edit.amend(located.directoryId, located.name, { ...located.record, racy: true })
      }
    })
    return null
  },
}

function audit(world: World, { place, view, paths, members }: AuditInput) {
  const index = openIndex(world, place.index)
  const seen = seenIn(view, world.clock)
  const rows: AuditRow[] = []
  const steps: FoldStep[] = []
  for (const path of paths) {
    const record = index.find(path)?.record
    const found = foundOf(record)
    if (record === undefined || found.kind !== 'directory') continue
    const its = index.place(record.directoryId)
    // Of members that were never looked at as a whole nothing is told.
    if (its === undefined || its.unlisted) continue
    rows.push({ directory: path, name: '', found, sequence: Math.max(its.placed, its.changed), digest: '' })
    if (!members) {
      steps.push({ path, id: record.directoryId, to: path })
      continue
    }
    for (const { name, record: member } of index.members(record.directoryId)) {
      const at = join(path, name)
      if (!seen(at)) continue
      const held = foundOf(member)
      rows.push({ directory: path, name, found: held, sequence: member.sequence, digest: '' })
      if (held.kind === 'directory') steps.push({ path: at, id: member.directoryId, to: at })
    }
  }
  return { rows, steps }
}

function* membersOf(index: Index, directoryId: number): Iterable<FoldMember> {
  for (const { name, record } of index.members(directoryId))
    yield { name, found: foundOf(record), id: record.directoryId }
}

/** What a pair compares: what is in its view and not open. */
function countsPredicate(view: View, except: readonly RelPath[], clock: Clock): (path: RelPath) => boolean {
  const seen = seenIn(view, clock)
  const open = new Set(except)
  return (path) => !open.has(path) && seen(path)
}

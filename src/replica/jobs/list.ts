import { join, type RelPath, rootPath } from '../../core/path.js'
import type { Member, Report } from '../../core/report.js'
import type { Job } from '../../host/workers.js'
import { type Index, openIndex, pathOf } from '../../index/index.js'
import { foundOf } from '../../index/record.js'
import { BytesWriter } from '../../wire/bytes.js'
import { writeReport } from '../../wire/report.js'
import type { Cursor } from '../replica.js'
import type { RootPlace } from './place.js'

/** What is still to be listed of a path: its own entry, and its members, alone or all the way down. */
export interface ListStep {
  readonly path: RelPath
  readonly entry: boolean
  readonly members: 'none' | 'own' | 'deep'
  /** Where the index keeps the directory above, as seen in this very listing; it is found from the root if not given. */
  readonly above?: number
}

/**
 * What a reader with `cursor` has to be told: every directory whose membership, members or placement changed since; from
 * the root down when the index cannot vouch for the cursor. Nothing of a change after `sequence` may be missing from what
 * is pushed later.
 */
export const catchUpJob: Job<
  { readonly place: RootPlace; readonly cursor: Cursor | undefined },
  {
    readonly steps: readonly ListStep[]
    /** Which of the directories that are listed came from where the reader may still know them. */
    readonly moved: readonly Report[]
    readonly sequence: number
  }
> = {
  name: 'catch-up',
  run(world, { place, cursor }) {
    const index = openIndex(world, place.index)
    const sequence = index.sequence()
    if (cursor === undefined || !vouchesFor(index, cursor))
      return { steps: [{ path: rootPath, entry: true, members: 'deep' }], moved: [], sequence }
    return { ...changedSince(index, cursor.sequence), sequence }
  },
}

export interface Listed {
  /** In the layout of wire/report.ts. */
  readonly reports: Uint8Array<ArrayBuffer>
  readonly rest: readonly ListStep[]
}

/**
 * Lists from the index, in the order of the steps, about `reportBytesMax` at a time.
 */
export const listJob: Job<{ readonly place: RootPlace; readonly steps: readonly ListStep[] }, Listed> = {
  name: 'list',
  run(world, { place, steps }) {
    const index = openIndex(world, place.index)
    return index.reading(() => list(index, steps))
  },
  transfer: (output) => [output.reports.buffer],
}

/** A run that this index does not know, or a sequence past that run's last, was given by another life of the index. */
function vouchesFor(index: Index, cursor: Cursor): boolean {
  if (index.fact('id') !== cursor.index) return false
  const run = index.run(cursor.run)
  return run !== undefined && cursor.sequence <= run.last
}

function changedSince(index: Index, sequence: number): { readonly steps: ListStep[]; readonly moved: Report[] } {
  const last = index.lastChange()
  // The root's own properties have no directory whose listing would tell them.
  const rootEntry: ListStep = { path: rootPath, entry: true, members: 'none' }
  if (last !== undefined && last <= sequence) return { steps: [rootEntry], moved: [] }
  const isPlaced = placedAbove(index, sequence)
  const moved: Report[] = []
  const known = new Map<number, RelPath>()
  const placed: RelPath[] = []
  const changed: RelPath[] = []
  for (const { directoryId, place } of index.places()) {
    if (place.changed <= sequence && place.placed <= sequence) continue
    if (place.placed > sequence && place.from !== undefined) {
      const path = pathOf(index, directoryId, known)
      if (path !== undefined) moved.push({ kind: 'moved', path, from: place.from })
    }
    // Of what came to its place together, the outermost is listed all the way down.
    if (isPlaced(place.parentId)) continue
    const path = pathOf(index, directoryId, known)
    if (path === undefined) continue
    if (place.placed > sequence) placed.push(path)
    else changed.push(path)
  }
  const steps: ListStep[] = placed.includes(rootPath) ? [] : [rootEntry]
  for (const path of placed.sort(byLength)) steps.push({ path, entry: true, members: 'deep' })
  for (const path of changed.sort()) steps.push({ path, entry: false, members: 'own' })
  return { steps, moved }
}

/** Whether a directory, or one above it, came to its place after `sequence`; each is asked for once. */
function placedAbove(index: Index, sequence: number): (directoryId: number) => boolean {
  const known = new Map<number, boolean>([[0, false]])
  return (directoryId) => {
    const way: number[] = []
    let at = directoryId
    let answer = known.get(at)
    while (answer === undefined) {
      way.push(at)
      const place = index.place(at)
      if (place === undefined || place.placed > sequence) answer = place !== undefined
      else {
        at = place.parentId
        answer = known.get(at)
      }
    }
    for (const id of way) known.set(id, answer)
    return answer
  }
}

function byLength(a: RelPath, b: RelPath): number {
  return a.length - b.length
}

function list(index: Index, steps: readonly ListStep[]): Listed {
  const reports = new BytesWriter(64 * 1024)
  const rest = [...steps].reverse()
  while (reports.length < reportBytesMax) {
    const step = rest.pop()
    if (step === undefined) break
    const located = step.above === undefined ? index.find(step.path) : index.findBelow(step.above, step.path)
    const found = foundOf(located?.record)
    if (step.entry || found.kind !== 'directory') writeReport(reports, { kind: 'entry', path: step.path, found })
    if (located === undefined || found.kind !== 'directory' || step.members === 'none') continue
    // Its members are being looked at just now: it is listed when they are all recorded, under a later sequence.
    if (index.place(located.record.directoryId)?.unlisted === true) continue
    const members: Member[] = []
    const below: ListStep[] = []
    for (const { name, record } of index.members(located.record.directoryId)) {
      const held = foundOf(record)
      members.push({ name, found: held })
      if (step.members === 'deep' && held.kind === 'directory')
        below.push({ path: join(step.path, name), entry: false, members: 'deep', above: located.record.directoryId })
    }
    writeReport(reports, { kind: 'listing', path: step.path, members, more: false })
    for (const next of below.reverse()) rest.push(next)
  }
  return { reports: reports.finish(), rest: rest.reverse() }
}

/** About as much as one answer holds; one directory is never cut here. */
const reportBytesMax = 512 * 1024

import { parentOf, type RelPath } from '../../core/path.js'
import type { Found } from '../../core/report.js'
import { type Directory, FileFailure } from '../../host/files.js'
import type { Job, World } from '../../host/workers.js'
import { type Index, type Located, openIndex } from '../../index/index.js'
import { foundOf, type IndexRecord } from '../../index/record.js'
import { BytesWriter } from '../../wire/bytes.js'
import { writeReport } from '../../wire/report.js'
import { openRoot, type RootPlace } from './place.js'
import { problemOf } from './problem.js'
import { readWhole } from './read.js'
import { isStampOf } from './stamp.js'

/**
 * Reads files and notes their fingerprints, where the stamp is still the one the index holds. Answers an entry for each path
 * as the index now has it; a path whose file moved on is answered in `again`, to be scanned.
 */
export const identifyJob: Job<IdentifyInput, IdentifyOutput> = {
  name: 'identify',
  run: identify,
  transfer: (output) => [output.reports.buffer],
}

export interface IdentifyInput {
  readonly place: RootPlace
  /** At most a few thousand; those of one directory together. */
  readonly paths: readonly RelPath[]
}

export interface IdentifyOutput {
  readonly reports: Uint8Array<ArrayBuffer>
  readonly again: readonly RelPath[]
}

interface Read {
  readonly path: RelPath
  readonly located: Located
  readonly record: IndexRecord
}

function identify(world: World, { place, paths }: IdentifyInput): IdentifyOutput {
  const index = openIndex(world, place.index)
  const reports = new BytesWriter(16 * 1024)
  const again: RelPath[] = []
  const reads: Read[] = []
  const answer = (path: RelPath, found: Found) => writeReport(reports, { kind: 'entry', path, found })
  const root = openRoot(world.files, place.root)
  let open: { readonly path: RelPath; readonly directory: Directory } | undefined
  try {
    for (const path of paths) {
      const located = index.find(path)
      if (located === undefined || !wantsReading(located.record)) {
        answer(path, foundOf(located?.record))
        continue
      }
      try {
        if (open === undefined || open.path !== parentOf(path)) {
          open?.directory.close()
          open = undefined
          open = { path: parentOf(path), directory: root.openDirectory(parentOf(path)) }
        }
        const record = read(world, open.directory, located)
        if (record === undefined) again.push(path)
        else reads.push({ path, located, record })
      } catch (error) {
        if (!(error instanceof FileFailure)) throw error
        if (error.code === 'absent' || error.code === 'not-directory' || error.code === 'loop') again.push(path)
        else answer(path, problemOf(error))
      }
    }
  } finally {
    open?.directory.close()
    root.close()
  }
  note(index, reads, answer, again)
  return { reports: reports.finish(), again }
}

function wantsReading(record: IndexRecord): boolean {
  return record.kind === 'file' && record.problem === undefined && (record.fingerprint === undefined || record.racy)
}

function read(world: World, directory: Directory, located: Located): IndexRecord | undefined {
  const handle = directory.openFile(located.name)
  try {
    const file = readWhole(world, handle)
    if (file === undefined || !isStampOf(located.record, file.stat)) return undefined
    return { ...located.record, fingerprint: file.fingerprint, racy: file.racy }
  } finally {
    handle.close()
  }
}

/** What changed in the index while the files were read knows better. */
function note(
  index: Index,
  reads: readonly Read[],
  answer: (path: RelPath, found: Found) => void,
  again: RelPath[],
): void {
  const { recordsMax } = index
  for (let at = 0; at < reads.length; at += recordsMax) {
    index.write((edit) => {
      for (const { path, located, record } of reads.slice(at, at + recordsMax)) {
        if (edit.at(located.directoryId, located.name)?.sequence !== record.sequence) again.push(path)
        else {
          edit.amend(located.directoryId, located.name, record)
          answer(path, foundOf(record))
        }
      }
    })
  }
}

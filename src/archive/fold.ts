import { heldBy } from '../core/agreement.js'
import type { AbsPath, RelPath } from '../core/path.js'
import { seenPredicate } from '../core/seen.js'
import type { Side } from '../core/side.js'
import type { Job } from '../host/workers.js'
import { type Folded, type FoldMember, type FoldStep, fold } from '../wire/fold.js'
import type { Archive } from './archive.js'
import { archiveIn } from './commit.js'

/** A part of the digests of what one side holds, as the archive has it: equal to those of its index, or the audit looks closer. */
export const foldArchiveJob: Job<FoldArchiveInput, Folded> = {
  name: 'fold-archive',
  run(world, { archive: path, side, steps, ignore, ignorenot, paths, perms, times, except }) {
    const archive = archiveIn(world, path)
    const seen = seenPredicate({ ignore, ignorenot, paths })
    const open = new Set(except)
    const counts = (at: RelPath) => !open.has(at) && seen(at)
    return fold(steps, (id) => membersOf(archive, id, side), { perms, times, counts })
  },
}

export interface FoldArchiveInput {
  readonly archive: AbsPath
  /** In the archive's own order of the roots. */
  readonly side: Side
  readonly steps: readonly FoldStep[]
  readonly ignore: readonly string[]
  readonly ignorenot: readonly string[]
  readonly paths: readonly RelPath[]
  readonly perms: number
  readonly times: boolean
  /** Open paths. */
  readonly except: readonly RelPath[]
}

function* membersOf(archive: Archive, directoryId: number, side: Side): Iterable<FoldMember> {
  for (const { name, record } of archive.members(directoryId))
    yield { name, found: heldBy(side, record.agreement), id: record.directoryId }
}

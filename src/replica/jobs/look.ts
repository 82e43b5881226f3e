import { isReservedName, nameOf, type RelPath } from '../../core/path.js'
import type { Problem } from '../../core/report.js'
import { shellQuoted, shellWord } from '../../core/shell-word.js'
import type { Directory, Stat } from '../../host/files.js'
import type { World } from '../../host/workers.js'
import type { IndexRecord, RecordFields } from '../../index/record.js'
import { readWhole } from './read.js'
import { fieldsOf, isRacy, isStampOf, sameDirectory } from './stamp.js'

/**
 * What becomes of the record of one member. `below` says whether the scan has to go on: a directory that was not known at
 * this place ('placed'), one that could not be listed and perhaps can be now ('unread'), or one that is as it was ('known').
 * `linked`: a file with other names too.
 */
export type Look =
  | { readonly kind: 'same'; readonly below: Below; readonly linked?: true }
  | { readonly kind: 'gone'; readonly below: 'nothing' }
  /** `quiet`: only stat facts that nobody outside sees. */
  | {
      readonly kind: 'changed'
      readonly fields: RecordFields
      readonly quiet: boolean
      readonly below: Below
      readonly linked?: true
    }
  /** Somebody is writing it just now. */
  | { readonly kind: 'unsettled' }
  /** It changed each time it was read. */
  | { readonly kind: 'restless' }

/** What is asked of the directory that is looked into. */
export type LookedInto = Pick<Directory, 'statAt' | 'readSymlink' | 'openFile'>

export type Below = 'nothing' | 'placed' | 'unread' | 'known'

export interface HowToLook {
  /** It is taken as it is, open for writing or not. */
  readonly settled: boolean
  /** A file system that came or went is no problem: somebody has said that what stands there now is to stay. */
  readonly accepts: boolean
}

/** `above`: the directory that is looked into. @throws FileFailure */
export function lookAt(
  world: World,
  directory: LookedInto,
  above: Stat,
  path: RelPath,
  old: IndexRecord | undefined,
  how: HowToLook,
): Look {
  const name = nameOf(path)
  const stat = directory.statAt(name)
  if (stat === undefined) return old === undefined ? same : lookAtNothing(path, old, how.accepts)
  if (isReservedName(name)) {
    const problem = { kind: 'problem', code: 'name', detail: 'the name is reserved for tandem' } as const
    return old?.problem?.code === 'name' ? same : changed({ ...fieldsOf(stat, unread), kind: 'unknown', problem })
  }
  if (old?.boundary && stat.kind !== 'directory' && !how.accepts)
    return misplaced(
      old,
      `the file system that was mounted here is gone, and a ${stat.kind} stands here: ${acceptText(path)}`,
    )
  switch (stat.kind) {
    case 'directory':
      return lookAtDirectory(stat, above, path, old, how.accepts)
    case 'symlink': {
      const before = old?.kind === 'symlink' && old.problem === undefined ? old : undefined
      const isKnown = before !== undefined && isStampOf(before, stat)
      if (isKnown && !before.racy) return same
      const wallNs = world.clock.wallNs()
      const target = directory.readSymlink(name)
      // A link that took the place of another one may have its inode and its times.
      const racy = isRacy(stat, wallNs, 'free')
      const quiet = before?.target === target
      if (quiet && isKnown && racy) return same
      return { ...changed(fieldsOf(stat, { ...unread, target, racy })), quiet }
    }
    case 'special':
      return old?.kind === 'special' && old.problem === undefined ? same : changed(fieldsOf(stat, unread))
    case 'file': {
      const looked = lookAtFile(world, directory, name, stat, old, how.settled)
      return stat.links > 1 && (looked.kind === 'same' || looked.kind === 'changed')
        ? { ...looked, linked: true }
        : looked
    }
  }
}

/** What was known at a path at which nothing is. A mount point may go with what was mounted there: an automounter makes and removes it. */
export function lookAtNothing(path: RelPath, old: IndexRecord, accepts: boolean): Look {
  if (!old.boundary || accepts) return { kind: 'gone', below: 'nothing' }
  return misplaced(
    old,
    `the file system that was mounted here is gone, and its mount point with it: ${acceptText(path)}`,
  )
}

/** What is known stays, with the problem beside it; of a name that was never seen, nothing but the problem is known. */
export function troubled(old: IndexRecord | undefined, problem: Problem): Look {
  if (old?.problem?.code === problem.code) return same
  return changed({ ...(old ?? unknown), problem })
}

function lookAtDirectory(stat: Stat, above: Stat, path: RelPath, old: IndexRecord | undefined, accepts: boolean): Look {
  const boundary = stat.device !== above.device
  const other = old?.kind === 'directory' ? otherFileSystem(stat, boundary, old) : undefined
  if (other !== undefined && accepts) {
    // Of what was below nothing is believed: the directory begins afresh, even where it has the numbers of the old one.
    return { ...changed({ ...fieldsOf(stat, unread), boundary }), below: 'placed' }
  }
  // A mount that came or went: all that was known below is kept until it is as it was, or somebody says that it stays so.
  if (other !== undefined) return misplaced(old, `${other}: ${acceptText(path)}`)
  const fields = { ...fieldsOf(stat, unread), boundary }
  if (old === undefined || !sameDirectory(old, stat)) return { ...changed(fields), below: 'placed' }
  if (old.problem === undefined) return old.mode === stat.mode ? known : { ...changed(fields), below: 'known' }
  // That it could not be listed is over when it can be, which its own scan finds out.
  if (old.problem.code !== 'boundary') return { kind: 'same', below: 'unread' }
  return { ...changed(fields), below: 'unread' }
}

/** What stands there in the place of what was known; undefined: the same as then, or a directory of the same file system. */
function otherFileSystem(stat: Stat, boundary: boolean, old: IndexRecord): string | undefined {
  if (old.boundary !== boundary)
    return boundary ? 'another file system was mounted here' : 'the file system that was mounted here is gone'
  return boundary && !sameDirectory(old, stat) ? 'another file system is mounted here now' : undefined
}

/** Unlike other troubles its text is exact: a mount may go after another one came. */
function misplaced(old: IndexRecord | undefined, detail: string): Look {
  if (old?.problem?.code === 'boundary' && old.problem.detail === detail) return same
  return changed({ ...(old ?? unknown), problem: { kind: 'problem', code: 'boundary', detail } })
}

/** How somebody says that it is to stay as it is. The path as a shell takes it, unless it is too long to be told. */
function acceptText(path: RelPath): string {
  const word = path.startsWith('-') ? shellQuoted(path) : shellWord(path)
  const shown = word.length > acceptPathCharsMax ? 'with this path' : word
  return `if it is to stay so, tandem rescan --accept ${shown} (or tandem sync with that option)`
}

/** Of a detail of detailCharsMax. */
const acceptPathCharsMax = 320

/** A file that changed less than this ago and is open for writing has not settled. */
const unsettledNs = 1_000_000_000n

function lookAtFile(
  world: World,
  directory: LookedInto,
  name: string,
  stat: Stat,
  old: IndexRecord | undefined,
  settled: boolean,
): Look {
  const before = old?.kind === 'file' && old.problem === undefined ? old : undefined
  const isRead = before?.fingerprint !== undefined
  if (before !== undefined && isStampOf(before, stat) && !(before.racy && isRead)) return same
  const recent = world.clock.wallNs() - stat.ctimeNs < unsettledNs
  // With another size the bytes are other ones: they are read when they are sent.
  const mustRead = isRead && before.sizeBytes === stat.sizeBytes
  if (!mustRead && !recent) return changed(fieldsOf(stat, unread))

  const handle = directory.openFile(name)
  try {
    if (recent && !settled && handle.probe() === 'busy') return { kind: 'unsettled' }
    if (!mustRead) return changed(fieldsOf(stat, unread))
    const read = readWhole(world, handle)
    if (read === undefined) return { kind: 'restless' }
    const quiet =
      read.fingerprint === before.fingerprint && before.mode === read.stat.mode && before.mtimeNs === read.stat.mtimeNs
    const { fingerprint, racy } = read
    // A clock that was set back leaves stamps in its future: read by each full scan, and written down by none.
    if (quiet && racy === before.racy && isStampOf(before, read.stat)) return same
    return { ...changed(fieldsOf(read.stat, { fingerprint, racy, target: undefined })), quiet }
  } finally {
    handle.close()
  }
}

const same: Look = { kind: 'same', below: 'nothing' }
const known: Look = { kind: 'same', below: 'known' }

function changed(fields: RecordFields): Look & { kind: 'changed' } {
  return { kind: 'changed', fields, quiet: false, below: 'nothing' }
}

/** What lstat does not tell. */
export const unread = { fingerprint: undefined, target: undefined, racy: false } as const

/** A name of which nothing is known but the problem. */
const unknown: RecordFields = {
  kind: 'unknown',
  mode: 0,
  inode: 0n,
  birthNs: 0n,
  sizeBytes: 0,
  mtimeNs: 0n,
  ctimeNs: 0n,
  fingerprint: undefined,
  target: undefined,
  racy: false,
  boundary: false,
  problem: undefined,
}

import type { Archive, ArchiveRecord } from '../archive/archive.js'
import { foldArchiveJob } from '../archive/fold.js'
import type { Preferences } from '../config/preferences.js'
import { heldBy } from '../core/agreement.js'
import { absent, type Content } from '../core/content.js'
import { type AbsPath, isReserved, join, type RelPath, rootPath } from '../core/path.js'
import type { Rules } from '../core/rules.js'
import { otherSide, type Side } from '../core/side.js'
import type { Clock } from '../host/clock.js'
import type { Workers } from '../host/workers.js'
import type { AuditRow, Replica } from '../replica/replica.js'
import { digestText, type FoldStep, foldAll } from '../wire/fold.js'

/** What an audit looks at. */
export interface AuditContext {
  readonly archive: Archive
  readonly archivePath: AbsPath
  /** The archive knows the roots in the other order. */
  readonly swapped: boolean
  readonly replicas: Readonly<Record<Side, Replica>>
  readonly workers: Workers
  readonly clock: Clock
  readonly rules: Rules
  readonly preferences: Pick<Preferences, 'ignore' | 'ignorenot' | 'path'>
  /** Paths that the archive does not now equal, as is known. */
  openPaths(): readonly RelPath[]
  /**
   * The number of the last cycle; undefined while one runs. Between two equal answers the archive stood still, and everything
   * that a side had reported up to `reached` is in it, but for what is `undecided`.
   */
  quiet(): number | undefined
  reached(side: Side): number
  undecided(path: RelPath): boolean
}

/** A path at which a side does not hold what the archive says, and nobody reported it: a mistake of ours. */
export interface AuditDifference {
  readonly side: Side
  readonly path: RelPath
  readonly agreed: Content
  readonly found: Content
}

/** More open paths than this are not audited around. */
const exceptMax = 10_000
/** Directories whose members one audit compares one by one, and how many of one request. */
const directoriesMax = 5_000
const directoriesAtOnce = 50
/** Differences of one side that one audit deals with: the next one finds the rest. */
const differencesMax = 1_000
/** The roots may change all the time: a directory is tried so often, with so long between. */
const triesMax = 5
const triesEveryMs = 200

/**
 * Checks the archive against what each side's index holds: digests first, and where these differ the members. It says
 * nothing of paths that are open, were reported since, or changed while it looked.
 * @throws LinkFailure, ReplicaFailure, StoreFailure
 */
export async function audit(context: AuditContext): Promise<readonly AuditDifference[]> {
  // Without `links` a link stands where the archive may know something else, by design.
  if (!context.rules.links || context.openPaths().length > exceptMax) return []
  const sides: readonly Side[] = ['alpha', 'beta']
  return (await Promise.all(sides.map((side) => new SideAudit(context, side).run()))).flat()
}

class SideAudit {
  private readonly differences: AuditDifference[] = []
  private readonly except: ReadonlySet<RelPath>

  constructor(
    private readonly context: AuditContext,
    private readonly side: Side,
  ) {
    this.except = new Set(context.openPaths())
  }

  async run(): Promise<readonly AuditDifference[]> {
    const root = this.context.archive.at(0, '')
    if (root === undefined || root.directoryId === 0 || this.except.has(rootPath)) return []
    const [rows, digests] = await Promise.all([
      this.rowsOf([rootPath], false),
      this.digestsOf([{ path: rootPath, id: root.directoryId, to: rootPath }]),
    ])
    const differs = rows.some(({ digest }) => digest !== digests.get(rootPath))
    let directories: RelPath[] = differs ? [rootPath] : []
    for (let asked = 0; directories.length > 0 && asked < directoriesMax; asked += directoriesAtOnce) {
      const some = directories.slice(0, directoriesAtOnce)
      directories = [...(await this.look(some)), ...directories.slice(directoriesAtOnce)]
      if (this.differences.length >= differencesMax) break
    }
    return this.differences
  }

  /** Compares the members of the directories; answers those of them in which something differs further down. */
  private async look(paths: readonly RelPath[]): Promise<readonly RelPath[]> {
    const { context } = this
    for (let tries = 0; tries < triesMax; tries++) {
      if (tries > 0) await context.clock.sleep(triesEveryMs)
      const quiet = context.quiet()
      if (quiet === undefined) continue
      const [rows, digests] = await Promise.all([this.rowsOf(paths, true), this.digestsOf(this.stepsOf(paths))])
      if (context.quiet() === quiet) return this.compare(rows, digests)
    }
    return []
  }

  private compare(rows: readonly AuditRow[], digests: ReadonlyMap<RelPath, string>): RelPath[] {
    const reached = this.context.reached(this.side)
    const deeper: RelPath[] = []
    for (const [directory, held] of byDirectory(rows)) {
      const record = this.context.archive.find(directory)
      const agreed = new Map<string, ArchiveRecord>()
      if (record !== undefined && record.directoryId !== 0)
        for (const member of this.context.archive.members(record.directoryId)) agreed.set(member.name, member.record)
      for (const name of new Set([...agreed.keys(), ...held.members.keys()])) {
        const path = join(directory, name)
        const row = held.members.get(name)
        if (this.isLeftOut(path) || (row?.sequence ?? held.sequence) > reached) continue
        const is = row?.found ?? absent
        const was = this.heldAt(agreed.get(name))
        if (is.kind === 'problem') continue
        if (isOther(was, is, this.context.rules)) this.note(path, was, is)
        else if (is.kind === 'directory' && row?.digest !== digests.get(path)) deeper.push(path)
      }
    }
    return deeper
  }

  private note(path: RelPath, agreed: Content, found: Content): void {
    if (this.differences.length < differencesMax) this.differences.push({ side: this.side, path, agreed, found })
  }

  private isLeftOut(path: RelPath): boolean {
    const { rules, undecided } = this.context
    return this.except.has(path) || isReserved(path) || rules.skips(path) || undecided(path)
  }

  private heldAt(record: ArchiveRecord | undefined): Content {
    return heldBy(this.archiveSide, record?.agreement)
  }

  private get archiveSide(): Side {
    return this.context.swapped ? otherSide(this.side) : this.side
  }

  private rowsOf(paths: readonly RelPath[], members: boolean): Promise<readonly AuditRow[]> {
    const { replicas, rules } = this.context
    const { perms, times } = rules
    // A name that cannot travel is a problem at its path, and in no digest anyway.
    const except = [...this.except].filter((path) => !isReserved(path))
    return replicas[this.side].audit({ paths, members, perms, times, except })
  }

  private stepsOf(paths: readonly RelPath[]): FoldStep[] {
    const { archive } = this.context
    const steps: FoldStep[] = []
    for (const path of paths) {
      const id = archive.find(path)?.directoryId ?? 0
      if (id === 0) continue
      for (const { name, record } of archive.members(id)) {
        const at = join(path, name)
        if (record.directoryId !== 0) steps.push({ path: at, id: record.directoryId, to: at })
      }
    }
    return steps
  }

  private async digestsOf(steps: readonly FoldStep[]): Promise<ReadonlyMap<RelPath, string>> {
    const { workers, archivePath, rules, preferences } = this.context
    const { perms, times } = rules
    const { ignore, ignorenot, path: paths } = preferences
    const input = { archive: archivePath, side: this.archiveSide, ignore, ignorenot, paths, perms, times }
    const digests = await foldAll(steps, (some) =>
      workers.run(foldArchiveJob, { ...input, steps: some, except: [...this.except] }, 'bulk'),
    )
    return new Map([...digests].map(([path, digest]) => [path, digestText(digest)]))
  }
}

interface HeldDirectory {
  readonly sequence: number
  readonly members: Map<string, AuditRow>
}

/** Directories that the other end has told of whole; their own row comes first. */
function byDirectory(rows: readonly AuditRow[]): Map<RelPath, HeldDirectory> {
  const directories = new Map<RelPath, HeldDirectory>()
  for (const row of rows) {
    if (row.name === '') directories.set(row.directory, { sequence: row.sequence, members: new Map() })
    else directories.get(row.directory)?.members.set(row.name, row)
  }
  return directories
}

/** Whether two contents are different beyond doubt. What is not known of one of them says nothing. */
function isOther(was: Content, is: Content, { perms, times }: Rules): boolean {
  if (was.kind !== is.kind) return true
  if (was.kind === 'symlink' && is.kind === 'symlink') return was.target !== is.target
  if (was.kind === 'absent' || was.kind === 'symlink' || is.kind === 'absent' || is.kind === 'symlink') return false
  const { mode, mtimeNs } = is.props
  if (was.props.mode !== undefined && mode !== undefined && ((was.props.mode ^ mode) & perms) !== 0) return true
  if (was.kind !== 'file' || is.kind !== 'file') return false
  if (times && was.props.mtimeNs !== undefined && mtimeNs !== undefined && was.props.mtimeNs !== mtimeNs) return true
  if (was.sizeBytes !== is.sizeBytes) return true
  return was.fingerprint !== undefined && is.fingerprint !== undefined && was.fingerprint !== is.fingerprint
}

import { isReservedName, join, privateName, type RelPath, rootPath } from '../../core/path.js'
import type { Report } from '../../core/report.js'
import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import type { Job, World } from '../../host/workers.js'
import { type Index, type IndexEdit, openIndex } from '../../index/index.js'
import { foundOf, type IndexRecord, type RecordFields } from '../../index/record.js'
import { BytesWriter } from '../../wire/bytes.js'
import { writeReport } from '../../wire/report.js'
import { checkRoot } from './marker.js'
import { openRoot, type RootPlace } from './place.js'
import { problemOf } from './problem.js'
import { readWhole } from './read.js'
import { fieldsOf, isStampOf } from './stamp.js'

/**
 * Looks at directories and brings the index up to what is there. One job holds its directories: no apply may change them
 * meanwhile. Directories that appeared are answered as `deeper`; the caller scans them next, whole.
 */
export const scanJob: Job<ScanInput, ScanOutput> = {
  name: 'scan',
  run: scan,
  transfer: (output) => [output.reports.buffer],
}

export interface ScanInput {
  readonly place: RootPlace
  readonly targets: readonly ScanTarget[]
  /** Answer every subdirectory in `deeper`, not only the new ones. */
  readonly full: boolean
  /** Somebody listens: what changed is reported, and not only noted in the index. */
  readonly reporting: boolean
}

export interface ScanTarget {
  readonly directory: RelPath
  /** Only these members; undefined: all, and what the listing lacks is gone. The root itself is the member '' of ''. */
  readonly names: readonly string[] | undefined
  /** It appeared or was replaced: its report is a complete listing. */
  readonly placed: boolean
  /** Members that were given their time to settle: taken as they are, open for writing or not. */
  readonly settled: readonly string[]
}

export interface ScanOutput {
  /** In the layout of wire/report.ts. */
  readonly reports: Uint8Array<ArrayBuffer>
  /** Sequences given; first > last: none. */
  readonly first: number
  readonly last: number
  readonly deeper: readonly Deeper[]
  /** Directories that are not what the index holds at that path: the entry in the parent must be looked at first. */
  readonly stray: readonly RelPath[]
  /** Files that somebody is writing just now: left as they were known. */
  readonly unsettled: readonly RelPath[]
  /** Records that changed under the scan: dirty again. */
  readonly again: readonly RelPath[]
  /** How many paths were looked at. */
  readonly looked: number
}

export interface Deeper {
  readonly directory: RelPath
  readonly placed: boolean
}

function scan(world: World, input: ScanInput): ScanOutput {
  const index = openIndex(world, input.place.index)
  const root = openRoot(world.files, input.place.root)
  try {
    const scanner = new Scanner(world, input.place, index, root, input.full, input.reporting)
    for (const target of input.targets) scanner.target(target)
    return scanner.finish()
  } finally {
    root.close()
  }
}

interface Edit {
  readonly path: RelPath
  readonly directoryId: number
  readonly name: string
  readonly old: IndexRecord | undefined
  /** undefined: it is gone. */
  readonly fields: RecordFields | undefined
  /** Only stat facts that nobody outside sees have changed. */
  readonly quiet: boolean
}

/** Most records of one index transaction. */
const recordsMax = 5_000
/** A file that changed less than this ago and is open for writing has not settled. */
const unsettledNs = 1_000_000_000n

class Scanner {
  private readonly edits: Edit[] = []
  private readonly listed: { directory: RelPath; directoryId: number }[] = []
  private readonly deeper: Deeper[] = []
  private readonly stray: RelPath[] = []
  private readonly unsettled: RelPath[] = []
  private readonly again: RelPath[] = []
  private readonly reports = new BytesWriter(16 * 1024)
  private readonly silent = new Set<number>()
  private first = 1
  private last = 0
  private looked = 0

  constructor(
    private readonly world: World,
    private readonly place: RootPlace,
    private readonly index: Index,
    private readonly root: Directory,
    private readonly full: boolean,
    private readonly reporting: boolean,
  ) {}

  target(target: ScanTarget): void {
    if (target.directory === '' && target.names?.includes('')) this.rootItself()
    const located = this.index.find(target.directory)
    if (located === undefined || located.record.directoryId === 0) {
      this.lost(target.directory)
      return
    }
    let directory: Directory
    try {
      directory = target.directory === '' ? this.root : this.root.openDirectory(target.directory)
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      this.cannotOpen(target.directory, located.directoryId, located.name, located.record, error)
      return
    }
    try {
      const stat = directory.stat()
      if (stat.inode !== located.record.inode || stat.birthNs !== located.record.birthNs) {
        this.lost(target.directory)
        return
      }
      const id = located.record.directoryId
      if (target.names === undefined) this.whole(target, directory, stat, id, located)
      else
        for (const name of target.names)
          if (name !== '') this.member(target, directory, stat, id, name, this.index.at(id, name))
    } finally {
      if (directory !== this.root) directory.close()
    }
  }

  finish(): ScanOutput {
    // A file system that was unmounted under the scan shows an empty directory: nothing is gone before the root has proved
    // to be the one that was opened.
    if (this.edits.some(({ fields }) => fields === undefined)) this.checkRoot()
    for (let at = 0; at < this.edits.length; at += recordsMax) this.write(this.edits.slice(at, at + recordsMax))
    if (this.reporting) for (const { directory, directoryId } of this.listed) this.listing(directory, directoryId)
    return {
      reports: this.reports.finish(),
      first: this.first,
      last: this.last,
      deeper: this.deeper,
      stray: this.stray,
      unsettled: this.unsettled,
      again: this.again,
      looked: this.looked,
    }
  }

  private checkRoot(): void {
    const now = openRoot(this.world.files, this.place.root)
    try {
      checkRoot(now, this.place)
    } finally {
      now.close()
    }
  }

  /** The root's own record. It is made by the first scan and replaced when another directory stands in its place. */
  private rootItself(): void {
    const stat = this.root.stat()
    const old = this.index.at(0, '')
    this.looked++
    const fields = fieldsOf(stat, unread)
    if (old !== undefined && sameDirectory(old, stat) && old.problem === undefined && old.mode === stat.mode) return
    this.write([{ path: rootPath, directoryId: 0, name: '', old, fields, quiet: false }])
    if (old === undefined || !sameDirectory(old, stat)) this.deeper.push({ directory: rootPath, placed: true })
  }

  private whole(
    target: ScanTarget,
    directory: Directory,
    stat: Stat,
    id: number,
    located: { readonly directoryId: number; readonly name: string; readonly record: IndexRecord },
  ): void {
    let names: string[]
    try {
      names = directory.names()
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      this.cannotOpen(target.directory, located.directoryId, located.name, located.record, error)
      return
    }
    if (located.record.problem !== undefined && located.record.problem.code !== 'boundary' && located.name !== '') {
      // It can be read again. Everything below kept its records; the entry says that the problem is over.
      const { sequence: _, directoryId: __, ...fields } = located.record
      this.edits.push({
        path: target.directory,
        directoryId: located.directoryId,
        name: located.name,
        old: located.record,
        fields: { ...fields, problem: undefined },
        quiet: false,
      })
    }
    if (target.placed) {
      this.listed.push({ directory: target.directory, directoryId: id })
      this.silent.add(id)
    }
    const known = new Map<string, IndexRecord>()
    for (const { name, record } of this.index.members(id)) known.set(name, record)
    names.sort()
    for (const name of names) {
      this.member(target, directory, stat, id, name, known.get(name))
      known.delete(name)
    }
    for (const [name, old] of known)
      this.edits.push({
        path: join(target.directory, name),
        directoryId: id,
        name,
        old,
        fields: undefined,
        quiet: false,
      })
  }

  private member(
    target: ScanTarget,
    directory: Directory,
    above: Stat,
    id: number,
    name: string,
    old: IndexRecord | undefined,
  ): void {
    if (name === privateName) return
    this.looked++
    const path = join(target.directory, name)
    let edit: Pick<Edit, 'fields' | 'quiet'> | undefined
    try {
      edit = this.look(directory, above, name, path, old, target.settled.includes(name))
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      const problem = problemOf(error)
      if (old?.problem?.code === problem.code) return
      const before = old ?? unknownFields
      edit = { fields: { ...before, problem }, quiet: false }
    }
    if (edit !== undefined) this.edits.push({ path, directoryId: id, name, old, ...edit })
  }

  /** What the record of one member becomes, or undefined when it stays. */
  private look(
    directory: Directory,
    above: Stat,
    name: string,
    path: RelPath,
    old: IndexRecord | undefined,
    settled: boolean,
  ): { fields: RecordFields | undefined; quiet: boolean } | undefined {
    const stat = directory.statAt(name)
    if (stat === undefined) return old === undefined ? undefined : { fields: undefined, quiet: false }
    if (isReservedName(name)) {
      if (old?.problem?.code === 'name') return undefined
      const problem = { kind: 'problem', code: 'name', detail: 'the name is reserved for tandem' } as const
      return {
        fields: { ...fieldsOf(stat, unread), kind: 'unknown', problem },
        quiet: false,
      }
    }
    switch (stat.kind) {
      case 'directory':
        return this.lookAtDirectory(stat, above, path, old)
      case 'symlink': {
        if (old !== undefined && old.problem === undefined && isStampOf(old, stat)) return undefined
        const target = directory.readSymlink(name)
        const fields = fieldsOf(stat, { ...unread, target })
        const quiet = old?.kind === 'symlink' && old.problem === undefined && old.target === target
        return { fields, quiet }
      }
      case 'special':
        if (old?.kind === 'special' && old.problem === undefined) return undefined
        return { fields: fieldsOf(stat, unread), quiet: false }
      case 'file':
        return this.lookAtFile(directory, name, path, stat, old, settled)
    }
  }

  private lookAtDirectory(
    stat: Stat,
    above: Stat,
    path: RelPath,
    old: IndexRecord | undefined,
  ): { fields: RecordFields; quiet: boolean } | undefined {
    const boundary = stat.device !== above.device
    if (old?.kind === 'directory' && old.boundary !== boundary) {
      // A mount that came or went: all that was known below is kept until it is as it was.
      if (old.problem?.code === 'boundary') return undefined
      const detail = boundary ? 'another file system was mounted here' : 'the file system that was mounted here is gone'
      const { sequence: _, directoryId: __, ...fields } = old
      return { fields: { ...fields, problem: { kind: 'problem', code: 'boundary', detail } }, quiet: false }
    }
    const same = old !== undefined && sameDirectory(old, stat)
    if (!same) {
      this.deeper.push({ directory: path, placed: true })
      return { fields: { ...fieldsOf(stat, unread), boundary }, quiet: false }
    }
    if (this.full) this.deeper.push({ directory: path, placed: false })
    // A problem of listing it is over when it could be listed, which its own scan finds out.
    if (old.problem !== undefined && old.problem.code !== 'boundary') {
      if (!this.full) this.deeper.push({ directory: path, placed: false })
      return undefined
    }
    if (old.mode === stat.mode && old.problem === undefined) return undefined
    if (old.problem !== undefined && !this.full) this.deeper.push({ directory: path, placed: false })
    return { fields: { ...fieldsOf(stat, unread), boundary }, quiet: false }
  }

  private lookAtFile(
    directory: Directory,
    name: string,
    path: RelPath,
    stat: Stat,
    old: IndexRecord | undefined,
    settled: boolean,
  ): { fields: RecordFields; quiet: boolean } | undefined {
    const known = old?.kind === 'file' && old.problem === undefined ? old : undefined
    if (known !== undefined && isStampOf(known, stat) && !(known.racy && known.fingerprint !== undefined))
      return undefined
    const recent = this.world.clock.wallNs() - stat.ctimeNs < unsettledNs
    const mustRead = known?.fingerprint !== undefined && known.sizeBytes === stat.sizeBytes
    if (!mustRead && !recent) return { fields: fieldsOf(stat, unread), quiet: false }

    const handle = directory.openFile(name)
    try {
      if (recent && !settled && handle.probe() === 'busy') {
        this.unsettled.push(path)
        return undefined
      }
      if (!mustRead) return { fields: fieldsOf(stat, unread), quiet: false }
      const read = readWhole(this.world, handle)
      if (read === undefined) {
        this.again.push(path)
        return undefined
      }
      const fields = fieldsOf(read.stat, { fingerprint: read.fingerprint, target: undefined, racy: read.racy })
      const same =
        read.fingerprint === known.fingerprint && known.mode === read.stat.mode && known.mtimeNs === read.stat.mtimeNs
      return { fields, quiet: same }
    } finally {
      handle.close()
    }
  }

  /** A directory that cannot be opened or listed: a problem at its own entry, with all below kept; or it is another thing by now. */
  private cannotOpen(path: RelPath, directoryId: number, name: string, old: IndexRecord, error: FileFailure): void {
    if (error.code === 'absent' || error.code === 'not-directory' || error.code === 'loop') {
      this.lost(path)
      return
    }
    const problem = problemOf(error)
    if (old.problem?.code === problem.code) return
    const { sequence: _, directoryId: __, ...fields } = old
    this.edits.push({
      path,
      directoryId,
      name,
      old,
      fields: { ...fields, problem },
      quiet: false,
    })
  }

  private lost(directory: RelPath): void {
    this.stray.push(directory)
  }

  private write(edits: readonly Edit[]): void {
    if (edits.length === 0) return
    const { value: reports, first, last } = this.index.write((tx) => this.writeInto(tx, edits))
    if (first <= last) {
      if (this.first > this.last) this.first = first
      this.last = last
    }
    for (const report of reports) writeReport(this.reports, report)
  }

  private writeInto(tx: IndexEdit, edits: readonly Edit[]): Report[] {
    const reports: Report[] = []
    for (const edit of edits) {
      const { path, directoryId, name, old } = edit
      // An apply that recorded something newer while this scan read knows better.
      const now = tx.at(directoryId, name)
      if (now?.sequence !== old?.sequence) {
        this.again.push(path)
        continue
      }
      if (edit.fields === undefined) tx.remove(directoryId, name)
      else if (edit.quiet && old !== undefined)
        tx.amend(directoryId, name, { ...edit.fields, directoryId: old.directoryId, sequence: old.sequence })
      else tx.put(directoryId, name, edit.fields, now)
      if (edit.quiet || this.silent.has(directoryId) || !this.reporting) continue
      const record = edit.fields === undefined ? undefined : { ...edit.fields, directoryId: 0, sequence: 0 }
      reports.push({ kind: 'entry', path, found: foundOf(record) })
    }
    tx.purge(purgeMax)
    return reports
  }

  private listing(directory: RelPath, directoryId: number): void {
    const members = []
    for (const { name, record } of this.index.members(directoryId)) members.push({ name, found: foundOf(record) })
    writeReport(this.reports, { kind: 'listing', path: directory, members, more: false })
  }
}

/** Records of directories that are gone, removed along with other writes. */
const purgeMax = 500

/** The same directory, whatever happened to its properties and members. */
function sameDirectory(record: IndexRecord, stat: Stat): boolean {
  return record.kind === 'directory' && record.inode === stat.inode && record.birthNs === stat.birthNs
}

/** What lstat does not tell. */
const unread = { fingerprint: undefined, target: undefined, racy: false } as const

/** A name of which nothing is known but the problem. */
const unknownFields: RecordFields = {
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

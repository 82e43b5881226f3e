import { folded } from '../../core/folding.js'
import {
  isDeepest,
  join,
  nameOf,
  parentOf,
  pathCharsMax,
  pathDepthMax,
  privateName,
  type RelPath,
  rootPath,
} from '../../core/path.js'
import type { Report } from '../../core/report.js'
import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import type { Job, World } from '../../host/workers.js'
import { type Index, type IndexEdit, type Located, openIndex, type Whereabouts } from '../../index/index.js'
import { foundOf, type IndexRecord, type RecordFields } from '../../index/record.js'
import { BytesWriter } from '../../wire/bytes.js'
import { writeReport } from '../../wire/report.js'
import { type HowToLook, type Look, lookAt, lookAtNothing, troubled, unread } from './look.js'
import { checkRoot } from './marker.js'
import { goneCodes, openRoot, type RootPlace } from './place.js'
import { problemOf } from './problem.js'
import { fieldsOf, sameDirectory } from './stamp.js'

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
  /** Note how directories look in which nothing changed, so that the next scan sees it at one look. */
  readonly sealing: boolean
  /** Somebody listens: what changed is reported, and not only noted in the index. */
  readonly reporting: boolean
}

export interface ScanTarget {
  readonly directory: RelPath
  /** Only these members; undefined: all, and what the listing lacks is gone. The root itself is the member '' of ''. */
  readonly names: readonly string[] | undefined
  /** Where the index keeps the directory above it, as the same scan has seen it; found from the root if not given. */
  readonly above?: number | undefined
  /** It appeared or was replaced: its report is a complete listing. */
  readonly placed: boolean
  /** Every directory below is looked at too: what was below another path is here now. */
  readonly deep?: boolean
  /** Members that were given their time to settle: taken as they are, open for writing or not. */
  readonly settled: readonly string[]
  /** A file system that came or went at one of the members is no problem: somebody has said so. */
  readonly accepts?: boolean
}

export interface ScanOutput {
  /** In the layout of wire/report.ts. */
  readonly reports: Uint8Array<ArrayBuffer>
  /** Sequences given, one span a transaction: between two of them another job's may lie. */
  readonly spans: readonly Span[]
  readonly deeper: readonly Deeper[]
  /** Directories that are not what the index holds at that path: the entry in the parent must be looked at first. */
  readonly stray: readonly RelPath[]
  /** Files that somebody is writing just now: left as they were known. */
  readonly unsettled: readonly RelPath[]
  /** Records that changed under the scan: dirty again. */
  readonly again: readonly RelPath[]
  /** Paths with a problem that waiting can help: to be looked at again after a while. */
  readonly troubled: readonly RelPath[]
  /** How many paths were looked at. */
  readonly looked: number
  /** One of the files that have several names. */
  readonly linked: RelPath | undefined
}

/** Sequences from `first` to `last`. */
export interface Span {
  readonly first: number
  readonly last: number
}

export interface Deeper {
  readonly directory: RelPath
  /** Where the index keeps the directory above; not known for the root. */
  readonly above?: number
  readonly placed: boolean
  readonly deep: boolean
}

function scan(world: World, input: ScanInput): ScanOutput {
  const index = openIndex(world, input.place.index)
  const root = openRoot(world.files, input.place.root)
  try {
    const scanner = new Scanner(world, input.place, index, root, input)
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
  /** A directory that was known elsewhere, and is not there any more. */
  readonly moved?: Whereabouts | undefined
}

/** A path for which a file system answers ELOOP so often at one look has a problem. */
const loopTriesMax = 3

class Scanner {
  private readonly edits: Edit[] = []
  /** Directories whose listing was complete for the first time. */
  private readonly listed: { directory: RelPath; directoryId: number }[] = []
  private readonly deeper: Deeper[] = []
  private readonly stray: RelPath[] = []
  private readonly unsettled: RelPath[] = []
  private readonly again: RelPath[] = []
  private readonly troubled: RelPath[] = []
  private readonly reports = new BytesWriter(16 * 1024)
  private readonly silent = new Set<number>()
  /** Directories in which nothing changed, and whose index does not say yet how that looks. */
  private readonly unsealed: number[] = []
  private readonly spans: Span[] = []
  /** Directories that were found at another path since are not where this scan has looked at them. */
  private readonly movedAt: number
  private looked = 0
  private linked: RelPath | undefined

  constructor(
    private readonly world: World,
    private readonly place: RootPlace,
    private readonly index: Index,
    private readonly root: Directory,
    private readonly input: Omit<ScanInput, 'place' | 'targets'>,
  ) {
    this.movedAt = index.lastMove()
  }

  target(target: ScanTarget): void {
    if (target.directory === '' && target.names?.includes('')) this.rootItself()
    // Whatever is below is not the root's.
    else if (target.directory !== '' && this.place.only !== undefined) return
    const located =
      target.above === undefined
        ? this.index.find(target.directory)
        : this.index.findBelow(target.above, target.directory)
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
      else this.some(target, target.names, directory, stat, id, located)
    } finally {
      if (directory !== this.root) directory.close()
    }
  }

  finish(): ScanOutput {
    // A file system that was unmounted under the scan shows an empty directory: nothing is gone before the root has proved
    // to be the one that was opened.
    if (this.edits.some(({ fields, moved }) => fields === undefined || moved !== undefined)) this.checkRoot()
    // A directory that was moved is found at its new place before it is missed at its old one.
    this.edits.sort((one, other) => Number(other.moved !== undefined) - Number(one.moved !== undefined))
    const { recordsMax } = this.index
    let at = 0
    for (; at + recordsMax < this.edits.length; at += recordsMax) this.write(this.edits.slice(at, at + recordsMax), [])
    this.write(this.edits.slice(at), this.listed)
    this.sealUnsealed()
    if (this.input.reporting) {
      const moved = this.index.lastMove() !== this.movedAt
      for (const { directory, directoryId } of this.listed)
        if (!moved || this.index.directoryId(directory) === directoryId) this.listing(directory, directoryId)
    }
    return {
      reports: this.reports.finish(),
      spans: this.spans,
      deeper: this.deeper,
      stray: this.stray,
      unsettled: this.unsettled,
      again: this.again,
      troubled: this.troubled,
      looked: this.looked,
      linked: this.linked,
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
    const isNew = old === undefined || !sameDirectory(old, stat)
    // What stands here must be the root before it takes the place of what was known.
    if (isNew) checkRoot(this.root, this.place)
    this.write([{ path: rootPath, directoryId: 0, name: '', old, fields, quiet: false }], [])
    if (isNew || old.problem !== undefined) this.deeper.push({ directory: rootPath, placed: isNew, deep: false })
  }

  private whole(target: ScanTarget, directory: Directory, stat: Stat, id: number, located: Located): void {
    const { only } = this.place
    const isPlain = this.input.full && !target.placed && located.record.problem === undefined && only === undefined
    const seal = isPlain ? this.index.seal(id) : undefined
    if (seal !== undefined && this.isAsSealed(target.directory, directory, id, seal, target.deep === true)) return
    const editsBefore = this.edits.length
    const putOffBefore = this.unsettled.length + this.again.length + this.troubled.length
    const names = this.namesIn(directory, target, located)
    if (names === undefined) return
    if (located.record.problem !== undefined && located.record.problem.code !== 'boundary' && located.name !== '') {
      // It can be read again. Everything below kept its records; the entry says that the problem is over.
      const { boundary } = located.record
      this.edits.push({
        path: target.directory,
        directoryId: located.directoryId,
        name: located.name,
        old: located.record,
        fields: { ...fieldsOf(stat, unread), boundary },
        quiet: false,
      })
    }
    if (target.placed || this.index.place(id)?.unlisted === true) {
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
    for (const [name, old] of known) this.missed(target, id, name, old)
    const putOff = this.unsettled.length + this.again.length + this.troubled.length
    if (
      this.input.sealing &&
      isPlain &&
      seal === undefined &&
      this.edits.length === editsBefore &&
      putOff === putOffBefore
    )
      this.unsealed.push(id)
  }

  /** All members at one look: when they are as the seal says, each of them is as its record says. */
  private isAsSealed(path: RelPath, directory: Directory, id: number, seal: Uint8Array, deep: boolean): boolean {
    const survey = directory.survey(privateName)
    if (survey === undefined || Buffer.compare(survey.digest, seal) !== 0) return false
    this.looked += survey.count
    if (survey.linked !== undefined) this.linked ??= join(path, survey.linked)
    for (const name of survey.directories)
      this.deeper.push({ directory: join(path, name), above: id, placed: false, deep })
    return true
  }

  /**
   * Single members. One that was a directory and is gone may have another name by now, of which the event is still on its way:
   * told alone it would be a removal.
   */
  private some(
    target: ScanTarget,
    asked: readonly string[],
    directory: Directory,
    above: Stat,
    id: number,
    located: Located,
  ): void {
    const { only } = this.place
    let isMissed = false
    let names = only === undefined ? asked : asked.filter((name) => name === only)
    let listed: ReadonlySet<string> | undefined
    if (this.place.folding && asked.some((name) => name !== '')) {
      // An event may be of another case than the name has by now, and a look-up finds it under both.
      const all = this.namesIn(directory, target, located)
      if (all === undefined) return
      const folds = new Set(asked.map(folded))
      listed = new Set(all)
      names = [...new Set([...asked, ...all.filter((name) => folds.has(folded(name)))])]
    }
    for (const name of names) {
      if (name === '') continue
      const old = this.index.at(id, name)
      const before = this.edits.length
      if (listed?.has(name) !== false) this.member(target, directory, above, id, name, old)
      else if (old !== undefined) this.missed(target, id, name, old)
      if (old?.kind === 'directory' && this.edits[before]?.fields === undefined && this.edits.length > before)
        isMissed = true
    }
    if (!isMissed || only !== undefined) return
    let others: string[]
    try {
      others = directory.names()
    } catch (error) {
      // Its own scan tells what is wrong with it.
      if (!(error instanceof FileFailure)) throw error
      return
    }
    for (const name of others)
      if (!names.includes(name) && this.index.at(id, name) === undefined)
        this.member(target, directory, above, id, name, undefined)
  }

  private missed(target: ScanTarget, directoryId: number, name: string, old: IndexRecord): void {
    const path = join(target.directory, name)
    const looked = lookAtNothing(path, old, target.accepts === true)
    if (looked.kind === 'gone') this.edits.push({ path, directoryId, name, old, fields: undefined, quiet: false })
    if (looked.kind === 'changed')
      this.edits.push({ path, directoryId, name, old, fields: looked.fields, quiet: looked.quiet })
  }

  /** undefined: it cannot be listed, which is noted. */
  private namesIn(directory: Directory, target: ScanTarget, located: Located): string[] | undefined {
    const { only } = this.place
    try {
      if (only !== undefined) return directory.statAt(only) === undefined ? [] : [only]
      return directory.names()
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      this.cannotOpen(target.directory, located.directoryId, located.name, located.record, error)
      return undefined
    }
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
    let looked: Look
    try {
      const how = { settled: target.settled.includes(name), accepts: target.accepts === true }
      looked = this.look(path, directory, above, old, how)
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      // What is gone between two looks, or another thing by now, is looked at once more; it is no problem. A server or a
      // FUSE process that does not answer for it any more may stay so: that is one.
      const gone = goneCodes.has(error.code) && error.code !== 'stale' && error.code !== 'loop'
      if (error.transient && !gone) this.troubled.push(path)
      looked = gone ? { kind: 'restless' } : troubled(old, problemOf(error))
    }
    let moved: Whereabouts | undefined
    switch (looked.kind) {
      case 'same':
        if (looked.linked) this.linked ??= path
        break
      case 'gone':
        this.edits.push({ path, directoryId: id, name, old, fields: undefined, quiet: false })
        break
      case 'changed':
        if (looked.linked) this.linked ??= path
        if (looked.below === 'placed') moved = this.cameFrom(path, looked.fields)
        this.edits.push({ path, directoryId: id, name, old, fields: looked.fields, quiet: looked.quiet, moved })
        break
      case 'unsettled':
        this.unsettled.push(path)
        return
      case 'restless':
        this.again.push(path)
        return
    }
    // What is known below a directory that was moved is told by whoever is told of the move; what changed in it is found now.
    if (moved !== undefined) this.deeper.push({ directory: path, above: id, placed: false, deep: true })
    else if (looked.below === 'placed') this.deeper.push({ directory: path, above: id, placed: true, deep: false })
    else if (looked.below === 'unread' || (looked.below === 'known' && (this.input.full || target.deep === true)))
      this.deeper.push({ directory: path, above: id, placed: false, deep: target.deep === true })
  }

  /** Where a directory that was not known at this path was before, if it is not there any more. */
  private cameFrom(path: RelPath, fields: RecordFields): Whereabouts | undefined {
    if (fields.kind !== 'directory' || fields.boundary || fields.problem !== undefined) return undefined
    const where = this.index.whereIs(fields.inode, fields.birthNs)
    if (where === undefined || where.path === path || where.path === rootPath) return undefined
    return this.isStillAt(where.path, fields.inode) ? undefined : where
  }

  /** A bind mount shows one directory at two paths. What cannot be told counts as being there. */
  private isStillAt(path: RelPath, inode: bigint): boolean {
    try {
      const parent = this.root.openDirectory(parentOf(path))
      try {
        if (parent.statAt(nameOf(path))?.inode !== inode) return false
        return !this.place.folding || parent.names().includes(nameOf(path))
      } finally {
        parent.close()
      }
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      return !goneCodes.has(error.code)
    }
  }

  private look(path: RelPath, directory: Directory, above: Stat, old: IndexRecord | undefined, how: HowToLook): Look {
    for (let tries = 1; ; tries++) {
      try {
        // What is in a directory as deep as this has a path that nobody can be told.
        return isDeepest(path) && directory.statAt(nameOf(path))?.kind === 'directory'
          ? troubled(old, tooDeep)
          : lookAt(this.world, directory, above, path, old, how)
      } catch (error) {
        // No call follows a link: what was a file a moment ago is a link by now, and the next look finds it. A file system
        // that says so each time means something else.
        if (!(error instanceof FileFailure) || error.code !== 'loop' || tries === loopTriesMax) throw error
      }
    }
  }

  /** A directory that cannot be opened or listed: a problem at its own entry, with all below kept; or it is another thing by now. */
  private cannotOpen(path: RelPath, directoryId: number, name: string, old: IndexRecord, error: FileFailure): void {
    if (
      error.code === 'absent' ||
      error.code === 'not-directory' ||
      (error.code === 'loop' && !this.stands(path, old))
    ) {
      this.lost(path)
      return
    }
    if (error.transient) this.troubled.push(path)
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

  /** The directory is still the one that is known, seen from above. */
  private stands(path: RelPath, old: IndexRecord): boolean {
    let above: Directory | undefined
    try {
      above = this.root.openDirectory(parentOf(path))
      const stat = above.statAt(nameOf(path))
      return stat !== undefined && sameDirectory(old, stat)
    } catch (error) {
      if (error instanceof FileFailure) return false
      throw error
    } finally {
      above?.close()
    }
  }

  private lost(directory: RelPath): void {
    this.stray.push(directory)
  }

  /** One transaction; `listed`: all that is in these is recorded with it. */
  private write(edits: readonly Edit[], listed: readonly { readonly directoryId: number }[]): void {
    if (edits.length === 0 && listed.length === 0) return
    const { value, first, last } = this.index.write((tx) => {
      const reports = this.writeInto(tx, edits)
      for (const { directoryId } of listed) tx.markListed(directoryId)
      return reports
    })
    if (first <= last) this.spans.push({ first, last })
    for (const report of value) writeReport(this.reports, report)
  }

  private sealUnsealed(): void {
    if (this.unsealed.length === 0) return
    this.index.write((tx) => {
      for (const id of this.unsealed) tx.seal(id)
    })
  }

  private writeInto(tx: IndexEdit, edits: readonly Edit[]): Report[] {
    const reports: Report[] = []
    const wallNs = this.world.clock.wallNs()
    let moved = tx.lastMove() !== this.movedAt
    const isElsewhere = ({ path, directoryId }: Edit) =>
      moved && path !== rootPath && tx.directoryId(parentOf(path)) !== directoryId
    for (const edit of edits) {
      const { path, directoryId, name, old } = edit
      // An apply that recorded something newer while this scan read knows better.
      const now = tx.at(directoryId, name)
      // So does whoever recorded meanwhile that the directory is elsewhere: nobody is to be told of its members here.
      if (now?.sequence !== old?.sequence || isElsewhere(edit)) {
        // What is gone has been told by whoever removed it.
        if (edit.fields !== undefined || now !== undefined) this.again.push(path)
        continue
      }
      if (edit.moved !== undefined && edit.fields !== undefined) {
        const told = this.writeMoved(tx, edit, edit.fields, edit.moved)
        moved = true
        if (told !== undefined) {
          if (this.input.reporting) reports.push(...told)
          continue
        }
      }
      if (edit.fields === undefined) tx.remove(directoryId, name, wallNs)
      else if (edit.quiet && old !== undefined)
        tx.amend(directoryId, name, { ...edit.fields, directoryId: old.directoryId, sequence: old.sequence })
      else tx.putOver(directoryId, name, edit.fields, now, true)
      if (edit.quiet || this.silent.has(directoryId) || !this.input.reporting) continue
      const record = edit.fields === undefined ? undefined : { ...edit.fields, directoryId: 0, sequence: 0 }
      reports.push({ kind: 'entry', path, found: foundOf(record) })
    }
    tx.purge(purgeMax, wallNs)
    return reports
  }

  /** What is to be told of it; undefined: it cannot be written down as a move, and is a new directory. */
  private writeMoved(tx: IndexEdit, edit: Edit, fields: RecordFields, moved: Whereabouts): Report[] | undefined {
    const { path, directoryId, name } = edit
    const now = tx.whereIs(fields.inode, fields.birthNs)
    if (now?.directoryId !== moved.directoryId || now.path !== moved.path) return undefined
    // Else it has been missed already, and something else may be there by now.
    const isKnownThere = tx.directoryId(moved.path) === moved.directoryId
    const record = tx.move(moved.directoryId, directoryId, name, fields)
    if (record === undefined) return undefined
    const reports: Report[] = isKnownThere ? [{ kind: 'entry', path: moved.path, found: foundOf(undefined) }] : []
    if (!this.silent.has(directoryId)) reports.push({ kind: 'entry', path, found: foundOf(record) })
    return [...reports, { kind: 'moved', path, from: moved.path }]
  }

  private listing(directory: RelPath, directoryId: number): void {
    const members = []
    for (const { name, record } of this.index.members(directoryId)) members.push({ name, found: foundOf(record) })
    writeReport(this.reports, { kind: 'listing', path: directory, members, more: false })
  }
}

const tooDeep = {
  kind: 'problem',
  code: 'name',
  detail: `${pathDepthMax} directories deep, or a path of ${pathCharsMax} characters: what is in it is left out`,
} as const

/** Records of directories that are gone, removed along with other writes. */
const purgeMax = 500

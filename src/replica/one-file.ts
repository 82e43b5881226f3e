import { absent, type Content } from '../core/content.js'
import type { Operation, Outcome } from '../core/operation.js'
import { type RelPath, rootPath } from '../core/path.js'
import type { Found, Report } from '../core/report.js'
import { digestText, fold } from '../wire/fold.js'
import { Forwarding } from './forwarding.js'
import { filePair } from './peer-pair.js'
import {
  type Acceptance,
  type AuditRequest,
  type AuditRow,
  type Changes,
  type Opened,
  type OpenRequest,
  type Pack,
  type Replica,
  ReplicaFailure,
  type Resumable,
  type Resumption,
  type View,
  type Want,
} from './replica.js'

/**
 * A root that is a file: its directory (`root`, which looks at nothing else), of which this tells and changes one name. The
 * lead sees a directory with at most one member, under the name that it has chosen (`OpenRequest.file`), so that two files of
 * different names can be a pair. Whatever else it names is not there, or cannot be changed; that holds for a peer too.
 *
 * In the directory the pair has an id of its own for each file: both files of a pair may lie in one directory, and share its
 * private folder.
 */
export class OneFile extends Forwarding {
  /** As the lead calls the file. */
  private shown: RelPath = rootPath

  constructor(
    protected readonly root: Replica,
    /** In the directory. */
    private readonly name: RelPath,
  ) {
    super()
  }

  override async open(request: OpenRequest): Promise<Opened> {
    if (request.file === undefined) throw this.otherKind('it is a file, and not a directory')
    this.shown = request.file
    const opened = await this.root.open({ ...request, pair: filePair(request.pair, this.name), view: everything })
    return {
      ...opened,
      hardLink: opened.hardLink === this.name ? this.shown : undefined,
      unacknowledged: opened.unacknowledged.flatMap((past) =>
        past.outcome.path === this.name ? [{ ...past, outcome: { ...past.outcome, path: this.shown } }] : [],
      ),
    }
  }

  override setGeneration(pair: string, generation: number): Promise<void> {
    return this.root.setGeneration(filePair(pair, this.name), generation)
  }

  override async *changes(signal: AbortSignal): AsyncIterable<Changes> {
    for await (const changes of this.root.changes(signal))
      yield { ...changes, reports: this.reportsOf(changes.reports) }
  }

  override async list(scopes: readonly RelPath[]): Promise<readonly Report[]> {
    const known = this.inside(scopes)
    const reports = known.length === 0 ? [] : this.reportsOf(await this.root.list(known))
    return [...reports, ...this.outside(scopes)]
  }

  override async identify(paths: readonly RelPath[]): Promise<readonly Report[]> {
    const known = this.inside(paths).filter((path) => path !== rootPath)
    const reports = known.length === 0 ? [] : this.reportsOf(await this.root.identify(known))
    return [...reports, ...this.outside(paths)]
  }

  override async rescan(scopes: readonly RelPath[]): Promise<void> {
    const known = this.inside(scopes)
    if (known.length > 0) await this.root.rescan(known)
  }

  /** No file system is mounted on a file. */
  override async accept(): Promise<Acceptance> {
    return { kind: 'nothing' }
  }

  override async flush(): Promise<readonly RelPath[]> {
    return (await this.root.flush()).flatMap((path) => (path === this.name ? [this.shown] : []))
  }

  /** The digest is of the names that the lead knows. */
  override async audit({ paths, members, perms, times, except }: AuditRequest): Promise<readonly AuditRow[]> {
    if (!paths.includes(rootPath)) return []
    const rows = await this.root.audit({ paths: [rootPath], members: true, perms, times, except: this.inside(except) })
    const told = rows.flatMap((row): AuditRow[] => {
      if (row.name === '') return [{ ...row, found: this.foundOf(row.found, rootPath) }]
      return row.name === this.name ? [{ ...row, name: this.shown, found: this.foundOf(row.found, this.shown) }] : []
    })
    if (members) return told
    const held = told.flatMap(({ name, found }) => (name === '' ? [] : [{ name, found, id: 0 }]))
    const counts = (path: RelPath) => !except.includes(path)
    const { sums } = fold([{ path: rootPath, id: 0, to: rootPath }], () => held, { perms, times, counts })
    const digest = digestText(sums[0]?.[1] ?? 0n)
    return told.flatMap((row) => (row.name === '' ? [{ ...row, digest }] : []))
  }

  override async doubt(paths: readonly RelPath[]): Promise<void> {
    const known = this.inside(paths).filter((path) => path !== rootPath)
    if (known.length > 0) await this.root.doubt(known)
  }

  override async *supply(wants: readonly Want[], signal: AbortSignal): AsyncIterable<Pack> {
    const known = wants.filter(({ path }) => path === this.shown)
    const finished = wants.flatMap(({ want, path }) =>
      path === this.shown ? [] : [{ want, kind: 'problem', code: 'denied', detail: outsideDetail } as const],
    )
    if (finished.length > 0) yield { bytes: new Uint8Array(0), finished }
    if (known.length === 0) return
    yield* this.root.supply(
      known.map((want) => ({ ...want, path: this.name })),
      signal,
    )
  }

  override async resume(batch: number, files: readonly Resumable[]): Promise<Resumption> {
    const known = files.flatMap((file) => (file.path === this.shown ? [{ ...file, path: this.name }] : []))
    return known.length === 0 ? { parts: [], others: false } : await this.root.resume(batch, known)
  }

  override async apply(batch: number, operations: readonly Operation[], supplier: string): Promise<readonly Outcome[]> {
    const known = operations.filter((operation) => this.isAllowed(operation))
    const mapped = known.map((operation): Operation => ({ ...operation, path: this.name }))
    const outcomes = mapped.length === 0 ? [] : await this.root.apply(batch, mapped, supplier)
    const became = new Map(known.map((operation, at) => [operation, outcomes[at]]))
    return operations.map((operation) => {
      const outcome = became.get(operation)
      const { path } = operation
      if (outcome === undefined)
        return { kind: 'failed', path, code: 'denied', detail: outsideDetail, transient: false }
      return { ...outcome, path }
    })
  }

  override async sync(paths: readonly RelPath[] | 'all'): Promise<void> {
    await this.root.sync(paths === 'all' ? paths : this.inside(paths))
  }

  /** The directory itself is not the lead's: neither its properties nor what else could be made of the name. */
  private isAllowed({ op, path, expect }: Operation): boolean {
    const isOfFile = op === 'write-file' || op === 'remove' || op === 'set-props'
    return path === this.shown && isOfFile && (expect.kind === 'file' || expect.kind === 'absent')
  }

  private reportsOf(reports: readonly Report[]): Report[] {
    const told: Report[] = []
    for (const report of reports) {
      if (report.kind === 'moved') continue
      if (report.kind === 'listing') {
        if (report.path !== rootPath) continue
        const members = report.members.flatMap(({ name, found }) =>
          name === this.name ? [{ name: this.shown, found: this.foundOf(found, this.shown) }] : [],
        )
        told.push({ ...report, members })
      } else if (report.path === rootPath || report.path === this.name) {
        const path = report.path === rootPath ? rootPath : this.shown
        told.push({ kind: 'entry', path, found: this.foundOf(report.found, path) })
      }
    }
    return told
  }

  /** @throws ReplicaFailure 'not-directory' when it is not a file any more, but for what can never travel */
  private foundOf(found: Found, path: RelPath): Found {
    if (path === rootPath) return found.kind === 'directory' ? plain : found
    if (found.kind === 'directory' || found.kind === 'symlink')
      throw this.otherKind(
        `a ${found.kind === 'directory' ? 'directory' : 'symbolic link'} stands there, and it was a file`,
      )
    return found
  }

  private otherKind(detail: string): ReplicaFailure {
    return new ReplicaFailure('not-directory', this.canonical, detail)
  }

  /** What of the lead's paths is here, as it is called here. */
  private inside(paths: readonly RelPath[]): RelPath[] {
    return paths.flatMap((path) => (path === rootPath ? [rootPath] : path === this.shown ? [this.name] : []))
  }

  private outside(paths: readonly RelPath[]): Report[] {
    return paths.flatMap((path) =>
      path === rootPath || path === this.shown ? [] : [{ kind: 'entry', path, found: absent } as const],
    )
  }
}

const outsideDetail = 'the root is one file, and this would lie beside it'

/** The directory as every lead sees it: what it has is none of theirs. */
const plain: Content = { kind: 'directory', props: { mode: 0o755, mtimeNs: undefined } }

/** What a lead leaves out is said of names in a directory. */
const everything: View = { ignore: [], ignorenot: [], paths: [] }

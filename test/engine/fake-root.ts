import { createHash } from 'node:crypto'
import { absent, type Content, type Fingerprint } from '../../src/core/content.js'
import { folded } from '../../src/core/folding.js'
import type { Operation, Outcome } from '../../src/core/operation.js'
import { join, nameOf, parentOf, type RelPath, relPath, rootPath } from '../../src/core/path.js'
import type { Report } from '../../src/core/report.js'
import type {
  Acceptance,
  AuditRequest,
  AuditRow,
  Changes,
  Delivery,
  Opened,
  OpenRequest,
  Pack,
  PastOutcome,
  ReachedRoot,
  RemovalsHeld,
  Resumption,
  Supplied,
  Want,
} from '../../src/replica/replica.js'
import { digestText, fold } from '../../src/wire/fold.js'
import type { RootState } from '../../src/wire/message.js'
import { turn } from '../replica/wire-pair.js'

/** What a file of this text is found as. */
export function fingerprintOf(text: string): Fingerprint {
  return `sha256:${createHash('sha256').update(text).digest('hex')}` as Fingerprint
}

/** Bytes of every file that was ever made, by fingerprint: a fake disk keeps contents only. */
const texts = new Map<Fingerprint, string>()

/**
 * A root in memory, as honest as a small one can be: it tells everything that changed and nothing of a reader's own
 * operations, and changes nothing that is not exactly as expected. Its user is the test.
 */
export class FakeRoot {
  readonly held = new Map<RelPath, Content>([
    [rootPath, { kind: 'directory', props: { mode: 0o755, mtimeNs: undefined } }],
  ])
  rootId = createHash('md5').update(`${Math.random()}`).digest('hex')
  readonly generations = new Map<string, number>()
  /** Intents: what was done and not acknowledged. */
  past: PastOutcome[] = []
  boot = 'boot-1'
  /** Names that differ only by case are one. */
  folding = false
  run = '0b'.repeat(16)
  sequence = 1
  /** Every call of the engine, in order. */
  readonly calls: string[] = []
  /** Runs before each call: what it throws is what the call throws. */
  before: (call: string, replica: FakeReplica) => void | Promise<void> = () => {}
  /** What to do just before an operation is looked at: the user who is faster. */
  beforeOperation: (operation: Operation) => void = () => {}
  /** What an operation ends with instead of being done. */
  refuses: (operation: Operation) => Outcome | undefined = () => undefined
  readonly sessions = new Set<FakeReplica>()
  /** A directory that was renamed is known by its inode, also by who was not there. */
  hints = true
  /** What stands at its path. */
  state: RootState = 'ready'
  /** As it was opened. */
  openedAs: OpenRequest['file']
  /** What it says when it is asked whether so many may be removed. */
  holds: (count: number) => RemovalsHeld | undefined = () => undefined
  /** What a flush cannot tell of. */
  restless: readonly RelPath[] = []
  private readonly log: { readonly sequence: number; readonly path: RelPath }[] = []
  private readonly moves: { readonly sequence: number; readonly path: RelPath; readonly from: RelPath }[] = []
  private timeNs = 1_000n

  constructor(readonly name: string) {}

  /** A replica that is not opened yet. */
  replica(): FakeReplica {
    return new FakeReplica(this)
  }

  // The user's hands.

  write(path: string, text: string, mtimeNs: bigint = ++this.timeNs, mode = 0o644): void {
    const fingerprint = fingerprintOf(text)
    texts.set(fingerprint, text)
    this.user(path, { kind: 'file', fingerprint, sizeBytes: text.length, props: { mode, mtimeNs } })
  }

  directory(path: string, mode = 0o755): void {
    this.user(path, { kind: 'directory', props: { mode, mtimeNs: undefined } })
  }

  chmod(path: string, mode: number): void {
    const content = this.at(path)
    if (content.kind === 'file' || content.kind === 'directory')
      this.user(path, { ...content, props: { ...content.props, mode } })
  }

  touch(path: string, mtimeNs: bigint): void {
    const content = this.at(path)
    if (content.kind === 'file') this.user(path, { ...content, props: { ...content.props, mtimeNs } })
  }

  remove(path: string): void {
    for (const at of this.below(relPath(path)).reverse()) this.user(at, absent)
  }

  at(path: string): Content {
    return this.held.get(relPath(path)) ?? absent
  }

  /** Every path with its text; a directory ends with a slash. */
  tree(): Record<string, string> {
    const tree: Record<string, string> = {}
    for (const path of [...this.held.keys()].sort()) {
      const content = this.at(path)
      if (path !== rootPath)
        tree[content.kind === 'directory' ? `${path}/` : path] =
          content.kind === 'file' ? (texts.get(content.fingerprint ?? fingerprintOf('')) ?? '?') : ''
    }
    return tree
  }

  /** The path and everything below it, parents first. */
  below(path: RelPath): RelPath[] {
    return [...this.held.keys()].filter((at) => at === path || at.startsWith(path === '' ? '' : `${path}/`)).sort()
  }

  /** A rename; `origin` does not hear of it. */
  rename(from: string, to: string, origin?: FakeReplica): void {
    const moved = this.below(relPath(from)).map((at) => ({ at, content: this.at(at) }))
    for (const { at } of [...moved].reverse()) this.held.delete(at)
    for (const { at, content } of moved) this.held.set(relPath(to + at.slice(from.length)), content)
    this.log.push({ sequence: ++this.sequence, path: relPath(from) })
    for (const { at } of moved) this.log.push({ sequence: ++this.sequence, path: relPath(to + at.slice(from.length)) })
    const reports: Report[] = [
      { kind: 'entry', path: relPath(from), found: absent },
      { kind: 'entry', path: relPath(to), found: this.at(to) },
    ]
    if (this.at(to).kind === 'directory') {
      const move = { path: relPath(to), from: relPath(from) }
      reports.push({ kind: 'moved', ...move })
      if (this.hints) this.moves.push({ sequence: this.sequence, ...move })
    }
    for (const session of this.sessions) session.tell(session === origin ? [] : reports, this.sequence)
  }

  /** Changes one path; `origin` does not hear of it. */
  set(path: RelPath, content: Content, origin: FakeReplica | undefined): void {
    if (content.kind === 'absent') this.held.delete(path)
    else this.held.set(path, content)
    this.log.push({ sequence: ++this.sequence, path })
    for (const session of this.sessions)
      session.tell(session === origin ? [] : [{ kind: 'entry', path, found: content }], this.sequence)
  }

  /** Entries of all that changed after the sequence, parents first, and the directories that were moved. */
  since(sequence: number): Report[] {
    const paths = new Set(this.log.filter((one) => one.sequence > sequence).map(({ path }) => path))
    const entries = [...paths].sort().map((path): Report => ({ kind: 'entry', path, found: this.at(path) }))
    const moved = this.moves.filter(
      (one) => one.sequence > sequence && this.held.has(one.path) && !this.held.has(one.from),
    )
    return [...entries, ...moved.map(({ path, from }): Report => ({ kind: 'moved', path, from }))]
  }

  list(path: RelPath): Report[] {
    const found = this.at(path)
    const reports: Report[] = [{ kind: 'entry', path, found }]
    for (const at of this.below(path)) {
      if (this.at(at).kind !== 'directory') continue
      const members = [...this.held.keys()]
        .filter((other) => other !== rootPath && parentOf(other) === at)
        .map((other) => ({ name: other.slice(other.lastIndexOf('/') + 1), found: this.at(other) }))
      reports.push({ kind: 'listing', path: at, members, more: false })
    }
    return reports
  }

  /** A change that goes past the watcher, every scan and the sequences: a mistake of ours. */
  changeUnheard(path: string, text: string): void {
    const fingerprint = fingerprintOf(text)
    texts.set(fingerprint, text)
    this.held.set(relPath(path), {
      kind: 'file',
      fingerprint,
      sizeBytes: text.length,
      props: { mode: 0o644, mtimeNs: 7n },
    })
  }

  /** See Replica. What changed last at a path is its sequence. */
  audit({ paths, members, perms, times, except }: AuditRequest): AuditRow[] {
    const lastAt = (within: (path: RelPath) => boolean) =>
      this.log.reduce((last, { sequence, path }) => (within(path) ? sequence : last), 0)
    const rules = { perms, times, counts: (path: RelPath) => !except.includes(path) }
    const all = [...this.held.keys()]
    const membersOf = (directory: RelPath) => all.filter((path) => path !== rootPath && parentOf(path) === directory)
    const rowOf = (directory: RelPath, name: string, sequence: number): AuditRow => {
      const path = name === '' ? directory : join(directory, name)
      const found = this.at(path)
      if (found.kind !== 'directory') return { directory, name, found, sequence, digest: '' }
      const step = { path, id: all.indexOf(path) + 1, to: path }
      const { sums } = fold(
        [step],
        (id) =>
          membersOf(all[id - 1] ?? rootPath).map((member) => {
            const held = this.at(member)
            return { name: nameOf(member), found: held, id: held.kind === 'directory' ? all.indexOf(member) + 1 : 0 }
          }),
        rules,
      )
      return { directory, name, found, sequence, digest: digestText(sums[0]?.[1] ?? 0n) }
    }
    return paths.flatMap((path) => {
      if (this.at(path).kind !== 'directory') return []
      const own = rowOf(
        path,
        '',
        lastAt((at) => at !== rootPath && parentOf(at) === path),
      )
      const below = members ? membersOf(path) : []
      return [
        own,
        ...below.map((member) =>
          rowOf(
            path,
            nameOf(member),
            lastAt((at) => at === member),
          ),
        ),
      ]
    })
  }

  private user(path: string, content: Content): void {
    const at = relPath(path)
    for (let parent = at; parent !== rootPath && content.kind !== 'absent'; ) {
      parent = parentOf(parent)
      if (!this.held.has(parent)) this.directory(parent)
    }
    this.set(at, content, undefined)
  }
}

/** One life of a pair on a FakeRoot. */
export class FakeReplica implements ReachedRoot {
  readonly canonical: string
  closed = false
  private cursor: OpenRequest['cursor']
  private queue: Changes[] = []
  private wake: () => void = () => {}
  private readonly staged = new Map<number, Map<number, Fingerprint>>()

  constructor(private readonly root: FakeRoot) {
    this.canonical = `//fake//${root.name}`
  }

  async look(): Promise<RootState> {
    return this.root.state
  }

  async open({ cursor, pair, file }: OpenRequest): Promise<Opened> {
    await this.call('open')
    const { root } = this
    root.openedAs = file
    this.cursor = cursor
    return {
      rootId: root.rootId,
      created: false,
      fresh: false,
      generation: root.generations.get(pair) ?? 0,
      boot: root.boot,
      index: '0a'.repeat(16),
      run: root.run,
      unacknowledged: [...root.past],
      folding: root.folding,
      hardLink: undefined,
    }
  }

  async setGeneration(pair: string, generation: number): Promise<void> {
    await this.call('setGeneration')
    this.root.generations.set(pair, generation)
  }

  async *changes(signal: AbortSignal): AsyncGenerator<Changes> {
    const { root, cursor } = this
    signal.addEventListener('abort', () => this.wake())
    root.sessions.add(this)
    const vouched = cursor !== undefined && cursor.run === root.run && cursor.sequence <= root.sequence
    const reports = vouched ? root.since(cursor.sequence) : root.list(rootPath)
    yield { reports, sequence: root.sequence, current: true }
    while (!signal.aborted && !this.closed) {
      for (const changes of this.queue.splice(0)) yield changes
      if (signal.aborted || this.closed) return
      if (this.queue.length === 0)
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
    }
  }

  tell(reports: readonly Report[], sequence: number): void {
    this.queue.push({ reports, sequence, current: true })
    this.wake()
  }

  async list(scopes: readonly RelPath[]): Promise<readonly Report[]> {
    await this.call('list', scopes)
    return scopes.flatMap((path) => this.root.list(path))
  }

  async identify(paths: readonly RelPath[]): Promise<readonly Report[]> {
    await this.call('identify', paths)
    return paths.map((path) => ({ kind: 'entry', path, found: this.root.at(path) }))
  }

  async rescan(scopes: readonly RelPath[]): Promise<void> {
    await this.call('rescan', scopes)
  }

  /** Nothing is mounted in memory. */
  async accept(): Promise<Acceptance> {
    return { kind: 'nothing' }
  }

  async flush(): Promise<readonly RelPath[]> {
    await this.call('flush')
    return this.root.restless
  }

  async *supply(wants: readonly Want[]): AsyncGenerator<Pack> {
    for (const want of wants) {
      await this.call('supply', [want.path])
      const content = this.root.at(want.path)
      const isWanted =
        content.kind === 'file' && content.sizeBytes === want.sizeBytes && content.props.mtimeNs === want.mtimeNs
      const finished: Supplied = isWanted
        ? { want: want.want, kind: 'whole', fingerprint: content.fingerprint ?? fingerprintOf('') }
        : { want: want.want, kind: 'superseded' }
      const bytes = finished.kind === 'whole' ? Buffer.from(`${want.want} ${finished.fingerprint}`) : new Uint8Array(0)
      yield { bytes, finished: [finished] }
    }
  }

  async removing(count: number, confirmed: boolean): Promise<RemovalsHeld | undefined> {
    return confirmed ? undefined : this.root.holds(count)
  }

  async resume(): Promise<Resumption> {
    return { parts: [], others: false }
  }

  async stage(batch: number, pack: Delivery): Promise<void> {
    await this.call('stage')
    const [want, fingerprint] = Buffer.from(pack.bytes).toString().split(' ')
    const staged = this.staged.get(batch) ?? new Map<number, Fingerprint>()
    staged.set(Number(want), fingerprint as Fingerprint)
    this.staged.set(batch, staged)
  }

  async apply(batch: number, operations: readonly Operation[], supplier: string): Promise<readonly Outcome[]> {
    await this.call(
      'apply',
      operations.map(({ path }) => path),
    )
    const outcomes = operations.map((operation) => this.applyOne(batch, operation))
    for (const outcome of outcomes) this.root.past.push({ batch, supplier, outcome })
    await this.call('applied')
    return outcomes
  }

  async audit(request: AuditRequest): Promise<readonly AuditRow[]> {
    await this.call('audit', request.paths)
    return this.root.audit(request)
  }

  async doubt(paths: readonly RelPath[]): Promise<void> {
    await this.call('doubt', paths)
  }

  async sync(paths: readonly RelPath[] | 'all'): Promise<void> {
    await this.call('sync', paths === 'all' ? ['all' as RelPath] : paths)
  }

  async acknowledge(batches: readonly number[]): Promise<void> {
    await this.call('acknowledge')
    this.root.past = this.root.past.filter(({ batch }) => !batches.includes(batch))
  }

  async close(): Promise<void> {
    this.closed = true
    this.root.sessions.delete(this)
    this.wake()
  }

  private applyOne(batch: number, operation: Operation): Outcome {
    this.root.beforeOperation(operation)
    const refused = this.root.refuses(operation)
    if (refused !== undefined) return refused
    if (operation.op === 'rename') return this.renameOne(operation)
    const { path, expect } = operation
    const have = this.root.at(path)
    const why = differs(expect, have)
    if (why !== undefined) return { kind: 'superseded', path, detail: why }
    if (operation.op === 'remove' && this.root.below(path).length > 1)
      return { kind: 'failed', path, code: 'not-empty', detail: 'it is not empty', transient: true }
    if (operation.op !== 'remove' && this.root.at(parentOf(path)).kind !== 'directory')
      return { kind: 'superseded', path, detail: 'its directory is gone' }
    const alike = [...this.root.held.keys()].find((at) => at !== path && folded(at) === folded(path))
    if (this.root.folding && have.kind === 'absent' && alike !== undefined)
      return { kind: 'superseded', path, detail: `${alike} is there` }
    const content = this.resultOf(batch, operation, have)
    this.root.set(path, content, this)
    return { kind: 'done', path, content }
  }

  private renameOne({ path, from, expect }: Operation & { op: 'rename' }): Outcome {
    const { root } = this
    const have = root.at(from)
    if (have.kind !== expect.kind) return { kind: 'superseded', path, detail: 'something else' }
    if (root.at(path).kind !== 'absent' || root.at(parentOf(path)).kind !== 'directory')
      return { kind: 'superseded', path, detail: 'no room' }
    root.rename(from, path, this)
    return { kind: 'done', path, content: have, from }
  }

  private resultOf(batch: number, operation: Exclude<Operation, { op: 'rename' }>, have: Content): Content {
    switch (operation.op) {
      case 'remove':
        return absent
      case 'create-directory':
        return { kind: 'directory', props: { mode: operation.props.mode ?? 0o755, mtimeNs: undefined } }
      case 'write-symlink':
        return { kind: 'symlink', target: operation.target }
      case 'write-file': {
        const fingerprint = this.staged.get(batch)?.get(operation.want)
        const kept = have.kind === 'file' ? have.props : { mode: 0o644, mtimeNs: 5n }
        const { mode = kept.mode, mtimeNs = kept.mtimeNs } = operation.props
        return { kind: 'file', fingerprint, sizeBytes: operation.sizeBytes, props: { mode, mtimeNs } }
      }
      case 'set-props': {
        if (have.kind !== 'file' && have.kind !== 'directory') return have
        const { mode = have.props.mode, mtimeNs = have.props.mtimeNs } = operation.props
        return { ...have, props: { mode, mtimeNs } }
      }
    }
  }

  private async call(name: string, paths: readonly string[] = []): Promise<void> {
    this.root.calls.push([name, ...paths].join(' '))
    await turn()
    await this.root.before(name, this)
    if (this.closed) throw new Error(`${name} of a closed replica`)
  }
}

/** Why what is there is not exactly what an operation expects, or undefined. */
function differs(expect: Content, have: Content): string | undefined {
  if (expect.kind !== have.kind) return `${have.kind}, not ${expect.kind}`
  if (expect.kind === 'symlink' && have.kind === 'symlink')
    return expect.target === have.target ? undefined : 'another target'
  if (expect.kind === 'absent' || expect.kind === 'symlink' || have.kind === 'absent' || have.kind === 'symlink') return
  if (expect.props.mode !== undefined && expect.props.mode !== have.props.mode)
    return `mode ${have.props.mode?.toString(8)}, not ${expect.props.mode.toString(8)}`
  if (expect.kind !== 'file' || have.kind !== 'file') return
  if (expect.props.mtimeNs !== undefined && expect.props.mtimeNs !== have.props.mtimeNs) return 'another time'
  if (expect.fingerprint !== undefined && expect.fingerprint !== have.fingerprint) return 'another content'
  return expect.sizeBytes === have.sizeBytes ? undefined : 'another size'
}

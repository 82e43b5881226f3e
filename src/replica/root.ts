import { createHash } from 'node:crypto'
import type { MaxDelete } from '../core/budget.js'
import type { Durability } from '../core/durability.js'
import { Failure } from '../core/failure.js'
import type { Keep } from '../core/keep.js'
import type { MinFree } from '../core/min-free.js'
import { type AbsPath, absoluteOf, absPath, type RelPath, rootPath } from '../core/path.js'
import type { Report } from '../core/report.js'
import type { Host } from '../host/host.js'
import { Steadiness } from '../host/steadiness.js'
import type { WatcherChoice } from '../host/watcher.js'
import type { Emit } from '../status/event.js'
import { BytesReader } from '../wire/bytes.js'
import { readReports } from '../wire/report.js'
import { Holds } from './holds.js'
import { acceptableJob } from './jobs/accept.js'
import type { Applied } from './jobs/apply.js'
import { letGoJob } from './jobs/budget.js'
import { generationJob } from './jobs/generation.js'
import { closeIndexJob, noteScannedJob, type OpenIndexOutput, openIndexJob } from './jobs/open-index.js'
import { closeRootJob, openRootJob, type RootFacts } from './jobs/open-root.js'
import type { RootPlace } from './jobs/place.js'
import { type Recovered, recoverJob } from './jobs/recover.js'
import type { ScanOutput, Span } from './jobs/scan.js'
import { sweepJob } from './jobs/sweep.js'
import { unacknowledgedJob } from './jobs/unacknowledged.js'
import { Keeping } from './keeping.js'
import { PatientWorkers } from './patient-workers.js'
import { pairPrefixChars } from './peer-pair.js'
import type { Acceptance, AcceptRequest, PastOutcome } from './replica.js'
import { Room } from './room.js'
import { Scanning } from './scanning.js'
import { Watching } from './watching.js'
import { Watermark } from './watermark.js'

export interface LocalRootOptions {
  readonly host: Host
  readonly emit: Emit
  /** The directory that is the root, or that holds it. */
  readonly path: AbsPath
  /** The root is this file in it, and nothing else. */
  readonly only?: RelPath | undefined
  /** The agent's state directory: the index lies in it, and the lock on the folder of staging. */
  readonly stateDir: AbsPath
  readonly create: boolean
  readonly care: RootCare
}

/** How a root is watched, and what becomes of what is replaced in it. */
export interface RootCare {
  /** auto if not given. */
  readonly watcher?: WatcherChoice | undefined
  /** undefined: nothing is kept. */
  readonly keep?: Keep | undefined
  /** What its disk is to keep free; undefined: nothing. */
  readonly minFree?: MinFree | undefined
  /** What may be removed in a day; undefined: anything. */
  readonly maxDelete?: MaxDelete | undefined
  /** power-loss if not given. */
  readonly durability?: Durability | undefined
}

/** Who wants to hear of changes. `origin`: they come from operations that this listener ordered itself. */
export interface RootListener {
  /** It has begun to take in changes; until then it will be told everything by its catch-up. */
  readonly isListening: boolean
  changed(reports: readonly Report[], sequence: number): void
  /** The root is not what it was, or cannot be used: nothing more will come. */
  failed(error: unknown): void
}

/** Who changes the root for a pair. */
export interface Reader {
  /** Takes in nothing more; resolves when what is being applied is over. */
  retire(): Promise<void>
}

/**
 * One root of this machine while an agent keeps it: one index, one watcher and one scan, shared by everybody who works with
 * the root. Opened once; every pair and every peer of the root has a LocalReplica on it.
 */
export class LocalRoot {
  readonly holds = new Holds()
  private readonly listeners = new Set<RootListener>()
  private readonly readers = new Map<string, Reader>()
  /** Pairs that have been told what was not acknowledged. */
  private readonly heard = new Set<string>()
  /** By the beginning of the ids of their pairs: when the last of them will be through. */
  private readonly turns = new Map<string, Promise<void>>()
  private readonly watermark: Watermark
  private readonly scanning: Scanning
  private readonly watching: Watching
  private readonly keeping: Keeping
  readonly room: Room
  /** The last full scan; and the first that began after the root was watched. */
  private scanned: Promise<void> | undefined
  private covered: Promise<void> | undefined
  /** A full scan that waits for the one before it to end. */
  private waiting: Promise<void> | undefined
  private readonly ending = new AbortController()
  private readonly steadiness: Steadiness
  private sweeping = false
  /** A sweep was asked for since the one under way began to look. */
  private isSweptAgain = false
  /** Batches being received or applied, and how many there have been: what is in `in/` may be theirs. */
  private batchesInHand = 0
  private batchesBegun = 0
  /** In `in/` is what belongs to a batch in hand, or to none. */
  private isUntidy = false
  /** In `in/` is what a batch needs until it is acknowledged. */
  private isNeeded = false
  /** Folders of staging of processes of which cannot be told whether they live. */
  private unclear: ReadonlySet<RelPath> = new Set()
  private failure: { readonly error: unknown } | undefined
  /** A file that has other names too. */
  hardLink: RelPath | undefined
  private closing: Promise<void> | undefined
  private sealed = false

  private constructor(
    private readonly options: LocalRootOptions,
    readonly facts: RootFacts,
    readonly place: RootPlace,
    readonly index: OpenIndexOutput,
    private readonly indexDirectory: AbsPath,
    private readonly locks: AbsPath,
  ) {
    const { host } = options
    this.watermark = new Watermark(index.sequence)
    this.steadiness = new Steadiness(host.clock)
    if (host.workers instanceof PatientWorkers) host.workers.whenLate = (failure) => this.fail(failure)
    this.scanning = new Scanning(
      host,
      place,
      this.holds,
      (output) => this.found(output),
      (error) => this.fail(error),
      () => [...this.listeners].some((listener) => listener.isListening),
    )
    this.keeping = new Keeping(host, place, options.care.keep)
    this.room = new Room(host, place, options.care.minFree, this.keeping)
    this.watching = new Watching(host, options.emit, place, facts.filesystem, options.care.watcher ?? 'auto', {
      mark: (paths) => this.scanning.mark(paths),
      scan: (scopes) => this.scanning.scan(scopes),
      everything: () => this.everything(),
      fail: (error) => this.fail(error),
    })
  }

  /** @throws ReplicaFailure, StoreFailure, FileFailure */
  static async open(options: LocalRootOptions): Promise<LocalRoot> {
    try {
      return await LocalRoot.openOnce(options)
    } catch (error) {
      if (!(error instanceof Failure) || !['low-space', 'disk-full'].includes(error.code)) throw error
      // What is kept of old versions may be what has filled the disk: it goes before anybody has to wait.
      const { host, path, care } = options
      if ((await new Keeping(host, { root: path }, care.keep).makeRoom(openingNeed)) === 0) throw error
      return await LocalRoot.openOnce(options)
    }
  }

  private static async openOnce(options: LocalRootOptions): Promise<LocalRoot> {
    const { host, path, create, only } = options
    const folder = `${host.machine.pid}-${Buffer.from(host.random.bytes(8)).toString('hex')}`
    const { workers } = host
    const rootsDirectory = `${options.stateDir}/roots`
    // Locks of all who share a private folder lie together, so that who recovers one finds what it can remove.
    const locks = absPath(`${rootsDirectory}/${hashOf(path)}`)
    const indexDirectory = only === undefined ? locks : absPath(`${rootsDirectory}/${hashOf(`${path}\0${only}`)}`)
    const facts = await workers.run(openRootJob, { root: path, folder, locks, create, only }, 'edit', rootLane)
    try {
      return await LocalRoot.openOn(options, facts, folder, locks, indexDirectory)
    } catch (error) {
      await workers.run(closeRootJob, { root: path, folder }, 'edit', rootLane)
      throw error
    }
  }

  private static async openOn(
    options: LocalRootOptions,
    facts: RootFacts,
    folder: string,
    locks: AbsPath,
    indexDirectory: AbsPath,
  ): Promise<LocalRoot> {
    const { host, emit, path, only } = options
    const { workers, machine } = host
    const index = await workers.run(openIndexJob, { directory: indexDirectory }, 'edit', rootLane)
    if (index.movedAside !== undefined) {
      const { to, why } = index.movedAside
      emit({ event: 'store-moved-aside', path: index.index, movedTo: to, why })
    }
    const { rootId, folding } = facts
    const keeps = options.care.keep !== undefined
    const durability = options.care.durability ?? 'power-loss'
    const boot = machine.bootId
    const place: RootPlace = { root: path, index: index.index, folder, boot, rootId, keeps, durability, folding, only }
    let recovered: Recovered
    try {
      recovered = await workers.run(recoverJob, { place, locks }, 'edit', rootLane)
    } catch (error) {
      await workers.run(closeIndexJob, { directory: indexDirectory, index: index.index }, 'edit', rootLane)
      throw error
    }
    const root = new LocalRoot(options, facts, place, index, indexDirectory, locks)
    root.keeping.begin(recovered.keptBytes)
    root.recovered(recovered)
    return root
  }

  get host(): Host {
    return this.options.host
  }

  get maxDelete(): MaxDelete | undefined {
    return this.options.care.maxDelete
  }

  /** Removals that are held here may be made. Answers how many paths those are. */
  letGo(): Promise<number> {
    return this.host.workers.run(letGoJob, { place: this.place }, 'edit')
  }

  get path(): AbsPath {
    return this.options.path
  }

  /** As its user knows it. */
  private get shown(): AbsPath {
    const { path, only } = this.options
    return only === undefined ? path : absoluteOf(path, only)
  }

  /** Outcomes that the pair's lead has not acknowledged: of earlier lives of this agent, and of this one. */
  async pastOf(pair: string): Promise<readonly PastOutcome[]> {
    const { host, place } = this
    const { outcomes, dirty } = await host.workers.run(unacknowledgedJob, { place, pair }, 'edit')
    this.mark(dirty)
    this.heard.add(pair)
    // What it finished has slots to settle, and what it was not to publish is of no use any more.
    this.sweepLater()
    return outcomes
  }

  /**
   * What the marker says of the pair now. A root that is not the one that was opened any more is opened anew by the next who
   * needs it: something was mounted over it, or it came back from under a mount.
   */
  async generationOf(pair: string): Promise<number> {
    try {
      return await this.host.workers.run(generationJob, { place: this.place, pair }, 'edit')
    } catch (error) {
      this.fail(error)
      throw error
    }
  }

  /**
   * `reader` works for the pair from now on. Whoever did before changes nothing more when this resolves: what it did after
   * the past was told would be told to nobody, or long after it has been left behind.
   */
  async enter(pair: string, reader: Reader): Promise<void> {
    const before = this.readers.get(pair)
    this.readers.set(pair, reader)
    this.heard.delete(pair)
    await before?.retire()
  }

  leave(pair: string, reader: Reader): void {
    if (this.readers.get(pair) !== reader) return
    this.readers.delete(pair)
    this.heard.delete(pair)
  }

  /**
   * One after the other what pairs of one peer do to the root: what they remove is counted together. Pairs whose ids begin otherwise do
   * not wait for each other.
   */
  inTurn<T>(pair: string, work: () => Promise<T>): Promise<T> {
    const who = pair.slice(0, pairPrefixChars)
    const done = (this.turns.get(who) ?? Promise.resolve()).then(work)
    const ended: Promise<void> = done
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        if (this.turns.get(who) === ended) this.turns.delete(who)
      })
    this.turns.set(who, ended)
    return done
  }

  /**
   * Brings the index up to what is there: by a full scan the first time, after that by what the watcher says, if there is one.
   * With `watch` the watcher is started first, so that nothing falls between.
   */
  async ready(watch: boolean): Promise<void> {
    try {
      await this.upToDate(watch)
    } catch (error) {
      // A root that could not be looked at is opened anew by the next who needs it.
      this.fail(error)
      throw error
    }
  }

  private async upToDate(watch: boolean): Promise<void> {
    if (!watch && !this.watching.isOn) {
      await this.everything()
      return
    }
    await this.watching.start()
    if (this.covered === undefined) {
      this.covered = this.everything()
      await this.covered
      return
    }
    await this.covered
    await this.catchUp()
  }

  listen(listener: RootListener): () => void {
    if (this.failure !== undefined) listener.failed(this.failure.error)
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Everything is looked at by a scan that begins after the call. However many ask for one, a single one waits. */
  private everything(): Promise<void> {
    if (this.waiting !== undefined) return this.waiting
    const before = this.scanned ?? Promise.resolve()
    const begin = () => {
      this.waiting = undefined
      return this.fullScan()
    }
    this.waiting = before.then(begin, begin)
    this.scanned = this.waiting
    return this.waiting
  }

  private async fullScan(): Promise<void> {
    const { host, emit } = this.options
    const startedMs = host.clock.now()
    emit({ event: 'scan-started', root: this.shown })
    // Seals are written when a root is opened, and not later: a root in which nothing happens is not written about.
    const sealing = !this.sealed
    this.sealed = true
    // When it was opened there was one that might have been at work, or could not be asked.
    if (!sealing) await this.recoverOthers()
    const paths = await this.scanning.scan([rootPath], sealing)
    await host.workers.run(noteScannedJob, { index: this.place.index }, 'bulk')
    emit({ event: 'scan-finished', root: this.shown, paths, durationMs: host.clock.now() - startedMs })
  }

  private async recoverOthers(): Promise<void> {
    const { place, locks } = this
    const recovered = await this.host.workers.run(
      recoverJob,
      { place, locks, heard: [...this.heard], steadyNs: this.steadiness.forNs() },
      'edit',
      rootLane,
    )
    if (recovered.keptBytes > 0) this.keeping.add(recovered.keptBytes)
    this.mark(recovered.dirty)
    this.recovered(recovered)
  }

  private recovered({ unclear, pending }: Recovered): void {
    const { emit, path } = this.options
    for (const { folder, detail } of unclear)
      if (!this.unclear.has(folder)) emit({ event: 'process-unclear', root: path, folder, detail })
    this.unclear = new Set(unclear.map(({ folder }) => folder))
    // What an earlier process had displaced still has its last look before it.
    if (pending > 0) this.sweepLater()
  }

  /** Looks at and below the scopes; what was found has been handed on when it resolves. */
  async rescan(scopes: readonly RelPath[]): Promise<void> {
    const isWhole = scopes.includes(rootPath)
    if (isWhole) await this.watching.drain()
    await this.looking<unknown>(isWhole ? this.everything() : this.scanning.scan(scopes))
  }

  /** See Replica.accept. */
  async accept({ path, pairs, confirmed, asksOnly }: AcceptRequest): Promise<Acceptance> {
    const { place } = this
    const answer = await this.host.workers.run(acceptableJob, { place, path, pairs, confirmed }, 'edit')
    if (answer.kind === 'accepted' && !asksOnly) await this.looking(this.scanning.accept(path))
    return answer
  }

  /** Everything that was written before the call has been handed on, but for the paths it answers: see Replica. */
  async flush(): Promise<readonly RelPath[]> {
    // The first look finds out what is being written, the second takes it as it is.
    await this.looking(this.catchUp())
    return await this.looking(this.scanning.settle())
  }

  /** Everything that was written before the call has been looked at. */
  private async catchUp(): Promise<void> {
    await this.watching.drain()
    // Events that were lost are made up for by a full scan, which may still wait for its turn.
    await this.scanned
    const { blind } = this.watching
    if (blind.includes(rootPath)) await this.everything()
    else if (blind.length > 0) await this.scanning.scan(blind)
    await this.scanning.catchUp()
  }

  /** What a look had found before it failed was told to nobody: the root is opened anew. */
  private async looking<T>(look: Promise<T>): Promise<T> {
    try {
      return await look
    } catch (error) {
      this.fail(error)
      throw error
    }
  }

  /** Scans that began before the call are over: their reports may have been left out, as nobody listened. */
  scansEnded(): Promise<void> {
    return this.scanning.idle()
  }

  /** Paths that are not as their records say: they are scanned soon. */
  mark(paths: readonly RelPath[]): void {
    if (paths.length > 0) this.scanning.mark(paths.map((path) => ({ path, depth: 'entry', closed: true })))
  }

  /** The same with all that is below. */
  markBelow(paths: readonly RelPath[]): void {
    if (paths.length > 0) this.scanning.mark(paths.map((path) => ({ path, depth: 'subtree', closed: true })))
  }

  /** Changes that a job recorded; `origin` does not hear of its own. */
  publish(reports: readonly Report[], spans: readonly Span[], origin: RootListener | undefined): void {
    for (const { first, last } of spans) this.watermark.pass(first, last)
    for (const listener of this.listeners) listener.changed(listener === origin ? [] : reports, this.watermark.sequence)
  }

  /** What could not be taken over from what was replaced. */
  tell(notes: Applied['notes']): void {
    for (const { path, detail } of notes) this.options.emit({ event: 'not-taken-over', root: this.shown, path, detail })
  }

  /** What came out of exchanges and removals is looked at once more, a second later, and then goes. */
  sweepLater(): void {
    // What a sweep under way has looked at already may be other by now.
    this.isSweptAgain = true
    if (this.sweeping) return
    this.sweeping = true
    void this.sweep().catch((error: unknown) => this.fail(error))
  }

  /** What is received for it, or made by it, stays in `in/` until endBatch. */
  beginBatch(): void {
    this.batchesInHand += 1
    this.batchesBegun += 1
  }

  endBatch(): void {
    this.batchesInHand -= 1
    if (this.batchesInHand === 0 && this.isUntidy) this.sweepLater()
  }

  /** What batches that could not say how they ended have left in `in/` is needed no more. */
  acknowledged(): void {
    if (this.isNeeded || this.sweeping) this.sweepLater()
  }

  /** Again, if it failed: the root did not answer. @throws ReplicaFailure 'not-answering' */
  close(): Promise<void> {
    this.closing ??= this.closeNow().catch((error: unknown) => {
      this.closing = undefined
      throw error
    })
    return this.closing
  }

  get isClosed(): boolean {
    return this.closing !== undefined
  }

  private async closeNow(): Promise<void> {
    const { host } = this.options
    this.ending.abort(new Error('the root is closed'))
    await this.watching.close()
    await this.scanning.close()
    const steadyNs = this.steadiness.forNs()
    const swept = await host.workers
      .run(sweepJob, { place: this.place, steadyNs }, 'bulk', rootLane)
      .catch(() => undefined)
    await this.keeping.close(swept?.keptBytes ?? 0)
    await host.workers.run(closeRootJob, { root: this.path, folder: this.place.folder }, 'bulk', rootLane)
    await host.workers.run(closeIndexJob, { directory: this.indexDirectory, index: this.place.index }, 'bulk', rootLane)
  }

  private async sweep(): Promise<void> {
    const { host } = this.options
    let strays: readonly string[] = []
    for (;;) {
      await host.clock.sleep(sweepAfterMs, this.ending.signal).catch(() => undefined)
      if (this.ending.signal.aborted) return
      this.isSweptAgain = false
      const looks = this.batchesInHand === 0
      const begun = this.batchesBegun
      const steadyNs = this.steadiness.forNs()
      const swept = await host.workers.run(sweepJob, { place: this.place, strays, looks, steadyNs }, 'bulk', rootLane)
      const { dirty, pending, received } = swept
      // Of what was seen while a batch began nobody can tell whose it is.
      this.isUntidy = received === undefined || (received.strays.length > 0 && begun !== this.batchesBegun)
      strays = this.isUntidy ? [] : (received?.strays ?? [])
      if (received !== undefined) this.isNeeded = received.isNeeded
      this.mark(dirty)
      if (swept.keptBytes > 0) this.keeping.add(swept.keptBytes)
      if (pending === 0 && strays.length === 0 && !this.isSweptAgain) break
    }
    this.sweeping = false
    if (this.isUntidy && this.batchesInHand === 0) this.sweepLater()
  }

  private found(output: ScanOutput): void {
    if (output.linked !== undefined && this.hardLink === undefined) {
      this.hardLink = output.linked
      this.options.emit({ event: 'hard-links-found', root: this.shown, path: output.linked })
    }
    this.publish(readReports(new BytesReader(output.reports)), output.spans, undefined)
  }

  /** Ends the root: the next who needs it opens it anew, and looks at all of it. */
  fail(error: unknown): void {
    if (this.failure !== undefined || this.ending.signal.aborted) return
    this.failure = { error }
    for (const listener of this.listeners) listener.failed(error)
  }

  get hasFailed(): boolean {
    return this.failure !== undefined
  }
}

/** For what is written while a root is opened. */
const openingNeed = { bytes: 1024 * 1024, refused: false }
/** Locks of the root and of its index are kept by the worker that took them; changes of the marker go through it too. */
export const rootLane = 0
/** The second look at what came out of an exchange comes at least a second after the first. */
const sweepAfterMs = 1_100

function hashOf(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32)
}

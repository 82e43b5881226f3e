import { absent } from '../core/content.js'
import type { Operation, Outcome } from '../core/operation.js'
import { join, parentOf, type RelPath, rootPath } from '../core/path.js'
import type { Report } from '../core/report.js'
import { StoreFailure } from '../host/store.js'
import { BytesReader } from '../wire/bytes.js'
import { digestText, foldAll } from '../wire/fold.js'
import { operationList, outcomeList, suppliedList, wantList } from '../wire/list.js'
import { besideOf } from '../wire/pack.js'
import { readReports } from '../wire/report.js'
import { acknowledgeJob } from './jobs/acknowledge.js'
import { applyJob } from './jobs/apply.js'
import { auditJob, doubtJob, foldJob } from './jobs/audit.js'
import { type Budget, removingJob } from './jobs/budget.js'
import { identifyJob } from './jobs/identify.js'
import { type ListStep, listJob } from './jobs/list.js'
import { setGenerationJob } from './jobs/marker.js'
import { noteSyncedJob } from './jobs/open-index.js'
import { measurePartsJob, resumeJob, type TakenUp } from './jobs/resume.js'
import { dropBatchJob, stageJob } from './jobs/stage.js'
import { supplyCloseJob, supplyNextJob, supplyOpenJob } from './jobs/supply.js'
import { syncJob } from './jobs/sync.js'
import {
  type Acceptance,
  type AcceptRequest,
  type AuditRequest,
  type AuditRow,
  type Changes,
  type Delivery,
  type Opened,
  type OpenRequest,
  type Pack,
  type RemovalsHeld,
  type Replica,
  ReplicaFailure,
  type Resumable,
  type Resumption,
  type View,
  type Want,
} from './replica.js'
import { type LocalRoot, rootLane } from './root.js'
import { Session } from './session.js'
import { TransferLanes } from './transfer-lanes.js'

/**
 * One pair's or peer's dealings with a root of this machine. `open` gets the root from the agent, which shares it between
 * all who use it; `release` gives it back.
 */
export class LocalReplica implements Replica {
  private root: LocalRoot | undefined
  private pair = ''
  private view: View = { ignore: [], ignorenot: [], paths: [] }
  private readonly lanes = new TransferLanes()
  private streams = 0
  private from = ''
  private isSilent = false
  private session: Session | undefined
  private applying: Promise<unknown> = Promise.resolve()
  private readonly staging = new Map<number, Staging>()
  private readonly inHand = new Set<Promise<unknown>>()
  private closed = false
  private watchLater = false
  private closing: Promise<void> | undefined

  constructor(
    readonly canonical: string,
    private readonly acquire: (create: boolean) => Promise<LocalRoot>,
    private readonly release: (root: LocalRoot) => Promise<void>,
    /**
     * The root is served for long: it is watched from when its first lead leaves, whatever that asked for, so that the next
     * one finds the index up to date. Not before: a first pass of many files would be seen by the watcher once more.
     */
    private readonly resident: boolean,
  ) {}

  async open(request: OpenRequest): Promise<Opened> {
    const root = await this.acquire(request.create)
    if (this.closed) {
      // Closed while the root was being opened: nobody will give it back but us.
      await this.release(root)
      throw this.notOpen()
    }
    this.root = root
    this.pair = request.pair
    this.view = request.view
    this.from = request.from
    this.isSilent = request.isSilent === true
    this.session = new Session(root, request)
    await root.enter(request.pair, this)
    const generation = await root.generationOf(request.pair)
    // Before a scan is paid for: a pair that waits for room comes here again and again.
    await root.room.check()
    // What it finds half done is looked at with the rest.
    const unacknowledged = await root.pastOf(request.pair)
    await root.ready(request.watch)
    this.watchLater = this.resident && !request.watch
    const { facts, index, place } = root
    return {
      rootId: facts.rootId,
      created: facts.created,
      fresh: facts.fresh,
      generation,
      boot: place.boot,
      index: index.id,
      run: index.run,
      unacknowledged,
      folding: facts.folding,
      hardLink: root.hardLink,
    }
  }

  async setGeneration(pair: string, generation: number): Promise<void> {
    const { host, place } = this.opened()
    await this.hold(host.workers.run(setGenerationJob, { place, pair, generation }, 'edit', rootLane))
  }

  changes(signal: AbortSignal): AsyncIterable<Changes> {
    if (this.session === undefined) throw new Error('changes before open')
    return this.session.changes(signal)
  }

  async list(scopes: readonly RelPath[]): Promise<readonly Report[]> {
    const steps = scopes.map((path): ListStep => ({ path, entry: true, members: 'deep' }))
    const reports: Report[] = []
    for await (const some of this.listed(steps)) for (const report of some) reports.push(report)
    return reports
  }

  async identify(paths: readonly RelPath[]): Promise<readonly Report[]> {
    const root = this.opened()
    const { host, place } = root
    const order = paths.length > 64 ? 'bulk' : 'edit'
    const { reports, again } = await this.hold(host.workers.run(identifyJob, { place, paths }, order))
    root.mark(again)
    return this.seen(readReports(new BytesReader(reports)))
  }

  async rescan(scopes: readonly RelPath[]): Promise<void> {
    await this.hold(this.opened().rescan(scopes))
  }

  async accept(request: AcceptRequest): Promise<Acceptance> {
    return await this.hold(this.opened().accept(request))
  }

  async flush(): Promise<readonly RelPath[]> {
    const restless = await this.hold(this.opened().flush())
    await this.session?.drained()
    return restless
  }

  async audit({ paths, members, perms, times, except }: AuditRequest): Promise<readonly AuditRow[]> {
    const { host, place } = this.opened()
    const { view } = this
    const { rows, steps } = await this.hold(host.workers.run(auditJob, { place, view, paths, members }, 'bulk'))
    const digests = await this.hold(
      foldAll(steps, (some) => {
        this.opened()
        return host.workers.run(foldJob, { place, view, steps: some, perms, times, except }, 'bulk')
      }),
    )
    return rows.map((row) => {
      const digest = digests.get(row.name === '' ? row.directory : join(row.directory, row.name))
      return digest === undefined ? row : { ...row, digest: digestText(digest) }
    })
  }

  async doubt(paths: readonly RelPath[]): Promise<void> {
    const { host, place } = this.opened()
    await this.hold(host.workers.run(doubtJob, { place, paths }, 'edit'))
  }

  async *supply(wants: readonly Want[], signal: AbortSignal): AsyncIterable<Pack> {
    const root = this.opened()
    const { workers } = root.host
    const number = nextStream++
    const stream = String(number)
    const lane = this.lanes.of(this.streams++, workers.count)
    const order = wants.length > 64 ? 'bulk' : 'small'
    const wanted = wantList.toBytes(wants)
    // One pack is read ahead while the consumer is busy with this one.
    let next = this.ahead(workers.run(supplyOpenJob, { place: root.place, stream, wants: wanted }, order, lane))
    let isOpen = true
    try {
      for (;;) {
        const { bytes, finished, ended, dirty } = await next
        isOpen = !ended
        root.mark(dirty)
        if (!ended) next = this.ahead(workers.run(supplyNextJob, { stream }, order, lane))
        yield { bytes, finished: suppliedList.fromBytes(finished) }
        if (ended || signal.aborted) {
          if (!ended) await next.catch(() => undefined)
          return
        }
      }
    } finally {
      if (isOpen) await workers.run(supplyCloseJob, { stream }, order, lane)
    }
  }

  resume(batch: number, files: readonly Resumable[]): Promise<Resumption> {
    const { host, place } = this.opened()
    this.stagingOf(batch)
    const lane = this.lanes.of(batch, host.workers.count)
    // Asked for before anything is awaited: packs that come now are staged after it.
    const taken = host.workers.run(resumeJob, { place, pair: this.pair, batch, files }, 'bulk', lane)
    return this.hold(this.measured(batch, lane, taken))
  }

  private async measured(batch: number, lane: number, taking: Promise<TakenUp>): Promise<Resumption> {
    const { taken, others } = await taking
    if (taken === 0) return { parts: [], others }
    for (;;) {
      const { host, place } = this.opened()
      const parts = await host.workers.run(measurePartsJob, { place, pair: this.pair, batch }, 'bulk', lane)
      if (parts !== undefined) return { parts, others }
    }
  }

  async stage(batch: number, delivery: Delivery): Promise<void> {
    await this.opened().room.check()
    const { host, place } = this.opened()
    const staging = this.stagingOf(batch)
    const lane = this.lanes.of(batch, host.workers.count)
    const pack = { pack: delivery.bytes, props: besideOf(delivery) }
    const done = host.workers.run(stageJob, { place, pair: this.pair, batch, ...pack }, 'bulk', lane)
    staging.add(done)
    await staging.room()
  }

  async removing(count: number, confirmed: boolean): Promise<RemovalsHeld | undefined> {
    const { host, place } = this.opened()
    const { budget } = this
    if (budget === undefined) return undefined
    // The account is that of the batches in hand.
    const asked = this.applying.then(() =>
      this.opened().inTurn(this.pair, () =>
        host.workers.run(removingJob, { place, pair: this.pair, budget, count, confirmed }, 'edit'),
      ),
    )
    return this.hold(asked)
  }

  /** Batches are applied one after the other, in the order of the calls. */
  apply(batch: number, operations: readonly Operation[], supplier: string): Promise<readonly Outcome[]> {
    const applied = this.applying.then(async () => {
      const outcomes = await this.opened().inTurn(this.pair, () => this.applyNow(batch, operations, supplier))
      await this.root?.room.makeFor(operations, outcomes)
      return outcomes
    })
    this.applying = applied.catch(() => undefined)
    return this.hold(applied)
  }

  async sync(paths: readonly RelPath[] | 'all'): Promise<void> {
    if (paths.length === 0) return
    const { host, place } = this.opened()
    const untilNs = host.clock.wallNs() - clockGranularityNs
    await this.hold(host.workers.run(syncJob, { place, paths }, 'edit'))
    if (paths === 'all' && place.durability === 'power-loss')
      await this.hold(host.workers.run(noteSyncedJob, { index: place.index, untilNs }, 'bulk', rootLane))
  }

  async acknowledge(batches: readonly number[]): Promise<void> {
    const root = this.opened()
    const { host, place } = root
    await this.hold(host.workers.run(acknowledgeJob, { place, pair: this.pair, batches }, 'small'))
    root.acknowledged()
  }

  /** Another life of the pair takes over. */
  async retire(): Promise<void> {
    this.closed = true
    this.session?.end()
    await this.applying
  }

  close(): Promise<void> {
    this.closing ??= this.closeNow()
    return this.closing
  }

  private async closeNow(): Promise<void> {
    await this.retire()
    const { root } = this
    if (root === undefined) return
    await Promise.allSettled([...this.inHand])
    for (const batch of this.staging.keys()) await this.dropNow(root, batch).catch(() => undefined)
    this.staging.clear()
    root.leave(this.pair, this)
    if (this.watchLater) void root.ready(true).catch(() => undefined)
    await this.release(root)
  }

  private async applyNow(
    batch: number,
    operations: readonly Operation[],
    supplier: string,
  ): Promise<readonly Outcome[]> {
    const root = this.opened()
    const { host, place } = root
    // From here on it is this call's, and over when this call says so: nobody else drops it.
    const staging = this.staging.get(batch)
    this.staging.delete(batch)
    if (staging === undefined) root.beginBatch()
    let isOver = true
    let release: (() => void) | undefined
    try {
      await staging?.all()
      release = await root.holds.take(heldBy(operations), renamedBy(operations))
      const order = operations.length > 64 ? 'small' : 'edit'
      const lane = this.lanes.of(batch, host.workers.count)
      const listed = operationList.toBytes(operations)
      const { from, isSilent, budget, pair } = this
      const input = { place, pair, batch, operations: listed, supplier, from, isSilent, budget }
      const applied = await host.workers.run(applyJob, input, order, lane)
      const { first, last, dirty, notes, isLeft } = applied
      const outcomes = outcomeList.fromBytes(applied.outcomes)
      root.publish(this.others(outcomes), [{ first, last }], this.session)
      root.tell(notes)
      root.mark(dirty)
      // What was about to be looked at below the old path is looked at here.
      root.markBelow(outcomes.flatMap((outcome) => (isRenamed(outcome) ? [outcome.path] : [])))
      if (isLeft || operations.some(({ expect }) => expect.kind !== 'absent')) root.sweepLater()
      // What was seen before these operations must be told before their outcomes: the lead takes what it is told later
      // for what happened later.
      await this.session?.drained()
      return outcomes
    } catch (error) {
      // What was received of it goes when this is closed, or with what has been staged for it anew meanwhile; what it has
      // displaced, and made, with a sweep.
      if (staging !== undefined && !this.staging.has(batch)) {
        this.staging.set(batch, staging)
        isOver = false
      }
      root.sweepLater()
      // The index could not be written: what was done is found by a scan of the whole root.
      if (error instanceof StoreFailure) root.fail(error)
      throw error
    } finally {
      if (isOver) root.endBatch()
      release?.()
    }
  }

  /** What may be removed from the root for this pair. */
  private get budget(): Budget | undefined {
    const limit = this.root?.maxDelete
    return limit === undefined ? undefined : { limit, view: this.view }
  }

  /** What the others who use this root are told of our operations. */
  private others(outcomes: readonly Outcome[]): Report[] {
    const reports: Report[] = []
    for (const outcome of outcomes) {
      if (outcome.kind !== 'done') continue
      const { path, content, from } = outcome
      if (from !== undefined) reports.push({ kind: 'entry', path: from, found: absent })
      reports.push({ kind: 'entry', path, found: content })
      if (from !== undefined && content.kind === 'directory') reports.push({ kind: 'moved', path, from })
    }
    return reports
  }

  private async *listed(steps: readonly ListStep[]): AsyncIterable<readonly Report[]> {
    const { host, place } = this.opened()
    let rest = steps
    while (rest.length > 0) {
      const listed = await this.hold(host.workers.run(listJob, { place, steps: rest }, 'small'))
      rest = listed.rest
      yield this.seen(readReports(new BytesReader(listed.reports)))
    }
  }

  private seen(reports: readonly Report[]): readonly Report[] {
    return this.session?.seen(reports) ?? reports
  }

  private stagingOf(batch: number): Staging {
    let staging = this.staging.get(batch)
    if (staging === undefined) {
      this.opened().beginBatch()
      staging = new Staging()
      this.staging.set(batch, staging)
      const [oldest] = this.staging.keys()
      if (this.staging.size > batchesStagedMax && oldest !== undefined) this.drop(oldest)
    }
    return staging
  }

  /** A batch that whoever staged it has given up. */
  private drop(batch: number): void {
    const root = this.opened()
    this.staging.delete(batch)
    void this.ahead(this.hold(this.dropNow(root, batch)))
  }

  private async dropNow(root: LocalRoot, batch: number): Promise<void> {
    const { host, place } = root
    const lane = this.lanes.of(batch, host.workers.count)
    try {
      await host.workers.run(dropBatchJob, { place, pair: this.pair, batch }, 'bulk', lane)
    } finally {
      root.endBatch()
      root.sweepLater()
    }
  }

  /** Work that is awaited later, or never: what goes wrong with it meanwhile is told then. */
  private ahead<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined)
    return work
  }

  private hold<T>(work: Promise<T>): Promise<T> {
    this.inHand.add(work)
    const done = () => this.inHand.delete(work)
    work.then(done, done)
    return work
  }

  private opened(): LocalRoot {
    if (this.root === undefined || this.closed) throw this.notOpen()
    return this.root
  }

  private notOpen(): ReplicaFailure {
    return new ReplicaFailure('missing', this.canonical, 'it is not open (any more)')
  }
}

/** Coarser than any clock of files: what changed in this last moment may not be on disk. */
const clockGranularityNs = 20_000_000n

/** Streams are numbered over the whole process. */
let nextStream = 1

/** An apply changes the members of these directories, and the directories themselves. */
function heldBy(operations: readonly Operation[]): Set<RelPath> {
  const directories = new Set<RelPath>()
  for (const operation of operations) {
    const { path, op, expect } = operation
    directories.add(path === rootPath ? rootPath : parentOf(path))
    if (operation.op === 'rename') directories.add(parentOf(operation.from))
    else if (op === 'create-directory' || expect.kind === 'directory') directories.add(path)
  }
  return directories
}

/** What is told of a scan below these has the old paths: it is over and told before the rename. */
function renamedBy(operations: readonly Operation[]): RelPath[] {
  return operations.flatMap((operation) => (operation.op === 'rename' ? [operation.from, operation.path] : []))
}

function isRenamed(outcome: Outcome): boolean {
  return outcome.kind === 'done' && outcome.from !== undefined
}

/** Packs of one batch on their way to disk: a few at a time. */
class Staging {
  private readonly under = new Set<Promise<void>>()
  private failure: { readonly error: unknown } | undefined

  add(work: Promise<void>): void {
    const held = work
      .catch((error: unknown) => {
        this.failure ??= { error }
      })
      .finally(() => this.under.delete(held))
    this.under.add(held)
  }

  async room(): Promise<void> {
    while (this.under.size >= packsUnderWayMax) await Promise.race(this.under)
    this.throwIfFailed()
  }

  async all(): Promise<void> {
    await Promise.all(this.under)
    this.throwIfFailed()
  }

  private throwIfFailed(): void {
    if (this.failure !== undefined) throw this.failure.error
  }
}

/** Batches that are staged and not applied: more than a lead has under way, beside some that it gave up. */
const batchesStagedMax = 8
/** Packs of a batch that wait for a worker. */
const packsUnderWayMax = 6

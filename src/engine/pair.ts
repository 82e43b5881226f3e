import { createHash } from 'node:crypto'
import type { ArchiveFacts, OpenPath } from '../archive/archive.js'
import { commitJob } from '../archive/commit.js'
import type { PairConfig } from '../config/config.js'
import { type RelPath, rootPath } from '../core/path.js'
import type { Rules } from '../core/rules.js'
import { otherSide, type Side } from '../core/side.js'
import type { Instant } from '../host/clock.js'
import { anotherRoot } from '../replica/jobs/marker.js'
import { GuardedRoot } from '../replica/peer-rights.js'
import {
  type Cursor,
  fromCharsMax,
  type Opened,
  type ReachedRoot,
  type Replica,
  ReplicaFailure,
  type View,
} from '../replica/replica.js'
import { type AcceptedPath, accept, BetweenCycles } from './accept.js'
import { Acknowledging } from './acknowledging.js'
import { type AuditContext, type AuditDifference, audit } from './audit.js'
import { type CycleContext, runCycle } from './cycle.js'
import { type HeldArchive, StaleArchive } from './held-archive.js'
import { changeOf } from './items.js'
import { ofOneFile, oneFile } from './one-file.js'
import type { OpenItem, Opens } from './opens.js'
import { Overlay } from './overlay.js'
import type { PairOptions, Stops } from './pair-options.js'
import type { PassOptions, PassResult } from './pass.js'
import { pastEdits } from './past.js'
import { repair } from './repair.js'
import { rulesOf } from './rules-of.js'
import { AskedCycles, type Steered } from './state.js'

/**
 * One pair between its opening and its closing: both replicas open, the archive held, reports coming in. A link that drops
 * or a root that is in doubt ends it; the loop around it opens the next.
 */
export class Pair implements Steered {
  private overlay = new Overlay()
  private readonly reached: Record<Side, number> = { alpha: 0, beta: 0 }
  private readonly current: Record<Side, boolean> = { alpha: false, beta: false }
  private readonly ending = new AbortController()
  private failure: unknown
  private failed = false
  private wake: () => void = () => {}
  private readonly recheck = new Set<RelPath>()
  private cycle = 0
  private paused = false
  private looking = 0
  /** What was held when somebody said that it may go, until the next cycle. */
  private lettingGo: readonly OpenPath[] = []
  private inCycle = false
  private readonly asked = new AskedCycles()
  private readonly between = new BetweenCycles()
  private readonly acknowledging: Acknowledging
  /** When the generation that the archive has was drawn. */
  private drawnAt: Instant
  private auditDue = false
  private auditing = false
  /** What the audit found, until it is repaired. */
  private mistakes: readonly AuditDifference[] = []
  auditedAt: Instant | undefined
  auditDifferences = 0
  currentAt: Instant | undefined
  lookedAt: Instant | undefined

  private constructor(
    private readonly options: PairOptions,
    private readonly sides: Readonly<Record<Side, { readonly replica: Replica; readonly opened: Opened }>>,
    private readonly held: HeldArchive,
    private facts: ArchiveFacts,
    private readonly opens: Opens,
    private readonly rules: Rules,
    private readonly view: string,
    private readonly stop: AbortSignal,
    /** The markers of both roots have the generation: nothing is done before, but what there is to do is already asked for. */
    private readonly marked: Promise<unknown>,
  ) {
    const { clock } = options.host
    this.drawnAt = clock.now()
    const replicas = { alpha: sides.alpha.replica, beta: sides.beta.replica }
    this.acknowledging = new Acknowledging(replicas, clock, this.ending.signal, (error) => this.fail(error))
    // Who does nothing need not hear of it.
    marked.catch(() => undefined)
    for (const side of ['alpha', 'beta'] as const) void this.follow(side)
    const leave = () => void this.leaveWhatHangs()
    stop.addEventListener('abort', leave, { once: true })
    this.ending.signal.addEventListener('abort', () => stop.removeEventListener('abort', leave), { once: true })
  }

  /**
   * Takes the archive, opens both roots, draws a generation, settles what an earlier lead was not told.
   * @throws PairBusy, LinkFailure, ReplicaFailure, StoreFailure
   */
  static async open(options: PairOptions, held: HeldArchive, watch: boolean, stops: Stops): Promise<Pair> {
    const { config } = options
    const [alpha, beta] = await Promise.allSettled([
      options.connect(config.alpha, stops.connecting),
      options.connect(config.beta, stops.connecting),
    ])
    const close = () =>
      Promise.all([alpha, beta].map((end) => (end.status === 'fulfilled' ? end.value.close() : undefined)))
    // Who is told to stop does not wait for a root that is not open yet.
    const giveUp = () => void close()
    stops.connecting.addEventListener('abort', giveUp, { once: true })
    try {
      if (alpha.status === 'rejected') throw alpha.reason
      if (beta.status === 'rejected') throw beta.reason
      const reached = guarded(options.config, { alpha: alpha.value, beta: beta.value })
      return await Pair.openWith(options, held, reached, watch, stops.operations)
    } catch (error) {
      await close()
      throw error
    } finally {
      stops.connecting.removeEventListener('abort', giveUp)
    }
  }

  private static async openWith(
    given: PairOptions,
    held: HeldArchive,
    replicas: Record<Side, ReachedRoot>,
    watch: boolean,
    stop: AbortSignal,
  ): Promise<Pair> {
    const { host, emit } = given
    const facts = held.archive.facts()
    const { swapped } = held
    // Roots that were once open are there: one that goes during the first cycle is not made anew at a bare mount point.
    const isKnown = facts !== undefined && (facts.met || held.hasOpened)
    const file = isKnown ? facts.file : await oneFile(given.config, replicas)
    const options = file === undefined ? given : { ...given, config: ofOneFile(given.config) }
    const { config } = options
    const rules = rulesOf(config.preferences)
    const view = viewOf(config)
    const digest = digestOf(config)
    const pair = held.id
    const openSide = async (side: Side): Promise<Opened> => {
      const cursor = facts?.[`${swapped ? otherSide(side) : side}Cursor`]
      const opened = await replicas[side].open({
        pair,
        cursor: cursor?.view === digest ? cursor : undefined,
        view,
        create: !isKnown,
        file,
        from: replicas[otherSide(side)].canonical.slice(0, fromCharsMax),
        watch,
      })
      if (isKnown) checkIdentity(replicas[side], opened, facts[`${swapped ? otherSide(side) : side}Root`])
      return opened
    }
    const [alpha, beta] = await Promise.all([openSide('alpha'), openSide('beta')])
    const known = Math.max(alpha.generation, beta.generation)
    if (facts !== undefined && known > facts.generation) throw new StaleArchive(facts.generation, known)

    const sides = { alpha: { replica: replicas.alpha, opened: alpha }, beta: { replica: replicas.beta, opened: beta } }
    const generation = Math.max(known, facts?.generation ?? 0) + 1
    const next: ArchiveFacts = {
      alpha: replicas[swapped ? 'beta' : 'alpha'].canonical,
      beta: replicas[swapped ? 'alpha' : 'beta'].canonical,
      alphaRoot: (swapped ? beta : alpha).rootId,
      betaRoot: (swapped ? alpha : beta).rootId,
      generation,
      alphaCursor: facts?.alphaCursor,
      betaCursor: facts?.betaCursor,
      met: facts?.met ?? false,
      batches: held.nextBatch(),
      file,
    }
    const edits = pastEdits(sides, swapped, facts?.batches ?? Number.POSITIVE_INFINITY, rules)
    // Nobody knows how far the last life of the pair came with its syncs: the supplier's power may fail after this.
    if (edits.length > 0) await Promise.all([replicas.alpha.sync('all'), replicas.beta.sync('all')])
    // The archive first: a marker that is behind is harmless, one that is ahead says that the archive is old.
    await host.workers.run(
      commitJob,
      { archive: held.path, edits, last: { facts: next, opened: [], closed: [] } },
      'edit',
    )
    if (!held.hasOpened) tellHardLinks(options, sides, rules)
    held.hasOpened = true
    const mark = async ({ replica, opened }: (typeof sides)[Side]) => {
      const past = [...new Set(opened.unacknowledged.map(({ batch }) => batch))]
      if (past.length > 0) await replica.acknowledge(past)
      await replica.setGeneration(pair, generation)
    }
    const marked = Promise.all([mark(sides.alpha), mark(sides.beta)])
    emit({ event: 'pair-opened', pair: config.name, alpha: replicas.alpha.canonical, beta: replicas.beta.canonical })
    const life = new Pair(options, sides, held, next, held.opens(), rules, digest, stop, marked)
    // Its root may know nothing of what was done, nor of what has become of it since.
    for (const { opened } of [sides.alpha, sides.beta])
      for (const { outcome } of opened.unacknowledged) life.recheck.add(outcome.path)
    return life
  }

  /**
   * One pass: everything that is open or was reported is looked at once. What the pass itself brought up (a file that
   * changed meanwhile) gets two more tries, what failed as many as `retry` says.
   */
  async pass(options: PassOptions): Promise<PassResult> {
    for (const path of options.accept ?? []) {
      await this.marked
      const accepted = { path, pairs: [this.held.id], confirmed: options.confirmed === true }
      await accept(this.forgetContext(), { ...accepted, step: 'forget' })
      await accept(this.forgetContext(), { ...accepted, step: 'look' })
    }
    this.opens.wakeAll(this.options.host.clock.now())
    let result = await this.once(options, false, true)
    const { retry } = this.options.config.preferences
    for (let again = 0; again < Math.max(followUpsMax, retry); again++) {
      // Where a person decides, what changed meanwhile is for the next time: nothing travels that nobody was asked about.
      if (options.dryRun || options.decide !== undefined || result.halted !== undefined || this.stop.aborted) break
      const isDue = ({ why }: OpenPath) =>
        (why === 'superseded' && again < followUpsMax) || (why === 'failed' && again < retry)
      const due = this.opens.all().filter(isDue)
      if (due.length === 0) break
      const paths = due.map(({ path }) => path)
      await Promise.all([this.sides.alpha.replica.rescan(paths), this.sides.beta.replica.rescan(paths)])
      this.opens.wakeAll(this.options.host.clock.now())
      const more = await this.once({ dryRun: false }, false, true)
      result = {
        ...more,
        applied: result.applied + more.applied,
        bytes: result.bytes + more.bytes,
        items: [...result.items, ...more.items.filter(({ path }) => !result.items.some((item) => item.path === path))],
      }
    }
    await this.acknowledging.flush()
    return result
  }

  /**
   * Keeps the roots equal until told to stop, or paused with more changes than should be kept in memory: the life after the
   * pause is told them again. `finish`: after the cycle in progress.
   * @throws LinkFailure, ReplicaFailure when the pair has to be opened again
   */
  async run(finish: AbortSignal, done: (result: PassResult) => void): Promise<void> {
    const { clock } = this.options.host
    this.opens.wakeAll(clock.now())
    void this.rescanInTime()
    let first = true
    while (!finish.aborted && !this.stop.aborted) {
      if (!this.between.isEmpty) await this.between.work()
      if (this.paused) {
        if (this.overlay.size > pausedReportsMax) break
        await this.sleep(undefined, finish)
        continue
      }
      if (this.mistakes.length > 0) await this.repair()
      const due = this.opens.nextDueMs()
      const wanted = first || !this.overlay.isEmpty || !this.asked.isEmpty
      const ready = this.isCurrent && !this.overlay.isUnfinished && wanted
      if (!ready && !(this.isCurrent && due !== undefined && due <= clock.now())) {
        if (this.auditDue && this.isCurrent && this.overlay.isEmpty) this.beginAudit()
        await this.sleep(due === undefined ? undefined : Math.max(1, due - clock.now()), finish)
        continue
      }
      if (!this.asked.isEmpty) this.opens.wakeAll(clock.now())
      this.asked.begin()
      const result = await this.once({ dryRun: false }, true, false)
      if (!this.stop.aborted) this.asked.done(this.opens.all())
      // A cycle looks at what was touched; what was open before it is still to be told at the end.
      done({ ...result, ...this.opens.counts() })
      if (first) this.options.emit({ event: 'pair-current', pair: this.options.config.name })
      first = false
    }
    await this.acknowledging.flush()
  }

  /** Ends the activities of this life of the pair. The archive stays held. */
  async close(): Promise<void> {
    this.ending.abort(new Error('the pair is closed'))
    this.asked.end()
    this.between.end()
    await Promise.all([this.sides.alpha.replica.close(), this.sides.beta.replica.close()])
  }

  get isCurrent(): boolean {
    return this.current.alpha && this.current.beta
  }

  get isLooking(): boolean {
    return this.looking > 0
  }

  get isBusy(): boolean {
    return this.inCycle || !this.overlay.isEmpty
  }

  opened(): readonly OpenItem[] {
    return this.opens.all()
  }

  pause(on: boolean): void {
    this.paused = on
    this.wake()
  }

  letGo(): void {
    this.lettingGo = this.opens.all().filter(isHeld)
    // A word about nothing is not kept for what comes later.
    if (this.lettingGo.length === 0) return
    this.opens.wakeAll(this.options.host.clock.now())
    this.wake()
  }

  async rescan(): Promise<void> {
    this.looking++
    try {
      await Promise.all([this.sides.alpha.replica.rescan([rootPath]), this.sides.beta.replica.rescan([rootPath])])
    } finally {
      this.looking--
    }
    this.lookedAt = this.options.host.clock.now()
    this.opens.wakeAll(this.options.host.clock.now())
    this.auditDue = true
    this.wake()
  }

  async accept(accepted: AcceptedPath): Promise<string> {
    const done = this.between.run(async () => {
      await this.marked
      await accept(this.forgetContext(), accepted)
    })
    this.wake()
    await done
    this.opens.wakeAll(this.options.host.clock.now())
    this.wake()
    return this.held.id
  }

  async flush(): Promise<readonly OpenItem[]> {
    const { alpha, beta } = this.sides
    const restless = await Promise.all([alpha.replica.flush(), beta.replica.flush()])
    // What was found is on its way to the overlay, some promises behind this one.
    await this.options.host.clock.sleep(1, this.ending.signal).catch(() => undefined)
    this.throwIfFailed()
    const cycle = this.asked.ask()
    this.wake()
    return withRestless(await cycle, new Set(restless.flat()), this.rules)
  }

  private async once(options: PassOptions, resident: boolean, wait: boolean): Promise<PassResult> {
    while (wait && !(this.isCurrent && !this.overlay.isUnfinished)) {
      if (this.stop.aborted) return stoppedResult
      await this.sleep(undefined, this.stop)
    }
    await this.marked
    this.throwIfFailed()
    const overlay = this.overlay
    this.overlay = new Overlay()
    const taken = { ...this.reached }
    const recheck = [...this.recheck]
    this.recheck.clear()
    const letGo = this.lettingGo
    this.lettingGo = []
    this.inCycle = true
    const { generation } = this.facts
    const result = await runCycle(this.context(), {
      number: ++this.cycle,
      overlay,
      recheck,
      changed: (side, paths) => this.doubt(side, paths),
      moved: (side, from, path) => this.doubtMoved(side, from, path),
      // Our own operations moved the sequences on; while nobody else's change came in, the cursors go along with them.
      facts: () => {
        const reached = this.overlay.isEmpty ? this.reached : taken
        if (this.isWritten(reached)) return undefined
        this.facts = this.factsAt(reached)
        return this.facts
      },
      options,
      resident,
      letGo,
    }).finally(() => {
      this.inCycle = false
    })
    this.throwIfFailed()
    if (this.facts.generation !== generation) await this.mark()
    return result
  }

  /** The archive has a new generation; a marker that is behind is harmless. */
  private async mark(): Promise<void> {
    const { alpha, beta } = this.sides
    const { generation } = this.facts
    await Promise.all([alpha, beta].map(({ replica }) => replica.setGeneration(this.held.id, generation)))
  }

  /** Beside the cycles: it does not hold them up. */
  private beginAudit(): void {
    this.auditDue = false
    if (this.auditing) return
    this.auditing = true
    const { clock } = this.options.host
    const { emit, config } = this.options
    const startedMs = clock.now()
    const looked = async () => {
      const differences = await audit(this.auditContext())
      this.auditedAt = clock.now()
      this.auditDifferences += differences.length
      for (const { side, path, agreed, found } of differences)
        emit({ event: 'audit-differed', pair: config.name, path, side, detail: changeOf(agreed, found) })
      const durationMs = clock.now() - startedMs
      emit({ event: 'audit-finished', pair: config.name, differences: differences.length, durationMs })
      this.mistakes = differences
      if (differences.length > 0) this.wake()
    }
    void looked()
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.auditing = false
      })
  }

  private async repair(): Promise<void> {
    const differences = this.mistakes
    this.mistakes = []
    await repair(this.forgetContext(), differences)
  }

  private forgetContext() {
    const { workers, clock } = this.options.host
    return { ...this.context(), workers, clock, facts: this.facts }
  }

  private auditContext(): AuditContext {
    const { config, host } = this.options
    return {
      ...this.context(),
      preferences: config.preferences,
      workers: host.workers,
      clock: host.clock,
      openPaths: () => this.opens.all().map(({ path }) => path),
      quiet: () => (this.inCycle || this.recheck.size > 0 ? undefined : this.cycle),
      reached: (side) => this.reached[side],
      undecided: (path) => this.overlay.touches(path),
    }
  }

  /**
   * A root tells us nothing of our own operations. A report of a path we changed that came while we did may be of before or
   * of after: the path is read afresh before it is judged.
   */
  private doubt(side: Side, paths: readonly RelPath[]): void {
    if (this.overlay.isEmpty) return
    for (const path of paths) {
      const decided = this.overlay.decidedAt(side, path)
      if (decided !== undefined) this.recheck.add(decided)
    }
  }

  /** What was reported at or below either path meanwhile may have been seen at the old one and be true of the new one. */
  private doubtMoved(side: Side, from: RelPath, path: RelPath): void {
    const { overlay } = this
    const isDoubtful = [from, path].some(
      (at) => overlay.decidedAt(side, at) !== undefined || overlay.holdsBelow(side, at),
    )
    if (isDoubtful) for (const at of [from, path]) this.recheck.add(at)
  }

  /** Whether the archive says so already: a look that found nothing new writes nothing. */
  private isWritten(reached: Readonly<Record<Side, number>>): boolean {
    const { facts, held } = this
    if (!facts.met || held.hasNumbered(facts.batches)) return false
    const { alphaCursor, betaCursor } = this.factsOf(reached)
    return isSameCursor(alphaCursor, facts.alphaCursor) && isSameCursor(betaCursor, facts.betaCursor)
  }

  private factsAt(reached: Readonly<Record<Side, number>>): ArchiveFacts {
    const facts = { ...this.factsOf(reached), batches: this.held.nextBatch() }
    const now = this.options.host.clock.now()
    if (now - this.drawnAt < generationMs) return facts
    // What was agreed since the last one was drawn could be forgotten unnoticed, if an older copy of the archive were put back.
    this.drawnAt = now
    return { ...facts, generation: facts.generation + 1 }
  }

  private factsOf(reached: Readonly<Record<Side, number>>): ArchiveFacts {
    const { swapped } = this.held
    const cursor = (side: Side): Cursor => {
      const { index, run } = this.sides[side].opened
      return { index, run, sequence: reached[side], view: this.view }
    }
    return {
      ...this.facts,
      alphaCursor: cursor(swapped ? 'beta' : 'alpha'),
      betaCursor: cursor(swapped ? 'alpha' : 'beta'),
      met: true,
    }
  }

  private context(): CycleContext {
    const { options, held, sides, rules, opens, stop } = this
    return {
      pair: options.config.name,
      file: this.facts.file,
      host: options.host,
      emit: options.emit,
      archive: held.archive,
      archivePath: held.path,
      swapped: held.swapped,
      replicas: { alpha: sides.alpha.replica, beta: sides.beta.replica },
      boots: { alpha: sides.alpha.opened.boot, beta: sides.beta.opened.boot },
      folding: { alpha: sides.alpha.opened.folding, beta: sides.beta.opened.folding },
      rules,
      preferences: options.config.preferences,
      opens,
      acknowledging: this.acknowledging,
      stop,
      nextBatch: () => held.nextBatch(),
    }
  }

  /** Looks at everything again and again: what no event tells is found so. */
  private async rescanInTime(): Promise<void> {
    const { config, host } = this.options
    const { repeat } = config.preferences
    if (repeat.kind === 'once') return
    for (;;) {
      const everyMs =
        repeat.kind === 'every'
          ? repeat.seconds * 1_000
          : repeat.fullScanSeconds * 1_000 * (0.75 + host.random.fraction() / 2)
      try {
        await host.clock.sleep(everyMs, this.ending.signal)
        await this.rescan()
      } catch (error) {
        this.fail(error)
        return
      }
    }
  }

  /** Told to stop now: what is in hand is finished, but a far end that answers nothing is not waited for for ever. */
  private async leaveWhatHangs(): Promise<void> {
    try {
      await this.options.host.clock.sleep(stopMs, this.ending.signal)
    } catch {
      // It ended by itself.
      return
    }
    await Promise.all([this.sides.alpha.replica.close(), this.sides.beta.replica.close()])
  }

  /** Takes in what one root reports, until the pair is closed. */
  private async follow(side: Side): Promise<void> {
    try {
      for await (const changes of this.sides[side].replica.changes(this.ending.signal)) {
        this.overlay.note(side, changes.reports)
        this.reached[side] = Math.max(this.reached[side], changes.sequence)
        if (changes.current) this.current[side] = true
        if (this.isCurrent) this.currentAt ??= this.options.host.clock.now()
        this.wake()
      }
      // Without its reports the root would be taken as unchanged for ever.
      this.fail(new ReplicaFailure('not-answering', this.sides[side].replica.canonical, 'it has stopped reporting'))
    } catch (error) {
      this.fail(error)
    }
  }

  /** Ends this life of the pair with an error, unless it is being closed. */
  private fail(error: unknown): void {
    if (this.ending.signal.aborted) return
    this.failed = true
    this.failure ??= error
    this.wake()
  }

  private throwIfFailed(): void {
    if (this.failed) throw this.failure
  }

  /** Until a report comes, the time is over, or the signal aborts. */
  private async sleep(durationMs: number | undefined, signal: AbortSignal): Promise<void> {
    this.throwIfFailed()
    const over = new AbortController()
    const woken = new Promise<void>((resolve) => {
      this.wake = resolve
    })
    const aborted = () => this.wake()
    signal.addEventListener('abort', aborted, { once: true })
    this.stop.addEventListener('abort', aborted, { once: true })
    try {
      const slept =
        durationMs === undefined ? [] : [this.options.host.clock.sleep(durationMs, over.signal).catch(() => {})]
      if (!signal.aborted && !this.stop.aborted) await Promise.race([woken, ...slept])
    } finally {
      // Nobody hears the reason: one of its own would cost a stack trace a cycle.
      over.abort(null)
      this.wake = () => {}
      signal.removeEventListener('abort', aborted)
      this.stop.removeEventListener('abort', aborted)
    }
    this.throwIfFailed()
  }
}

/** A life of weeks draws a generation now and then. */
const generationMs = 3_600_000

/** From being told to stop to closing roots under operations that do not end. */
const stopMs = 10_000

/** Reports that a paused pair keeps. */
const pausedReportsMax = 100_000
/** Tries after the first cycle of a pass, for paths that changed while it ran. */
const followUpsMax = 2

const stoppedResult: PassResult = { applied: 0, skipped: 0, failed: 0, bytes: 0, items: [], halted: undefined }

/** Paths that a flush could not be told of are open like the others. */
function withRestless(open: readonly OpenItem[], restless: ReadonlySet<RelPath>, rules: Rules): readonly OpenItem[] {
  const named = new Set(open.map(({ path }) => path))
  const more = [...restless].filter((path) => !named.has(path) && !rules.skips(path))
  const detail = 'it changed each time it was looked at'
  return [...open, ...more.map((path): OpenItem => ({ path, why: 'superseded', detail }))]
}

/** Those of roots that others serve; one of this machine is told by whoever scans it. */
function tellHardLinks(
  { config, emit }: PairOptions,
  sides: Readonly<Record<Side, { readonly replica: Replica; readonly opened: Opened }>>,
  rules: Rules,
): void {
  for (const side of ['alpha', 'beta'] as const) {
    const { replica, opened } = sides[side]
    const path = opened.hardLink
    if (config[side].kind === 'local' || path === undefined || rules.skips(path)) continue
    emit({ event: 'hard-links-found', root: replica.canonical, path })
  }
}

/** What comes from a peer gives nobody its owner's rights here, as what goes to one gives none there. */
function guarded(config: PairConfig, reached: Readonly<Record<Side, ReachedRoot>>): Record<Side, ReachedRoot> {
  const guard = (side: Side): ReachedRoot =>
    config[side].kind === 'local' && config[otherSide(side)].kind !== 'local'
      ? new GuardedRoot(reached[side])
      : reached[side]
  return { alpha: guard('alpha'), beta: guard('beta') }
}

function checkIdentity(replica: Replica, opened: Opened, expected: string): void {
  if (opened.rootId === expected) return
  throw new ReplicaFailure(
    'in-doubt',
    replica.canonical,
    opened.fresh
      ? 'it has lost its private folder .tandem: it is unmounted, was emptied, or another directory stands there'
      : anotherRoot(opened.rootId, expected),
  )
}

function viewOf({ preferences }: PairConfig): View {
  return { ignore: preferences.ignore, ignorenot: preferences.ignorenot, paths: preferences.path }
}

/** Of the preferences that decide what is seen or compared: with others, everything is looked at again. */
function digestOf({ preferences }: PairConfig): string {
  const { ignore, ignorenot, path, perms, times, links } = preferences
  return createHash('sha256')
    .update(JSON.stringify([ignore, ignorenot, path, perms, times, links]))
    .digest('hex')
    .slice(0, 32)
}

function isSameCursor(one: Cursor | undefined, other: Cursor | undefined): boolean {
  return (
    one?.index === other?.index &&
    one?.run === other?.run &&
    one?.sequence === other?.sequence &&
    one?.view === other?.view
  )
}

function isHeld({ why }: OpenPath): boolean {
  return why === 'held' || why === 'emptied'
}

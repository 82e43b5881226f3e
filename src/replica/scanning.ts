import { type DirtyScope, DirtyScopes } from '../core/dirty.js'
import { join, nameOf, parentOf, type RelPath } from '../core/path.js'
import type { Host } from '../host/host.js'
import type { DirtyPath } from '../host/watcher.js'
import type { Order } from '../host/workers.js'
import type { Holds } from './holds.js'
import type { RootPlace } from './jobs/place.js'
import { type ScanOutput, type ScanTarget, scanJob } from './jobs/scan.js'

/**
 * Turns dirty paths into scans, at its own pace: 5 ms of quiet or 100 ms after the first event, then all that is dirty is
 * looked at. Paths that keep changing and files that are still being written are put off, each by itself.
 */
export class Scanning {
  private readonly dirty = new DirtyScopes()
  /** Directories to be listed, beside the scopes. */
  private readonly listings = new Set<RelPath>()
  /** Files somebody is writing: looked at when they are closed, or at the time given, as they are then. */
  private readonly unsettled = new Map<RelPath, number>()
  private readonly restless = new Map<RelPath, Restless>()
  /** Paths that could not be looked at, or changed while they were. */
  private readonly troubles = new Map<RelPath, Trouble>()
  /** What the look in progress could not tell of, since it is being written or changed meanwhile. */
  private readonly changing = new Set<RelPath>()
  private work: Promise<void> = Promise.resolve()
  private pumping = false
  private firstDirty: number | undefined
  private lastDirty = 0
  private closed = false

  constructor(
    private readonly host: Host,
    private readonly place: RootPlace,
    private readonly holds: Holds,
    private readonly found: (output: ScanOutput) => void,
    private readonly failed: (error: unknown) => void,
    private readonly isHeard: () => boolean,
  ) {}

  /** Hints of the watcher. */
  mark(paths: readonly DirtyPath[]): void {
    const now = this.host.clock.now()
    for (const { path, depth, closed } of paths) {
      if (closed) this.unsettled.delete(path)
      // A directory that has taken its place is looked at whole: it may be one that is known, and was elsewhere meanwhile.
      else if (depth === 'entry' && this.unsettled.has(path)) continue
      const due = depth === 'entry' ? this.putsOffUntil(path, now) : undefined
      if (depth === 'members') this.listings.add(path)
      this.dirty.add(path, depth === 'members' ? 'entry' : depth, due)
      if (due === undefined) this.firstDirty ??= now
    }
    this.lastDirty = now
    this.pump()
  }

  /**
   * Brings everything at and below the scopes up to date by a scan that starts after the call; answers the paths looked at.
   * `sealing`: the index learns how what is unchanged looks, so that the next such scan is quick.
   */
  scan(scopes: readonly RelPath[], sealing = false): Promise<number> {
    const whole = scopes.map((path): DirtyScope => ({ path, depth: 'subtree' }))
    return this.queue(() => this.scanScopes(whole, 'bulk', sealing))
  }

  /** What stands at a path is taken for what is there, whatever file system it is on; all that is below is looked at as new. */
  accept(path: RelPath): Promise<number> {
    const target: ScanTarget = {
      directory: parentOf(path),
      names: [nameOf(path)],
      placed: false,
      settled: [],
      accepts: true,
    }
    return this.queue(() => this.run([target], 'bulk', 'new', () => {}))
  }

  /** Looks at all that is dirty at the call, whatever was put off included. */
  catchUp(): Promise<number> {
    for (const path of this.unsettled.keys()) this.dirty.add(path, 'entry')
    return this.queue(() => this.takeDirty(undefined))
  }

  /** Likewise, and takes files that are known to be written as they are. Answers the paths that changed while they were looked at. */
  settle(): Promise<readonly RelPath[]> {
    return this.queue(async () => {
      const now = this.host.clock.now()
      for (const path of this.unsettled.keys()) {
        this.unsettled.set(path, now)
        this.dirty.add(path, 'entry')
      }
      this.changing.clear()
      await this.takeDirty(undefined)
      return [...this.changing]
    })
  }

  /** Resolves when the scans under way are over. */
  idle(): Promise<void> {
    return this.queue(async () => {})
  }

  close(): Promise<void> {
    this.closed = true
    return this.work
  }

  /** One scan after the other: the next takes what became dirty meanwhile. */
  private queue<T>(body: () => Promise<T>): Promise<T> {
    const done = this.work.then(body)
    this.work = done.then(
      () => {},
      () => {},
    )
    return done
  }

  private pump(): void {
    if (this.pumping || this.closed) return
    this.pumping = true
    void this.pumpUntilQuiet().catch(this.failed)
  }

  private async pumpUntilQuiet(): Promise<void> {
    try {
      while (!this.closed) {
        const now = this.host.clock.now()
        for (const [path, due] of this.unsettled) if (due <= now) this.dirty.add(path, 'entry', due)
        const wait = this.waitMs(now)
        if (wait === undefined) return
        if (wait > 0) await this.host.clock.sleep(wait)
        else await this.queue(() => this.takeDirty(this.host.clock.now()))
      }
    } finally {
      this.pumping = false
    }
  }

  /** How long until the next scan; undefined when nothing is to be done. */
  private waitMs(now: number): number | undefined {
    if (this.firstDirty !== undefined) {
      const quiet = this.lastDirty + quietMs - now
      const latest = this.firstDirty + batchMs - now
      return Math.max(0, Math.min(quiet, latest))
    }
    let next = this.dirty.dueAt
    for (const due of this.unsettled.values()) if (next === undefined || due < next) next = due
    // What is marked meanwhile does not wake the sleeper: it sleeps for a short time only.
    return next === undefined ? undefined : Math.max(0, Math.min(next - now, pollMs))
  }

  /** Until when `path` has to wait, because it changed so often lately; undefined: not at all. */
  private putsOffUntil(path: RelPath, now: number): number | undefined {
    const seen = this.restless.get(path)
    if (seen === undefined || now - seen.lastMs > calmMs) {
      if (this.restless.size > restlessMax) this.restless.clear()
      this.restless.set(path, { count: 1, lastMs: now })
      return undefined
    }
    seen.count++
    seen.lastMs = now
    if (seen.count <= patience) return undefined
    return now + Math.min(backoffMaxMs, backoffMs * 2 ** Math.min(10, seen.count - patience - 1))
  }

  private async takeDirty(now: number | undefined): Promise<number> {
    const taken = this.dirty.take(now)
    this.firstDirty = undefined
    if (taken.length === 0) return 0
    const listings = [...this.listings].map((path) => targetOf(path, false))
    this.listings.clear()
    const order = taken.length <= editPathsMax ? 'edit' : 'small'
    const looked = await this.scanScopes(taken, order)
    return listings.length === 0 ? looked : looked + (await this.run(listings, order, 'new', () => {}))
  }

  private async scanScopes(scopes: readonly DirtyScope[], order: Order, sealing = false): Promise<number> {
    const now = this.host.clock.now()
    const settled = (path: RelPath) => {
      const due = this.unsettled.get(path)
      return due !== undefined && due <= now
    }
    const names = new Map<RelPath, string[]>()
    for (const { path } of scopes) {
      const directory = parentOf(path)
      const list = names.get(directory)
      if (list === undefined) names.set(directory, [nameOf(path)])
      else list.push(nameOf(path))
    }
    const entries: ScanTarget[] = []
    for (const [directory, list] of names)
      entries.push({
        directory,
        names: list,
        placed: false,
        settled: list.filter((name) => settled(join(directory, name))),
      })
    const placed = new Set<RelPath>()
    let looked = await this.run(entries, order, 'new', (path) => placed.add(path))
    const deep: ScanTarget[] = []
    for (const { path, depth } of scopes) if (depth === 'subtree' && !placed.has(path)) deep.push(targetOf(path, false))
    if (deep.length > 0) looked += await this.run(deep, order, sealing ? 'sealing' : 'full', () => {})
    return looked
  }

  /** Scans the targets and everything that turns out to lie below them, as many jobs at a time as there are workers. */
  private async run(
    targets: readonly ScanTarget[],
    order: Order,
    below: Below,
    onPlaced: (path: RelPath) => void,
  ): Promise<number> {
    const frontier = [...targets].reverse()
    const strayed = new Set<RelPath>()
    const active = new Set<Promise<void>>()
    let looked = 0
    const batch = async (some: readonly ScanTarget[]): Promise<void> => {
      const output = await this.job(some, order, below)
      looked += output.looked
      for (const { directory, above, placed, deep } of [...output.deeper].reverse()) {
        if (placed || deep) onPlaced(directory)
        frontier.push({ ...targetOf(directory, placed, deep), above })
      }
      for (const directory of output.stray) {
        // Something else is there by now: its own entry, seen from above, tells what. Once: the scan of the entry finds a
        // directory to scan, or none.
        if (strayed.has(directory)) continue
        strayed.add(directory)
        frontier.push({
          directory: parentOf(directory),
          names: [nameOf(directory)],
          placed: false,
          settled: [],
        })
      }
    }
    while (frontier.length > 0 || active.size > 0) {
      while (frontier.length > 0 && active.size < this.host.workers.count) {
        const running: Promise<void> = batch(frontier.splice(-targetsMax).reverse()).finally(() =>
          active.delete(running),
        )
        active.add(running)
      }
      await Promise.race(active)
    }
    return looked
  }

  private async job(targets: readonly ScanTarget[], order: Order, below: Below): Promise<ScanOutput> {
    const release = await this.holds.take(targets.map((target) => target.directory))
    try {
      const output = await this.host.workers.run(
        scanJob,
        { place: this.place, targets, full: below !== 'new', sealing: below === 'sealing', reporting: this.isHeard() },
        order,
      )
      this.note(targets, output)
      this.found(output)
      return output
    } finally {
      release()
    }
  }

  private note(batch: readonly ScanTarget[], output: ScanOutput): void {
    for (const target of batch) for (const name of target.settled) this.unsettled.delete(join(target.directory, name))
    for (const path of output.unsettled)
      if (!this.unsettled.has(path)) this.unsettled.set(path, this.host.clock.now() + settleMs)
    for (const path of [...output.unsettled, ...output.again]) this.changing.add(path)
    for (const path of output.again) this.later(path, againMs)
    for (const path of output.troubled) this.later(path, troubledMs)
    if (output.unsettled.length + output.again.length + output.troubled.length > 0) this.pump()
  }

  /** Looks at the path once more, the later the oftener it had to. */
  private later(path: RelPath, firstMs: number): void {
    const now = this.host.clock.now()
    const before = this.troubles.get(path)
    const goesOn = before !== undefined && now < before.dueMs + before.delayMs + calmMs
    const delayMs = goesOn ? Math.min(troubledMaxMs, before.delayMs * 2) : firstMs
    if (this.troubles.size > restlessMax) this.troubles.clear()
    this.troubles.set(path, { delayMs, dueMs: now + delayMs })
    this.dirty.add(path, 'entry', now + delayMs)
  }
}

/** What is scanned below the targets: what is new there, or all; with seals for what is unchanged. */
type Below = 'new' | 'full' | 'sealing'

interface Trouble {
  readonly delayMs: number
  readonly dueMs: number
}

interface Restless {
  count: number
  lastMs: number
}

/** A batch is scanned after this much quiet, */
const quietMs = 5
/** or this long after its first event. */
const batchMs = 100
/** A file that is being written is taken as it is after this long. */
const settleMs = 2_000
/** A path that changes more than `patience` times without a pause of `calmMs` is put off, from backoffMs up. */
const patience = 8
const calmMs = 1_000
const backoffMs = 50
const backoffMaxMs = 2_000
const restlessMax = 10_000
/** Longest sleep with something put off. */
const pollMs = 20
/** A path that changed under a scan is looked at again after this long, one that could not be looked at after longer. */
const againMs = 5
const troubledMs = 500
const troubledMaxMs = 60_000
/** Directories of one job: small enough that an edit does not wait long behind it. */
const targetsMax = 64
/** So few dirty paths are a user's edit, not a checkout. */
const editPathsMax = 64

function targetOf(directory: RelPath, placed: boolean, deep = false): ScanTarget {
  return { directory, names: undefined, placed, deep, settled: [] }
}

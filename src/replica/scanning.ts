import { isWithin, join, nameOf, parentOf, type RelPath, rootPath } from '../core/path.js'
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
  private dirty = new Map<RelPath, 'entry' | 'subtree'>()
  /** Files somebody is writing: looked at when they are closed, or at the time given, as they are then. */
  private readonly unsettled = new Map<RelPath, number>()
  private readonly restless = new Map<RelPath, Restless>()
  private readonly delayed = new Map<RelPath, number>()
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
      else if (this.unsettled.has(path)) continue
      if (depth === 'entry' && this.putsOff(path, now)) continue
      this.add(path, depth)
    }
    this.lastDirty = now
    this.pump()
  }

  /** Brings everything at and below the scopes up to date by a scan that starts after the call; answers the paths looked at. */
  scan(scopes: readonly RelPath[]): Promise<number> {
    for (const scope of scopes)
      for (const path of [...this.dirty.keys()]) if (isWithin(path, scope)) this.dirty.delete(path)
    return this.queue(() =>
      this.scanScopes(
        scopes.map((path) => [path, 'subtree'] as const),
        'bulk',
        true,
      ),
    )
  }

  /** Looks at all that is dirty at the call, whatever was put off included. */
  settle(): Promise<number> {
    for (const path of this.delayed.keys()) this.add(path, 'entry')
    for (const path of this.unsettled.keys()) this.add(path, 'entry')
    this.delayed.clear()
    return this.queue(() => this.takeDirty())
  }

  /** Resolves when the scans under way are over. */
  idle(): Promise<void> {
    return this.queue(async () => {})
  }

  close(): Promise<void> {
    this.closed = true
    return this.work
  }

  private add(path: RelPath, depth: 'entry' | 'subtree'): void {
    if (this.dirty.get(path) !== 'subtree') this.dirty.set(path, depth)
    this.firstDirty ??= this.host.clock.now()
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
        this.wakeDelayed(now)
        const wait = this.waitMs(now)
        if (wait === undefined) return
        if (wait > 0) await this.host.clock.sleep(wait)
        else await this.queue(() => this.takeDirty())
      }
    } finally {
      this.pumping = false
    }
  }

  /** How long until the next scan; undefined when nothing is to be done. */
  private waitMs(now: number): number | undefined {
    if (this.dirty.size > 0) {
      const quiet = this.lastDirty + quietMs - now
      const latest = (this.firstDirty ?? now) + batchMs - now
      return Math.max(0, Math.min(quiet, latest))
    }
    let next: number | undefined
    for (const due of [...this.delayed.values(), ...this.unsettled.values()])
      if (next === undefined || due < next) next = due
    return next === undefined ? undefined : Math.min(Math.max(1, next - now), pollMs)
  }

  private wakeDelayed(now: number): void {
    for (const [path, due] of this.delayed) {
      if (due > now) continue
      this.delayed.delete(path)
      this.add(path, 'entry')
    }
    for (const [path, due] of this.unsettled) if (due <= now) this.add(path, 'entry')
  }

  /** Whether `path` changed so often lately that it has to wait; it is then looked at later. */
  private putsOff(path: RelPath, now: number): boolean {
    if (this.delayed.has(path)) return true
    const seen = this.restless.get(path)
    if (seen === undefined || now - seen.lastMs > calmMs) {
      if (this.restless.size > restlessMax) this.restless.clear()
      this.restless.set(path, { count: 1, lastMs: now })
      return false
    }
    seen.count++
    seen.lastMs = now
    if (seen.count <= patience) return false
    this.delayed.set(path, now + Math.min(backoffMaxMs, backoffMs * 2 ** Math.min(10, seen.count - patience - 1)))
    return true
  }

  private async takeDirty(): Promise<number> {
    const taken = [...this.dirty]
    this.dirty = new Map()
    this.firstDirty = undefined
    if (taken.length === 0) return 0
    return this.scanScopes(outermost(taken), taken.length <= editPathsMax ? 'edit' : 'small', false)
  }

  private async scanScopes(
    scopes: readonly (readonly [RelPath, 'entry' | 'subtree'])[],
    order: Order,
    whole: boolean,
  ): Promise<number> {
    const now = this.host.clock.now()
    const settled = (path: RelPath) => {
      const due = this.unsettled.get(path)
      return due !== undefined && due <= now
    }
    const names = new Map<RelPath, string[]>()
    for (const [path] of scopes) {
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
    let looked = await this.run(entries, order, false, (path) => placed.add(path))
    const deep: ScanTarget[] = []
    for (const [path, depth] of scopes) if (depth === 'subtree' && !placed.has(path)) deep.push(targetOf(path, false))
    if (deep.length > 0) looked += await this.run(deep, whole ? 'bulk' : order, true, () => {})
    return looked
  }

  /** Scans the targets and everything that turns out to lie below them, as many jobs at a time as there are workers. */
  private async run(
    targets: readonly ScanTarget[],
    order: Order,
    full: boolean,
    onPlaced: (path: RelPath) => void,
  ): Promise<number> {
    const frontier = [...targets].reverse()
    const strayed = new Set<RelPath>()
    const active = new Set<Promise<void>>()
    let looked = 0
    const batch = async (some: readonly ScanTarget[]): Promise<void> => {
      const output = await this.job(some, order, full)
      looked += output.looked
      for (const { directory, placed } of [...output.deeper].reverse()) {
        if (placed) onPlaced(directory)
        frontier.push(targetOf(directory, placed))
      }
      for (const directory of output.stray) {
        // Something else is there by now: its own entry, seen from above, tells what. Once: the scan of the entry finds a
        // directory to scan, or none.
        if (strayed.has(directory)) continue
        strayed.add(directory)
        frontier.push({ directory: parentOf(directory), names: [nameOf(directory)], placed: false, settled: [] })
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

  private async job(targets: readonly ScanTarget[], order: Order, full: boolean): Promise<ScanOutput> {
    const release = await this.holds.take(targets.map((target) => target.directory))
    try {
      const output = await this.host.workers.run(
        scanJob,
        { place: this.place, targets, full, reporting: this.isHeard() },
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
    for (const path of output.again) this.add(path, 'entry')
    if (output.unsettled.length > 0 || output.again.length > 0) this.pump()
  }
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
/** Longest sleep with something put off: what comes meanwhile need not wake the sleeper. */
const pollMs = 20
/** Directories of one job: small enough that an edit does not wait long behind it. */
const targetsMax = 64
/** So few dirty paths are a user's edit, not a checkout. */
const editPathsMax = 64

function targetOf(directory: RelPath, placed: boolean): ScanTarget {
  return { directory, names: undefined, placed, settled: [] }
}

/** Without what lies below a subtree that is in the list. */
function outermost(
  scopes: readonly (readonly [RelPath, 'entry' | 'subtree'])[],
): readonly (readonly [RelPath, 'entry' | 'subtree'])[] {
  const subtrees = new Set<RelPath>()
  for (const [path, depth] of scopes) if (depth === 'subtree') subtrees.add(path)
  if (subtrees.size === 0) return scopes
  const covered = (path: RelPath): boolean => {
    for (let above = path; above !== rootPath; ) {
      above = parentOf(above)
      if (subtrees.has(above)) return true
    }
    return false
  }
  return scopes.filter(([path]) => !covered(path))
}

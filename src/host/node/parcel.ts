import type { AsyncSubscription, Event } from '@parcel/watcher'
import {
  type AbsPath,
  absoluteOf,
  absPath,
  BadPath,
  componentsOf,
  isWithin,
  join,
  parentOf,
  privateName,
  type RelPath,
  relPath,
  rootPath,
} from '../../core/path.js'
import { FileFailure } from '../files.js'
import type { DirtyPath, Watch, WatchBatch, Watcher } from '../watcher.js'
import { nodeClock } from './clock.js'
import { nodeFiles } from './files.js'
import { onLinux } from './libc.js'

/** Seconds between two looks at everything: what it misses is found so. */
const fullScanSeconds = 60
/** On Linux it is armed again at most this often, and for at most a fifth of the time. */
const armGapMs = 1_000
const armShare = 4
/** Paths of one batch that are looked at, whether they are directories; of what is created beyond that, its directory stands for all in it. */
const lookedMax = 64

/**
 * The watcher of macOS (FSEvents), by @parcel/watcher, whose door this is. Its events are believed in nothing but where
 * something happened: the members of that directory are dirty. It has no barrier, so `drain` waits for nothing: a flush
 * there is a scan.
 *
 * On Linux it never watches what is in a directory that was moved in, nor what was made in a new one before it looked. So
 * there each directory that appears has the whole root armed again, after which everything may have changed.
 */
export class ParcelWatcher implements Watcher {
  private readonly watches = new Set<ParcelWatch>()

  async watch(root: AbsPath, on: (batch: WatchBatch) => void): Promise<Watch> {
    // Events carry real paths: /private/var for /var.
    const real = nodeFiles().realPath(root)
    const stat = nodeFiles().statPath(real)
    if (stat === undefined) throw new FileFailure('absent', root, 'watch', 'ENOENT')
    if (stat.kind !== 'directory') throw new FileFailure('not-directory', root, 'watch', 'ENOTDIR')
    const watch = new ParcelWatch(real, on, (ended) => this.watches.delete(ended))
    await inTurn(() => watch.arm())
    this.watches.add(watch)
    return watch
  }

  async close(): Promise<void> {
    await Promise.all([...this.watches].map((watch) => watch.close()))
  }
}

class ParcelWatch implements Watch {
  readonly fullScanSeconds = fullScanSeconds
  private readonly clock = nodeClock()
  private readonly ending = new AbortController()
  private subscription: AsyncSubscription | undefined
  private arming: Promise<void> | undefined
  private isStale = false
  private restMs = 0

  constructor(
    private readonly root: AbsPath,
    private readonly on: (batch: WatchBatch) => void,
    private readonly ended: (watch: ParcelWatch) => void,
  ) {}

  async drain(): Promise<void> {}

  async close(): Promise<void> {
    this.ending.abort(new Error('the watch is closed'))
    this.ended(this)
    await this.arming
    await inTurn(() => this.disarm())
  }

  /** @throws FileFailure when it cannot be watched */
  async arm(): Promise<void> {
    // The package is loaded where it is needed.
    const { subscribe } = await import('@parcel/watcher')
    try {
      this.subscription = await subscribe(this.root, (error, events) => this.heard(error, events), {
        ignore: [privateName],
      })
    } catch (error) {
      if (!(error instanceof Error)) throw error
      throw new FileFailure('io', this.root, 'subscribe', error.message)
    }
  }

  private async disarm(): Promise<void> {
    const { subscription } = this
    this.subscription = undefined
    try {
      await subscription?.unsubscribe()
    } catch (error) {
      // It throws when the root is gone, with which its watches went too.
      if (!(error instanceof Error)) throw error
    }
  }

  /** One subscription beside the other would take over what the first knows, and look at nothing. */
  private async renew(): Promise<void> {
    await this.disarm()
    await this.arm()
  }

  private heard(error: Error | null, events: readonly Event[]): void {
    if (this.ending.signal.aborted) return
    const batch = error === null ? batchOf(this.root, events, isDirectory) : { ...nothing, lost: true }
    this.on(batch)
    if (batch.gone) this.ending.abort(new Error('the root is gone'))
    else if (error !== null || (onLinux && batch.dirty.some((one) => one.depth === 'subtree'))) this.armAgain()
  }

  private armAgain(): void {
    this.isStale = true
    this.arming ??= this.armUntilFresh().finally(() => {
      this.arming = undefined
    })
  }

  private async armUntilFresh(): Promise<void> {
    const { signal } = this.ending
    while (this.isStale) {
      await this.clock.sleep(this.restMs, signal).catch(() => undefined)
      if (signal.aborted) return
      this.isStale = false
      const began = this.clock.now()
      try {
        await inTurn(() => this.renew())
      } catch (error) {
        if (!(error instanceof FileFailure)) throw error
        this.on({ ...nothing, gone: true })
        this.ending.abort(error)
        return
      }
      this.restMs = Math.max(armGapMs, armShare * (this.clock.now() - began))
      if (!signal.aborted) this.on({ ...nothing, lost: true })
    }
  }
}

let turn: Promise<unknown> = Promise.resolve()

/**
 * One subscription of the process changes at a time. The package has one thread for all, which ends with the last of them: a new
 * one that comes meanwhile is accepted and never told anything.
 */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const mine = turn.then(work)
  turn = mine.catch(() => undefined)
  return mine
}

const nothing: WatchBatch = { dirty: [], lost: false, gone: false, unwatched: [] }

/** `root` is a real path. Exported for its tests. */
export function batchOf(root: AbsPath, events: readonly Event[], isDirectory: (path: AbsPath) => boolean): WatchBatch {
  const dirty = new Map<RelPath, DirtyPath>()
  const mark = (path: RelPath, depth: DirtyPath['depth']) => {
    const before = dirty.get(path)
    if (before === undefined || rank[before.depth] < rank[depth]) dirty.set(path, { path, depth, closed: false })
  }
  let gone = false
  let lost = false
  let looked = 0
  for (const event of events) {
    const path = pathIn(root, event.path)
    if (path === undefined) lost = true
    else if (path === rootPath) {
      if (event.type === 'delete') gone = true
      else mark(path, 'entry')
    } else if (!isWithin(path, privateRoot)) {
      const legible = legiblePart(path)
      if (legible !== path) mark(legible, 'subtree')
      else if (event.type === 'delete') mark(parentOf(path), 'members')
      else if (++looked > lookedMax) mark(parentOf(path), event.type === 'create' ? 'subtree' : 'members')
      else {
        mark(parentOf(path), 'members')
        // An update may be that another directory took the place of one.
        if (isDirectory(absPath(event.path))) mark(path, 'subtree')
      }
    }
  }
  return { dirty: [...dirty.values()], lost, gone, unwatched: [] }
}

const rank: Record<DirtyPath['depth'], number> = { entry: 0, members: 1, subtree: 2 }
const privateRoot = relPath(privateName)

/** Bytes that are not UTF-8 come as U+FFFD, and name nothing: the directory above them stands for what is below it. */
function legiblePart(path: RelPath): RelPath {
  if (!path.includes('\ufffd')) return path
  let legible = rootPath
  for (const name of componentsOf(path)) {
    if (name.includes('\ufffd')) break
    legible = join(legible, name)
  }
  return legible
}

/** undefined when the path is none in the root. */
function pathIn(root: AbsPath, path: string): RelPath | undefined {
  if (path === root) return rootPath
  const prefix = absoluteOf(root, relPath('x')).slice(0, -1)
  if (!path.startsWith(prefix)) return undefined
  try {
    return relPath(path.slice(prefix.length))
  } catch (error) {
    if (!(error instanceof BadPath)) throw error
    return undefined
  }
}

function isDirectory(path: AbsPath): boolean {
  try {
    return nodeFiles().statPath(path)?.kind === 'directory'
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    // It cannot be told: then it is better to look.
    return true
  }
}

import { type RelPath, rootPath } from '../core/path.js'
import type { Host } from '../host/host.js'
import type { DirtyPath, Watch, WatchBatch, WatcherChoice, WatcherKind } from '../host/watcher.js'
import type { Emit } from '../status/event.js'
import type { RootPlace } from './jobs/place.js'
import { type RootIdentity, rootIdentityJob } from './jobs/root-identity.js'
import { ReplicaFailure } from './replica.js'
import { watcherFor } from './watcher-choice.js'

/** What a watched root does about what is heard. */
export interface Reactions {
  mark(paths: readonly DirtyPath[]): void
  /** A scan of these subtrees, and of everything. */
  scan(scopes: readonly RelPath[]): Promise<unknown>
  everything(): Promise<void>
  /** The root is not what it was, or cannot be used. */
  fail(error: unknown): void
}

/**
 * What keeps a root's index up to date while it is watched: the events of its watcher, scans in time where events are not to
 * be had, and every few seconds a look whether the root still stands at its path.
 */
export class Watching {
  private watch: Watch | undefined
  private starting: Promise<void> | undefined
  private unwatched: readonly RelPath[] = []
  private toldOf = 0
  private polling = false
  private readonly ending = new AbortController()

  constructor(
    private readonly host: Host,
    private readonly emit: Emit,
    private readonly place: RootPlace,
    private readonly filesystem: string,
    private readonly choice: WatcherChoice,
    private readonly reactions: Reactions,
  ) {}

  /** Whether it has begun to watch. */
  get isOn(): boolean {
    return this.watch !== undefined
  }

  /** Resolves when a change made from now on will be heard of. Once for all who ask. @throws FileFailure, ReplicaFailure */
  start(): Promise<void> {
    this.starting ??= this.startNow()
    return this.starting
  }

  async drain(): Promise<void> {
    await this.watch?.drain()
  }

  /** What no event tells of: it must be scanned before all that was written until now can be said to be seen. */
  get blind(): readonly RelPath[] {
    const tellsAll = this.watch !== undefined && this.watch.fullScanSeconds === undefined
    return tellsAll ? this.unwatched : [rootPath]
  }

  async close(): Promise<void> {
    this.ending.abort(new Error('the root is closed'))
    await this.watch?.close()
  }

  private async startNow(): Promise<void> {
    const { root, only } = this.place
    const wanted = watcherFor(this.choice, this.filesystem, this.host.machine.platform)
    // It would watch all that is in the directory and below; a look at one file costs next to nothing.
    const kind = only !== undefined && wanted === 'parcel' ? 'poll' : wanted
    const before = await this.identity()
    this.watch = await this.host.watcher.watch(root, (batch) => this.heard(batch), kind, only)
    this.inBackground(this.guard(kind, before))
    const { fullScanSeconds } = this.watch
    if (fullScanSeconds !== undefined)
      this.inBackground(this.again(fullScanSeconds * 1_000, () => this.reactions.everything()))
  }

  private heard(batch: WatchBatch): void {
    if (this.ending.signal.aborted) return
    if (batch.unwatched !== this.unwatched) this.degrade(batch.unwatched)
    if (batch.lost) this.inBackground(this.reactions.everything())
    else if (batch.dirty.length > 0) this.reactions.mark(batch.dirty)
    if (batch.gone) this.inBackground(this.lost())
  }

  /** The watch on the root has ended. Whatever stands there now, it has to be opened anew; first, what can be said of it. */
  private async lost(): Promise<void> {
    await this.identity()
    throw this.exchanged()
  }

  private exchanged(): ReplicaFailure {
    return new ReplicaFailure('in-doubt', this.place.root, 'it was moved, unmounted or exchanged while it was watched')
  }

  private identity(): Promise<RootIdentity> {
    return this.host.workers.run(rootIdentityJob, { place: this.place }, 'edit')
  }

  /**
   * No event tells when a directory above the root is renamed, or the root is unmounted while somebody sits in it. A watcher
   * is bound to the directory it was given: another one at the path, be it a copy with the same marker, is not watched.
   */
  private guard(kind: WatcherKind, before: RootIdentity): Promise<void> {
    return this.again(guardMs, async () => {
      const now = await this.identity()
      // Where inodes are made up, as FUSE may do, they are no identity; there nothing is bound to one.
      if (kind !== 'poll' && (now.inode !== before.inode || now.device !== before.device)) throw this.exchanged()
    })
  }

  private degrade(unwatched: readonly RelPath[]): void {
    this.unwatched = unwatched
    if (unwatched.length === 0) {
      this.toldOf = 0
      return
    }
    this.pollUnwatched()
    // While a tree is unpacked past the limit the set changes all the time: told when it has doubled.
    if (unwatched.length < 2 * this.toldOf) return
    this.toldOf = unwatched.length
    const more = unwatched.length > toldMax ? ` (${unwatched.length} subtrees, the first ${toldMax} are named)` : ''
    this.emit({
      event: 'watch-degraded',
      root: this.place.root,
      paths: unwatched.slice(0, toldMax),
      detail: `the limit of watches is reached, these are polled${more}; raise it with: ${raiseLimits}`,
    })
  }

  private pollUnwatched(): void {
    if (this.polling) return
    this.polling = true
    const rest = () => this.unwatched.length === 0
    this.inBackground(
      this.again(unwatchedMs, () => this.reactions.scan(this.unwatched), rest).finally(() => {
        this.polling = false
      }),
    )
  }

  /** Does it again and again until `over`; what takes long rests long, so that it never fills the time. */
  private async again(everyMs: number, work: () => Promise<unknown>, over: () => boolean = () => false): Promise<void> {
    const { clock } = this.host
    const { signal } = this.ending
    let tookMs = 0
    for (;;) {
      await clock.sleep(Math.max(everyMs, restShare * tookMs), signal).catch(() => undefined)
      if (signal.aborted || over()) return
      const began = clock.now()
      await work()
      tookMs = clock.now() - began
    }
  }

  private inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!this.ending.signal.aborted) this.reactions.fail(error)
    })
  }
}

/** The root is looked for this often. */
const guardMs = 10_000
/** Subtrees that cannot be watched are scanned this often. */
const unwatchedMs = 5_000
/** Scans in time rest at least this many times as long as they took. */
const restShare = 4
/** Subtrees that one event names. */
const toldMax = 100

/** A root without a single watch may also lack an inotify instance, so one line raises both. */
export const raiseLimits = 'sudo sysctl -w fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024'

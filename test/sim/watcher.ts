import { type AbsPath, join, parentOf, privateName, type RelPath, rootPath } from '../../src/core/path.js'
import type { DirtyPath, Watch, WatchBatch, Watcher, WatcherKind } from '../../src/host/watcher.js'
import type { Disk, DiskEvent } from './disk.js'
import { failure, type Inode } from './inode.js'
import type { Process } from './process.js'
import type { Dice } from './random.js'

/** Delay of a batch, and what goes wrong with events. May be changed at any time. */
export interface Watching {
  delayNs: { least: number; most: number }
  /** Of each event: it and all that wait are lost, which the next batch says. */
  overflow: number
  /** Of each event: it is lost, and nothing says so. */
  drops: number
}

/** A watcher as it should be. */
export const calm: Readonly<Watching> = { delayNs: { least: 200_000, most: 8_000_000 }, overflow: 0, drops: 0 }

/** Events of local roots as inotify gives them: a directory is heard of once its watch has been added. */
export class SimWatcher implements Watcher {
  private readonly watches = new Set<SimWatch>()

  constructor(
    private readonly process: Process,
    private readonly dice: Dice,
    private readonly watching: Watching,
  ) {}

  /** 'poll' hears of nothing and is looked at; 'parcel' is not told apart from inotify. */
  watch(root: AbsPath, on: (batch: WatchBatch) => void, kind?: WatcherKind): Promise<Watch> {
    const { process } = this
    if (kind === 'poll') return Promise.resolve({ fullScanSeconds: 10, drain: async () => {}, close: async () => {} })
    return new Promise((resolve, reject) => {
      if (!process.act('watch', root)) return
      process.machine.scheduler.after(this.dice.skewed(100_000, 5_000_000), `${process.name} watches`, () => {
        if (process.dead) return
        const inode = process.machine.find(root)
        if (inode === undefined) return reject(failure('absent', root, 'watch'))
        if (inode.kind !== 'directory') return reject(failure('not-directory', root, 'watch'))
        const watch = new SimWatch(process, this.dice, this.watching, inode, on)
        this.watches.add(watch)
        resolve(watch)
      })
    })
  }

  async close(): Promise<void> {
    for (const watch of this.watches) await watch.close()
  }
}

const rootEvents = new Set<DiskEvent['what']>(['removed', 'moved-from'])

class SimWatch implements Watch {
  readonly fullScanSeconds = undefined
  private readonly watched = new Set<Inode>()
  private readonly disks: readonly Disk[]
  private queue: DiskEvent[] = []
  private lost = false
  private gone = false
  private scheduled = false
  private ended = false
  private readonly hear = (event: DiskEvent): void => this.heard(event)

  constructor(
    private readonly process: Process,
    private readonly dice: Dice,
    private readonly watching: Watching,
    private readonly root: Inode,
    private readonly on: (batch: WatchBatch) => void,
  ) {
    this.disks = [...process.machine.disks]
    for (const disk of this.disks) disk.listeners.add(this.hear)
    this.crawl(root)
    process.onEnd(() => this.end())
  }

  drain(): Promise<void> {
    const { process } = this
    return new Promise((resolve) => {
      process.machine.scheduler.after(this.dice.skewed(20_000, 2_000_000), `${process.name} drains`, () => {
        if (process.dead) return
        this.hand()
        resolve()
      })
    })
  }

  async close(): Promise<void> {
    this.end()
  }

  private end(): void {
    this.ended = true
    for (const disk of this.disks) disk.listeners.delete(this.hear)
  }

  private heard(event: DiskEvent): void {
    if (this.gone) return
    if (event.inode === this.root && rootEvents.has(event.what)) this.gone = true
    else if (!this.concerns(event) || this.dice.chance(this.watching.drops)) return
    else if (this.dice.chance(this.watching.overflow)) {
      this.queue = []
      this.lost = true
    } else this.queue.push(event)
    if (this.scheduled) return
    this.scheduled = true
    const { least, most } = this.watching.delayNs
    this.process.machine.scheduler.after(this.dice.skewed(least, most), `${this.process.name} hears`, () => {
      this.scheduled = false
      if (!this.process.dead && !this.ended) this.hand()
    })
  }

  private concerns(event: DiskEvent): boolean {
    if (unheard.has(event.what)) return false
    if (event.directory === undefined || !this.watched.has(event.directory)) return false
    return event.directory !== this.root || event.name !== privateName
  }

  /** Turns what is queued into dirty paths, adds watches for directories that came, and hands both over. */
  private hand(): void {
    const dirty = new Map<string, DirtyPath>()
    const { lost, gone } = this
    if (lost) {
      this.lost = false
      this.watched.clear()
      this.crawl(this.root)
    }
    for (const event of this.queue.splice(0)) this.take(event, dirty)
    if (dirty.size === 0 && !lost && !gone) return
    this.on({ dirty: [...dirty.values()], lost, gone, unwatched: [] })
  }

  private take(event: DiskEvent, dirty: Map<string, DirtyPath>): void {
    const directory = event.directory === undefined ? undefined : this.pathOf(event.directory)
    if (event.what === 'moved-from' && event.inode.kind === 'directory' && this.pathOf(event.inode) === undefined)
      this.forget(event.inode)
    if (directory === undefined) return
    const path = join(directory, event.name)
    const appeared = (event.what === 'created' || event.what === 'moved-to') && event.inode.kind === 'directory'
    if (appeared && event.inode.home !== undefined) this.crawl(event.inode)
    const before = dirty.get(path)
    dirty.set(path, {
      path,
      depth: appeared || before?.depth === 'subtree' ? 'subtree' : 'entry',
      closed: event.what === 'close-write' || (before?.closed === true && event.what !== 'modified'),
    })
  }

  /** Where the directory lies below the root now, or undefined when it has left it or lies in the private folder. */
  private pathOf(directory: Inode): RelPath | undefined {
    if (directory === this.root) return rootPath
    const home = this.homeOf(directory)
    if (home === undefined || (home.directory === this.root && home.name === privateName)) return undefined
    const above = this.pathOf(home.directory)
    return above === undefined ? undefined : join(above, home.name)
  }

  private homeOf(directory: Inode): Inode['home'] {
    return directory.home ?? this.process.machine.mountPointOf(directory)?.home
  }

  private crawl(directory: Inode): void {
    this.watched.add(directory)
    for (const entry of directory.entries.values()) {
      if (directory === this.root && entry.name === privateName) continue
      const inode = this.process.machine.member(directory, entry.name)
      if (inode?.kind === 'directory') this.crawl(inode)
    }
  }

  private forget(directory: Inode): void {
    this.watched.delete(directory)
    for (const { inode } of directory.entries.values()) if (inode.kind === 'directory') this.forget(inode)
  }
}

/** For tests that look at what a batch covers. */
export function covers(batch: WatchBatch, path: RelPath): boolean {
  if (batch.lost) return true
  for (let at = path; ; at = parentOf(at)) {
    if (batch.dirty.some((one) => one.path === at && (at === path || one.depth === 'subtree'))) return true
    if (at === rootPath) return false
  }
}

/** What no watcher is told of. */
const unheard: ReadonlySet<DiskEvent['what']> = new Set(['stored', 'stored-unstamped', 'freed', 'replaced'])

import { type AbsPath, absoluteOf, encodeName, join, privateName, type RelPath } from '../../../core/path.js'
import { checked, fileFailure } from '../file-failure.js'
import {
  close,
  cPath,
  errno,
  errnoName,
  getdents64,
  inotifyAddWatch,
  inotifyInit,
  inotifyRemoveWatch,
  ioctlReadable,
  open,
  openFlags,
  read,
} from '../libc.js'
import { decodeDirectories } from './dirents.js'
import { directoryMask, eachEvent, eventBits, type InotifyEvent, rootMask } from './events.js'
import { Pending } from './pending.js'
import { pathOf, type WatchedDirectory, WatchTree } from './tree.js'

// One of each for the thread.
const eventBuffer = Buffer.alloc(64 * 1024)
const listing = Buffer.alloc(64 * 1024)
const readable = new Int32Array(1)

/** Buffers read of one root before another gets its turn. */
const readsMax = 8
/** Directories crawled before the queues are looked at again: at most a few ms. */
const crawlStep = 64
/** Directories that still cannot be watched before a retry gives up. */
const retryFailuresMax = 16
/** Longest path that the kernel takes, its NUL included. */
const pathBytesMax = 4_096

/**
 * One root and its inotify instance. Its rules, each of which closes a way to miss a change:
 *
 * - A directory is watched before it is listed.
 * - An event that a directory came, went or moved is only a reason to look at its place: what is there now is watched and
 *   crawled to the bottom. Since each directory on the way was watched before it was listed, what changes meanwhile is in
 *   the queue.
 * - A subtree is reported after its crawl: a scan that ran before the last watch was set would miss what came between.
 * - After an overflow the instance is closed and another takes its place. (Removing the old watches one by one would queue
 *   an event each, and overflow again.)
 */
export class WatchedRoot {
  readonly pending = new Pending()
  /** -1: no instance, for none could be made. */
  fd: number
  gone = false
  private tree = new WatchTree()
  /** Places to look at, in the order heard of; a place once. True: to the bottom, whatever is known of it. */
  private readonly places = new Map<WatchedDirectory, Map<string, boolean>>()
  private overflowed = false

  /** @throws FileFailure when the root cannot be watched */
  constructor(
    readonly path: AbsPath,
    /** Of this name alone something is told, and no other directory is watched. */
    private readonly only?: string,
  ) {
    this.fd = checked('inotify_init1', path, newInstance)
    const watch = inotifyAddWatch(this.fd, cPath(path), rootMask)
    if (watch < 0) {
      const why = errnoName(errno())
      if (!limits.has(why)) {
        this.close()
        throw fileFailure('inotify_add_watch', path, why)
      }
    }
  }

  /** Ends a crawl under way, and every watch. */
  abandon(): void {
    this.gone = true
    this.close()
  }

  /** Whether there is anything that `settle` must do. */
  get unsettled(): boolean {
    return !this.gone && (this.overflowed || this.places.size > 0)
  }

  get degraded(): boolean {
    return !this.gone && this.tree.unwatched.size > 0
  }

  get unwatched(): RelPath[] {
    return [...this.tree.unwatched].map(pathOf)
  }

  /** Watches the whole tree; what cannot be is unwatched. `between` is called every few ms. */
  start(between: () => void): void {
    this.crawl(this.tree.root, true, between)
  }

  /** Reads what is queued, a bounded number of bytes. Never waits. */
  read(): void {
    for (let reads = 0; reads < readsMax && this.readOnce() > 0; reads++);
  }

  /** Reads everything that is queued at the call. */
  readQueued(): void {
    if (this.fd < 0 || ioctlReadable(this.fd, readable) < 0) return
    for (let rest = readable[0] ?? 0; rest > 0; ) {
      const length = this.readOnce()
      if (length <= 0) return
      rest -= length
    }
  }

  /** Looks at every place that was heard of, and starts afresh after an overflow. */
  settle(between: () => void): void {
    while (this.unsettled) {
      if (this.overflowed) this.restart(between)
      else this.settlePlaces(between)
      // Watches may have become free.
      if (this.degraded && this.fd >= 0 && !this.unsettled) this.retry(between)
    }
  }

  /** Tries again to watch what could not be watched. */
  retry(between: () => void): void {
    if (this.fd < 0) {
      this.overflowed = true
      return
    }
    let failures = 0
    for (const directory of [...this.tree.unwatched]) {
      if (directory.dropped) continue
      this.crawl(directory, false, between)
      if (this.overflowed || this.gone) return
      if (directory.watch !== undefined) this.pending.subtree(pathOf(directory))
      else if (++failures === retryFailuresMax) return
    }
  }

  private close(): void {
    if (this.fd >= 0) close(this.fd)
    this.fd = -1
  }

  /** The bytes read; 0 when there were none. */
  private readOnce(): number {
    if (this.gone || this.fd < 0) return 0
    const length = read(this.fd, eventBuffer, eventBuffer.length)
    if (length <= 0) return 0
    if (!eachEvent(eventBuffer, length, (event) => this.take(event))) this.overflowed = true
    return length
  }

  private take({ watch, bits, name }: InotifyEvent): void {
    if (this.gone) return
    if ((bits & eventBits.overflow) !== 0) {
      this.overflowed = true
      return
    }
    if ((bits & eventBits.ignored) !== 0) {
      for (const directory of this.tree.forget(watch)) this.lookAtOwnPlace(directory)
      return
    }
    for (const directory of this.tree.directoriesOf(watch)) this.takeOf(directory, bits, name)
  }

  private takeOf(directory: WatchedDirectory, bits: number, name: string): void {
    const isRoot = directory.parent === undefined
    if (name === '') {
      if (isRoot && (bits & rootGone) !== 0) this.end()
      else if ((bits & eventBits.attributes) !== 0) this.pending.entry(pathOf(directory))
      return
    }
    if (isRoot && (name === privateName || (this.only ?? name) !== name)) return
    const path = join(pathOf(directory), name)
    if ((bits & eventBits.closeWrite) !== 0) this.pending.closed(path)
    else if ((bits & opened) !== 0) this.pending.written(path)
    else this.pending.entry(path)
    if ((bits & eventBits.directory) === 0 || this.only !== undefined) return
    if ((bits & replaced) !== 0) this.lookAt(directory, name, true)
    else if ((bits & eventBits.create) !== 0 || hasBlindSpot(directory.children.get(name)))
      this.lookAt(directory, name, false)
  }

  private lookAt(parent: WatchedDirectory, name: string, toBottom: boolean): void {
    const names = this.places.get(parent)
    if (names === undefined) this.places.set(parent, new Map([[name, toBottom]]))
    else names.set(name, toBottom || names.get(name) === true)
  }

  private lookAtOwnPlace(directory: WatchedDirectory): void {
    if (directory.parent === undefined) this.end()
    else this.lookAt(directory.parent, directory.name, true)
  }

  private end(): void {
    this.abandon()
    this.pending.end()
    this.places.clear()
  }

  private settlePlaces(between: () => void): void {
    // Dropped last: a directory that was moved is then watched at its new place, and its watches stay as they are.
    const vanished = new Set<WatchedDirectory>()
    for (const [parent, names] of this.places) {
      this.places.delete(parent)
      for (const [name, toBottom] of names) {
        // A parent that was dropped is looked at from above, with all that is in it.
        if (!parent.dropped) this.settlePlace(this.tree.member(parent, name), toBottom, vanished, between)
        if (this.overflowed || this.gone) return
      }
    }
    for (const directory of vanished) this.drop(directory)
  }

  private settlePlace(
    directory: WatchedDirectory,
    toBottom: boolean,
    vanished: Set<WatchedDirectory>,
    between: () => void,
  ): void {
    if (this.crawl(directory, toBottom, between)) {
      vanished.delete(directory)
      this.pending.subtree(pathOf(directory))
    } else {
      vanished.add(directory)
    }
  }

  private restart(between: () => void): void {
    this.overflowed = false
    this.places.clear()
    this.close()
    this.tree = new WatchTree()
    this.fd = newInstance()
    this.crawl(this.tree.root, true, between)
    this.pending.unwatchedChanged()
    if (!this.overflowed) this.pending.everything()
  }

  /**
   * Watches what is at the place of `top` and everything below. Answers whether there is a directory at the place; when
   * there is none, `top` is left as it was. Ends early after an overflow.
   *
   * Not `toBottom`: a directory that is watched already is known with all that is in it. That holds while it stays where it
   * is. One that was away for a while and came back does not: what was made in it meanwhile was looked for in its old place.
   */
  private crawl(top: WatchedDirectory, toBottom: boolean, between: () => void): boolean {
    const open = [top]
    let steps = 0
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next.dropped) continue
      if (this.watchMembers(next, toBottom, open)) {
        steps += 1
        if (steps % crawlStep === 0) between()
        if (this.overflowed || this.gone) return true
      } else if (next === top) {
        return false
      } else {
        this.drop(next)
      }
    }
    return true
  }

  /** Adds the watch, then the members that must be watched to `open`. Answers whether there is a directory. */
  private watchMembers(directory: WatchedDirectory, toBottom: boolean, open: WatchedDirectory[]): boolean {
    const path = absoluteOf(this.path, pathOf(directory))
    const watch = this.addWatch(path, directory)
    if (typeof watch === 'string') {
      if (!absence.has(watch)) this.leaveUnwatched(directory, watch)
      else if (directory.parent === undefined) this.end()
      return !absence.has(watch)
    }
    if (directory.watch === watch && !toBottom) {
      for (const child of directory.children.values()) if (child.watch === undefined) open.push(child)
      return true
    }
    if (directory.watch !== watch) this.attach(directory, watch)
    for (const name of this.directoriesIn(path, directory)) open.push(this.tree.member(directory, name))
    return true
  }

  private addWatch(path: AbsPath, directory: WatchedDirectory): number | string {
    if (this.fd < 0) return 'EMFILE'
    if (path.length * 3 >= pathBytesMax && encodeName(path).length >= pathBytesMax) return 'ENAMETOOLONG'
    const watch = inotifyAddWatch(this.fd, cPath(path), directory.parent === undefined ? rootMask : directoryMask)
    return watch >= 0 ? watch : errnoName(errno())
  }

  private attach(directory: WatchedDirectory, watch: number): void {
    // Another directory is in the place of the one that was watched: what is known of the old one is void.
    this.clear(directory)
    if (this.tree.unwatched.has(directory)) this.pending.unwatchedChanged()
    this.tree.attach(directory, watch)
  }

  /** It is there, and cannot be watched. One that cannot be read is not polled either: its parent tells when that changes. */
  private leaveUnwatched(directory: WatchedDirectory, why: string): void {
    this.clear(directory)
    if (this.tree.unwatched.has(directory) || (why === 'EACCES' && directory.parent !== undefined)) return
    this.tree.markUnwatched(directory)
    this.pending.unwatchedChanged()
  }

  private clear(directory: WatchedDirectory): void {
    for (const child of [...directory.children.values()]) this.drop(child)
    this.release(this.tree.detach(directory))
  }

  private drop(directory: WatchedDirectory): void {
    const { size } = this.tree.unwatched
    this.release(this.tree.drop(directory))
    if (this.tree.unwatched.size < size) this.pending.unwatchedChanged()
  }

  private release(watches: readonly number[]): void {
    for (const watch of watches) inotifyRemoveWatch(this.fd, watch)
  }

  /** What cannot be listed now has no members to watch; a change of that is an event of its parent. */
  private directoriesIn(path: AbsPath, directory: WatchedDirectory): string[] {
    if (this.only !== undefined) return []
    const fd = open(cPath(path), directoryFlags | (directory.parent === undefined ? 0 : openFlags.noFollow), 0)
    if (fd < 0) return []
    const names: string[] = []
    for (;;) {
      const length = getdents64(fd, listing, listing.length)
      if (length <= 0) break
      decodeDirectories(listing, length, names)
    }
    close(fd)
    return directory.parent === undefined ? names.filter((name) => name !== privateName) : names
  }
}

const directoryFlags = openFlags.readOnly | openFlags.directory | openFlags.closeOnExec | openFlags.nonBlock
/** A file that is written, or another one in its place: what was said of a closed one is void. */
const opened = eventBits.modify | eventBits.create | eventBits.movedTo
/** What is at the place now may have been elsewhere. */
const replaced = eventBits.delete | eventBits.movedFrom | eventBits.movedTo
const rootGone = eventBits.deleteSelf | eventBits.moveSelf | eventBits.unmount
const absence = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])
const limits = new Set(['ENOSPC', 'ENOMEM'])

/** A change of attributes may be what makes a directory, or what is in it, readable. */
function hasBlindSpot(directory: WatchedDirectory | undefined): boolean {
  if (directory?.watch === undefined) return true
  for (const child of directory.children.values()) if (child.watch === undefined) return true
  return false
}

function newInstance(): number {
  return inotifyInit(openFlags.closeOnExec | openFlags.nonBlock)
}

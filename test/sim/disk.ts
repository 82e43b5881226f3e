import { encodeName, nameBytesMax } from '../../src/core/path.js'
import type { FileCode, Kind, Space } from '../../src/host/files.js'
import { type Entry, failure, Inode, setgid } from './inode.js'
import { Journal, type NameChange } from './journal.js'
import type { Dice } from './random.js'
import { loseBytes } from './unsaved.js'

/** Who did it: a user, or the name of an agent's process. */
export type Actor = string
export const user: Actor = 'user'

/** What happened to a name or a file, told at once and in order. `inode` is the one that came, went or changed. */
export interface DiskEvent {
  readonly what:
    | 'created'
    | 'removed'
    | 'moved-from'
    | 'moved-to'
    | 'replaced' // lost its name to one that was moved there: no watcher hears of it
    | 'modified'
    | 'stored' // through a mapping: no watcher hears of it
    | 'stored-unstamped' // likewise, and no time was moved either
    | 'attributes'
    | 'close-write'
    | 'freed'
  readonly directory: Inode | undefined
  readonly name: string
  readonly inode: Inode
  readonly actor: Actor
}

/** What a program has of a file that it mapped. */
export interface Mapping {
  /** As the file's `cleanings` was when this mapping was last stored through: from then on its pages can be written to unseen. */
  storedAfter: number | undefined
}

export interface DiskOptions {
  readonly device: bigint
  /** The file system's wall clock. */
  readonly wallNs: () => bigint
  readonly timeNs: () => number
  /** Times are taken from the timer's last tick. */
  readonly tickNs?: bigint
  /** What a set time is cut to: 1 ns on ext4, 2 s on exFAT. */
  readonly timeUnitNs?: bigint
  readonly capacityBytes?: number
  /** Which names are one: those that differ in case, or in case and canonical form. Each is kept as it was created. */
  readonly folding?: 'case' | 'case-and-form' | undefined
  readonly exchange?: boolean
  readonly leases?: boolean
  /** A freed inode number is given to the next file (ext4) or never (tmpfs). */
  readonly reuseInodes?: boolean
  readonly filesystem?: string
}

/** Write-back of the kernel: what is older is on the platter without a sync. */
const writeBackNs = 30e9
/** Less than this is little: what an agent keeps free when nothing is said. */
const shortShare = 0.01

/** One file system in memory: what is seen, and apart from it what a power loss would leave. */
export class Disk {
  readonly root: Inode
  readonly listeners = new Set<(event: DiskEvent) => void>()
  usedBytes = 0
  /** When it was last said that there is too little room. */
  shortAtNs = Number.NEGATIVE_INFINITY
  /** The next sync fails with it, once. */
  failNextSync: FileCode | undefined
  readOnly = false
  readonly device: bigint
  readonly filesystem: string
  readonly exchangeable: boolean
  readonly leases: boolean
  capacityBytes: number
  private readonly tickNs: bigint
  /** As in the options; a test may make it coarser before the agents start. */
  timeUnitNs: bigint
  private readonly journal = new Journal()
  private readonly dirty = new Set<Inode>()
  private readonly freeNumbers: bigint[] = []
  private nextNumber = 2n

  constructor(private readonly options: DiskOptions) {
    this.device = options.device
    this.filesystem = options.filesystem ?? 'ext'
    this.exchangeable = options.exchange ?? true
    this.leases = options.leases ?? true
    this.capacityBytes = options.capacityBytes ?? Number.MAX_SAFE_INTEGER
    this.tickNs = options.tickNs ?? 4_000_000n
    this.timeUnitNs = options.timeUnitNs ?? 1n
    this.root = new Inode(this.nextNumber++, this, 'directory', 0o755, this.stamp())
    this.root.links = 2
    this.save(this.root)
  }

  // ---- names

  entry(directory: Inode, name: string): Entry | undefined {
    return directory.entries.get(this.key(name))
  }

  /** @throws FileFailure for a name that no file can have */
  find(directory: Inode, name: string): Inode | undefined {
    if (name.length > 63 && encodeName(name).length > nameBytesMax) throw failure('name-too-long', name, 'lookup')
    return directory.entries.get(this.key(name))?.inode
  }

  create(directory: Inode, name: string, kind: Kind, mode: number, actor: Actor, target = ''): Inode {
    this.room(directory, name, 'create')
    if (this.find(directory, name) !== undefined) throw failure('exists', name, 'create')
    const handed = kind === 'directory' ? mode | (directory.mode & setgid) : mode
    const inode = new Inode(this.number(), this, kind, handed, this.stamp())
    inode.gid = directory.handedGid()
    inode.target = target
    if (kind === 'directory') inode.links = 1
    this.dirty.add(inode)
    inode.dirtySinceNs = this.options.timeNs()
    this.name(directory, name, inode)
    this.touchDirectory(directory)
    this.journal.add([this.change(directory, name)], this.options.timeNs(), false, inode.id)
    this.tell('created', directory, name, inode, actor)
    return inode
  }

  link(inode: Inode, directory: Inode, name: string, actor: Actor): void {
    this.room(directory, name, 'link')
    if (this.find(directory, name) !== undefined) throw failure('exists', name, 'link')
    this.name(directory, name, inode)
    this.changed(inode)
    this.touchDirectory(directory)
    this.journal.add([this.change(directory, name)], this.options.timeNs(), false)
    this.tell('created', directory, name, inode, actor)
  }

  removeFile(directory: Inode, name: string, actor: Actor): void {
    this.writable(name, 'unlink')
    const inode = this.existing(directory, name, 'unlink')
    if (inode.kind === 'directory') throw failure('is-directory', name, 'unlink')
    const created = this.nameAt(directory, name)
    this.takeAway(directory, name, inode)
    this.changed(inode)
    this.journal.add([this.change(directory, name)], this.options.timeNs(), false, inode.id)
    this.tell('removed', directory, created, inode, actor)
    this.freeIfUnused(inode, actor)
  }

  removeDirectory(directory: Inode, name: string, actor: Actor): void {
    this.writable(name, 'rmdir')
    const inode = this.existing(directory, name, 'rmdir')
    if (inode.kind !== 'directory') throw failure('not-directory', name, 'rmdir')
    if (inode.entries.size > 0) throw failure('not-empty', name, 'rmdir')
    const created = this.nameAt(directory, name)
    this.takeAway(directory, name, inode)
    this.journal.add([this.change(directory, name)], this.options.timeNs(), true, inode.id)
    this.tell('removed', directory, created, inode, actor)
    this.freeIfUnused(inode, actor)
  }

  rename(
    from: Inode,
    name: string,
    to: Inode,
    toName: string,
    how: 'no-replace' | 'exchange' | 'replace',
    actor: Actor,
  ): void {
    if (how === 'exchange' && !this.exchangeable) throw failure('unsupported', name, 'rename')
    this.room(to, toName, 'rename')
    const moved = this.existing(from, name, 'rename')
    const there = this.find(to, toName)
    // What takes another's place takes its name as that was created; only a file under its own name can change its case.
    const target = there === undefined || there === moved ? toName : this.nameAt(to, toName)
    const source = this.nameAt(from, name)
    if (how === 'no-replace' && there !== undefined) throw failure('exists', toName, 'rename')
    if (how === 'exchange' && there === undefined) throw failure('absent', toName, 'rename')
    if (isWithin(to, moved) || (how === 'exchange' && there !== undefined && isWithin(from, there)))
      throw failure('unsupported', toName, 'rename')
    if (how === 'exchange' && there !== undefined) {
      if (moved !== there) this.swap(from, source, moved, to, target, there, actor)
    } else if (moved !== there) this.move(from, source, moved, to, target, there, actor)
    // Two names of one file are left alone; one name is written in another case, as APFS and NTFS do.
    else if (from === to && this.key(source) === this.key(target) && source !== target)
      this.move(from, source, moved, to, target, undefined, actor)
  }

  // ---- bytes and properties

  read(inode: Inode, into: Uint8Array, position: number): number {
    const part = inode.data.subarray(position, position + into.length)
    into.set(part)
    return part.length
  }

  write(inode: Inode, bytes: Uint8Array, position: number, actor: Actor): void {
    this.writable('', 'write')
    if (bytes.length === 0) return
    this.setData(inode, spliced(inode.data, bytes, position))
    inode.mtimeNs = this.stamp()
    inode.ctimeNs = inode.mtimeNs
    this.tellAtHome('modified', inode, actor)
  }

  truncate(inode: Inode, sizeBytes: number, actor: Actor): void {
    this.writable('', 'truncate')
    const data = new Uint8Array(sizeBytes)
    data.set(inode.data.subarray(0, sizeBytes))
    this.setData(inode, data)
    inode.mtimeNs = this.stamp()
    inode.ctimeNs = inode.mtimeNs
    this.tellAtHome('modified', inode, actor)
  }

  /**
   * A store through a shared mapping. Only the first one of a mapping since the pages were clean moves the times (E5; a page that
   * another program has made dirty is no difference); no event comes of any.
   */
  store(inode: Inode, bytes: Uint8Array, position: number, actor: Actor, mapping: Mapping): void {
    const isFirst = mapping.storedAfter !== inode.cleanings
    mapping.storedAfter = inode.cleanings
    this.setData(inode, spliced(inode.data, bytes, position).subarray(0, inode.data.length))
    if (isFirst) {
      inode.mtimeNs = this.stamp()
      inode.ctimeNs = inode.mtimeNs
    }
    this.tellAtHome(isFirst ? 'stored' : 'stored-unstamped', inode, actor)
  }

  setMode(inode: Inode, mode: number, actor: Actor): void {
    this.writable('', 'chmod')
    inode.mode = mode & 0o7777
    this.changed(inode)
    this.tellAtHome('attributes', inode, actor)
  }

  setTime(inode: Inode, mtimeNs: bigint, actor: Actor): void {
    this.writable('', 'utimes')
    inode.mtimeNs = floorTo(mtimeNs, this.timeUnitNs)
    this.changed(inode)
    this.tellAtHome('attributes', inode, actor)
  }

  setOwner(inode: Inode, uid: number, gid: number, actor: Actor): void {
    inode.uid = uid
    inode.gid = gid
    this.changed(inode)
    this.tellAtHome('attributes', inode, actor)
  }

  // ---- descriptors

  open(inode: Inode, writing: boolean): void {
    inode.opens += 1
    if (writing) inode.writers += 1
  }

  closed(inode: Inode, writing: boolean, actor: Actor): void {
    inode.opens -= 1
    if (writing) {
      inode.writers -= 1
      this.tellAtHome('close-write', inode, actor)
    }
    this.freeIfUnused(inode, actor)
  }

  // ---- durability

  /** fdatasync or fsync of a file: bytes, size and times; not its name. */
  sync(inode: Inode): void {
    this.failSync([inode], 'fsync')
    if (!inode.stuck) this.save(inode)
  }

  syncDirectory(directory: Inode): void {
    this.failSync([], 'fsync')
    this.journal.save(directory)
    this.save(directory)
  }

  syncFilesystem(): void {
    this.failSync(this.dirty, 'syncfs')
    this.journal.saveAll()
    for (const inode of [...this.dirty]) if (!inode.stuck) this.save(inode)
  }

  /**
   * The machine went down: what is seen becomes what is on the platter. Unsaved bytes are kept, lost, torn, empty, or the old
   * ones under the new times (E1, E2). Every descriptor is gone.
   */
  losePower(dice: Dice): void {
    const writtenBack = this.options.timeNs() - writeBackNs
    this.journal.lose(dice, dice.chance(0.5) ? 'ordered' : 'loose', writtenBack)
    for (const inode of this.dirty) {
      if (inode.kind === 'file' && (inode.stuck || inode.dirtySinceNs >= writtenBack)) loseBytes(inode, dice)
    }
    this.dirty.clear()
    this.usedBytes = 0
    const seen = new Set<Inode>()
    this.revive(this.root, seen)
    for (const inode of seen) if (inode.kind !== 'directory') this.usedBytes += inode.data.length
  }

  /** Every inode that has a name, directories first. */
  *reachable(from: Inode = this.root): Iterable<Inode> {
    yield from
    for (const { inode } of from.entries.values()) {
      if (inode.kind === 'directory') yield* this.reachable(inode)
      else yield inode
    }
  }

  get folds(): boolean {
    return this.options.folding !== undefined
  }

  stamp(): bigint {
    return floorTo(floorTo(this.options.wallNs(), this.tickNs), this.timeUnitNs)
  }

  // ---- inside

  private swap(from: Inode, name: string, moved: Inode, to: Inode, toName: string, there: Inode, actor: Actor): void {
    this.takeAway(from, name, moved)
    this.takeAway(to, toName, there)
    this.name(to, toName, moved)
    this.name(from, name, there)
    this.changed(moved)
    this.changed(there)
    const barrier = moved.kind === 'directory' || there.kind === 'directory'
    this.journal.add([this.change(from, name), this.change(to, toName)], this.options.timeNs(), barrier)
    this.tell('moved-from', from, name, moved, actor)
    this.tell('moved-to', to, toName, moved, actor)
    this.tell('moved-from', to, toName, there, actor)
    this.tell('moved-to', from, name, there, actor)
  }

  private move(
    from: Inode,
    name: string,
    moved: Inode,
    to: Inode,
    toName: string,
    there: Inode | undefined,
    actor: Actor,
  ): void {
    if (there !== undefined) {
      if (there.kind === 'directory' && moved.kind !== 'directory') throw failure('is-directory', toName, 'rename')
      if (there.kind !== 'directory' && moved.kind === 'directory') throw failure('not-directory', toName, 'rename')
      if (there.entries.size > 0) throw failure('not-empty', toName, 'rename')
      this.takeAway(to, toName, there)
    }
    this.takeAway(from, name, moved)
    this.name(to, toName, moved)
    this.changed(moved)
    this.journal.add(
      [this.change(from, name), this.change(to, toName)],
      this.options.timeNs(),
      moved.kind === 'directory',
      there?.id,
    )
    this.tell('moved-from', from, name, moved, actor)
    this.tell('moved-to', to, toName, moved, actor)
    if (there === undefined) return
    this.tell('replaced', to, toName, there, actor)
    this.freeIfUnused(there, actor)
  }

  private name(directory: Inode, name: string, inode: Inode): void {
    directory.entries.set(this.key(name), { name, inode })
    inode.links += 1
    if (inode.kind === 'directory') directory.links += 1
    inode.home = { directory, name }
  }

  private takeAway(directory: Inode, name: string, inode: Inode): void {
    directory.entries.delete(this.key(name))
    inode.links -= 1
    if (inode.kind === 'directory') directory.links -= 1
    if (inode.home?.directory === directory && this.key(inode.home.name) === this.key(name)) inode.home = undefined
    this.touchDirectory(directory)
  }

  private change(directory: Inode, name: string): NameChange {
    const key = this.key(name)
    return { directory, key, after: directory.entries.get(key) }
  }

  private touchDirectory(directory: Inode): void {
    directory.mtimeNs = this.stamp()
    directory.ctimeNs = directory.mtimeNs
  }

  private changed(inode: Inode): void {
    inode.ctimeNs = this.stamp()
    this.markDirty(inode)
  }

  private setData(inode: Inode, data: Uint8Array): void {
    const grown = data.length - inode.data.length
    if (grown > 0 && this.usedBytes + grown > this.capacityBytes) this.refuse('', 'write')
    this.usedBytes += grown
    inode.data = data
    inode.stuck = false
    this.markDirty(inode)
  }

  private markDirty(inode: Inode): void {
    if (this.dirty.has(inode)) return
    this.dirty.add(inode)
    inode.dirtySinceNs = this.options.timeNs()
  }

  private save(inode: Inode): void {
    inode.saved = { data: inode.data, mode: inode.mode, mtimeNs: inode.mtimeNs, ctimeNs: inode.ctimeNs }
    inode.cleanings++
    this.dirty.delete(inode)
  }

  /** @throws FileFailure where the next sync is to fail */
  private failSync(covered: Iterable<Inode>, call: string): void {
    const { failNextSync: code } = this
    if (code === undefined) return
    this.failNextSync = undefined
    if (code === 'disk-full') this.noteShort()
    // Pitfall 15: told once. The pages count as clean from now on, and what they held is not on the platter.
    for (const inode of covered) {
      if (inode.kind !== 'file' || !this.dirty.has(inode)) continue
      inode.stuck = true
      inode.cleanings++
    }
    throw failure(code, '', call)
  }

  private freeIfUnused(inode: Inode, actor: Actor): void {
    const names = inode.kind === 'directory' ? inode.links - 1 : inode.links
    if (names > 0 || inode.opens > 0 || inode.freed) return
    inode.freed = true
    this.usedBytes -= inode.data.length
    this.dirty.delete(inode)
    if (this.options.reuseInodes ?? true) this.freeNumbers.push(inode.id)
    this.tell('freed', undefined, '', inode, actor)
  }

  private revive(directory: Inode, seen: Set<Inode>): void {
    seen.add(directory)
    directory.entries.clear()
    directory.opens = 0
    directory.holder = undefined
    directory.links = directory === this.root ? 2 : 1
    for (const [key, entry] of directory.savedEntries) {
      const { inode } = entry
      if (inode.kind === 'directory' && seen.has(inode)) continue
      if (!seen.has(inode)) {
        inode.links = 0
        inode.opens = 0
        inode.writers = 0
        inode.holder = undefined
        inode.freed = false
      }
      if (inode.kind === 'directory') this.revive(inode, seen)
      else seen.add(inode)
      directory.entries.set(key, entry)
      inode.links += 1
      if (inode.kind === 'directory') directory.links += 1
      inode.home = { directory, name: entry.name }
      this.save(inode)
    }
  }

  private existing(directory: Inode, name: string, call: string): Inode {
    const inode = this.find(directory, name)
    if (inode === undefined) throw failure('absent', name, call)
    return inode
  }

  /** Whether a name can be put into the directory at all. */
  private room(directory: Inode, name: string, call: string): void {
    this.writable(name, call)
    if (directory.home === undefined && directory !== this.root) throw failure('absent', name, call)
    if (this.usedBytes >= this.capacityBytes) this.refuse(name, call)
  }

  private refuse(name: string, call: string): never {
    this.noteShort()
    throw failure('disk-full', name, call)
  }

  /** Somebody was told that there is too little room. */
  noteShort(): void {
    this.shortAtNs = this.options.timeNs()
  }

  space(): Space {
    const totalBytes = this.capacityBytes
    const freeBytes = Math.max(0, totalBytes - this.usedBytes)
    if (freeBytes < totalBytes * shortShare) this.noteShort()
    return { freeBytes, totalBytes, filesystem: this.filesystem }
  }

  private writable(name: string, call: string): void {
    if (this.readOnly) throw failure('read-only', name, call)
  }

  private number(): bigint {
    return this.freeNumbers.pop() ?? this.nextNumber++
  }

  private key(name: string): string {
    switch (this.options.folding) {
      case undefined:
        return name
      case 'case':
        return name.toLowerCase()
      case 'case-and-form':
        return name.normalize('NFD').toLowerCase()
    }
  }

  /** A name that is there, as it was created. */
  private nameAt(directory: Inode, name: string): string {
    return this.entry(directory, name)?.name ?? name
  }

  private tellAtHome(what: DiskEvent['what'], inode: Inode, actor: Actor): void {
    this.tell(what, inode.home?.directory, inode.home?.name ?? '', inode, actor)
  }

  private tell(what: DiskEvent['what'], directory: Inode | undefined, name: string, inode: Inode, actor: Actor): void {
    const event: DiskEvent = { what, directory, name, inode, actor }
    for (const listener of this.listeners) listener(event)
  }
}

/** Whether `directory` is `ancestor` or lies below it. */
export function isWithin(directory: Inode, ancestor: Inode): boolean {
  let at: Inode | undefined = directory
  while (at !== undefined) {
    if (at === ancestor) return true
    at = at.home?.directory
  }
  return false
}

function spliced(data: Uint8Array, bytes: Uint8Array, position: number): Uint8Array {
  const next = new Uint8Array(Math.max(data.length, position + bytes.length))
  next.set(data)
  next.set(bytes, position)
  return next
}

function floorTo(value: bigint, unit: bigint): bigint {
  const rest = value % unit
  return value - (rest < 0n ? rest + unit : rest)
}

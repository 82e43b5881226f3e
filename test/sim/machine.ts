import { type AbsPath, absPath } from '../../src/core/path.js'
import type { FileCode } from '../../src/host/files.js'
import type { ProcessFacts } from '../../src/host/host.js'
import { Disk, type DiskOptions } from './disk.js'
import { failure, type Inode } from './inode.js'
import { type Call, Process } from './process.js'
import type { Dice } from './random.js'
import type { Scheduler } from './scheduler.js'

/** Wall time of a machine whose clock is right when the simulation begins: 2026-01-01. */
const epochNs = 1_767_225_600_000_000_000n

const linksMax = 40

/** A computer: a clock, file systems, and the processes of agents. It can lose its power. */
export class Machine {
  /** Error of the wall clock. */
  skewNs = 0n
  /** Its addresses, as it were. */
  networkSign = ''
  /** By how much its clock was set back, in all. */
  setBackMs = 0
  bootId: string
  /** Asked at every call of every process here: may run others meanwhile, end the process, or name a failure as the answer. */
  onCall: ((call: Call) => FileCode | undefined) | undefined
  /** True while processes end because the power is gone: nobody is left to tell the network. */
  losingPower = false
  readonly processes = new Set<Process>()
  readonly disks: Disk[] = []
  readonly root: Disk
  private readonly mounts = new Map<Inode, Disk>()
  private readonly covered = new Map<Inode, Inode>()
  private readonly dice: Dice
  private nextPid = 1_000
  private boots = 0
  private bootedNs = 0
  private readonly afterPowerLoss: (() => void)[] = []

  constructor(
    readonly scheduler: Scheduler,
    readonly name: string,
    dice: Dice,
  ) {
    this.dice = dice.stream(`machine ${name}`)
    this.bootId = this.nextBootId()
    this.root = this.addDisk({})
    this.makeDirectories(absPath('/home'))
  }

  /** Milliseconds since this boot. */
  nowMs(): number {
    return (this.scheduler.timeNs - this.bootedNs) / 1e6
  }

  wallNs(): bigint {
    return epochNs + BigInt(this.scheduler.timeNs) + this.skewNs
  }

  addDisk(options: Partial<DiskOptions>): Disk {
    const disk = new Disk({
      // Different on each machine too, so that a number tells the disk.
      device: (BigInt(this.name.charCodeAt(0)) << 16n) + (BigInt(this.disks.length + 1) << 8n),
      wallNs: () => this.wallNs(),
      timeNs: () => this.scheduler.timeNs,
      ...options,
    })
    this.disks.push(disk)
    return disk
  }

  /** Mounts a file system on a directory that is there. */
  mount(disk: Disk, path: AbsPath): void {
    const under = this.walk(path)
    this.mounts.set(under, disk)
    this.covered.set(disk.root, under)
  }

  unmount(disk: Disk): void {
    const under = this.covered.get(disk.root)
    if (under === undefined) throw new Error('not mounted')
    this.mounts.delete(under)
    this.covered.delete(disk.root)
  }

  start(name: string): Process {
    const process = new Process(this, name, this.nextPid++, `${this.scheduler.timeNs}`)
    this.processes.add(process)
    process.onEnd(() => this.processes.delete(process))
    return process
  }

  /** See Machine of the host. */
  processAt(pid: number): ProcessFacts | undefined {
    for (const process of this.processes) if (process.pid === pid) return { began: process.began }
    return undefined
  }

  /** Every process ends, every disk falls back to what is on its platter, and the machine is up again with another boot id. */
  losePower(): void {
    this.losingPower = true
    for (const process of [...this.processes]) process.crash()
    this.losingPower = false
    for (const disk of this.disks) disk.losePower(this.dice)
    this.bootId = this.nextBootId()
    this.bootedNs = this.scheduler.timeNs
    for (const listener of this.afterPowerLoss) listener()
  }

  onPowerLoss(listener: () => void): void {
    this.afterPowerLoss.push(listener)
  }

  // ---- paths

  diskAt(path: AbsPath): Disk {
    return this.walk(path).disk
  }

  /** A member as path walk sees it: a mount point is the root of what is mounted there. */
  member(directory: Inode, name: string): Inode | undefined {
    const inode = directory.disk.find(directory, name)
    return inode?.kind === 'directory' ? (this.mounts.get(inode)?.root ?? inode) : inode
  }

  /** The directory that the root of a mounted file system covers. */
  mountPointOf(root: Inode): Inode | undefined {
    return this.covered.get(root)
  }

  isMountPoint(directory: Inode, name: string): boolean {
    const inode = directory.disk.find(directory, name)
    return inode !== undefined && this.mounts.has(inode)
  }

  /** The inode at an absolute path; links on the way, and the last one when asked, are followed. @throws FileFailure */
  walk(path: string, followLast = true): Inode {
    const inode = this.find(path, followLast)
    if (inode === undefined) throw failure('absent', path, 'open')
    return inode
  }

  /** The same, or undefined where it is absent. @throws FileFailure 'loop' */
  find(path: string, followLast = true): Inode | undefined {
    let at = path
    for (let links = 0; links <= linksMax; links++) {
      const { directory, name } = this.resolveParent(at)
      if (directory === undefined) return undefined
      const inode = name === '' ? directory : this.member(directory, name)
      if (inode?.kind !== 'symlink' || !followLast) return inode
      at = targetOf(inode, this.pathOf(directory))
    }
    throw failure('loop', path, 'open')
  }

  /** The directory of a path, and its last name; undefined where the directory is absent. */
  resolveParent(path: string): { readonly directory: Inode | undefined; readonly name: string } {
    const cut = path.lastIndexOf('/')
    const name = path.slice(cut + 1)
    const parent = path.slice(0, cut)
    const directory = parent === '' ? this.root.root : this.find(parent)
    return { directory: directory?.kind === 'directory' ? directory : undefined, name }
  }

  /** Where a directory lies now: its names from the root down. */
  pathOf(inode: Inode): string {
    const names: string[] = []
    let at: Inode = inode
    for (;;) {
      at = this.covered.get(at) ?? at
      if (at.home === undefined) return `/${names.reverse().join('/')}`
      names.push(at.home.name)
      at = at.home.directory
    }
  }

  /** The path without links; from the first component that is absent on it is taken as it stands. @throws FileFailure */
  realPath(path: AbsPath): AbsPath {
    let links = 0
    let at = this.root.root
    const ahead = path.split('/').reverse()
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === '' || name === '.') continue
      if (at.kind !== 'directory') throw failure('not-directory', path, 'realpath')
      if (name === '..') {
        at = this.walk(parentPath(this.pathOf(at)))
        continue
      }
      const inode = this.member(at, name)
      if (inode === undefined) return absPath(appended(this.pathOf(at), [name, ...ahead.reverse()].join('/')))
      if (inode.kind !== 'symlink') {
        at = inode
        continue
      }
      if (++links > linksMax) throw failure('loop', path, 'realpath')
      ahead.push(...inode.target.split('/').reverse())
      if (inode.target.startsWith('/')) at = this.root.root
    }
    return absPath(this.pathOf(at))
  }

  makeDirectories(path: AbsPath): Inode {
    let at = this.root.root
    for (const name of path.split('/').filter((part) => part !== '')) {
      at = this.member(at, name) ?? at.disk.create(at, name, 'directory', 0o755, 'setup')
    }
    return at
  }

  private nextBootId(): string {
    this.boots += 1
    return `${this.name}-boot-${this.boots}-${Buffer.from(this.dice.bytes(4)).toString('hex')}`
  }
}

function targetOf(link: Inode, directory: string): string {
  return link.target.startsWith('/') ? link.target : appended(directory, link.target)
}

function appended(directory: string, rest: string): string {
  if (rest === '') return directory
  return directory === '/' ? `/${rest}` : `${directory}/${rest}`
}

function parentPath(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 1))
}

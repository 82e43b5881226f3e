import type { AbsPath, RelPath } from '../../../src/core/path.js'
import type { Directory, FileHandle, Files, Handed, Lock, Stat } from '../../../src/host/files.js'
import { type Survey, surveyOf } from '../../../src/host/survey.js'

/** What ends a process in a test: no code of the house catches it, and after it every call is refused. */
export class Crash extends Error {}

/** Runs until the crash. Answers whether there was one. */
export function crashes(body: () => void): boolean {
  try {
    body()
    return false
  } catch (error) {
    if (!(error instanceof Crash)) throw error
    return true
  }
}

/** Every number of calls after which a crash can come, until one run has none. */
export function* everyCall(): Generator<number> {
  for (let n = 0; n < 1_000; n++) yield n
}

/** Where a call is seen: 'rename' tells its manner as 'rename:exchange'. */
export type Call = string

type Step = (path: string) => void

/** Makes races exact: runs a user's step, fails or crashes at a chosen call. */
export class Trap {
  /** Every call that had or may have had an effect, or looked at something, in order. */
  readonly calls: { readonly call: Call; readonly path: string }[] = []
  private steps: { call: Call; countdown: number; step: Step; after: boolean }[] = []
  private failing: ((call: Call, path: string) => Error | undefined) | undefined
  private crashAt = Number.POSITIVE_INFINITY
  private crashed = false
  private quiet = false
  readonly locks = new Set<Lock>()
  /** What every probe answers instead of the kernel. */
  probes: 'unknown' | undefined
  /** The type of every file system instead of its own. */
  filesystem: string | undefined
  /** What its disk says of its size and what is left. */
  room: (() => { readonly freeBytes: number; readonly totalBytes: number }) | undefined

  /** Runs `step` before the `n`-th call of that name from now on. */
  before(call: Call, n: number, step: Step): void {
    this.steps.push({ call, countdown: n, step, after: false })
  }

  /** Runs `step` after the `n`-th call of that name from now on has succeeded. */
  after(call: Call, n: number, step: Step): void {
    this.steps.push({ call, countdown: n, step, after: true })
  }

  /** Throws what `failing` answers instead of making the call. */
  fail(failing: (call: Call, path: string) => Error | undefined): void {
    this.failing = failing
  }

  /** The process dies before its n-th call from now on (0: the next). */
  crash(n: number): void {
    this.calls.length = 0
    this.crashAt = n
  }

  release(): void {
    this.steps = []
    this.failing = undefined
    this.crashAt = Number.POSITIVE_INFINITY
    this.crashed = false
    this.calls.length = 0
  }

  dropLocks(): void {
    for (const lock of this.locks) lock.release()
    this.locks.clear()
  }

  seen<T>(call: Call, path: string, body: () => T): T {
    if (this.crashed) throw new Crash(`${call} after the crash`)
    if (this.quiet) return body()
    if (this.calls.length >= this.crashAt) {
      this.crashed = true
      throw new Crash(`before ${call} ${path}`)
    }
    this.calls.push({ call, path })
    this.due(call, path, false)
    const failure = this.failing?.(call, path)
    if (failure !== undefined) throw failure
    const value = body()
    this.due(call, path, true)
    return value
  }

  private due(call: Call, path: string, after: boolean): void {
    for (const each of this.steps) {
      if (each.call !== call || each.after !== after) continue
      each.countdown--
      if (each.countdown !== 0) continue
      this.quiet = true
      try {
        each.step(path)
      } finally {
        this.quiet = false
      }
    }
  }
}

/** Files that tell every call to a trap. Syncs are told and not made: no test pulls the plug, and disks are slow. */
export function stepping(files: Files): { files: Files; trap: Trap } {
  const trap = new Trap()
  const stepped: Files = {
    openDirectory: (path) =>
      trap.seen('openRoot', path, () => new SteppingDirectory(files.openDirectory(path), trap, path)),
    makeDirectory: (path, mode) => trap.seen('makeRoot', path, () => files.makeDirectory(path, mode)),
    realPath: (path: AbsPath) => files.realPath(path),
    statPath: (path: AbsPath) => files.statPath(path),
  }
  return { files: stepped, trap }
}

class SteppingDirectory implements Directory {
  constructor(
    private readonly inner: Directory,
    private readonly trap: Trap,
    private readonly path: string,
  ) {}

  get innermost(): Directory {
    return this.inner
  }

  stat(): Stat {
    return this.inner.stat()
  }
  handsDown(): Handed {
    return this.trap.seen('handsDown', this.path, () => this.inner.handsDown())
  }
  names(): string[] {
    return this.trap.seen('names', this.path, () => this.inner.names())
  }
  statAt(name: string): Stat | undefined {
    return this.trap.seen('statAt', this.member(name), () => this.inner.statAt(name))
  }
  survey(without: string): Survey | undefined {
    return surveyOf(this, without)
  }
  openDirectory(path: RelPath): Directory {
    const below = path === '' ? this.path : this.member(path)
    return this.trap.seen('openDirectory', below, () => {
      return new SteppingDirectory(this.inner.openDirectory(path), this.trap, below)
    })
  }
  openFile(name: string): FileHandle {
    return this.file('openFile', name, () => this.inner.openFile(name))
  }
  createFile(name: string, mode: number): FileHandle {
    return this.file('createFile', name, () => this.inner.createFile(name, mode))
  }
  reopenFile(name: string): FileHandle {
    return this.file('reopenFile', name, () => this.inner.reopenFile(name))
  }
  makeDirectory(name: string, mode: number): void {
    this.trap.seen('makeDirectory', this.member(name), () => this.inner.makeDirectory(name, mode))
  }
  makeSymlink(name: string, target: string): void {
    this.trap.seen('makeSymlink', this.member(name), () => this.inner.makeSymlink(name, target))
  }
  readSymlink(name: string): string {
    return this.trap.seen('readSymlink', this.member(name), () => this.inner.readSymlink(name))
  }
  rename(name: string, to: Directory, toName: string, how: 'no-replace' | 'exchange'): void {
    const target = to instanceof SteppingDirectory ? to.inner : to
    const path = `${this.member(name)} -> ${to instanceof SteppingDirectory ? to.member(toName) : toName}`
    this.trap.seen(`rename:${how}`, path, () => this.inner.rename(name, target, toName, how))
  }
  replace(name: string, toName: string): void {
    this.trap.seen('replace', this.member(name), () => this.inner.replace(name, toName))
  }
  removeFile(name: string): void {
    this.trap.seen('removeFile', this.member(name), () => this.inner.removeFile(name))
  }
  removeDirectory(name: string): void {
    this.trap.seen('removeDirectory', this.member(name), () => this.inner.removeDirectory(name))
  }
  setMode(name: string, mode: number): void {
    this.trap.seen('setMode', this.member(name), () => this.inner.setMode(name, mode))
  }
  setGroup(name: string, gid: number): void {
    this.trap.seen('setGroup', this.member(name), () => this.inner.setGroup(name, gid))
  }
  setTime(name: string, mtimeNs: bigint): void {
    this.trap.seen('setTime', this.member(name), () => this.inner.setTime(name, mtimeNs))
  }
  sync(): void {
    this.trap.seen('syncDirectory', this.path, () => {})
  }
  syncFilesystem(): void {
    this.trap.seen('syncFilesystem', this.path, () => {})
  }
  lock(name: string): Lock | undefined {
    return this.trap.seen('lock', this.member(name), () => {
      const lock = this.inner.lock(name)
      if (lock === undefined) return undefined
      this.trap.locks.add(lock)
      return lock
    })
  }
  space() {
    const space = this.inner.space()
    return { ...space, filesystem: this.trap.filesystem ?? space.filesystem, ...this.trap.room?.() }
  }
  close(): void {
    this.inner.close()
  }

  private member(name: string): string {
    return `${this.path}/${name}`
  }

  private file(call: Call, name: string, open: () => FileHandle): FileHandle {
    const path = this.member(name)
    return this.trap.seen(call, path, () => new SteppingFile(open(), this.trap, path))
  }
}

class SteppingFile implements FileHandle {
  constructor(
    private readonly inner: FileHandle,
    private readonly trap: Trap,
    private readonly path: string,
  ) {}

  stat(): Stat {
    return this.trap.seen('fstat', this.path, () => this.inner.stat())
  }
  read(into: Uint8Array, position: number): number {
    return this.trap.seen('read', this.path, () => this.inner.read(into, position))
  }
  write(bytes: Uint8Array, position: number): void {
    this.trap.seen('write', this.path, () => this.inner.write(bytes, position))
  }
  setMode(mode: number): void {
    this.trap.seen('fchmod', this.path, () => this.inner.setMode(mode))
  }
  setTime(mtimeNs: bigint): void {
    this.trap.seen('futimens', this.path, () => this.inner.setTime(mtimeNs))
  }
  takeOver(from: Directory, name: string): string | undefined {
    return this.trap.seen('takeOver', this.path, () => this.inner.takeOver(innerOf(from), name))
  }
  inherit(handed: Handed): string | undefined {
    return this.trap.seen('inherit', this.path, () => this.inner.inherit(handed))
  }
  sync(): void {
    this.trap.seen('syncFile', this.path, () => {})
  }
  probe(): 'free' | 'busy' | 'unknown' {
    return this.trap.seen('probe', this.path, () => this.trap.probes ?? this.inner.probe())
  }
  close(): void {
    this.inner.close()
  }
}

function innerOf(directory: Directory): Directory {
  return directory instanceof SteppingDirectory ? directory.innermost : directory
}

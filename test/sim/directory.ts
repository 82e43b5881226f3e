import { componentsOf, type RelPath } from '../../src/core/path.js'
import type { Directory, FileHandle, Handed, Lock, Space, Stat } from '../../src/host/files.js'
import { type Survey, surveyOf } from '../../src/host/survey.js'
import type { Disk } from './disk.js'
import { SimFileHandle } from './file-handle.js'
import { failure, type Inode } from './inode.js'
import type { Process } from './process.js'

export class SimDirectory implements Directory {
  private readonly disk: Disk
  private readonly forgetEnd: () => void
  private readonly boot: string
  private open = true

  constructor(
    private readonly process: Process,
    readonly inode: Inode,
  ) {
    this.disk = inode.disk
    this.disk.open(inode, false)
    this.boot = process.machine.bootId
    this.forgetEnd = process.onEnd(() => this.release())
  }

  stat(): Stat {
    this.enter('stat', '', false)
    return this.inode.stat()
  }

  handsDown(): Handed {
    this.enter('hands-down', '', false)
    return { gid: this.inode.handedGid(), acl: undefined }
  }

  names(): string[] {
    this.enter('names', '', false)
    const names: string[] = []
    for (const entry of this.inode.entries.values()) names.push(entry.name)
    return names
  }

  statAt(name: string): Stat | undefined {
    this.enter('stat', name, false)
    return this.process.machine.member(this.inode, name)?.stat()
  }

  survey(without: string): Survey | undefined {
    return surveyOf(this, without)
  }

  openDirectory(path: RelPath): Directory {
    this.enter('open-directory', path, false)
    let at = this.inode
    for (const name of componentsOf(path)) {
      if (at.kind !== 'directory') throw failure('not-directory', path, 'openat2')
      const inode = this.process.machine.member(at, name)
      if (inode === undefined) throw failure('absent', path, 'openat2')
      if (inode.kind === 'symlink') throw failure('loop', path, 'openat2')
      at = inode
    }
    if (at.kind !== 'directory') throw failure('not-directory', path, 'openat2')
    return new SimDirectory(this.process, at)
  }

  openFile(name: string): FileHandle {
    this.enter('open', name, false)
    return new SimFileHandle(this.process, this.file(name, 'open'), false)
  }

  createFile(name: string, mode: number): FileHandle {
    this.enter('create', name, true)
    const inode = this.disk.create(this.inode, name, 'file', mode, this.process.name)
    return new SimFileHandle(this.process, inode, true)
  }

  reopenFile(name: string): FileHandle {
    this.enter('reopen', name, false)
    const inode = this.file(name, 'open')
    if (inode.kind === 'directory') throw failure('is-directory', name, 'open')
    return new SimFileHandle(this.process, inode, true)
  }

  makeDirectory(name: string, mode: number): void {
    this.enter('make-directory', name, true)
    this.disk.create(this.inode, name, 'directory', mode, this.process.name)
  }

  makeSymlink(name: string, target: string): void {
    this.enter('make-symlink', name, true)
    this.disk.create(this.inode, name, 'symlink', 0o777, this.process.name, target)
  }

  readSymlink(name: string): string {
    this.enter('read-symlink', name, false)
    const inode = this.member(name, 'readlink')
    if (inode.kind !== 'symlink') throw failure('unsupported', name, 'readlink')
    return inode.target
  }

  rename(name: string, to: Directory, toName: string, how: 'no-replace' | 'exchange'): void {
    if (!(to instanceof SimDirectory)) throw new Error('a directory of another implementation')
    this.enter(how === 'exchange' ? 'exchange' : 'rename', `${name} to ${toName}`, true)
    to.checkOpen()
    this.notMountPoint(name)
    to.notMountPoint(toName)
    if (to.disk !== this.disk) throw failure('crosses', name, 'renameat2')
    this.disk.rename(this.inode, name, to.inode, toName, how, this.process.name)
  }

  replace(name: string, toName: string): void {
    this.enter('replace', `${name} to ${toName}`, true)
    this.disk.rename(this.inode, name, this.inode, toName, 'replace', this.process.name)
  }

  removeFile(name: string): void {
    this.enter('remove', name, true)
    this.notMountPoint(name)
    this.disk.removeFile(this.inode, name, this.process.name)
  }

  removeDirectory(name: string): void {
    this.enter('remove-directory', name, true)
    this.notMountPoint(name)
    this.disk.removeDirectory(this.inode, name, this.process.name)
  }

  setMode(name: string, mode: number): void {
    this.enter('set-mode', name, true)
    const inode = this.member(name, 'chmod')
    if (inode.kind === 'symlink') throw failure('loop', name, 'chmod')
    inode.disk.setMode(inode, mode, this.process.name)
  }

  setGroup(name: string, gid: number): void {
    this.enter('set-group', name, true)
    const inode = this.member(name, 'chown')
    inode.disk.setOwner(inode, inode.uid, gid, this.process.name)
  }

  setTime(name: string, mtimeNs: bigint): void {
    this.enter('set-time', name, true)
    const inode = this.member(name, 'utimensat')
    inode.disk.setTime(inode, mtimeNs, this.process.name)
  }

  sync(): void {
    this.enter('sync-directory', '', true)
    this.disk.syncDirectory(this.inode)
  }

  syncFilesystem(): void {
    this.enter('sync-filesystem', '', true)
    this.disk.syncFilesystem()
  }

  lock(name: string): Lock | undefined {
    this.enter('lock', name, true)
    const { disk, process } = this
    const inode = disk.find(this.inode, name) ?? disk.create(this.inode, name, 'file', 0o600, process.name)
    if (inode.kind === 'symlink') throw failure('loop', name, 'open')
    if (inode.kind === 'directory') throw failure('is-directory', name, 'open')
    if (inode.holder !== undefined) return undefined
    const holder = {}
    inode.holder = holder
    disk.open(inode, true)
    let held = true
    const release = (): void => {
      if (!held) return
      held = false
      forgetEnd()
      if (inode.holder !== holder) return // the machine went down meanwhile
      inode.holder = undefined
      disk.closed(inode, true, process.name)
    }
    const forgetEnd = process.onEnd(release)
    return {
      write(text) {
        process.enter('lock-write', name, true)
        disk.truncate(inode, 0, process.name)
        disk.write(inode, Buffer.from(text), 0, process.name)
      },
      release,
    }
  }

  space(): Space {
    this.enter('space', '', false)
    return this.disk.space()
  }

  close(): void {
    this.release()
  }

  private release(): void {
    if (!this.open) return
    this.open = false
    this.forgetEnd()
    // A power loss has closed every descriptor already.
    if (this.process.machine.bootId === this.boot) this.disk.closed(this.inode, false, this.process.name)
  }

  private enter(call: string, subject: string, effect: boolean): void {
    this.process.enter(call, subject, effect)
    this.checkOpen()
  }

  private checkOpen(): void {
    if (!this.open) throw failure('io', '', 'closed directory')
  }

  private notMountPoint(name: string): void {
    if (this.process.machine.isMountPoint(this.inode, name)) throw failure('busy', name, 'rename')
  }

  private member(name: string, call: string): Inode {
    const inode = this.process.machine.member(this.inode, name)
    if (inode === undefined) throw failure('absent', name, call)
    return inode
  }

  private file(name: string, call: string): Inode {
    const inode = this.member(name, call)
    if (inode.kind === 'symlink') throw failure('loop', name, call)
    return inode
  }
}

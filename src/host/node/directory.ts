import { type AbsPath, absoluteOf, BadPath, type RelPath } from '../../core/path.js'
import type { Directory, FileHandle, Handed, Lock, Space, Stat } from '../files.js'
import { type Survey, surveyOf } from '../survey.js'
import { defaultAcl } from './attributes.js'
import { openBeneath } from './beneath.js'
import { cMember, Descriptor, descriptorOf, memberPath, register } from './descriptor.js'
import { checked } from './file-failure.js'
import { openMember } from './file-handle.js'
import {
  atFlags,
  cPath,
  fchownat,
  fcntl,
  fsync,
  fullFsync,
  leaveAlone,
  mkdirat,
  onLinux,
  renameat,
  renameat2,
  renameatx,
  symlinkat,
  syncfs,
  unlinkat,
  utimensat,
} from './libc.js'
import { takeLock } from './lock.js'
import { setModeOf } from './mode.js'
import { namesOf } from './names.js'
import { spaceOf } from './space.js'
import { statDescriptor, statMember } from './stat.js'
import { surveyLinux } from './survey.js'
import { readTarget } from './symlink.js'
import { timesOf } from './times.js'

const noReplace = onLinux ? 1 : 4
const exchange = 2
const setgid = 0o2000
const renameWith = onLinux ? renameat2 : renameatx

/** The directory open at `fd`, which it owns from here on. `path` is for messages: it may be renamed meanwhile. */
export function nodeDirectory(fd: number, path: AbsPath): Directory {
  return new NodeDirectory(new Descriptor(fd, path), path)
}

class NodeDirectory implements Directory {
  constructor(
    private readonly opened: Descriptor,
    private readonly path: AbsPath,
  ) {
    register(this, opened)
  }

  stat(): Stat {
    return statDescriptor(this.opened.fd, this.path)
  }

  handsDown(): Handed {
    const { mode, gid } = this.stat()
    // macOS: always the directory's group.
    const isHanded = !onLinux || (mode & setgid) !== 0
    return { gid: isHanded ? gid : (process.getegid?.() ?? gid), acl: defaultAcl(this.opened.fd) }
  }

  names(): string[] {
    return namesOf(this.opened.fd, this.path)
  }

  statAt(name: string): Stat | undefined {
    return statMember(this.opened.fd, cMember(name), memberPath(this.path, name))
  }

  survey(without: string): Survey | undefined {
    return onLinux ? surveyLinux(this.opened.fd, without) : surveyOf(this, without)
  }

  openDirectory(path: RelPath): Directory {
    const below = absoluteOf(this.path, path)
    return nodeDirectory(openBeneath(this.opened.fd, path, below), below)
  }

  openFile(name: string): FileHandle {
    return openMember(this.opened, name, 'read')
  }

  createFile(name: string, mode: number): FileHandle {
    return openMember(this.opened, name, 'create', mode)
  }

  reopenFile(name: string): FileHandle {
    return openMember(this.opened, name, 'write')
  }

  makeDirectory(name: string, mode: number): void {
    const member = cMember(name)
    this.checked('mkdir', name, () => mkdirat(this.opened.fd, member, mode))
  }

  makeSymlink(name: string, target: string): void {
    if (target.includes('\0')) throw new BadPath(target, 'a target with a NUL')
    const member = cMember(name)
    this.checked('symlink', name, () => symlinkat(cPath(target), this.opened.fd, member))
  }

  readSymlink(name: string): string {
    return readTarget(this.opened.fd, cMember(name), memberPath(this.path, name))
  }

  rename(name: string, to: Directory, toName: string, how: 'no-replace' | 'exchange'): void {
    const [member, toMember] = [cMember(name), cMember(toName)]
    const toFd = descriptorOf(to).fd
    const flags = how === 'exchange' ? exchange : noReplace
    this.checked('rename', name, () => renameWith(this.opened.fd, member, toFd, toMember, flags))
  }

  replace(name: string, toName: string): void {
    const [member, toMember] = [cMember(name), cMember(toName)]
    this.checked('rename', name, () => renameat(this.opened.fd, member, this.opened.fd, toMember))
  }

  removeFile(name: string): void {
    const member = cMember(name)
    this.checked('unlink', name, () => unlinkat(this.opened.fd, member, 0))
  }

  removeDirectory(name: string): void {
    const member = cMember(name)
    this.checked('rmdir', name, () => unlinkat(this.opened.fd, member, atFlags.removeDirectory))
  }

  setMode(name: string, mode: number): void {
    setModeOf(this.opened.fd, cMember(name), mode, memberPath(this.path, name))
  }

  setGroup(name: string, gid: number): void {
    const member = cMember(name)
    this.checked('chown', name, () => fchownat(this.opened.fd, member, leaveAlone, gid, atFlags.symlinkNoFollow))
  }

  setTime(name: string, mtimeNs: bigint): void {
    const member = cMember(name)
    this.checked('utimensat', name, () => utimensat(this.opened.fd, member, timesOf(mtimeNs), atFlags.symlinkNoFollow))
  }

  sync(): void {
    checked('fsync', this.path, () => fsync(this.opened.fd))
  }

  syncFilesystem(): void {
    // macOS has no syncfs: the drive is told to put everything that it was given where it lasts.
    if (onLinux) checked('syncfs', this.path, () => syncfs(this.opened.fd))
    else if (fcntl(this.opened.fd, fullFsync, 0) !== 0) this.sync()
  }

  lock(name: string): Lock | undefined {
    return takeLock(this.opened.fd, cMember(name), memberPath(this.path, name))
  }

  space(): Space {
    return spaceOf(this.opened.fd, this.path)
  }

  close(): void {
    this.opened.close()
  }

  private checked(call: string, name: string, run: () => number): void {
    checked(call, memberPath(this.path, name), run)
  }
}

import { constants } from 'node:os'
import type { Directory, FileHandle, Handed, Stat } from '../files.js'
import { setAcl, takeAttributes } from './attributes.js'
import { cMember, Descriptor, descriptorOf, memberPath } from './descriptor.js'
import { checked, fileFailure } from './file-failure.js'
import {
  barrierFsync,
  close,
  errno,
  errnoName,
  fchmod,
  fchown,
  fcntl,
  fdatasync,
  fsync,
  futimens,
  leaseNone,
  leaseRead,
  leaveAlone,
  onLinux,
  openat,
  openFlags,
  pread,
  pwrite,
  setLease,
  signal,
} from './libc.js'
import { statDescriptor, statMember } from './stat.js'
import { timesOf } from './times.js'

/** Not blocking: a fifo without a writer would hold the thread for ever. */
const always = openFlags.noFollow | openFlags.nonBlock | openFlags.noTerminal | openFlags.closeOnExec

/** Opens the member `name` of `directory`: to read, to write in place, or as a new file of `mode`. @throws FileFailure */
export function openMember(
  directory: Descriptor,
  name: string,
  how: 'read' | 'write' | 'create',
  mode = 0,
): FileHandle {
  const path = memberPath(directory.path, name)
  const member = cMember(name)
  const flags = always | flagsOf[how]
  const fd = checked('open', path, () => openat(directory.fd, member, flags, mode))
  return new NodeFileHandle(new Descriptor(fd, path))
}

const flagsOf = {
  read: openFlags.readOnly,
  write: openFlags.readWrite,
  create: openFlags.readWrite | openFlags.create | openFlags.exclusive,
} as const

const { signals } = constants
const ignore = 1

/**
 * Who opens a file in the instant of its lease breaks it, and SIGIO would end the process. Ignored once for the whole
 * process; the other way, another signal by F_SETSIG, is one more call for each probe.
 */
const breaksIgnored = onLinux && signal(signals.SIGIO, ignore) !== -1

class NodeFileHandle implements FileHandle {
  constructor(private readonly file: Descriptor) {}

  stat(): Stat {
    return statDescriptor(this.file.fd, this.file.path)
  }

  read(into: Uint8Array, position: number): number {
    return checked('read', this.file.path, () => pread(this.file.fd, into, into.length, position))
  }

  write(bytes: Uint8Array, position: number): void {
    let done = 0
    while (done < bytes.length) {
      const rest = done === 0 ? bytes : bytes.subarray(done)
      done += checked('write', this.file.path, () => pwrite(this.file.fd, rest, rest.length, position + done))
    }
  }

  setMode(mode: number): void {
    checked('fchmod', this.file.path, () => fchmod(this.file.fd, mode))
  }

  setTime(mtimeNs: bigint): void {
    checked('futimens', this.file.path, () => futimens(this.file.fd, timesOf(mtimeNs)))
  }

  takeOver(from: Directory, name: string): string | undefined {
    const directory = descriptorOf(from)
    const path = memberPath(directory.path, name)
    const member = cMember(name)
    const source = statMember(directory.fd, member, path)
    if (source === undefined) throw fileFailure('stat', path, 'ENOENT')
    const missed: string[] = []
    if (source.kind === 'file') {
      // Attributes before the owner: giving the file away takes the right to set them.
      const fd = openat(directory.fd, member, always | openFlags.readOnly, 0)
      if (fd < 0) missed.push(`attributes (${errnoName(errno())})`)
      else {
        try {
          missed.push(...takeAttributes(this.file.fd, fd))
        } finally {
          close(fd)
        }
      }
    }
    missed.push(...this.takeOwner(source))
    return missed.length === 0 ? undefined : missed.join(', ')
  }

  inherit({ gid, acl }: Handed): string | undefined {
    const why = setAcl(this.file.fd, acl)
    const missed = why === undefined ? [] : [`access control list (${why})`]
    missed.push(...this.takeGroup(this.stat(), gid))
    return missed.length === 0 ? undefined : missed.join(', ')
  }

  private takeOwner(source: Stat): string[] {
    const own = this.stat()
    // One at a time: a user may give a file to another group of theirs, but not to another user.
    const missed = this.takeGroup(own, source.gid)
    if (own.uid !== source.uid && fchown(this.file.fd, source.uid, leaveAlone) !== 0)
      missed.push(`owner ${source.uid} (${errnoName(errno())})`)
    return missed
  }

  private takeGroup(own: Stat, gid: number): string[] {
    if (own.gid === gid || fchown(this.file.fd, leaveAlone, gid) === 0) return []
    return [`group ${gid} (${errnoName(errno())})`]
  }

  sync(): void {
    const { fd, path } = this.file
    if (onLinux) checked('fdatasync', path, () => fdatasync(fd))
    // macOS: fsync alone leaves the bytes in the drive's cache. A barrier is enough for order; where the volume has none, fsync.
    else if (fcntl(fd, barrierFsync, 0) !== 0) checked('fsync', path, () => fsync(fd))
  }

  probe(): 'free' | 'busy' | 'unknown' {
    if (!breaksIgnored) return 'unknown'
    const fd = this.file.fd
    if (fcntl(fd, setLease, leaseRead) === 0) {
      fcntl(fd, setLease, leaseNone)
      return 'free'
    }
    return errnoName(errno()) === 'EAGAIN' ? 'busy' : 'unknown'
  }

  close(): void {
    this.file.close()
  }
}

import type { Kind, Stat } from '../files.js'
import { fileFailure } from './file-failure.js'
import { atFlags, type CPath, cPath, errno, errnoName, macosFstat, macosFstatat, onLinux, statx } from './libc.js'

/** lstat of `path` seen from `fd`, or undefined when it is absent. `label` is for the message. @throws FileFailure */
export function statMember(fd: number, path: CPath, label: string): Stat | undefined {
  for (;;) {
    if (ask(fd, path) === 0) return decode(view)
    const why = errnoName(errno())
    if (why === 'ENOENT') return undefined
    if (why !== 'EINTR') throw fileFailure('stat', label, why)
  }
}

/** fstat. @throws FileFailure */
export function statDescriptor(fd: number, label: string): Stat {
  for (;;) {
    if (askDescriptor(fd) === 0) return decode(view)
    const why = errnoName(errno())
    if (why !== 'EINTR') throw fileFailure('fstat', label, why)
  }
}

// One buffer for all calls of a thread: the kernel fills it and decode empties it before anything else can happen.
const bytes = new Uint8Array(256)
const view = new DataView(bytes.buffer)

const nsPerSecond = 1_000_000_000n
const basicStats = 0x7ff
const birthTime = 0x800
const noName = cPath('')

const ask = onLinux
  ? (fd: number, path: CPath): number =>
      statx(fd, path, atFlags.symlinkNoFollow | atFlags.noAutomount, basicStats | birthTime, bytes)
  : (fd: number, path: CPath): number => macosFstatat(fd, path, bytes, atFlags.symlinkNoFollow)

const askDescriptor = onLinux
  ? (fd: number): number => statx(fd, noName, atFlags.emptyPath, basicStats | birthTime, bytes)
  : (fd: number): number => macosFstat(fd, bytes)

const decode = onLinux ? decodeStatx : decodeMacos

/**
 * struct statx, offsets in bytes:
 *
 *     0 mask u32 | 16 nlink u32 | 20 uid u32 | 24 gid u32 | 28 mode u16 | 32 ino u64 | 40 size u64
 *     80 btime | 96 ctime | 112 mtime: each seconds i64, nanoseconds u32 | 136 dev major u32 | 140 dev minor u32
 */
function decodeStatx(view: DataView): Stat {
  const mode = view.getUint16(28, true)
  return {
    kind: kindOf(mode),
    mode: mode & 0o7777,
    inode: view.getBigUint64(32, true),
    device: deviceOf(view.getUint32(136, true), view.getUint32(140, true)),
    sizeBytes: sizeAt(view, 40),
    mtimeNs: timeAt(view, 112),
    ctimeNs: timeAt(view, 96),
    birthNs: (view.getUint32(0, true) & birthTime) === 0 ? 0n : timeAt(view, 80),
    links: view.getUint32(16, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
  }
}

/**
 * struct stat of macOS with 64-bit inodes, offsets in bytes:
 *
 *     0 dev i32 | 4 mode u16 | 6 nlink u16 | 8 ino u64 | 16 uid u32 | 20 gid u32
 *     48 mtime | 64 ctime | 80 birthtime: each seconds i64, nanoseconds i64 | 96 size i64
 */
export function decodeMacos(view: DataView): Stat {
  const mode = view.getUint16(4, true)
  return {
    kind: kindOf(mode),
    mode: mode & 0o7777,
    inode: view.getBigUint64(8, true),
    device: BigInt(view.getUint32(0, true)),
    sizeBytes: sizeAt(view, 96),
    mtimeNs: timeAt(view, 48),
    ctimeNs: timeAt(view, 64),
    birthNs: timeAt(view, 80),
    links: view.getUint16(6, true),
    uid: view.getUint32(16, true),
    gid: view.getUint32(20, true),
  }
}

/** Exact up to 2^53: no file system has a larger file. */
function sizeAt(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true)
}

/** Seconds i64, then nanoseconds u32, which are never negative: before 1970 only the seconds are. */
function timeAt(view: DataView, offset: number): bigint {
  return view.getBigInt64(offset, true) * nsPerSecond + BigInt(view.getUint32(offset + 8, true))
}

let lastMajor = -1
let lastMinor = -1
let lastDevice = 0n

/** One number of both, as makedev has it. Members of a directory are mostly of one device: it is kept. */
function deviceOf(major: number, minor: number): bigint {
  if (major !== lastMajor || minor !== lastMinor) {
    const [high, low] = [BigInt(major), BigInt(minor)]
    lastDevice = ((high & ~0xfffn) << 32n) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | (low & 0xffn)
    lastMajor = major
    lastMinor = minor
  }
  return lastDevice
}

function kindOf(mode: number): Kind {
  switch (mode & 0o170000) {
    case 0o100000:
      return 'file'
    case 0o040000:
      return 'directory'
    case 0o120000:
      return 'symlink'
    default:
      return 'special'
  }
}

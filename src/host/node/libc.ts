import { constants as fileFlags } from 'node:fs'
import { constants } from 'node:os'
import koffi from 'koffi'
import { encodeName } from '../../core/path.js'

/**
 * The C library, typed: the one door to koffi. Every call answers as C does, -1 for a failure; errno() is then the reason
 * and must be asked for at once, before anything else is called.
 *
 * Calls of Linux are bound on Linux only and those of macOS on macOS only; elsewhere they throw, for reaching one is a bug.
 * A variadic C function is declared with '...', because Apple's arm64 passes variadic arguments in another place. The one
 * exception is syscall(), which exists here for Linux alone and takes its arguments from registers wherever they come from.
 */

/** A path or name for the kernel: of cPath, never a bare string, for that would garble bytes that are not UTF-8. */
export type CPath = (string & { readonly cPath: true }) | Uint8Array
/** Memory of ours that C reads or fills. */
export type Memory = Uint8Array | BigInt64Array | BigUint64Array | Int32Array | Uint32Array

export const onLinux = process.platform === 'linux'
export const onMacos = process.platform === 'darwin'

const loneByte = /[\udc80-\udcff]/
const nul = Buffer.from([0])

/** The bytes of a path or name, NUL-terminated. koffi encodes a string of whole characters itself, which is faster. */
export function cPath(text: string): CPath {
  // A low surrogate is also half of many a whole character: encodeName tells them apart.
  return loneByte.test(text) ? Buffer.concat([encodeName(text), nul]) : (text as CPath)
}

const library = koffi.load(null)

type Signature = (...given: never[]) => unknown

/** A cast over the boundary: the C declaration and the type beside it say the same. */
function bind<Call extends Signature>(declaration: string): Call {
  return library.func(declaration) as unknown as Call
}

function linux<Call extends Signature>(declaration: string): Call {
  return onLinux ? bind<Call>(declaration) : missing<Call>(declaration)
}

function macos<Call extends Signature>(declaration: string): Call {
  return onMacos ? bind<Call>(declaration) : missing<Call>(declaration)
}

/** What not every C library has: elsewhere `otherwise` answers. */
function ifThere<Call extends Signature>(declaration: string, otherwise: Call): Call {
  try {
    return bind<Call>(declaration)
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('Cannot find function')) throw error
    return otherwise
  }
}

function missing<Call extends Signature>(declaration: string): Call {
  const call = (): never => {
    throw new Error(`not on ${process.platform}: ${declaration}`)
  }
  return call as unknown as Call
}

/** Of the last call of this thread. */
export function errno(): number {
  return koffi.errno()
}

const errnoNames = new Map<number, string>()
for (const [name, value] of Object.entries(constants.errno)) {
  // Where two names share a number, the one that the house maps is kept.
  if (name !== 'EWOULDBLOCK' && (name !== 'EOPNOTSUPP' || onMacos)) errnoNames.set(value, name)
}
// Names that Node does not know.
if (onLinux) errnoNames.set(117, 'EUCLEAN').set(112, 'EHOSTDOWN').set(121, 'EREMOTEIO').set(123, 'ENOMEDIUM')
if (onMacos) errnoNames.set(93, 'ENOATTR')

/** 'ENOSPC' for 28; 'E1234' for a number without a name. */
export function errnoName(number: number): string {
  return errnoNames.get(number) ?? `E${number}`
}

// Both platforms.

type Limit = (resource: number, limit: Memory) => number
const getLimit = bind<Limit>('int getrlimit(int resource, _Out_ void *limit)')
const setLimit = bind<Limit>('int setrlimit(int resource, const void *limit)')
/** RLIMIT_CORE, on both platforms. */
const coreSize = 4

/** A core dump of this process, or of one that it starts, would hold keys: none is written. Its administrator may raise the limit again. */
export function refuseCoreDumps(): void {
  const limit = new BigUint64Array(2)
  if (getLimit(coreSize, limit) !== 0) return
  limit[0] = 0n
  setLimit(coreSize, limit)
}

type Open = (path: CPath, flags: number, type: 'int', mode: number) => number
const openVariadic = bind<Open>('int open(const char *path, int flags, ...)')
export function open(path: CPath, flags: number, mode: number): number {
  return openVariadic(path, flags, 'int', mode)
}

type OpenAt = (fd: number, path: CPath, flags: number, type: 'int', mode: number) => number
const openatVariadic = bind<OpenAt>('int openat(int fd, const char *path, int flags, ...)')
export function openat(fd: number, path: CPath, flags: number, mode: number): number {
  return openatVariadic(fd, path, flags, 'int', mode)
}

/** `handler` 1: ignore. Answers what was there before. Of the whole process; a child of Node's begins with the defaults. */
export const signal = bind<(number: number, handler: number) => number>('intptr_t signal(int number, intptr_t handler)')

type Fcntl = (fd: number, command: number, type: 'int', value: number) => number
const fcntlVariadic = bind<Fcntl>('int fcntl(int fd, int command, ...)')
export function fcntl(fd: number, command: number, value: number): number {
  return fcntlVariadic(fd, command, 'int', value)
}

type Ioctl = (fd: number, request: number, type: 'void *' | 'int', value: Memory | number) => number
const ioctlVariadic = bind<Ioctl>('int ioctl(int fd, unsigned long request, ...)')
/** Bytes that can be read now: FIONREAD. Fills the first 32 bits of `into`. */
export function ioctlReadable(fd: number, into: Int32Array): number {
  return ioctlVariadic(fd, onLinux ? 0x541b : 0x4004667f, 'void *', into)
}
/** FICLONE: `fd` becomes a copy of `source` that shares its blocks. Linux. */
export function ioctlClone(fd: number, source: number): number {
  return ioctlVariadic(fd, 0x40049409, 'int', source)
}

export const close = bind<(fd: number) => number>('int close(int fd)')
export const read = bind<(fd: number, into: Memory, count: number) => number>(
  'intptr_t read(int fd, void *into, size_t count)',
)
export const pread = bind<(fd: number, into: Memory, count: number, offset: number) => number>(
  'intptr_t pread(int fd, void *into, size_t count, int64_t offset)',
)
export const write = bind<(fd: number, from: Memory, count: number) => number>(
  'intptr_t write(int fd, const void *from, size_t count)',
)
export const pwrite = bind<(fd: number, from: Memory, count: number, offset: number) => number>(
  'intptr_t pwrite(int fd, const void *from, size_t count, int64_t offset)',
)
export const lseek = bind<(fd: number, offset: number, whence: number) => number>(
  'int64_t lseek(int fd, int64_t offset, int whence)',
)
export const ftruncate = bind<(fd: number, length: number) => number>('int ftruncate(int fd, int64_t length)')
export const mkdirat = bind<(fd: number, path: CPath, mode: number) => number>(
  'int mkdirat(int fd, const char *path, unsigned int mode)',
)
export const unlinkat = bind<(fd: number, path: CPath, flags: number) => number>(
  'int unlinkat(int fd, const char *path, int flags)',
)
export const symlinkat = bind<(target: CPath, fd: number, path: CPath) => number>(
  'int symlinkat(const char *target, int fd, const char *path)',
)
/** Not NUL-terminated; an answer as long as `size` may be cut short. */
export const readlinkat = bind<(fd: number, path: CPath, into: Memory, size: number) => number>(
  'intptr_t readlinkat(int fd, const char *path, void *into, size_t size)',
)
export const renameat = bind<(fd: number, path: CPath, toFd: number, toPath: CPath) => number>(
  'int renameat(int fd, const char *path, int toFd, const char *toPath)',
)
export const fchmod = bind<(fd: number, mode: number) => number>('int fchmod(int fd, unsigned int mode)')
export const fchmodat = bind<(fd: number, path: CPath, mode: number, flags: number) => number>(
  'int fchmodat(int fd, const char *path, unsigned int mode, int flags)',
)
/** `times`: seconds and nanoseconds of atime, then of mtime. */
export const utimensat = bind<(fd: number, path: CPath, times: BigInt64Array, flags: number) => number>(
  'int utimensat(int fd, const char *path, const void *times, int flags)',
)
export const futimens = bind<(fd: number, times: BigInt64Array) => number>('int futimens(int fd, const void *times)')
/** Instead of an owner or a group: it stays. */
export const leaveAlone = 0xffff_ffff
export const fchown = bind<(fd: number, uid: number, gid: number) => number>(
  'int fchown(int fd, unsigned int uid, unsigned int gid)',
)
/** The same for a member, not through a link with the flag for that. */
export const fchownat = bind<(fd: number, path: CPath, uid: number, gid: number, flags: number) => number>(
  'int fchownat(int fd, const char *path, unsigned int uid, unsigned int gid, int flags)',
)
export const fsync = bind<(fd: number) => number>('int fsync(int fd)')
export const flock = bind<(fd: number, operation: number) => number>('int flock(int fd, int operation)')
/** `fds`: of each descriptor three fields: fd i32, events i16, revents i16. Blocks the thread. */
export const poll = bind<(fds: Memory, count: number, timeoutMs: number) => number>(
  'int poll(void *fds, unsigned long count, int timeoutMs)',
)

/** `domain` 1: Unix; `type` 2: datagrams. */
export const socket = bind<(domain: number, type: number, protocol: number) => number>(
  'int socket(int domain, int type, int protocol)',
)
type SendTo = (fd: number, from: Memory, size: number, flags: number, address: Memory, addressSize: number) => number
export const sendto = bind<SendTo>(
  'intptr_t sendto(int fd, const void *from, size_t size, int flags, const void *address, unsigned int addressSize)',
)

/** 0, or -1. `length`: bytes of `value`. */
export const setsockopt = bind<(fd: number, level: number, option: number, value: Memory, length: number) => number>(
  'int setsockopt(int fd, int level, int option, void *value, uint32_t length)',
)

/** 0, or -1. `length`: the room in `into` before, the bytes used after. */
export const getsockopt = bind<
  (fd: number, level: number, option: number, into: Memory, length: Uint32Array) => number
>('int getsockopt(int fd, int level, int option, void *into, void *length)')

export const openFlags = {
  readOnly: fileFlags.O_RDONLY,
  readWrite: fileFlags.O_RDWR,
  create: fileFlags.O_CREAT,
  exclusive: fileFlags.O_EXCL,
  noTerminal: fileFlags.O_NOCTTY,
  nonBlock: fileFlags.O_NONBLOCK,
  directory: fileFlags.O_DIRECTORY,
  noFollow: fileFlags.O_NOFOLLOW,
  closeOnExec: onLinux ? 0o2000000 : 0x1000000,
  /** Linux: the place alone, no right to read needed. */
  path: 0o10000000,
} as const

export const atFlags = {
  currentDirectory: onLinux ? -100 : -2,
  symlinkNoFollow: onLinux ? 0x100 : 0x20,
  removeDirectory: onLinux ? 0x200 : 0x80,
  /** Linux: an empty path means the descriptor itself. */
  emptyPath: 0x1000,
  /** Linux */
  noAutomount: 0x800,
} as const

/** tv_nsec of a time that is to be left alone. */
export const timeOmit = onLinux ? 0x3ffffffen : -2n
export const lockExclusive = 2
export const lockNonBlock = 4

// Linux. Numbers of system calls, for a musl that does not name them all: x64, then the generic table.

const generic = process.arch !== 'x64'
const sys = {
  getdents64: generic ? 61 : 217,
  renameat2: generic ? 276 : 316,
  copyFileRange: generic ? 285 : 326,
  statx: generic ? 291 : 332,
  openat2: 437,
  fchmodat2: 452,
} as const

type Statx = (number: number, fd: number, path: CPath, flags: number, mask: number, into: Memory) => number
const sysStatx = linux<Statx>(
  'long syscall(long number, int fd, const char *path, int flags, unsigned int mask, void *into)',
)
/** Fills the 256 bytes of struct statx. */
export function statx(fd: number, path: CPath, flags: number, mask: number, into: Memory): number {
  return sysStatx(sys.statx, fd, path, flags, mask, into)
}

type StatxAt = (number: number, fd: number, path: number, flags: number, mask: number, into: number) => number
const sysStatxAt = linux<StatxAt>(
  'long syscall(long number, int fd, size_t path, int flags, unsigned int mask, size_t into)',
)
/** The same with addresses of `addressOf`: nothing is converted, which is two thirds of the time. */
export function statxAt(fd: number, path: number, flags: number, mask: number, into: number): number {
  return sysStatxAt(sys.statx, fd, path, flags, mask, into)
}

/** Where memory of ours lies. It stays there as long as `memory` is held; below 2^53 on every system. */
export function addressOf(memory: Memory): number {
  return Number(koffi.address(memory))
}

type Openat2 = (number: number, fd: number, path: CPath, how: BigUint64Array, size: number) => number
const sysOpenat2 = linux<Openat2>('long syscall(long number, int fd, const char *path, const void *how, size_t size)')
/** `how`: flags, mode, resolve. */
export function openat2(fd: number, path: CPath, how: BigUint64Array): number {
  return sysOpenat2(sys.openat2, fd, path, how, 24)
}

type Getdents = (number: number, fd: number, into: Memory, size: number) => number
const sysGetdents = linux<Getdents>('long syscall(long number, int fd, void *into, size_t size)')
/** Fills `into` with struct linux_dirent64; the bytes used, 0 at the end. */
export function getdents64(fd: number, into: Memory, size: number): number {
  return sysGetdents(sys.getdents64, fd, into, size)
}

type Rename2 = (number: number, fd: number, path: CPath, toFd: number, toPath: CPath, flags: number) => number
const sysRenameat2 = linux<Rename2>(
  'long syscall(long number, int fd, const char *path, int toFd, const char *toPath, unsigned int flags)',
)
/** Flags 1: no-replace, 2: exchange. */
export function renameat2(fd: number, path: CPath, toFd: number, toPath: CPath, flags: number): number {
  return sysRenameat2(sys.renameat2, fd, path, toFd, toPath, flags)
}

type Chmod2 = (number: number, fd: number, path: CPath, mode: number, flags: number) => number
const sysFchmodat2 = linux<Chmod2>('long syscall(long number, int fd, const char *path, unsigned int mode, int flags)')
/** Kernel 6.6 and later, else ENOSYS. */
export function fchmodat2(fd: number, path: CPath, mode: number, flags: number): number {
  return sysFchmodat2(sys.fchmodat2, fd, path, mode, flags)
}

type CopyRange = (
  number: number,
  fd: number,
  at: BigInt64Array | null,
  toFd: number,
  toAt: BigInt64Array | null,
  count: number,
  flags: number,
) => number
const sysCopyFileRange = linux<CopyRange>(
  'long syscall(long number, int fd, void *at, int toFd, void *toAt, size_t count, unsigned int flags)',
)
/** `at` and `toAt`: one offset each, moved on by the call; null for the descriptor's own. */
export function copyFileRange(
  fd: number,
  at: BigInt64Array | null,
  toFd: number,
  toAt: BigInt64Array | null,
  count: number,
): number {
  return sysCopyFileRange(sys.copyFileRange, fd, at, toFd, toAt, count, 0)
}

export const fdatasync = linux<(fd: number) => number>('int fdatasync(int fd)')
export const syncfs = linux<(fd: number) => number>('int syncfs(int fd)')
/** Fills the 120 bytes of struct statfs. */
export const fstatfs = linux<(fd: number, into: Memory) => number>('int fstatfs(int fd, void *into)')

export const inotifyInit = linux<(flags: number) => number>('int inotify_init1(int flags)')
export const inotifyAddWatch = linux<(fd: number, path: CPath, mask: number) => number>(
  'int inotify_add_watch(int fd, const char *path, unsigned int mask)',
)
export const inotifyRemoveWatch = linux<(fd: number, wd: number) => number>('int inotify_rm_watch(int fd, int wd)')
export const eventfd = linux<(initial: number, flags: number) => number>('int eventfd(unsigned int initial, int flags)')

type GetXattr = (fd: number, name: CPath, into: Memory | null, size: number) => number
export const fgetxattr = linux<GetXattr>('intptr_t fgetxattr(int fd, const char *name, void *into, size_t size)')
export const flistxattr = linux<(fd: number, into: Memory | null, size: number) => number>(
  'intptr_t flistxattr(int fd, void *into, size_t size)',
)
export const fsetxattr = linux<(fd: number, name: CPath, from: Memory, size: number, flags: number) => number>(
  'int fsetxattr(int fd, const char *name, const void *from, size_t size, int flags)',
)
export const fremovexattr = linux<(fd: number, name: CPath) => number>('int fremovexattr(int fd, const char *name)')
export const lgetxattr = linux<(path: CPath, name: CPath, into: Memory | null, size: number) => number>(
  'intptr_t lgetxattr(const char *path, const char *name, void *into, size_t size)',
)
export const llistxattr = linux<(path: CPath, into: Memory | null, size: number) => number>(
  'intptr_t llistxattr(const char *path, void *into, size_t size)',
)

/** fcntl: a lease is a promise to be told before somebody opens the file otherwise. */
export const setLease = 1024
export const getLease = 1025
export const leaseRead = 0
export const leaseNone = 2

// macOS.

/** On Intel the symbols of 64-bit inodes carry a suffix (that a declaration cannot hold); Apple silicon has no others. */
function macosInode64<Call extends Signature>(name: string, given: string[]): Call {
  if (!onMacos) return missing<Call>(name)
  return library.func(process.arch === 'x64' ? `${name}$INODE64` : name, 'int', given) as unknown as Call
}

/** Fills the 144 bytes of struct stat. */
export const macosFstatat = macosInode64<(fd: number, path: CPath, into: Memory, flags: number) => number>('fstatat', [
  'int',
  'const char *',
  'void *',
  'int',
])
export const macosFstat = macosInode64<(fd: number, into: Memory) => number>('fstat', ['int', 'void *'])
/** Fills the 2,168 bytes of struct statfs. */
export const macosFstatfs = macosInode64<(fd: number, into: Memory) => number>('fstatfs', ['int', 'void *'])
/** Flags 2: swap, 4: fail if the target exists. */
export const renameatx = macos<(fd: number, path: CPath, toFd: number, toPath: CPath, flags: number) => number>(
  'int renameatx_np(int fd, const char *path, int toFd, const char *toPath, unsigned int flags)',
)
/** Fills `into` with entries of the attributes asked for; their count, 0 at the end. */
export const getattrlistbulk = macos<
  (fd: number, attributes: Memory, into: Memory, size: number, options: number) => number
>('int getattrlistbulk(int fd, void *attributes, void *into, size_t size, uint64_t options)')
/** `size`: one size_t, the room in `into` before and the bytes used after. */
export const sysctlbyname = macos<
  (name: CPath, into: Memory, size: BigUint64Array, from: null, fromSize: number) => number
>('int sysctlbyname(const char *name, void *into, void *size, const void *from, size_t fromSize)')

/** `wait`: a timespec; zeros ask without waiting. */
export const gethostuuid = macos<(id: Memory, wait: BigInt64Array) => number>(
  'int gethostuuid(void *id, const void *wait)',
)

type MacosGetXattr = (
  fd: number,
  name: CPath,
  into: Memory | null,
  size: number,
  position: number,
  options: number,
) => number
export const macosFgetxattr = macos<MacosGetXattr>(
  'intptr_t fgetxattr(int fd, const char *name, void *into, size_t size, uint32_t position, int options)',
)
export const macosFlistxattr = macos<(fd: number, into: Memory | null, size: number, options: number) => number>(
  'intptr_t flistxattr(int fd, void *into, size_t size, int options)',
)
type MacosSetXattr = (fd: number, name: CPath, from: Memory, size: number, position: number, options: number) => number
export const macosFsetxattr = macos<MacosSetXattr>(
  'int fsetxattr(int fd, const char *name, const void *from, size_t size, uint32_t position, int options)',
)

/** The user and the group at the far end of a Unix socket. */
export const getpeereid = macos<(fd: number, uid: Uint32Array, gid: Uint32Array) => number>(
  'int getpeereid(int fd, void *uid, void *gid)',
)

/** fcntl: everything written reaches the platter, or is at least ordered before what follows. */
export const fullFsync = 51
export const barrierFsync = 85

/** glibc: gives what is free, but for `pad` bytes, back to the system, of the whole process. Whether there was anything. */
export const mallocTrim = ifThere<(pad: number) => number>('int malloc_trim(size_t pad)', () => 0)

/** Ends the process this instant, whatever its threads are doing: process.exit would wait for one that is inside a call. */
export const exitNow = bind<(status: number) => never>('void _exit(int status)')

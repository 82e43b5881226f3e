import { decodeName } from '../../core/path.js'
import {
  type CPath,
  errno,
  errnoName,
  fgetxattr,
  flistxattr,
  fremovexattr,
  fsetxattr,
  type Memory,
  macosFgetxattr,
  macosFlistxattr,
  macosFsetxattr,
  onLinux,
} from './libc.js'

/**
 * Gives the file `fd` the extended attributes of the file `source`, POSIX ACLs and security label among them; what only
 * `fd` has (inherited from the folder that it was made in) goes.
 * @returns what could not be taken, as 'attribute NAME (ERRNO)'
 */
export function takeAttributes(fd: number, source: number): string[] {
  const wanted = attributeNames(source)
  const owned = attributeNames(fd)
  if (typeof wanted === 'string') return [`attributes (${wanted})`]
  const missed: string[] = []
  for (const name of wanted) {
    if (boundToBytes.has(name)) continue
    const why = takeAttribute(fd, source, name)
    if (why !== undefined) missed.push(`attribute ${decodeName(Buffer.from(name, 'latin1'))} (${why})`)
  }
  if (onLinux && typeof owned !== 'string') {
    for (const name of owned) {
      if (!wanted.includes(name) && !name.startsWith('security.')) fremovexattr(fd, cName(name))
    }
  }
  return missed
}

/** What the directory `fd` gives as an ACL to a file that is made in it. */
export function defaultAcl(fd: number): Uint8Array | undefined {
  if (!onLinux) return undefined
  const value = growing((into) => getRaw(fd, cName('system.posix_acl_default'), into))
  return typeof value === 'string' ? undefined : value
}

/** Gives the file `fd` this ACL, or none. @returns the errno where it could not be done */
export function setAcl(fd: number, acl: Uint8Array | undefined): string | undefined {
  if (!onLinux) return undefined
  const name = cName('system.posix_acl_access')
  if (acl !== undefined) return setRaw(fd, name, acl) === 0 ? undefined : errnoName(errno())
  if (fremovexattr(fd, name) === 0) return undefined
  const why = errnoName(errno())
  // There was none, or can be none.
  return why === 'ENODATA' || why === 'ENOTSUP' || why === 'ENOSYS' ? undefined : why
}

/**
 * These speak of the very bytes: Linux itself drops them when somebody writes, so new bytes do not get them; and macOS
 * allows nobody to say where a file is from.
 */
const boundToBytes: ReadonlySet<string> = new Set([
  'security.capability',
  'security.ima',
  'security.evm',
  'com.apple.provenance',
])

/** Names, or the errno that hid them. A file system without attributes has none. */
function attributeNames(fd: number): string[] | string {
  const bytes = growing((into) => listRaw(fd, into))
  if (typeof bytes === 'string') return bytes === 'ENOTSUP' || bytes === 'EOPNOTSUPP' || bytes === 'ENOSYS' ? [] : bytes
  // Attribute names are compared and given back, never shown to a peer: latin1 keeps their bytes apart.
  return bytes
    .toString('latin1')
    .split('\0')
    .filter((name) => name !== '')
}

/** The errno if it could not be taken. */
function takeAttribute(fd: number, source: number, name: string): string | undefined {
  const value = growing((into) => getRaw(source, cName(name), into))
  if (typeof value === 'string') {
    // Somebody took it away meanwhile.
    return value === 'ENODATA' || value === 'ENOATTR' ? undefined : value
  }
  // A security label is mostly the same already, and to set it even so takes a right that few have.
  const owned = growing((into) => getRaw(fd, cName(name), into))
  if (typeof owned !== 'string' && owned.equals(value)) return undefined
  return setRaw(fd, cName(name), value) === 0 ? undefined : errnoName(errno())
}

function cName(name: string): CPath {
  return Buffer.from(`${name}\0`, 'latin1')
}

/** Most values and lists are tiny; the kernel's own bound is 64 KiB, macOS has larger ones. */
const firstTry = 4 * 1024
const growthMax = 64 * 1024 * 1024

/** What `ask` fills, in a buffer that is as large as it needs; or the errno. */
function growing(ask: (into: Memory) => number): Buffer | string {
  for (let size = firstTry; size <= growthMax; size *= 4) {
    const into = Buffer.alloc(size)
    const length = ask(into)
    if (length >= 0) return into.subarray(0, length)
    const why = errnoName(errno())
    if (why !== 'ERANGE') return why
  }
  return 'E2BIG'
}

const listRaw = onLinux
  ? (fd: number, into: Memory): number => flistxattr(fd, into, into.length)
  : (fd: number, into: Memory): number => macosFlistxattr(fd, into, into.length, 0)

const getRaw = onLinux
  ? (fd: number, name: CPath, into: Memory): number => fgetxattr(fd, name, into, into.length)
  : (fd: number, name: CPath, into: Memory): number => macosFgetxattr(fd, name, into, into.length, 0, 0)

const setRaw = onLinux
  ? (fd: number, name: CPath, from: Memory): number => fsetxattr(fd, name, from, from.length, 0)
  : (fd: number, name: CPath, from: Memory): number => macosFsetxattr(fd, name, from, from.length, 0, 0)

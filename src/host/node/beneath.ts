import { encodeName } from '../../core/path.js'
import { checked, fileFailure } from './file-failure.js'
import { type CPath, close, cPath, errno, errnoName, onLinux, openat, openat2, openFlags } from './libc.js'
import { statMember } from './stat.js'

/**
 * Opens the directory `path`, which is relative and without '..', below the directory `fd`; no symbolic link is followed on
 * the way, nor at its end. `label` is for messages. Other file systems mounted on the way are entered.
 * @throws FileFailure 'absent', 'not-directory', 'loop' for a symbolic link, 'crosses'
 */
export function openBeneath(fd: number, path: string, label: string): number {
  return openInParts(fd, path, (from, part) => openPart(from, part, label))
}

/** As openBeneath, component by component: where the kernel has no openat2. */
export function walkBeneath(fd: number, path: string, label: string): number {
  return openInParts(fd, path, (from, part) => walkPart(from, part, label))
}

/** Bytes of a path that the kernel takes in one call, with the NUL. */
const pathBytesMax = onLinux ? 4096 : 1024

/** Opens `path` from `fd` with `open`; a path that is too long for one call, in parts that are not. */
export function openInParts(fd: number, path: string, open: (fd: number, part: string) => number): number {
  let from = fd
  for (const part of partsOf(path)) {
    let next: number
    try {
      next = open(from, part)
    } finally {
      if (from !== fd) close(from)
    }
    from = next
  }
  return from
}

/** `path` cut at slashes into parts that the kernel takes; '.' for the empty path. The first keeps a leading slash. */
export function partsOf(path: string): string[] {
  if (path === '') return ['.']
  // No character has more than three bytes in UTF-8: a pair of surrogates, four for two.
  if (path.length * 3 < pathBytesMax) return [path]
  const parts: string[] = []
  let part = ''
  let bytes = 0
  // The empty component before a leading slash stands for it; any other would turn a part into an absolute path.
  const names = path.split('/').filter((name, index) => name !== '' || index === 0)
  for (const name of names) {
    const more = encodeName(name).length + 1
    if (bytes > 0 && bytes + more > pathBytesMax) {
      parts.push(part === '' ? '/' : part)
      part = name
      bytes = more
    } else {
      part = bytes === 0 ? name : `${part}/${name}`
      bytes += more
    }
  }
  parts.push(part === '' ? '/' : part)
  return parts
}

const directoryFlags = openFlags.readOnly | openFlags.directory | openFlags.closeOnExec
const resolveNoMagicLinks = 0x02
const resolveNoSymlinks = 0x04
const resolveBeneath = 0x08
/** Flags, mode, resolve. Not RESOLVE_NO_XDEV: a root may hold mounts. */
const how = new BigUint64Array([
  BigInt(directoryFlags),
  0n,
  BigInt(resolveBeneath | resolveNoSymlinks | resolveNoMagicLinks),
])

/** Openat2 answers EAGAIN when something was renamed or mounted while it looked. */
const racesMax = 64

let haveOpenat2 = onLinux

function openPart(fd: number, part: string, label: string): number {
  if (!haveOpenat2) return walkPart(fd, part, label)
  const path = cPath(part)
  for (let race = 0; ; race++) {
    const opened = openat2(fd, path, how)
    if (opened >= 0) return opened
    const why = errnoName(errno())
    // An old kernel says ENOSYS, a sandbox that does not know the call EPERM.
    if (why === 'ENOSYS') haveOpenat2 = false
    if (why === 'ENOSYS' || why === 'EPERM') return walkPart(fd, part, label)
    if ((why !== 'EAGAIN' && why !== 'EINTR') || race === racesMax) throw fileFailure('openat2', label, why)
  }
}

function walkPart(fd: number, part: string, label: string): number {
  let from = fd
  for (const name of part.split('/')) {
    let next: number
    try {
      next = openDirectoryNoFollow(from, cPath(name), label)
    } finally {
      if (from !== fd) close(from)
    }
    from = next
  }
  return from
}

function openDirectoryNoFollow(fd: number, name: CPath, label: string): number {
  for (let repeat = 0; ; repeat++) {
    const opened = openat(fd, name, directoryFlags | openFlags.noFollow, 0)
    if (opened >= 0) return opened
    const why = errnoName(errno())
    // Linux answers ENOTDIR for a symbolic link too; openat2 tells the two apart, and so does this.
    if (why === 'ENOTDIR' && statMember(fd, name, label)?.kind === 'symlink')
      throw fileFailure('openat', label, 'ELOOP')
    if (why !== 'EINTR' || repeat === racesMax) throw fileFailure('openat', label, why)
  }
}

/** As openBeneath, of an absolute path of the user's: links are followed. @throws FileFailure */
export function openAbsolute(path: string): number {
  return openInParts(-1, path, (from, part) =>
    checked('open', path, () => openat(from, cPath(part), directoryFlags, 0)),
  )
}

import type { Lock } from '../files.js'
import { Descriptor } from './descriptor.js'
import { checked, fileFailure } from './file-failure.js'
import {
  type CPath,
  close,
  errno,
  errnoName,
  flock,
  ftruncate,
  lockExclusive,
  lockNonBlock,
  openat,
  openFlags,
  pwrite,
} from './libc.js'
import { statDescriptor, statMember } from './stat.js'

/** A lock file may be removed by whoever cleans up, just before we take it: then it is made anew, this often. */
const vanishedMax = 100

/**
 * Creates or opens the file `name` in `fd` and locks it; undefined when somebody else has. A symbolic link is a failure.
 * @throws FileFailure
 */
export function takeLock(fd: number, name: CPath, label: string): Lock | undefined {
  for (let vanished = 0; vanished < vanishedMax; vanished++) {
    const taken = tryLock(fd, name, label)
    if (taken === 'held') return undefined
    if (taken !== 'vanished') return taken
  }
  throw fileFailure('flock', label, 'EAGAIN')
}

function tryLock(fd: number, name: CPath, label: string): Lock | 'held' | 'vanished' {
  const flags = openFlags.readWrite | openFlags.create | openFlags.noFollow | openFlags.nonBlock | openFlags.closeOnExec
  const opened = checked('open', label, () => openat(fd, name, flags, 0o600))
  let keep = false
  try {
    while (flock(opened, lockExclusive | lockNonBlock) !== 0) {
      const why = errnoName(errno())
      if (why === 'EAGAIN') return 'held'
      if (why !== 'EINTR') throw fileFailure('flock', label, why)
    }
    const here = statMember(fd, name, label)
    const own = statDescriptor(opened, label)
    // A lock on a file that has no name any more excludes nobody.
    if (here?.inode !== own.inode || here.device !== own.device) return 'vanished'
    keep = true
    return new NodeLock(new Descriptor(opened, label))
  } finally {
    if (!keep) close(opened)
  }
}

class NodeLock implements Lock {
  constructor(private readonly file: Descriptor) {}

  write(text: string): void {
    const { fd, path } = this.file
    const bytes = Buffer.from(text)
    checked('ftruncate', path, () => ftruncate(fd, 0))
    checked('write', path, () => pwrite(fd, bytes, bytes.length, 0))
  }

  release(): void {
    this.file.close()
  }
}

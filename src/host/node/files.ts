import type { AbsPath } from '../../core/path.js'
import { type Directory, FileFailure, type Files, type Stat } from '../files.js'
import { openAbsolute, partsOf } from './beneath.js'
import { nodeDirectory } from './directory.js'
import { checked } from './file-failure.js'
import { atFlags, type CPath, close, cPath, mkdirat } from './libc.js'
import { realPath } from './real-path.js'
import { statMember } from './stat.js'

/** The files of this machine. Threads share nothing: each makes its own. */
export function nodeFiles(): Files {
  return { openDirectory, makeDirectory, realPath, statPath }
}

function openDirectory(path: AbsPath): Directory {
  return nodeDirectory(openAbsolute(path), path)
}

function makeDirectory(path: AbsPath, mode: number): void {
  fromParent(path, (fd, name) => checked('mkdir', path, () => mkdirat(fd, name, mode)))
}

function statPath(path: AbsPath): Stat | undefined {
  try {
    return fromParent(path, (fd, name) => statMember(fd, name, path))
  } catch (error) {
    // Below a file there is nothing, and a parent that is absent holds nothing.
    if (error instanceof FileFailure && (error.code === 'not-directory' || error.code === 'absent')) return undefined
    throw error
  }
}

/** Runs `act` with a descriptor and a name for `path` that the kernel takes, however long the path is. */
function fromParent<T>(path: AbsPath, act: (fd: number, name: CPath) => T): T {
  if (partsOf(path).length === 1) return act(atFlags.currentDirectory, cPath(path))
  const cut = path.lastIndexOf('/')
  const parent = openAbsolute(path.slice(0, cut))
  try {
    return act(parent, cPath(path.slice(cut + 1)))
  } finally {
    close(parent)
  }
}

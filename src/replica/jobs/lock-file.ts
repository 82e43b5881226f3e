import { type AbsPath, directoryOf, nameOf } from '../../core/path.js'
import { isDistant } from '../../host/distant.js'
import { FileFailure } from '../../host/files.js'
import type { World } from '../../host/workers.js'
import { dropFile } from './place.js'

/** A lock file outside the root: the very file, whatever stands at its path now. */
export interface LockPlace {
  readonly path: AbsPath
  readonly device: bigint
  readonly inode: bigint
}

/** Beside the index of the root, one for each folder. */
export function lockFileName(folder: string): string {
  return `stage-${folder}`
}

/** Whether a lock file is held; undefined: it is not to be reached, or is another one. */
export function lockState(
  world: World,
  { path, device, inode }: LockPlace,
  folder: string,
  locks: AbsPath | undefined,
): 'held' | 'free' | undefined {
  const directory = directoryOf(path)
  const name = nameOf(path)
  // Nobody is led to lock just any file by what stands in a root.
  if (name !== lockFileName(folder)) return undefined
  // What lies behind a network may not answer; our own directory does, or nothing works.
  if (directory !== locks && isDistant(world.machine.filesystemAt(directory) ?? '')) return undefined
  try {
    const opened = world.files.openDirectory(directory)
    try {
      const isThat = () => {
        const stat = opened.statAt(name)
        return stat?.kind === 'file' && stat.device === device && stat.inode === inode
      }
      if (!isThat()) return undefined
      const lock = opened.lock(name)
      if (lock === undefined) return 'held'
      try {
        if (isThat()) return 'free'
        // It went between the two, with its folder; the one that we made goes too.
        dropFile(opened, name)
        return undefined
      } finally {
        lock.release()
      }
    } finally {
      opened.close()
    }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return undefined
  }
}

/** One that cannot be removed is empty, and of no further use. */
export function dropLockFile(world: World, directory: AbsPath, name: string): void {
  try {
    const opened = world.files.openDirectory(directory)
    try {
      dropFile(opened, name)
    } finally {
      opened.close()
    }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
  }
}

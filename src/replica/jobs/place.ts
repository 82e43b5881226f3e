import type { Durability } from '../../core/durability.js'
import { type AbsPath, join, privateName, type RelPath, relPath } from '../../core/path.js'
import { type Directory, FileFailure, type Files } from '../../host/files.js'
import { ReplicaFailure } from '../replica.js'

/** Where a root is, and what a job must know to work in it. Plain data: it travels to the workers. */
export interface RootPlace {
  readonly root: AbsPath
  /** The store file of the index. */
  readonly index: AbsPath
  /**
   * This process's own folder in `.tandem/stage`: a fresh random name for each process, never used again by another, since
   * an intent without outcomes in it is taken for work in hand.
   */
  readonly folder: string
  /** Boot id of this machine. */
  readonly boot: string
  /** The marker's random id, as openRootJob answered it. */
  readonly rootId: string
  /** What is replaced or removed becomes a version. */
  readonly keeps: boolean
  readonly durability: Durability
  /** It takes names for one that differ in case or form: a look-up may find a member under a name that it does not have. */
  readonly folding: boolean
  /** The root is this file alone, and `root` the directory that holds it: nothing else in it is looked at. */
  readonly only?: RelPath | undefined
}

/** `.tandem` and the folders in it, by path from the root. */
export const privatePath = relPath(privateName)
export const stagePath = relPath(`${privateName}/stage`)
export const versionsPath = relPath(`${privateName}/versions`)

/** A process's folder, by path from the root. */
export function folderPath(folder: string): RelPath {
  return relPath(`${stagePath}/${folder}`)
}

/**
 * One process's folder in staging. `in` holds received bytes and may be deleted at will; `out` holds what was at a path and
 * is never deleted unread; `intents` holds one file per batch.
 */
export interface StageFolder {
  readonly name: string
  readonly own: Directory
  readonly in: Directory
  readonly out: Directory
  readonly intents: Directory
  close(): void
}

/** @throws ReplicaFailure 'missing', 'not-directory', 'unreadable' */
export function openRoot(files: Files, root: AbsPath): Directory {
  try {
    return files.openDirectory(root)
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    if (error.code === 'absent') throw new ReplicaFailure('missing', root, 'it is not there', error)
    if (error.code === 'not-directory') throw new ReplicaFailure('not-directory', root, 'it is not a directory', error)
    throw new ReplicaFailure('unreadable', root, error.message, error)
  }
}

/**
 * Opens a folder of staging that exists.
 * @throws FileFailure 'absent' when it is not whole
 */
export function openFolder(root: Directory, name: string): StageFolder {
  const opened: Directory[] = []
  const open = (path: RelPath): Directory => {
    const directory = root.openDirectory(path)
    opened.push(directory)
    return directory
  }
  const close = () => {
    for (const directory of opened.splice(0)) directory.close()
  }
  try {
    const own = open(folderPath(name))
    const received = open(join(folderPath(name), 'in'))
    const out = open(join(folderPath(name), 'out'))
    return { name, own, in: received, out, intents: open(join(folderPath(name), 'intents')), close }
  } catch (error) {
    close()
    throw error
  }
}

/** This process's own folder. That it is gone says that the root is not the one that was opened. */
export function openStage(root: Directory, place: Pick<RootPlace, 'root' | 'folder'>): StageFolder {
  try {
    return openFolder(root, place.folder)
  } catch (error) {
    if (!(error instanceof FileFailure) || !goneCodes.has(error.code)) throw error
    throw new ReplicaFailure('in-doubt', place.root, 'its private folder is gone or was replaced', error)
  }
}

/** Makes a directory, a private one by default, unless it is there already. */
export function ensureDirectory(parent: Directory, name: string, mode = 0o700): void {
  try {
    parent.makeDirectory(name, mode)
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'exists') throw error
  }
}

/** Removes a file unless it is gone already. */
export function dropFile(directory: Directory, name: string): void {
  try {
    directory.removeFile(name)
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'absent') throw error
  }
}

/** Removes files of which nothing needs to be known any more; answers the names of those that could not be removed. */
export function dropFiles(directory: Directory, names: readonly string[]): string[] {
  return names.filter((name) => {
    try {
      dropFile(directory, name)
      return false
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      return true
    }
  })
}

/** Removes a directory if it is empty. */
export function dropEmptyDirectory(parent: Directory, name: string): void {
  try {
    parent.removeDirectory(name)
  } catch (error) {
    if (!(error instanceof FileFailure) || !['absent', 'not-empty', 'exists', 'not-directory'].includes(error.code))
      throw error
  }
}

/** What opening a directory answers when the path does not lead to one any more. */
export const goneCodes: ReadonlySet<string> = new Set(['absent', 'not-directory', 'loop', 'stale'])

/** The whole of a small private file. */
export function readWhole(directory: Directory, name: string, bytesMax: number): Buffer {
  const file = directory.openFile(name)
  try {
    const size = file.stat().sizeBytes
    const bytes = Buffer.allocUnsafe(Math.min(size, bytesMax))
    let at = 0
    while (at < bytes.length) {
      const count = file.read(bytes.subarray(at), at)
      if (count === 0) break
      at += count
    }
    return bytes.subarray(0, at)
  } finally {
    file.close()
  }
}

import { join, nameOf, parentOf, type RelPath, rootPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import { syncfsTells } from '../../host/syncfs.js'
import type { Job } from '../../host/workers.js'
import { type Index, openIndex } from '../../index/index.js'
import { foundOf } from '../../index/record.js'
import { checkRoot } from './marker.js'
import { goneCodes, openRoot, type RootPlace } from './place.js'

/** Paths that are synced one by one; more are synced by one syncfs for each file system, where it tells of errors. */
const fewPaths = 8

export interface Sync {
  readonly place: RootPlace
  /** 'all': everything in the root's file system, and in those that are mounted in it. */
  readonly paths: readonly RelPath[] | 'all'
}

/**
 * For a root that is to outlive power loss; else nothing. What was at these paths before the call is on disk when it returns,
 * with the names that lead to it in their directories; for a path that is gone, its absence, and where it may have been
 * renamed to, its bytes too.
 * @throws FileFailure when something could not be brought to the disk. It is then not durable, and the call must not just be
 * repeated: an error of write-back is told once. ReplicaFailure when the root is not there.
 */
export const syncJob: Job<Sync, void> = {
  name: 'sync',
  run(world, { place, paths }) {
    if (paths.length === 0 || place.durability === 'process') return
    const root = openRoot(world.files, place.root)
    try {
      checkRoot(root, place)
      if (paths === 'all') syncAll(root, world.machine.mountsBelow(place.root))
      else if (paths.length > fewPaths && syncfsTells(world.machine)) syncMany(root, paths)
      else syncFew(root, paths, openIndex(world, place.index))
    } finally {
      root.close()
    }
  },
}

function syncAll(root: Directory, mounts: readonly RelPath[]): void {
  const devices = new Set<bigint>([root.stat().device])
  root.syncFilesystem()
  for (const path of mounts) syncOther(root, path, devices)
}

/** One more file system, unless it is among those that were synced. */
function syncOther(root: Directory, path: RelPath, devices: Set<bigint>): void {
  const directory = root.openDirectory(path)
  try {
    const { device } = directory.stat()
    if (devices.has(device)) return
    directory.syncFilesystem()
    devices.add(device)
  } finally {
    directory.close()
  }
}

function syncFew(root: Directory, paths: readonly RelPath[], index: Index): void {
  const synced = new Set<RelPath>()
  for (const path of paths) {
    const parentPath = path === rootPath ? rootPath : nearest(root, parentOf(path))
    const parent = root.openDirectory(parentPath)
    try {
      const isThere = path === rootPath || (parentPath === parentOf(path) && syncMember(parent, nameOf(path)))
      // Whoever renamed it since has what was there at another path: only all of the file system is sure to hold it.
      if (!isThere && foundOf(index.find(path)?.record).kind !== 'absent') parent.syncFilesystem()
      if (!synced.has(parentPath)) parent.sync()
      synced.add(parentPath)
    } finally {
      parent.close()
    }
    syncAbove(root, parentPath, synced)
  }
}

/** Somebody may have just renamed a directory on the way: a name is on disk where all that lead to it are. Costs little if they were. */
function syncAbove(root: Directory, path: RelPath, synced: Set<RelPath>): void {
  for (let at = path; at !== rootPath; ) {
    at = parentOf(at)
    if (synced.has(at)) return
    syncDirectory(root, at)
    synced.add(at)
  }
}

function syncDirectory(root: Directory, path: RelPath): void {
  try {
    const directory = root.openDirectory(path)
    try {
      directory.sync()
    } finally {
      directory.close()
    }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    // It was moved just now: what is at the path is to be read afresh.
    if (goneCodes.has(error.code)) return
    if (error.code !== 'denied' && error.code !== 'not-permitted') throw error
    root.syncFilesystem()
  }
}

/** The bytes of a file, the names in a directory. A symlink is all in its directory. Answers whether anything is there. */
function syncMember(parent: Directory, name: string): boolean {
  const stat = parent.statAt(name)
  if (stat === undefined) return false
  if (stat.kind !== 'file' && stat.kind !== 'directory') return true
  try {
    if (stat.kind === 'directory') {
      const directory = parent.openDirectory(join(rootPath, name))
      try {
        directory.sync()
      } finally {
        directory.close()
      }
      return true
    }
    const file = parent.openFile(name)
    try {
      file.sync()
    } finally {
      file.close()
    }
    return true
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    if (goneCodes.has(error.code)) return false
    // Not ours to open: the file system as a whole is.
    if (error.code !== 'denied' && error.code !== 'not-permitted') throw error
    parent.syncFilesystem()
    return true
  }
}

function syncMany(root: Directory, paths: readonly RelPath[]): void {
  const devices = new Set<bigint>([root.stat().device])
  root.syncFilesystem()
  // Other file systems may be mounted in the root.
  for (const path of new Set(paths.map((path) => (path === rootPath ? rootPath : nearest(root, parentOf(path))))))
    syncOther(root, path, devices)
}

/** The path itself if a directory is there, else the nearest one above that is. */
function nearest(root: Directory, path: RelPath): RelPath {
  for (let at = path; ; at = parentOf(at)) {
    try {
      root.openDirectory(at).close()
      return at
    } catch (error) {
      if (!(error instanceof FileFailure) || !goneCodes.has(error.code) || at === rootPath) throw error
    }
  }
}

import { type AbsPath, absoluteOf, directoryOf, type RelPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import type { Job, World } from '../../host/workers.js'
import { bytesText } from '../../status/amounts.js'
import { ReplicaFailure } from '../replica.js'
import { claimFolder, releaseFolder, removeFolder } from './claim.js'
import { markerName, membersText, readMarker, writeMarker } from './marker.js'
import {
  dropFile,
  ensureDirectory,
  folderPath,
  openFolder,
  openRoot,
  privatePath,
  type StageFolder,
  stagePath,
  versionsPath,
} from './place.js'

export interface OpenRoot {
  readonly root: AbsPath
  /** See RootPlace: a fresh random name of this process. */
  readonly folder: string
  /**
   * Where the lock file of the folder lies, outside the root; made if it is not there, its parent exists. Undefined: the lock
   * lies in the folder, and the root cannot be unmounted until it is closed. For a command that is soon over.
   */
  readonly locks: AbsPath | undefined
  /** Make the root, and its marker, if it is absent; the root's parent must exist. */
  readonly create: boolean
  /** See RootPlace; the directory is then never made. */
  readonly only?: RelPath | undefined
}

/** What is known of a root when it has been made ready. */
export interface RootFacts {
  readonly rootId: string
  /** The root did not exist and was made now. */
  readonly created: boolean
  /** The marker was made now. */
  readonly fresh: boolean
  /** By pair; 0 where nothing is said. */
  readonly generations: Readonly<Record<string, number>>
  /** Case or form of names is not distinguished. */
  readonly folding: boolean
  readonly abilities: Abilities
  /** As statfs names it. */
  readonly filesystem: string
}

/** What the file system of the root can do, found by trying. */
export interface Abilities {
  readonly exchange: boolean
  readonly noReplace: boolean
  readonly lease: boolean
}

/**
 * Makes the root ready: the root itself if asked, its private folder, its marker, and this process's own folder in staging,
 * which is claimed from now on (claim.ts). The claim is kept for this World until closeRootJob, so the two run in one lane; no
 * handle on the root stays open. Opening a root again that this process holds is harmless. One that could not be opened is closed.
 * @throws ReplicaFailure 'missing', 'not-directory', 'unreadable', 'unwritable', 'low-space', 'in-doubt'
 */
export const openRootJob: Job<OpenRoot, RootFacts> = {
  name: 'open-root',
  run(world, { root: path, folder, locks, create, only }) {
    const created = create && only === undefined && makeRoot(world, path)
    const root = openRoot(world.files, path)
    try {
      // Before anything is written: a root that cannot be listed is not to be touched.
      listable(root, path)
      if (only !== undefined) refuseOther(root, path, only)
      checkOwners(root, path, world.machine.uid)
      const known = readMarker(root, path)
      // Nothing is written into what may be a bare mount point.
      if (known === undefined && !create)
        throw new ReplicaFailure(
          'in-doubt',
          path,
          `its marker .tandem/marker is missing${membersText(root)}: it is unmounted, was emptied, or is another directory`,
        )
      try {
        const stage = makeFolders(world, root, path, folder, locks)
        try {
          const marker = known ?? { rootId: Buffer.from(world.random.bytes(16)).toString('hex'), generations: {} }
          if (known === undefined) writeFirstMarker(root, marker.rootId)
          return {
            rootId: marker.rootId,
            created,
            fresh: known === undefined,
            generations: marker.generations,
            folding: folds(stage.in),
            abilities: abilitiesOf(stage.in),
            filesystem: root.space().filesystem,
          }
        } finally {
          stage.close()
        }
      } catch (error) {
        giveBack(world, path, folder)
        if (!(error instanceof FileFailure)) throw error
        if (error.code !== 'disk-full') throw new ReplicaFailure('unwritable', path, error.message, error)
        const { freeBytes, totalBytes } = root.space()
        const detail = `${bytesText(freeBytes)} free of ${bytesText(totalBytes)}: ${error.message}`
        throw new ReplicaFailure('low-space', path, detail, error)
      }
    } finally {
      root.close()
    }
  },
}

/** Gives the folder back and removes it if nothing is left in it. In the lane of openRootJob. */
export const closeRootJob: Job<{ readonly root: AbsPath; readonly folder: string }, void> = {
  name: 'close-root',
  run: (world, { root, folder }) => giveBack(world, root, folder),
}

function giveBack(world: World, path: AbsPath, folder: string): void {
  try {
    releaseFolder(world, path, folder, () => {
      const root = world.files.openDirectory(path)
      try {
        const stage = openFolder(root, folder)
        try {
          const isDone = stage.out.names().length === 0 && stage.intents.names().length === 0
          return isDone && removeFolder(root, stage)
        } finally {
          stage.close()
        }
      } finally {
        root.close()
      }
    })
  } catch (error) {
    // The root may be gone by now: what is left in it is recovered by whoever opens it next.
    if (!(error instanceof FileFailure)) throw error
  }
}

function makeRoot(world: World, path: AbsPath): boolean {
  try {
    world.files.makeDirectory(path, 0o777)
    syncAbove(world, path)
    return true
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    if (error.code === 'exists') return false
    if (error.code === 'absent') {
      const detail = `it cannot be made: its directory ${directoryOf(path)} is not there; make that first, or mount what holds it`
      throw new ReplicaFailure('missing', path, detail, error)
    }
    throw new ReplicaFailure('unwritable', path, error.message, error)
  }
}

/** A root that was made is there after a power loss, too: one that is gone halts its pair. */
function syncAbove(world: World, path: AbsPath): void {
  const parent = world.files.openDirectory(directoryOf(path))
  try {
    parent.sync()
  } finally {
    parent.close()
  }
}

/** What is something else is not taken for a file that is gone. */
function refuseOther(root: Directory, path: AbsPath, only: RelPath): void {
  const kind = root.statAt(only)?.kind
  if (kind === undefined || kind === 'file') return
  const what =
    kind === 'directory' ? 'a directory' : kind === 'symlink' ? 'a symbolic link' : 'neither file nor directory'
  throw new ReplicaFailure('not-directory', absoluteOf(path, only), `it is ${what}, and was to be a file`)
}

function listable(root: Directory, path: AbsPath): void {
  try {
    root.names()
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    throw new ReplicaFailure('unreadable', path, error.message, error)
  }
}

/**
 * Who else can write where everybody may could have put a private folder there before us, and would own what we keep in it. The root's own
 * owner has that power anyway; where a file system maps owners, all in it belongs to one.
 * @throws ReplicaFailure 'unwritable'
 */
function checkOwners(root: Directory, path: AbsPath, own: number): void {
  const trusted = [own, 0, root.stat().uid]
  for (const below of [privatePath, stagePath, versionsPath]) {
    const uid = ownerAt(root, below, path)
    if (uid === undefined || trusted.includes(uid)) continue
    const detail = `${below} belongs to user ${uid}, not to this user (${own}), root or the owner of the root; move it away`
    throw new ReplicaFailure('unwritable', path, detail)
  }
}

/** Of a directory that is there; undefined where there is none. */
function ownerAt(root: Directory, below: RelPath, path: AbsPath): number | undefined {
  try {
    const directory = root.openDirectory(below)
    try {
      return directory.stat().uid
    } finally {
      directory.close()
    }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    if (error.code === 'absent') return undefined
    throw new ReplicaFailure('unreadable', path, error.message, error)
  }
}

function makeFolders(
  world: World,
  root: Directory,
  path: AbsPath,
  folder: string,
  locks: AbsPath | undefined,
): StageFolder {
  const isNew = root.statAt(privatePath) === undefined
  ensureDirectory(root, privatePath)
  if (root.statAt(privatePath)?.mode !== 0o700) root.setMode(privatePath, 0o700)
  const within = root.openDirectory(privatePath)
  try {
    ensureDirectory(within, 'stage')
    ensureDirectory(within, 'versions')
    writeGitignore(within)
    within.sync()
  } finally {
    within.close()
  }
  if (isNew) root.sync()
  const folders = root.openDirectory(stagePath)
  try {
    ensureDirectory(folders, folder)
    // Before anything that takes time: who recovers takes a folder without an owner for one that was left.
    const own = root.openDirectory(folderPath(folder))
    try {
      claimFolder(world, path, own, folder, locks)
      for (const name of ['in', 'out', 'intents']) ensureDirectory(own, name)
      // An intent that is synced is worth nothing in a directory that a power loss takes: its slots would belong to nobody.
      own.sync()
    } finally {
      own.close()
    }
    folders.sync()
  } finally {
    folders.close()
  }
  return openFolder(root, folder)
}

function writeGitignore(within: Directory): void {
  try {
    const file = within.createFile('.gitignore', 0o600)
    try {
      file.write(Buffer.from('*\n', 'latin1'), 0)
    } finally {
      file.close()
    }
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'exists') throw error
  }
}

function writeFirstMarker(root: Directory, rootId: string): void {
  const within = root.openDirectory(privatePath)
  try {
    if (within.statAt(markerName) === undefined) writeMarker(within, { rootId, generations: {} })
  } finally {
    within.close()
  }
  // The private folder is a new name in the root. A lead that knows the id would find the root in doubt without it.
  root.sync()
}

/** Two letters that fold by case and one that has two forms: does the other spelling find the file? */
function folds(inside: Directory): boolean {
  const name = 'tandem-probe-\u00e9'
  dropFile(inside, name)
  createEmpty(inside, name)
  try {
    return ['TANDEM-PROBE-\u00e9', 'tandem-probe-e\u0301'].some((other) => inside.statAt(other) !== undefined)
  } finally {
    dropFile(inside, name)
  }
}

/** Tries each ability on two files of our own. */
function abilitiesOf(inside: Directory): Abilities {
  const [one, other] = ['tandem-probe-1', 'tandem-probe-2']
  for (const name of [one, other]) {
    dropFile(inside, name)
    createEmpty(inside, name)
  }
  try {
    const file = inside.openFile(one)
    let lease: boolean
    try {
      lease = file.probe() !== 'unknown'
    } finally {
      file.close()
    }
    return {
      exchange: tried(() => inside.rename(one, inside, other, 'exchange')),
      noReplace: tried(() => inside.rename(one, inside, other, 'no-replace')),
      lease,
    }
  } finally {
    for (const name of [one, other]) dropFile(inside, name)
  }
}

/** Whether the call is known here: it succeeds, or it refuses to replace. */
function tried(call: () => void): boolean {
  try {
    call()
    return true
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return error.code === 'exists'
  }
}

function createEmpty(inside: Directory, name: string): void {
  inside.createFile(name, 0o600).close()
}

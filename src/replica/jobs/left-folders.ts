import type { AbsPath, RelPath } from '../../core/path.js'
import { isDistant } from '../../host/distant.js'
import { type Directory, FileFailure, type Lock } from '../../host/files.js'
import type { World } from '../../host/workers.js'
import { innerLockName, removeFolder } from './claim.js'
import { dropLockFile, lockFileName, lockState } from './lock-file.js'
import { lifeOf, type Owner, ownerName, readOwner } from './owner.js'
import { dropFile, ensureDirectory, folderPath, goneCodes, openFolder, type StageFolder, stagePath } from './place.js'

/** A folder whose process is gone; ours as long as the lock is held. */
export interface LeftFolder {
  readonly stage: StageFolder
  readonly lock: Lock
}

/** A folder of which cannot be told whether its process lives: it is left alone. */
export interface UnclearFolder {
  /** By path from the root. */
  readonly folder: RelPath
  /** In words, with what the user can do. */
  readonly detail: string
}

/** Every folder of staging but `but` whose process is gone, and those of which that cannot be told. `locks` as for claimFolder. */
export function leftFolders(
  world: World,
  root: Directory,
  but: string,
  locks: AbsPath | undefined,
): { readonly left: readonly LeftFolder[]; readonly unclear: readonly UnclearFolder[] } {
  const left: LeftFolder[] = []
  const unclear: UnclearFolder[] = []
  const folders = root.openDirectory(stagePath)
  try {
    for (const name of folders.names().sort()) {
      if (name === but || folders.statAt(name)?.kind !== 'directory') continue
      const found = takeFolder(world, root, name, locks)
      if (found === undefined) continue
      if ('detail' in found) unclear.push(found)
      else left.push(found)
    }
    return { left, unclear }
  } catch (error) {
    releaseLeft(left)
    throw error
  } finally {
    folders.close()
  }
}

/** What is left of them now is for whoever looks next. */
export function releaseLeft(left: readonly LeftFolder[]): void {
  for (const { stage, lock } of left) {
    stage.close()
    lock.release()
  }
}

/** Removes a folder that was recovered, and the lock file that its process left beside our own. */
export function removeLeft(world: World, root: Directory, stage: StageFolder, locks: AbsPath | undefined): void {
  if (removeFolder(root, stage) && locks !== undefined) dropLockFile(world, locks, lockFileName(stage.name))
}

/** Undefined: it is in use. */
function takeFolder(
  world: World,
  root: Directory,
  name: string,
  locks: AbsPath | undefined,
): LeftFolder | UnclearFolder | undefined {
  try {
    const own = root.openDirectory(folderPath(name))
    try {
      const owner = readOwner(own)
      if (owner !== undefined) {
        const why = whyNotOurs(world, own, name, owner, locks)
        if (why !== undefined) return why === 'alive' ? undefined : { folder: folderPath(name), detail: why }
      }
      // Without an owner it was left while it was made or removed, or its process has the inner lock for all its life.
      const lock = own.lock(innerLockName)
      if (lock === undefined) return undefined
      let keep = false
      try {
        // Made meanwhile.
        if (owner === undefined && readOwner(own) !== undefined) return undefined
        for (const inner of ['in', 'out', 'intents']) ensureDirectory(own, inner)
        const stage = openFolder(root, name)
        keep = true
        return { stage, lock }
      } finally {
        if (!keep) {
          dropFile(own, innerLockName)
          lock.release()
        }
      }
    } finally {
      own.close()
    }
  } catch (error) {
    // Removed by another process that recovered it, between our look and our lock. What a server has lost sight of is still there.
    if (!(error instanceof FileFailure) || !goneCodes.has(error.code) || error.code === 'stale') throw error
    return undefined
  }
}

/** 'alive', or in words why that cannot be told; undefined: its process is gone. */
function whyNotOurs(
  world: World,
  own: Directory,
  name: string,
  owner: Owner | 'newer',
  locks: AbsPath | undefined,
): string | undefined {
  if (owner === 'newer') return unclearText('a later version of tandem', name, 'its record cannot be read')
  const distant = isDistant(own.space().filesystem)
  const life = lifeOf(owner, world.machine, distant, () => lockState(world, owner.lock, name, locks))
  if (life.kind !== 'unclear') return life.kind === 'alive' ? 'alive' : undefined
  return unclearText(`process ${owner.pid} of ${owner.host}`, name, life.why)
}

function unclearText(who: string, name: string, why: string): string {
  const place = `${folderPath(name)}/${ownerName}`
  return `${who} may be at work in this root, too (${why}); if it is gone for good, remove ${place}: what it left is then finished`
}

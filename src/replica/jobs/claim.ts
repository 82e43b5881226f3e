import { type AbsPath, absPath } from '../../core/path.js'
import type { Directory, Lock } from '../../host/files.js'
import { ensureDirectory } from '../../host/private.js'
import type { World } from '../../host/workers.js'
import { ReplicaFailure } from '../replica.js'
import { dropSlot } from './folder.js'
import { dropLockFile, lockFileName } from './lock-file.js'
import { ownerHere, ownerName, readOwner, writeOwner } from './owner.js'
import { keepParts } from './part.js'
import { dropEmptyDirectory, dropFile, type StageFolder, stagePath } from './place.js'

/**
 * Who uses a folder of staging. Its process holds a lock outside the root, for as long as it uses the folder, and says so in
 * the folder: no handle on the root stays open, and the user can unmount it. While a folder is made, and while one that was
 * left behind is recovered, a lock in the folder itself is held; nobody touches a folder whose inner lock is held.
 */
interface Claim {
  readonly lock: Lock
  /** The lock file; undefined: it is the inner one. */
  readonly outside: { readonly directory: AbsPath; readonly name: string } | undefined
}

/** In a process's folder. */
export const innerLockName = 'lock'

/** Kept here until the folder is released, since the next job of the lane must find it. */
const claims = new WeakMap<World, Map<string, Claim>>()

const claimKey = (root: AbsPath, folder: string) => `${folder} ${root}`

/**
 * Makes the folder ours, until releaseFolder. `own` was just made, or is ours already. `locks` is where the lock file lies,
 * outside the root; undefined: the inner lock is kept, and the root cannot be unmounted meanwhile.
 * @throws ReplicaFailure 'unwritable' when it is another process's; FileFailure
 */
export function claimFolder(
  world: World,
  root: AbsPath,
  own: Directory,
  folder: string,
  locks: AbsPath | undefined,
): void {
  const held = claims.get(world) ?? new Map<string, Claim>()
  claims.set(world, held)
  const key = claimKey(root, folder)
  if (held.has(key)) return
  const inner = own.lock(innerLockName)
  if (inner === undefined) throw inUse(root, folder)
  let keeps = false
  try {
    const claim =
      locks === undefined ? { lock: inner, outside: undefined } : claimOutside(world, root, own, folder, locks)
    if (claim !== undefined) held.set(key, claim)
    keeps = claim?.lock === inner
    // Whoever waits for it finds the owner from now on.
    if (!keeps) dropFile(own, innerLockName)
  } finally {
    if (!keeps) inner.release()
  }
}

/** Undefined: another thread of this process has it, the root was opened in another lane. */
function claimOutside(
  world: World,
  root: AbsPath,
  own: Directory,
  folder: string,
  directory: AbsPath,
): Claim | undefined {
  const name = lockFileName(folder)
  ensureDirectory(world.files, directory)
  const opened = world.files.openDirectory(directory)
  try {
    const lock = opened.lock(name)
    if (lock === undefined) {
      const owner = readOwner(own)
      if (typeof owner === 'object' && owner.pid === world.machine.pid) return undefined
      throw inUse(root, folder)
    }
    let done = false
    try {
      const stat = opened.statAt(name)
      if (stat === undefined) throw inUse(root, folder)
      writeOwner(
        own,
        ownerHere(world.machine, { path: absPath(`${directory}/${name}`), device: stat.device, inode: stat.inode }),
      )
      done = true
      return { lock, outside: { directory, name } }
    } finally {
      if (!done) lock.release()
    }
  } finally {
    opened.close()
  }
}

/**
 * Gives the folder back. `remove` removes it if nothing is left in it, and answers whether it did; a folder that stays is
 * recovered by whoever opens the root next, this process included: its lock is free.
 */
export function releaseFolder(world: World, root: AbsPath, folder: string, remove: () => boolean): void {
  const held = claims.get(world)
  const key = claimKey(root, folder)
  const claim = held?.get(key)
  if (claim === undefined) return
  let removed = false
  try {
    removed = remove()
  } finally {
    // As long as the folder is there the lock file says that nobody uses it.
    if (removed && claim.outside !== undefined) dropLockFile(world, claim.outside.directory, claim.outside.name)
    claim.lock.release()
    held?.delete(key)
  }
}

/** Removes a folder that nobody else uses; `in` with all it has but parts, the rest only as far as it is empty. Answers whether it is gone. */
export function removeFolder(root: Directory, stage: StageFolder): boolean {
  keepParts(root, stage.in, stage.in.names())
  for (const name of stage.in.names()) dropSlot(stage.in, name)
  for (const name of ['in', 'out', 'intents']) dropEmptyDirectory(stage.own, name)
  if (stage.own.names().some((name) => name !== innerLockName && name !== ownerName)) return false
  for (const name of [ownerName, innerLockName]) dropFile(stage.own, name)
  const folders = root.openDirectory(stagePath)
  try {
    dropEmptyDirectory(folders, stage.name)
    return folders.statAt(stage.name) === undefined
  } finally {
    folders.close()
  }
}

function inUse(root: AbsPath, folder: string): ReplicaFailure {
  return new ReplicaFailure('unwritable', root, `another process uses the staging folder ${folder}`)
}

import { type AbsPath, absPath } from '../core/path.js'
import type { Lock } from '../host/files.js'
import { ensureDirectory, moveAside } from '../host/private.js'
import { StoreFailure } from '../host/store.js'
import type { Job, World } from '../host/workers.js'
import { Malformed } from '../wire/bytes.js'
import { archivePath, closeStore, openArchive } from './commit.js'

/**
 * Takes a pair for this process: its directory in the state directory, its lock, its archive. The lock dies with the process.
 */
export const openArchiveJob: Job<OpenArchiveInput, OpenArchiveOutput> = {
  name: 'open-archive',
  run: open,
}

export interface OpenArchiveInput {
  /** The pair's own directory; its parent exists. */
  readonly directory: AbsPath
  /** Go on although another process holds the pair. */
  readonly ignoreLock: boolean
  /** Move what is there aside, for this reason, and start as for the first time. */
  readonly discard: string | undefined
}

export type OpenArchiveOutput =
  | {
      readonly kind: 'opened'
      readonly archive: AbsPath
      readonly movedAside: { readonly to: AbsPath; readonly why: string } | undefined
    }
  /** `holder` is what the other process wrote about itself: its pid. */
  | { readonly kind: 'held'; readonly holder: string }

/** Lets the pair go. */
export const closeArchiveJob: Job<{ readonly directory: AbsPath }, null> = {
  name: 'close-archive',
  run(world, { directory }) {
    closeStore(world, archivePath(directory))
    const own = locks.get(world)
    own?.get(directory)?.release()
    own?.delete(directory)
    return null
  },
}

const locks = new WeakMap<World, Map<AbsPath, Lock>>()
const lockName = 'lock'
const archiveName = 'archive.mdb'

function open(world: World, { directory, ignoreLock, discard }: OpenArchiveInput): OpenArchiveOutput {
  ensureDirectory(world.files, directory)
  const holder = takeLock(world, directory)
  if (holder !== undefined && !ignoreLock) return { kind: 'held', holder }
  const path = archivePath(directory)
  let movedAside: { to: AbsPath; why: string } | undefined
  if (discard !== undefined && world.files.statPath(path) !== undefined) {
    closeStore(world, path)
    movedAside = { to: moveAside(world, directory, archiveName), why: discard }
  }
  try {
    if (holder === undefined) world.stores.check(path)
    const archive = openArchive(world, path)
    try {
      archive.facts()
    } finally {
      archive.close()
    }
  } catch (error) {
    if (!(error instanceof StoreFailure && error.code === 'corrupt') && !(error instanceof Malformed)) throw error
    closeStore(world, path)
    movedAside = { to: moveAside(world, directory, archiveName), why: error.message }
  }
  return { kind: 'opened', archive: absPath(path), movedAside }
}

/** undefined when the lock is ours now, else what its holder wrote. */
function takeLock(world: World, directory: AbsPath): string | undefined {
  let own = locks.get(world)
  if (own === undefined) {
    own = new Map()
    locks.set(world, own)
  }
  if (own.has(directory)) return undefined
  const opened = world.files.openDirectory(directory)
  try {
    const lock = opened.lock(lockName)
    if (lock === undefined) {
      const file = opened.openFile(lockName)
      try {
        const bytes = Buffer.alloc(64)
        return bytes.subarray(0, file.read(bytes, 0)).toString('utf8').trim()
      } finally {
        file.close()
      }
    }
    lock.write(String(world.machine.pid))
    own.set(directory, lock)
    return undefined
  } finally {
    opened.close()
  }
}

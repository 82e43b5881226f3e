import { type AbsPath, absPath } from '../../core/path.js'
import type { Files, Lock } from '../../host/files.js'
import { ensureDirectory, moveAside } from '../../host/private.js'
import { StoreFailure } from '../../host/store.js'
import type { Job, World } from '../../host/workers.js'
import { closeIndex, type Index, indexFormat, openIndex } from '../../index/index.js'
import { Malformed } from '../../wire/bytes.js'

/**
 * Opens a root's index under a new run, or makes one. One process owns an index: while another has it, this run keeps a
 * private one. A damaged or foreign one is moved aside: the next scan makes it anew. The lock is kept until the process ends
 * or closeIndexJob runs.
 */
export const openIndexJob: Job<OpenIndexInput, OpenIndexOutput> = {
  name: 'open-index',
  run: open,
}

export interface OpenIndexInput {
  /** Where the indices of this root lie; made when it is not there. Its parent exists. */
  readonly directory: AbsPath
}

export interface OpenIndexOutput {
  readonly index: AbsPath
  readonly id: string
  readonly run: string
  readonly sequence: number
  /** No scan was ever finished in it. */
  readonly fresh: boolean
  /** Another process owns the index of this root. */
  readonly private: boolean
  readonly movedAside: { readonly to: AbsPath; readonly why: string } | undefined
}

/** Gives the index back; a private one is removed. */
export const closeIndexJob: Job<{ readonly directory: AbsPath; readonly index: AbsPath }, null> = {
  name: 'close-index',
  run(world, { directory, index }) {
    closeIndex(world, index)
    releaseLock(world, directory)
    const name = index.slice(directory.length + 1)
    if (name !== indexName) removeStore(world.files, directory, name)
    return null
  },
}

/** Notes durably that all that changed before `untilNs` (wall clock) is on disk. */
export const noteSyncedJob: Job<{ readonly index: AbsPath; readonly untilNs: bigint }, null> = {
  name: 'note-synced',
  run(world, { index, untilNs }) {
    const opened = openIndex(world, index)
    opened.write((edit) => edit.setFact('synced', String(untilNs)))
    return null
  },
}

/** A full scan has been finished: what the index lacks is not there. */
export const noteScannedJob: Job<{ readonly index: AbsPath }, null> = {
  name: 'note-scanned',
  run(world, { index }) {
    const opened = openIndex(world, index)
    if (opened.fact('scanned') === undefined) opened.write((edit) => edit.setFact('scanned', '1'))
    return null
  },
}

const indexName = 'index.mdb'
const lockName = 'lock'
const locks = new WeakMap<World, Map<AbsPath, Lock>>()

function open(world: World, { directory }: OpenIndexInput): OpenIndexOutput {
  const files = world.files
  ensureDirectory(files, directory)
  const owned = takeLock(world, directory)
  try {
    return openOwned(world, directory, owned)
  } catch (error) {
    if (owned) releaseLock(world, directory)
    throw error
  }
}

function openOwned(world: World, directory: AbsPath, owned: boolean): OpenIndexOutput {
  const name = owned ? indexName : `private-${world.machine.pid}-${hex(world.random.bytes(4))}.mdb`
  const path = absPath(`${directory}/${name}`)
  let movedAside: OpenIndexOutput['movedAside']
  let index: Index
  try {
    if (owned) world.stores.check(path)
    index = openIndex(world, path)
    checkFormat(index)
  } catch (error) {
    if (!(error instanceof StoreFailure && error.code === 'corrupt') && !(error instanceof Malformed)) throw error
    closeIndex(world, path)
    movedAside = { to: moveAside(world, directory, name), why: error.message }
    index = openIndex(world, path)
  }
  const run = hex(world.random.bytes(16))
  distrust(index, world.machine.bootId)
  const { value: id, last } = index.write((edit) => {
    const known = index.fact('id')
    const own = known ?? hex(world.random.bytes(16))
    if (known === undefined) {
      edit.setFact('id', own)
      edit.setFact('format', String(indexFormat))
    }
    edit.setFact('boot', world.machine.bootId)
    edit.beginRun(run)
    return own
  })
  return {
    index: path,
    id,
    run,
    sequence: last,
    fresh: index.fact('scanned') === undefined,
    private: !owned,
    movedAside,
  }
}

function checkFormat(index: Index): void {
  const format = index.fact('format')
  if (format !== undefined && format !== String(indexFormat))
    throw new Malformed(`the index has format ${format}, this version of tandem reads ${indexFormat}`)
  index.sequence()
  index.find('' as Parameters<Index['find']>[0])
}

/**
 * After the machine went down, what changed after the last sync may have its new stamp and its old bytes (or none): such
 * stamps are not believed, the next full scan reads these files again.
 */
function distrust(index: Index, bootId: string): void {
  const boot = index.fact('boot')
  if (boot === undefined || boot === bootId) return
  const synced = BigInt(index.fact('synced') ?? '0')
  for (const { directoryId } of index.places()) {
    const doubtful = [...index.members(directoryId)].filter(
      ({ record }) => record.fingerprint !== undefined && !record.racy && record.ctimeNs >= synced,
    )
    if (doubtful.length === 0) continue
    const { recordsMax } = index
    for (let at = 0; at < doubtful.length; at += recordsMax) {
      index.write((edit) => {
        for (const { name, record } of doubtful.slice(at, at + recordsMax))
          edit.amend(directoryId, name, { ...record, racy: true })
      })
    }
  }
}

function takeLock(world: World, directory: AbsPath): boolean {
  let own = locks.get(world)
  if (own === undefined) {
    own = new Map()
    locks.set(world, own)
  }
  if (own.has(directory)) return false
  const opened = world.files.openDirectory(directory)
  try {
    const lock = opened.lock(lockName)
    if (lock === undefined) return false
    lock.write(String(world.machine.pid))
    own.set(directory, lock)
    return true
  } finally {
    opened.close()
  }
}

function releaseLock(world: World, directory: AbsPath): void {
  const own = locks.get(world)
  own?.get(directory)?.release()
  own?.delete(directory)
}

function removeStore(files: Files, directory: AbsPath, name: string): void {
  const opened = files.openDirectory(directory)
  try {
    for (const part of [name, `${name}-lock`]) if (opened.statAt(part) !== undefined) opened.removeFile(part)
  } finally {
    opened.close()
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

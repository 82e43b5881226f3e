import { isDeepStrictEqual } from 'node:util'
import {
  type AbsPath,
  absPath,
  directoryOf,
  isReserved,
  nameOf,
  type RelPath,
  relPath,
  rootPath,
} from '../core/path.js'
import { isDistant } from '../host/distant.js'
import { FileFailure, type Files } from '../host/files.js'
import type { Host } from '../host/host.js'
import { ensureDirectory } from '../host/private.js'
import type { Job } from '../host/workers.js'
import { EitherKind } from '../replica/either-kind.js'
import { LocalReplica } from '../replica/local.js'
import { OneFile } from '../replica/one-file.js'
import { PatientWorkers } from '../replica/patient-workers.js'
import { type ReachedRoot, ReplicaFailure } from '../replica/replica.js'
import { LocalRoot, type RootCare } from '../replica/root.js'
import type { Emit } from '../status/event.js'
import type { RootState } from '../wire/message.js'
import { Unwatched, type UnwatchedRoot } from './unwatched.js'

/**
 * The local roots that are in use: opened for the first who needs one and shared by all. A root stays open, watched, when
 * nobody uses it for a while: after a link was cut only what changed meanwhile has to be told. A root that failed is closed
 * when its last user has left, and opened anew for the next.
 */
export class Roots {
  private readonly open = new Map<string, Shared>()
  /** Workers of roots on file systems that may hang, for the life of the agent: who hangs once is not asked by another thread. */
  private readonly patient = new Map<AbsPath, PatientWorkers>()
  private readonly unwatched = new Unwatched()

  constructor(
    private readonly host: Host,
    private readonly emit: Emit,
    private readonly stateDir: AbsPath,
  ) {}

  /** A replica of the root at `path`, which is canonical. */
  replica(path: AbsPath, care: RootCare, resident: boolean): ReachedRoot {
    const canonical = this.canonicalOf(path)
    const replica = (place: Place) =>
      new LocalReplica(
        canonical,
        (create) => this.acquire(place, create, care),
        (root) => this.release(place, root),
        resident,
      )
    return new EitherKind(canonical, {
      look: () => this.look(path),
      directory: () => replica({ path, key: path, directory: path }),
      file: () => {
        const place = placeOfFile(path)
        return new OneFile(replica(place), place.only)
      },
    })
  }

  /** What stands at the path. */
  async look(path: AbsPath): Promise<RootState> {
    const { workers } = await this.hostAt(path)
    return workers.run(rootStateJob, path, 'edit')
  }

  canonicalOf(path: AbsPath): string {
    return `//${this.host.machine.hostName}/${path}`
  }

  /** What of the root at `path` cannot be watched, if anything. */
  unwatchedAt(path: AbsPath): UnwatchedRoot | undefined {
    return this.unwatched.at(path)
  }

  /** Removals that are held in the root at `path` may be made; in one that nobody uses nothing is held. */
  async letGo(path: AbsPath): Promise<void> {
    for (const shared of this.open.values()) if (shared.path === path) await (await shared.root).letGo()
  }

  /** The path without links, '.' and '..': two ways of naming a root are one root. @throws FileFailure, ReplicaFailure */
  async resolve(path: AbsPath): Promise<AbsPath> {
    return resolve(await this.hostAt(path), path)
  }

  /** Closes the roots that nobody uses, but for those that are `wanted` as they are: there somebody will come again. */
  async closeUnused(wanted: readonly WantedRoot[]): Promise<void> {
    const isWanted = ({ path, care }: Shared) => wanted.some((one) => one.path === path && isSameCare(one.care, care))
    for (const [key, shared] of [...this.open]) {
      if (shared.users > 0 || isWanted(shared)) continue
      this.open.delete(key)
      // One that does not answer holds up nobody; who needs it again closes it first.
      if (!(await closed(await shared.root.catch(() => undefined))) && !this.open.has(key)) this.open.set(key, shared)
    }
  }

  /** Closes every root. Nobody uses one any more. */
  async close(): Promise<void> {
    const all = [...this.open.values()]
    this.open.clear()
    await Promise.all(all.map(async ({ root }) => closed(await root.catch(() => undefined))))
  }

  private async acquire(place: Place, create: boolean, care: RootCare): Promise<LocalRoot> {
    const { key } = place
    const shared = this.open.get(key)
    const known = await shared?.root
    if (shared !== undefined && known?.hasFailed === false) {
      shared.users++
      return known
    }
    // Its other users leave it as they hear that it failed. Opened beside them it would have an index of its own.
    if (shared !== undefined && known !== undefined && shared.users > 0) await this.left(shared)
    // Several may have waited; the first of them opens it for all.
    if (this.open.get(key) !== shared) return this.acquire(place, create, care)
    const root = this.openAfter(shared?.users === 0 ? known : undefined, place, create, care)
    this.open.set(key, { root, path: place.path, care, users: 1, leaving: [] })
    try {
      return await root
    } catch (error) {
      if (this.open.get(key)?.root === root) {
        // One that could not even be closed has to be, before it is opened anew.
        if (shared?.users === 0 && known?.isClosed === false) this.open.set(key, shared)
        else this.open.delete(key)
      }
      throw error
    }
  }

  private async openAfter(
    failed: LocalRoot | undefined,
    { path, directory, only }: Place,
    create: boolean,
    care: RootCare,
  ): Promise<LocalRoot> {
    await failed?.close()
    const { emit, stateDir } = this
    const known = await this.hostAt(path)
    const host = { ...known, watcher: this.unwatched.noting(path, known.watcher) }
    return LocalRoot.open({ host, emit, path: directory, only, stateDir, create, care })
  }

  private async release({ key }: Place, root: LocalRoot): Promise<void> {
    const shared = this.open.get(key)
    if (shared === undefined || (await shared.root.catch(() => undefined)) !== root) {
      // It failed and was opened anew while somebody still used it.
      await closed(root)
      return
    }
    shared.users--
    if (shared.users > 0 || !root.hasFailed) return
    // Who comes meanwhile closes it too, and opens it anew.
    if ((await closed(root)) && this.open.get(key) === shared) this.open.delete(key)
    for (const resolve of shared.leaving.splice(0)) resolve()
  }

  /** Until nobody uses it any more, but not for ever: a user may be held up. */
  private async left(shared: Shared): Promise<void> {
    const over = new AbortController()
    const late = this.host.clock.sleep(leavingMsMax, over.signal).catch(() => undefined)
    await Promise.race([new Promise<void>((resolve) => shared.leaving.push(resolve)), late])
    over.abort()
  }

  /** With workers of its own for what lies on a file system that may hang. */
  private async hostAt(path: AbsPath): Promise<Host> {
    const filesystem = await this.host.workers.run(filesystemJob, path, 'edit')
    if (filesystem === undefined || !isDistant(filesystem)) return this.host
    let workers = this.patient.get(path)
    if (workers === undefined) {
      workers = new PatientWorkers(this.host.workers.apart(), this.host.clock, path)
      this.patient.set(path, workers)
    }
    return { ...this.host, workers }
  }
}

/** Closes a root if there is one; false when it does not answer: it is then closed by who opens it anew. */
async function closed(root: LocalRoot | undefined): Promise<boolean> {
  try {
    await root?.close()
    return true
  } catch (error) {
    if (!(error instanceof ReplicaFailure) || error.code !== 'not-answering') throw error
    return false
  }
}

/** A root that can be opened. */
interface Place {
  readonly path: AbsPath
  /** A file and a directory that stood at one path, one after the other, are two roots. */
  readonly key: string
  /** The path, or the directory that holds the file. */
  readonly directory: AbsPath
  readonly only?: RelPath
}

/** @throws ReplicaFailure 'not-directory' when no file can stand there */
function placeOfFile(path: AbsPath): Place & { readonly only: RelPath } {
  const only = relPath(nameOf(path))
  if (only === rootPath || isReserved(only))
    throw new ReplicaFailure('not-directory', path, 'no file that is a root can stand there')
  return { path, key: `${path}\0`, directory: directoryOf(path), only }
}

interface Shared {
  readonly root: Promise<LocalRoot>
  readonly path: AbsPath
  /** As the first who used it asked for. */
  readonly care: RootCare
  users: number
  /** Those who wait for the last user to leave. */
  readonly leaving: (() => void)[]
}

/** A root of the configuration. */
export interface WantedRoot {
  readonly path: AbsPath
  readonly care: RootCare
}

export function isSameCare(one: RootCare, other: RootCare): boolean {
  const partsOf = ({ watcher = 'auto', keep, minFree, maxDelete, durability = 'power-loss' }: RootCare) => [
    watcher,
    keep,
    minFree,
    maxDelete,
    durability,
  ]
  return isDeepStrictEqual(partsOf(one), partsOf(other))
}

/** Links to users that are gone are found dead in half this time. */
const leavingMsMax = 30_000

/** @throws FileFailure */
export function resolve(host: Host, path: AbsPath): Promise<AbsPath> {
  return host.workers.run(resolveJob, absPath(path), 'edit')
}

/** Type of the file system at a path, without touching one that may hang. */
export const filesystemJob: Job<AbsPath, string | undefined> = {
  name: 'filesystem',
  run: (world, path) => world.machine.filesystemAt(path),
}

export const resolveJob: Job<AbsPath, AbsPath> = {
  name: 'resolve',
  run: (world, path) => world.files.realPath(path),
}

/** What is at the path of a root. */
export const rootStateJob: Job<AbsPath, RootState> = {
  name: 'root-state',
  run(world, path) {
    try {
      world.files.openDirectory(path).close()
      return 'ready'
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      if (error.code !== 'not-directory') return error.code === 'absent' ? 'missing' : 'unreadable'
      return isFile(world.files, path) ? 'file' : 'not-directory'
    }
  },
}

function isFile(files: Files, path: AbsPath): boolean {
  try {
    return files.statPath(path)?.kind === 'file'
  } catch (error) {
    // What is on the way to it may be no directory.
    if (!(error instanceof FileFailure)) throw error
    return false
  }
}

/** Makes the directories that the state directory consists of. */
export const stateJob: Job<AbsPath, null> = {
  name: 'state',
  run(world, stateDir) {
    for (const name of ['pairs', 'roots']) ensureDirectory(world.files, absPath(`${stateDir}/${name}`))
    return null
  },
}

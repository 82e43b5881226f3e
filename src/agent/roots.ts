import { type AbsPath, absPath } from '../core/path.js'
import type { Host } from '../host/host.js'
import { ensureDirectory } from '../host/private.js'
import type { Job } from '../host/workers.js'
import { LocalReplica } from '../replica/local.js'
import { LocalRoot } from '../replica/root.js'
import type { Emit } from '../status/event.js'

/**
 * The local roots that are in use: opened for the first who needs one and shared by all. A root stays open, watched, when
 * nobody uses it for a while: after a link was cut only what changed meanwhile has to be told. A root that failed is closed
 * when its last user has left, and opened anew for the next.
 */
export class Roots {
  private readonly open = new Map<AbsPath, Shared>()

  constructor(
    private readonly host: Host,
    private readonly emit: Emit,
    private readonly stateDir: AbsPath,
  ) {}

  /** A replica of the root at `path`, which is canonical. */
  replica(path: AbsPath): LocalReplica {
    return new LocalReplica(
      this.canonicalOf(path),
      (create) => this.acquire(path, create),
      (root) => this.release(path, root),
    )
  }

  canonicalOf(path: AbsPath): string {
    return `//${this.host.machine.hostName}/${path}`
  }

  /** Closes every root. Nobody uses one any more. */
  async close(): Promise<void> {
    const all = [...this.open.values()]
    this.open.clear()
    await Promise.all(all.map(async ({ root }) => (await root.catch(() => undefined))?.close()))
  }

  private async acquire(path: AbsPath, create: boolean): Promise<LocalRoot> {
    const shared = this.open.get(path)
    if (shared !== undefined) {
      const root = await shared.root
      if (!root.hasFailed) {
        shared.users++
        return root
      }
      if (shared.users === 0) {
        this.open.delete(path)
        await root.close()
      }
    }
    const { host, emit, stateDir } = this
    const root = LocalRoot.open({ host, emit, path, stateDir, create })
    this.open.set(path, { root, users: 1 })
    try {
      return await root
    } catch (error) {
      this.open.delete(path)
      throw error
    }
  }

  private async release(path: AbsPath, root: LocalRoot): Promise<void> {
    const shared = this.open.get(path)
    if (shared === undefined || (await shared.root) !== root) {
      // It failed and was opened anew while somebody still used it.
      await root.close()
      return
    }
    shared.users--
    if (shared.users > 0 || !root.hasFailed) return
    this.open.delete(path)
    await root.close()
  }
}

interface Shared {
  readonly root: Promise<LocalRoot>
  users: number
}

/** The path without links, '.' and '..': two ways of naming a root are one root. */
export const resolveJob: Job<AbsPath, AbsPath> = {
  name: 'resolve',
  run: (world, path) => world.files.realPath(path),
}

/** Makes the directories that the state directory consists of. */
export const stateJob: Job<AbsPath, null> = {
  name: 'state',
  run(world, stateDir) {
    for (const name of ['pairs', 'roots']) ensureDirectory(world.files, absPath(`${stateDir}/${name}`))
    return null
  },
}

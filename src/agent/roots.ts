import type { AbsPath } from '../core/path.js'
import type { Host } from '../host/host.js'
import type { Job } from '../host/workers.js'
import { LocalReplica } from '../replica/local.js'
import { LocalRoot } from '../replica/root.js'
import type { Emit } from '../status/event.js'

/**
 * The local roots that are in use: opened for the first who needs one, shared by all, closed after the last. A root that
 * failed is not handed out again: the next one opens it anew.
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

  private async acquire(path: AbsPath, create: boolean): Promise<LocalRoot> {
    for (;;) {
      const shared = this.open.get(path)
      if (shared === undefined) break
      const root = await shared.root
      if (!root.hasFailed && !shared.closing) {
        shared.users++
        return root
      }
      // The last of its users closes it.
      await shared.closed.promise
    }
    const { host, emit, stateDir } = this
    const root = LocalRoot.open({ host, emit, path, stateDir, create })
    const shared: Shared = { root, users: 1, closing: false, closed: signalOf() }
    this.open.set(path, shared)
    try {
      return await root
    } catch (error) {
      this.open.delete(path)
      shared.closed.resolve()
      throw error
    }
  }

  private async release(path: AbsPath, root: LocalRoot): Promise<void> {
    const shared = this.open.get(path)
    if (shared === undefined || (await shared.root) !== root) return
    shared.users--
    if (shared.users > 0) return
    shared.closing = true
    try {
      await root.close()
    } finally {
      this.open.delete(path)
      shared.closed.resolve()
    }
  }
}

interface Shared {
  readonly root: Promise<LocalRoot>
  users: number
  closing: boolean
  readonly closed: Signal
}

interface Signal {
  readonly promise: Promise<void>
  resolve(): void
}

function signalOf(): Signal {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
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
    for (const name of ['pairs', 'roots']) {
      const path = `${stateDir}/${name}` as AbsPath
      if (world.files.statPath(path) === undefined) world.files.makeDirectory(path, 0o700)
    }
    return null
  },
}

import type { Config, PeerConfig, ServeConfig } from '../config/config.js'
import { Failure } from '../core/failure.js'
import type { AbsPath } from '../core/path.js'
import type { Host } from '../host/host.js'
import { type Endpoint, LinkFailure, type Listener, type Socket } from '../host/sockets.js'
import type { Self } from '../replica/greeting.js'
import type { Replica } from '../replica/replica.js'
import { serve } from '../replica/serving.js'
import type { Emit } from '../status/event.js'
import type { ServedRoot } from './agent-types.js'
import { refuseState } from './bad-roots.js'
import type { Roots } from './roots.js'

export interface ServingOptions {
  readonly host: Host
  readonly self: Self
  readonly emit: Emit
  readonly roots: Roots
  readonly stateDir: AbsPath
}

/** Serves the configured roots to the configured peers, each with its own key and only the roots named for it. */
export class Serving {
  private served: ReadonlyMap<string, ServeConfig> = new Map()
  private peers: ReadonlyMap<string, PeerConfig> = new Map()
  private endpoint: Endpoint | undefined
  private listener: Listener | undefined
  private readonly links = new Set<ServedLink>()

  constructor(private readonly options: ServingOptions) {}

  get listening(): Endpoint | undefined {
    return this.listener?.endpoint
  }

  roots(): ServedRoot[] {
    return [...this.served.values()].map(({ name, path }) => ({
      name,
      path,
      peers: [...this.links].filter((link) => link.root?.name === name).map((link) => link.identity),
    }))
  }

  /**
   * Serves what the configuration says from now on. Links that it does not allow any more, or not to the same directory, are
   * ended; the others go on.
   * @throws LinkFailure 'port-in-use', 'denied', 'unreachable', BadRoots; then nothing has changed
   */
  async follow(config: Config): Promise<void> {
    const served = new Map<string, ServeConfig>()
    for (const one of config.serves) {
      const path = await this.resolved(one.path)
      refuseState(path, this.options.stateDir)
      served.set(one.name, { ...one, path })
    }
    await this.listenAt(config.listen)
    this.served = served
    this.peers = new Map(config.peers.map((peer) => [peer.name, peer]))
    const leaving = [...this.links].filter((link) => !this.isAllowed(link))
    for (const link of leaving) link.stop.abort()
    await Promise.all(leaving.map((link) => link.ended))
  }

  /** Ends every link and waits for what is in hand. */
  async close(): Promise<void> {
    for (const link of this.links) link.stop.abort()
    await this.listener?.close()
    await Promise.all([...this.links].map((link) => link.ended))
  }

  private async listenAt(endpoint: Endpoint | undefined): Promise<void> {
    const { endpoint: before, listener } = this
    if (endpoint?.host === before?.host && endpoint?.port === before?.port) return
    if (endpoint === undefined) await listener?.close()
    else if (before === undefined || listener === undefined || before.port !== endpoint.port) {
      this.listener = await this.opened(endpoint)
      await listener?.close()
    } else {
      // The same port at another address: the two cannot be open at once.
      await listener.close()
      try {
        this.listener = await this.opened(endpoint)
      } catch (error) {
        this.listener = await this.opened(before)
        throw error
      }
    }
    if (endpoint === undefined) this.listener = undefined
    this.endpoint = endpoint
  }

  private async opened(endpoint: Endpoint): Promise<Listener> {
    const { host, emit } = this.options
    const listener = await host.sockets.listen(
      endpoint,
      (identity) => this.peers.get(identity)?.key,
      (socket) => this.accept(socket),
      (failure) => emit({ event: 'peer-refused', remote: '', code: failure.code, detail: failure.message }),
    )
    emit({ event: 'listening', address: `${listener.endpoint.host}:${listener.endpoint.port}` })
    return listener
  }

  private accept(socket: Socket): void {
    const { host, self, emit } = this.options
    const link = new ServedLink(socket.identity, this.peers.get(socket.identity)?.key)
    const rootFor = (identity: string, name: string) => this.rootFor(link, identity, name)
    link.ended = serve(socket, { clock: host.clock, self, rootFor, emit, stop: link.stop.signal }).finally(() =>
      this.links.delete(link),
    )
    this.links.add(link)
  }

  private async rootFor(link: ServedLink, identity: string, name: string): Promise<Replica | LinkFailure> {
    const served = this.served.get(name)
    // A root that is not for this peer is as unknown to it as one that is not there.
    if (served === undefined || this.peers.get(identity)?.roots.includes(name) !== true)
      return new LinkFailure('unknown-root', `no root ${JSON.stringify(name)} is served to ${identity}`)
    link.root = served
    return this.options.roots.replica(served.path, served.watcher, true)
  }

  private isAllowed({ identity, key, root }: ServedLink): boolean {
    const peer = this.peers.get(identity)
    if (peer === undefined || key === undefined || Buffer.compare(peer.key, key) !== 0) return false
    if (root === undefined) return true
    return peer.roots.includes(root.name) && this.served.get(root.name)?.path === root.path
  }

  /** The path without links. One that cannot be followed now stays as it is: whoever opens the root is told why. */
  private async resolved(path: AbsPath): Promise<AbsPath> {
    try {
      return await this.options.roots.resolve(path)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return path
    }
  }
}

/** One connection of a peer. */
class ServedLink {
  readonly stop = new AbortController()
  /** What it uses, once it has asked. */
  root: ServeConfig | undefined
  ended: Promise<void> = Promise.resolve()

  constructor(
    readonly identity: string,
    readonly key: Uint8Array | undefined,
  ) {}
}

import type { Config, PeerConfig, ServeConfig } from '../config/config.js'
import { keepOf } from '../config/keep.js'
import { maxDeleteDefault, maxDeleteOf } from '../config/max-delete.js'
import { minFreeOf } from '../config/min-free.js'
import { Failure } from '../core/failure.js'
import { type AbsPath, absPath } from '../core/path.js'
import type { Host } from '../host/host.js'
import {
  anyone,
  type Endpoint,
  LinkFailure,
  type Listener,
  type Place,
  type Socket,
  sameUser,
} from '../host/sockets.js'
import type { Self } from '../replica/greeting.js'
import { Rate } from '../replica/rate.js'
import { ReadOnlyReplica } from '../replica/read-only.js'
import type { Replica } from '../replica/replica.js'
import { type Joined, type RootDescription, serve, turnAway } from '../replica/serving.js'
import type { AgentEvent, Emit } from '../status/event.js'
import type { ServedRoot } from './agent-types.js'
import { BadRoots, refuseState } from './bad-roots.js'
import { Listeners, type NotListening } from './listeners.js'
import { Refusals } from './refusals.js'
import { isSameCare, type Roots, type WantedRoot } from './roots.js'

export interface ServingOptions {
  readonly host: Host
  readonly self: Self
  readonly emit: Emit
  readonly roots: Roots
  readonly stateDir: AbsPath
  /** A root that cannot be served holds up nothing else: it is told and left alone. */
  readonly patient: boolean
  /** Invitations, where somebody can be invited. */
  readonly pairing: Pairing | undefined
}

/** Invitations: each admits one peer, once. */
export interface Pairing {
  /** The key of an invitation, used up and expired ones included: who comes with one is told so. Called while a handshake waits. */
  keyOf(identity: string): Uint8Array | undefined
  /** Makes the key, 64 hex digits, that of a peer, or says why not; then everything is as before. When it resolves the peer may come. */
  redeem(identity: string, key: string): Promise<Joined | LinkFailure>
}

/** Serves the configured roots to the configured peers, each with its own key and only the roots named for it. */
export class Serving {
  private served: ReadonlyMap<string, ServeConfig> = new Map()
  private peers: ReadonlyMap<string, PeerConfig> = new Map()
  /** Roots of the configuration that cannot be served as they are, by name. */
  private refused: ReadonlyMap<string, RefusedRoot> = new Map()
  private readonly listeners: Listeners
  private readonly refusals: Refusals
  private beginning: Promise<void> = Promise.resolve()
  /** For this user alone, beside what is configured. */
  private readonly offered: Listener[] = []
  private readonly links = new Set<ServedLink>()
  /** Keys of which a link was turned away since one was served: that was told. */
  private readonly crowded = new Set<string>()
  /** By peer, for all its links, those that are open too. */
  private readonly rates = new Map<string, Rate>()

  constructor(private readonly options: ServingOptions) {
    const { host, emit } = options
    this.refusals = new Refusals(host.clock, emit)
    this.listeners = new Listeners({ host, emit, open: (place) => this.opened(place) })
  }

  get addresses(): Endpoint[] {
    return this.listeners.addresses
  }

  get notListening(): NotListening[] {
    return this.listeners.troubles
  }

  roots(): ServedRoot[] {
    const served = [...this.served.values()].map(({ name, path }) => ({
      name,
      path,
      peers: [...this.links].filter((link) => link.root?.name === name).map((link) => link.identity),
      unwatched: [this.options.roots.unwatchedAt(path) ?? []].flat(),
      trouble: undefined,
    }))
    const refused = [...this.refused.values()].map(({ name, path, why }) => ({
      name,
      path,
      peers: [],
      unwatched: [],
      trouble: why,
    }))
    return [...served, ...refused]
  }

  /** The roots of the configuration that are served. */
  wanted(): WantedRoot[] {
    return [...this.served.values()].map((served) => ({ path: served.path, care: served }))
  }

  /**
   * Serves what the configuration says, patiently: what cannot be had now is told and tried again, and holds up nothing else. Once,
   * before any `follow`. Resolves when everything was tried once.
   */
  begin(config: Config): Promise<void> {
    this.beginning = this.started(config)
    return this.beginning
  }

  private async started(config: Config): Promise<void> {
    this.adopt(config, await this.resolvedRoots(config))
    await this.listeners.begin(config.listen)
  }

  /**
   * Serves what the configuration says from now on. Links that it does not allow any more, or not to the same directory, are
   * ended; the others go on.
   * @throws LinkFailure 'port-in-use', 'denied', 'unreachable'; BadRoots unless it is patient; then nothing has changed
   */
  async follow(config: Config): Promise<void> {
    await this.beginning
    const roots = await this.resolvedRoots(config)
    await this.listeners.follow(config.listen)
    this.adopt(config, roots)
    const leaving = [...this.links].filter((link) => !this.isAllowed(link))
    for (const link of leaving) link.stop.abort()
    await Promise.all(leaving.map((link) => link.ended))
  }

  /** The served roots by what is there, and those that cannot be served. @throws BadRoots unless it is patient */
  private async resolvedRoots({ serves }: Config): Promise<Resolved> {
    const { stateDir, patient } = this.options
    // One that does not answer is waited for beside the others.
    const all = await Promise.all(serves.map(async (one) => ({ ...one, path: await this.resolved(one.path) })))
    const served = new Map<string, ServeConfig>()
    const refused = new Map<string, RefusedRoot>()
    for (const one of all) {
      try {
        refuseState(one.path, stateDir)
        served.set(one.name, one)
      } catch (error) {
        if (!(error instanceof BadRoots) || !patient) throw error
        refused.set(one.name, { name: one.name, path: one.path, why: { code: error.code, detail: error.message } })
      }
    }
    return { served, refused }
  }

  private adopt({ peers }: Config, { served, refused }: Resolved): void {
    const before = this.refused
    this.served = served
    this.refused = refused
    for (const { name, why } of refused.values())
      if (before.get(name)?.why.detail !== why.detail) this.options.emit({ event: 'root-refused', root: name, ...why })
    this.peers = new Map(peers.map((peer) => [peer.name, peer]))
    for (const { name, bwlimit } of peers) {
      const rate = this.rates.get(name)
      if (rate === undefined) this.rates.set(name, new Rate(this.options.host.clock, bwlimit))
      else rate.set(bwlimit)
    }
  }

  /** Ends every link and waits for what is in hand. */
  async close(): Promise<void> {
    for (const link of this.links) link.stop.abort()
    await Promise.all([this.listeners, ...this.offered].map((one) => one.close()))
    await Promise.all([...this.links].map((link) => link.ended))
    this.refusals.close()
  }

  /** Serves this user there too, whatever the configuration says, until it closes. @throws LinkFailure */
  async offer(place: Place): Promise<void> {
    this.offered.push(await this.opened(place))
  }

  /** Serves the far end of a connection that is there already. Resolves when the link has ended and nothing is in hand. */
  async join(socket: Socket): Promise<void> {
    await this.accept(socket).ended
  }

  private opened(place: Place): Promise<Listener> {
    const { host } = this.options
    return host.sockets.listen(
      place,
      (identity) => this.keyOf(identity),
      (socket) => this.admit(socket),
      ({ code, message }, remote) => this.refusals.note({ event: 'peer-refused', remote, code, detail: message }),
    )
  }

  /**
   * As many links of one key as it may have. The newest is turned away, not the oldest put out: who keeps more pairs than that with one
   * key would have them put each other out for ever. A pair that comes again after its line fell silent ends its own link before,
   * so that a network that comes and goes is no reason for more than a moment's refusal.
   */
  private admit(socket: Socket): void {
    const { identity, remote } = socket
    const isKeyed = identity !== sameUser && identity !== anyone
    const count = [...this.links].filter((link) => link.identity === identity).length
    if (!isKeyed || count < linksMax) {
      this.crowded.delete(identity)
      this.accept(socket)
      return
    }
    const failure = new LinkFailure('root-busy', `${identity} has ${count} links here, as many as one key may have`)
    turnAway(socket, failure)
    if (this.crowded.has(identity)) return
    this.crowded.add(identity)
    this.options.emit({ event: 'peer-refused', remote, code: failure.code, detail: failure.message })
  }

  private accept(socket: Socket): ServedLink {
    const { host, self } = this.options
    const link = new ServedLink(socket.identity, this.keyOf(socket.identity))
    const rootFor = (identity: string, name: string, pair: string) => this.rootFor(link, identity, name, pair)
    this.links.add(link)
    const options = {
      clock: host.clock,
      self,
      rootFor,
      emit: (event: AgentEvent) => this.tell(event),
      stop: link.stop.signal,
      rate: this.rates.get(socket.identity),
    }
    link.ended = serve(socket, {
      ...options,
      describe: (identity, name) => this.describe(identity, name),
      join: (identity, key) => this.redeem(identity, key, socket.remote),
    }).finally(() => this.links.delete(link))
    return link
  }

  private tell(event: AgentEvent): void {
    if (event.event === 'peer-refused') this.refusals.note(event)
    else this.options.emit(event)
  }

  private keyOf(identity: string): Uint8Array | undefined {
    return this.peers.get(identity)?.key ?? this.options.pairing?.keyOf(identity)
  }

  private async redeem(identity: string, key: string, remote: string): Promise<Joined | LinkFailure> {
    const { pairing, emit } = this.options
    if (pairing === undefined || this.peers.has(identity)) return new LinkFailure('denied', 'there is no invitation')
    const joined = await pairing.redeem(identity, key)
    if (!(joined instanceof LinkFailure)) emit({ event: 'peer-joined', peer: joined.peer, remote, root: joined.root })
    return joined
  }

  private async describe(identity: string, name: string): Promise<RootDescription | LinkFailure> {
    const served = await this.servedTo(identity, name)
    if (served instanceof LinkFailure) return served
    const state = await this.options.roots.look(served.path)
    return { state, readOnly: this.peers.get(identity)?.readOnly === true }
  }

  private async servedTo(identity: string, name: string): Promise<ServeConfig | LinkFailure> {
    const served = isPath(name) ? await this.ownRoot(identity, name) : this.served.get(name)
    // A root that is not for this peer is as unknown to it as one that is not there.
    if (served !== undefined && this.mayUse(identity, served)) return served
    return new LinkFailure('unknown-root', `no root ${JSON.stringify(name)} is served to ${identity}`)
  }

  private async rootFor(
    link: ServedLink,
    identity: string,
    name: string,
    pair: string,
  ): Promise<Replica | LinkFailure> {
    const served = await this.servedTo(identity, name)
    if (served instanceof LinkFailure) return served
    this.replaceBy(link, served, pair)
    link.root = served
    link.pair = pair
    link.readOnly = this.peers.get(identity)?.readOnly === true
    const replica = this.options.roots.replica(served.path, served, true)
    return link.readOnly ? new ReadOnlyReplica(replica) : replica
  }

  /** A pair has one lead: it is back, and its link before is one that fell silent, or soon will be. */
  private replaceBy(link: ServedLink, { name }: ServeConfig, pair: string): void {
    if (link.identity === anyone) return
    for (const other of this.links)
      if (other !== link && other.identity === link.identity && other.root?.name === name && other.pair === pair)
        other.stop.abort()
  }

  /** A directory of this user, for this user. */
  private async ownRoot(identity: string, name: string): Promise<ServeConfig | undefined> {
    if (identity !== sameUser) return undefined
    const { host, stateDir } = this.options
    const given = name.startsWith('~/') ? `${host.machine.homeDirectory}/${name.slice(2)}` : name
    // As it is resolved a root has no slash at its end, and no two in a row.
    const path = await this.resolved(absPath(given.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')))
    refuseState(path, stateDir)
    const keep = keepOf(undefined, undefined)
    return { name, path, keep, minFree: minFreeOf(undefined), maxDelete: maxDeleteOf(maxDeleteDefault) }
  }

  private mayUse(identity: string, { name }: ServeConfig): boolean {
    if (identity === sameUser) return true
    if (identity === anyone) return !isPath(name)
    return this.peers.get(identity)?.roots.includes(name) === true
  }

  private isAllowed({ identity, key, root, readOnly }: ServedLink): boolean {
    if (identity === anyone && !this.listeners.areOpenToAll) return false
    if (identity !== sameUser && identity !== anyone) {
      const peer = this.peers.get(identity)
      // Who comes with an invitation has nothing yet that could be taken away.
      if (peer === undefined && root === undefined) return this.options.pairing?.keyOf(identity) !== undefined
      if (peer === undefined || key === undefined || Buffer.compare(peer.key, key) !== 0) return false
      if (root !== undefined && readOnly !== (peer.readOnly === true)) return false
    }
    if (root === undefined || isPath(root.name)) return true
    const served = this.served.get(root.name)
    return this.mayUse(identity, root) && served?.path === root.path && isSameCare(served, root)
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

/** Links of one key at once: each pair that it keeps with this agent has one. */
const linksMax = 16

interface Resolved {
  readonly served: ReadonlyMap<string, ServeConfig>
  readonly refused: ReadonlyMap<string, RefusedRoot>
}

interface RefusedRoot {
  readonly name: string
  readonly path: AbsPath
  readonly why: { readonly code: string; readonly detail: string }
}

/** The names of served roots have no slash. */
function isPath(name: string): boolean {
  return name.startsWith('/') || name.startsWith('~/')
}

/** One connection of a peer. */
class ServedLink {
  readonly stop = new AbortController()
  /** What it uses, once it has asked. */
  root: ServeConfig | undefined
  pair: string | undefined
  readOnly = false
  ended: Promise<void> = Promise.resolve()

  constructor(
    readonly identity: string,
    readonly key: Uint8Array | undefined,
  ) {}
}

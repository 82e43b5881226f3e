import { isDeepStrictEqual } from 'node:util'
import type { Config, PairConfig, RootConfig } from '../config/config.js'
import type { AbsPath } from '../core/path.js'
import type { PairOptions } from '../engine/pair-options.js'
import { nothing, type PassOptions, type PassResult } from '../engine/pass.js'
import { FileFailure } from '../host/files.js'
import type { Host } from '../host/host.js'
import type { Place, Socket } from '../host/sockets.js'
import type { Self } from '../replica/greeting.js'
import { canonicalOf, openRemote } from '../replica/remote.js'
import type { Emit } from '../status/event.js'
import type { Agent, Reread, ServedRoot } from './agent-types.js'
import { BadRoots, refuseNested, refuseState } from './bad-roots.js'
import { KeptPair } from './kept-pair.js'
import { Roots, resolve, stateJob, type WantedRoot } from './roots.js'
import { type Pairing, Serving } from './serve.js'
import { programVersion } from './version.js'

/** How the agent lives: a resident one keeps each pair for itself, and none of them ends it. */
export interface Life {
  readonly resident: boolean
  /** What cannot be served when it starts does not end it: it is told, and tried again. */
  readonly patient?: boolean
  /** Who invites peers; without it nobody does. */
  readonly pairing?: Pairing
}

/**
 * Builds the house from a configuration and a host. Nothing is opened yet but the listener, so that a second agent on the port fails at
 * once; a patient one opens it when it can.
 * @throws BadRoots, LinkFailure
 */
export async function openAgent(
  config: Config,
  host: Host,
  emit: Emit,
  life: Life = { resident: false },
): Promise<Agent> {
  const stateDir = await resolve(host, config.stateDir)
  try {
    await host.workers.run(stateJob, stateDir, 'edit', 0)
    // On every worker of an agent that stays: its threads are started now, and not by the first edit that needs a second one.
    const others = life.resident ? Array.from({ length: host.workers.count - 1 }, (_, lane) => lane + 1) : []
    for (const lane of others) void host.workers.run(stateJob, stateDir, 'edit', lane).catch(() => undefined)
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    throw new BadRoots('state-directory', `the state directory ${stateDir} cannot be used: ${error.message}`, error)
  }
  const house = new House(host, emit, new Roots(host, emit, stateDir), stateDir, life)
  await house.furnish(config)
  return house
}

class House implements Agent {
  private readonly finish = new AbortController()
  private readonly now = new AbortController()
  private readonly self: Self
  private readonly serving: Serving
  private kept: readonly KeptPair[] = []
  private isRunning = false
  /** A bug in what runs by itself ends the agent. */
  private broken: { readonly error: unknown } | undefined
  private wake: () => void = () => {}

  constructor(
    private readonly host: Host,
    private readonly emit: Emit,
    private readonly roots: Roots,
    private readonly stateDir: AbsPath,
    private readonly life: Life,
  ) {
    this.self = {
      agent: 'tandem',
      version: programVersion(),
      run: Buffer.from(host.random.bytes(16)).toString('hex'),
    }
    this.serving = new Serving({
      host,
      self: this.self,
      emit,
      roots,
      stateDir,
      patient: life.patient === true,
      pairing: life.pairing,
    })
  }

  /** @throws BadRoots, LinkFailure */
  async furnish(config: Config): Promise<void> {
    this.kept = config.pairs.map((pair) => this.keptPair(pair))
    if (!this.life.resident) for (const pair of this.kept) await pair.prepare()
    // The pairs do not wait for a name to be found, or for a served root that does not answer.
    if (this.life.patient === true) this.serving.begin(config).catch((error: unknown) => this.fail(error))
    else await this.serving.follow(config)
  }

  get addresses(): Agent['addresses'] {
    return this.serving.addresses
  }

  get notListening(): Agent['notListening'] {
    return this.serving.notListening
  }

  get pairs(): readonly KeptPair[] {
    return this.kept
  }

  get served(): readonly ServedRoot[] {
    return this.serving.roots()
  }

  async pass(options: PassOptions): Promise<PassResult> {
    let sum: PassResult = nothing
    for (const pair of this.kept) sum = added(sum, await pair.pass(options))
    return sum
  }

  async run(): Promise<PassResult> {
    if (!this.life.resident && this.kept.length > 0) {
      const results = await Promise.all(this.kept.map((pair) => pair.run()))
      return results.reduce(added, nothing)
    }
    this.isRunning = true
    for (const pair of this.kept) this.keep(pair)
    while (!this.finish.signal.aborted && this.broken === undefined) await this.woken()
    const results = await Promise.all(this.kept.map((pair) => pair.keep()))
    if (this.broken !== undefined) throw this.broken.error
    return results.reduce(added, nothing)
  }

  async reread(config: Config): Promise<Reread> {
    const before = new Map(this.kept.map((pair) => [pair.name, pair]))
    const wanted = new Map(config.pairs.map((pair) => [pair.name, pair]))
    const servedBefore = new Map(this.served.map((root) => [root.name, root]))
    // What can fail comes first.
    await this.serving.follow(config)
    const isSame = (pair: KeptPair) => !pair.isRefused && isDeepStrictEqual(pair.config, wanted.get(pair.name))
    const leaving = this.kept.filter((pair) => !isSame(pair))
    await Promise.all(leaving.map((pair) => pair.close()))
    const isLeaving = new Set(leaving)
    this.kept = config.pairs.map((pair) => {
      const old = before.get(pair.name)
      if (old !== undefined && !isLeaving.has(old)) return old
      const fresh = this.keptPair(pair)
      // Whoever paused it did not mean one configuration of it.
      if (old?.isPaused === true) fresh.pause(true)
      return fresh
    })
    await this.roots.closeUnused([...this.serving.wanted(), ...localRoots(config)])
    for (const pair of this.kept) if (before.get(pair.name) !== pair) this.begin(pair)
    const servedNow = new Map(this.served.map((root) => [root.name, root]))
    return {
      started: [...newIn(before, wanted), ...newIn(servedBefore, servedNow)],
      stopped: [...newIn(wanted, before), ...newIn(servedNow, servedBefore)],
      restarted: [
        ...leaving.map(({ name }) => name).filter((name) => wanted.has(name)),
        ...[...servedNow.values()]
          .filter(({ name, path }) => servedBefore.has(name) && servedBefore.get(name)?.path !== path)
          .map(({ name }) => name),
      ],
    }
  }

  offer(place: Place): Promise<void> {
    return this.serving.offer(place)
  }

  join(socket: Socket): Promise<void> {
    return this.serving.join(socket)
  }

  stop(how: 'finish' | 'now'): void {
    for (const pair of this.kept) pair.stop(how)
    this.finish.abort(new Error('told to stop'))
    if (how === 'now') this.now.abort(new Error('told to stop'))
    this.wake()
  }

  async close(): Promise<void> {
    this.stop('now')
    await this.serving.close()
    await Promise.all(this.kept.map((pair) => pair.close()))
    await this.roots.close()
  }

  private begin(pair: KeptPair): void {
    if (this.now.signal.aborted) pair.stop('now')
    else if (this.finish.signal.aborted) pair.stop('finish')
    if (this.isRunning) this.keep(pair)
  }

  private keep(pair: KeptPair): void {
    pair.keep().catch((error: unknown) => this.fail(error))
  }

  /** A bug: it comes out of `run`. */
  private fail(error: unknown): void {
    this.broken ??= { error }
    this.stop('now')
  }

  private woken(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }

  private keptPair(config: PairConfig): KeptPair {
    return new KeptPair(
      config,
      this.host,
      this.emit,
      (pair, emit) => this.optionsOf(pair, emit),
      (root) => this.roots.unwatchedAt(root),
    )
  }

  async letGoServed(name: string): Promise<boolean> {
    const served = this.served.find((root) => root.name === name)
    if (served !== undefined) await this.roots.letGo(served.path)
    return served !== undefined
  }

  /** @throws BadRoots, FileFailure */
  private async optionsOf(config: PairConfig, emit: Emit): Promise<PairOptions> {
    const { host, roots, self, stateDir } = this
    const local: AbsPath[] = []
    const resolved = async (root: RootConfig): Promise<RootConfig> => {
      if (root.kind !== 'local') return root
      const path = await roots.resolve(root.path)
      refuseState(path, stateDir)
      local.push(path)
      return { kind: 'local', path }
    }
    const pair: PairConfig = { ...config, alpha: await resolved(config.alpha), beta: await resolved(config.beta) }
    const [one, other] = local
    if (one !== undefined && other !== undefined) refuseNested(one, other)
    return {
      config: pair,
      host,
      emit,
      stateDir,
      canonicalOf: (root) => (root.kind === 'local' ? roots.canonicalOf(root.path) : canonicalOf(root)),
      connect: async (root, signal) =>
        root.kind === 'local'
          ? roots.replica(root.path, config.preferences, false)
          : await openRemote(host, root, self, signal),
    }
  }
}

function localRoots({ pairs }: Config): WantedRoot[] {
  return pairs.flatMap(({ alpha, beta, preferences }) =>
    [alpha, beta].flatMap((root) => (root.kind === 'local' ? [{ path: root.path, care: preferences }] : [])),
  )
}

function newIn(before: ReadonlyMap<string, unknown>, now: ReadonlyMap<string, unknown>): string[] {
  return [...now.keys()].filter((name) => !before.has(name))
}

function added(one: PassResult, other: PassResult): PassResult {
  return {
    applied: one.applied + other.applied,
    skipped: one.skipped + other.skipped,
    failed: one.failed + other.failed,
    bytes: one.bytes + other.bytes,
    items: [...one.items, ...other.items],
    halted: one.halted ?? other.halted,
  }
}

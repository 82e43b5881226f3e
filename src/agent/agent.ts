import type { Config, PairConfig, RootConfig } from '../config/config.js'
import { Failure } from '../core/failure.js'
import { type AbsPath, absPath } from '../core/path.js'
import { PairLoop } from '../engine/loop.js'
import { isNested, type PairOptions } from '../engine/pair.js'
import type { PassOptions, PassResult } from '../engine/pass.js'
import { FileFailure } from '../host/files.js'
import type { Host } from '../host/host.js'
import type { Listener } from '../host/sockets.js'
import type { Self } from '../replica/greeting.js'
import { canonicalOf, openRemote } from '../replica/remote.js'
import type { Emit } from '../status/event.js'
import type { Agent } from './agent-types.js'
import { Roots, resolveJob, stateJob } from './roots.js'
import { listen } from './serve.js'
import { programVersion } from './version.js'

/** Roots that cannot be a pair, or a place for state. */
export class BadRoots extends Failure {
  override readonly name = 'BadRoots'
  constructor(
    readonly code: 'same-root' | 'nested-roots' | 'state-inside' | 'state-directory',
    detail: string,
    cause?: unknown,
  ) {
    super(detail, cause === undefined ? undefined : { cause })
  }
}

/**
 * Builds the house from a configuration and a host. Nothing is opened yet but the listener, so that a second agent on the
 * port fails at once.
 * @throws BadRoots, LinkFailure
 */
export async function openAgent(config: Config, host: Host, emit: Emit): Promise<Agent> {
  const stateDir = await resolve(host, config.stateDir)
  try {
    // On every worker: the threads are started now, side by side, and not by the first edit that needs a second one.
    const lanes = Array.from({ length: host.workers.count }, (_, lane) => lane)
    await Promise.all(lanes.map((lane) => host.workers.run(stateJob, stateDir, 'edit', lane)))
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    throw new BadRoots('state-directory', `the state directory ${stateDir} cannot be used: ${error.message}`, error)
  }
  const roots = new Roots(host, emit, stateDir)
  const self: Self = {
    agent: 'tandem',
    version: programVersion(),
    run: Buffer.from(host.random.bytes(16)).toString('hex'),
  }
  const loops: PairLoop[] = []
  for (const pair of config.pairs) loops.push(new PairLoop(await pairOptions(pair, host, self, emit, stateDir, roots)))
  const serves = new Map<string, AbsPath>()
  for (const { name, path } of config.serves) {
    const real = await resolve(host, path)
    refuseState(real, stateDir)
    serves.set(name, real)
  }
  const listener =
    config.listen === undefined ? undefined : await listen(config, config.listen, host, self, emit, roots, serves)
  return new House(loops, listener, roots)
}

class House implements Agent {
  private readonly finish = new AbortController()
  private readonly now = new AbortController()

  constructor(
    private readonly loops: readonly PairLoop[],
    private readonly listener: Listener | undefined,
    private readonly roots: Roots,
  ) {}

  get listening(): Agent['listening'] {
    return this.listener?.endpoint
  }

  async pass(options: PassOptions): Promise<PassResult> {
    let sum: PassResult = nothing
    for (const loop of this.loops) sum = added(sum, await loop.pass(options, this.now.signal))
    return sum
  }

  async run(): Promise<PassResult> {
    const results = await Promise.all(this.loops.map((loop) => loop.run(this.finish.signal, this.now.signal)))
    if (this.loops.length === 0) await stopped(this.finish.signal)
    return results.reduce(added, nothing)
  }

  stop(how: 'finish' | 'now'): void {
    this.finish.abort(new Error('told to stop'))
    if (how === 'now') this.now.abort(new Error('told to stop'))
  }

  async close(): Promise<void> {
    this.stop('now')
    await this.listener?.close()
    await Promise.all(this.loops.map((loop) => loop.close()))
    await this.roots.close()
  }
}

const nothing: PassResult = { applied: 0, skipped: 0, failed: 0, bytes: 0, items: [], halted: undefined }

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

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

async function pairOptions(
  config: PairConfig,
  host: Host,
  self: Self,
  emit: Emit,
  stateDir: AbsPath,
  roots: Roots,
): Promise<PairOptions> {
  const local: AbsPath[] = []
  const resolved = async (root: RootConfig): Promise<RootConfig> => {
    if (root.kind !== 'local') return root
    const path = await resolve(host, root.path)
    refuseState(path, stateDir)
    local.push(path)
    return { kind: 'local', path }
  }
  const pair: PairConfig = { ...config, alpha: await resolved(config.alpha), beta: await resolved(config.beta) }
  const [one, other] = local
  if (one !== undefined && one === other)
    throw new BadRoots('same-root', `both roots are the same directory, ${one}: name two different ones`)
  if (one !== undefined && other !== undefined && (isNested(one, other) || isNested(other, one)))
    throw new BadRoots('nested-roots', `one root lies inside the other: ${one} and ${other}`)
  return {
    config: pair,
    host,
    emit,
    stateDir,
    canonicalOf: (root) => (root.kind === 'local' ? roots.canonicalOf(root.path) : canonicalOf(root)),
    connect: async (root, signal) =>
      root.kind === 'local' ? roots.replica(root.path) : await openRemote(host, root, self, signal),
  }
}

function refuseState(root: AbsPath, stateDir: AbsPath): void {
  if (!isNested(stateDir, root)) return
  throw new BadRoots(
    'state-inside',
    `the state directory ${stateDir} lies inside the root ${root}: choose another with --state-dir`,
  )
}

function resolve(host: Host, path: AbsPath): Promise<AbsPath> {
  return host.workers.run(resolveJob, absPath(path), 'edit')
}

import type { PairConfig, RootConfig } from '../config/config.js'
import { Failure } from '../core/failure.js'
import type { AbsPath } from '../core/path.js'
import type { AcceptedPath } from '../engine/accept.js'
import { haltText } from '../engine/advice.js'
import { backoffMs } from '../engine/backoff.js'
import { PairLoop } from '../engine/loop.js'
import type { OpenItem } from '../engine/opens.js'
import type { PairOptions } from '../engine/pair-options.js'
import { nothing, type PassOptions, type PassResult } from '../engine/pass.js'
import { NotReady, type PairState } from '../engine/state.js'
import type { Host } from '../host/host.js'
import { canonicalOf } from '../replica/remote.js'
import type { AgentEvent, Emit } from '../status/event.js'
import type { SteeredPair } from './agent-types.js'
import { BadRoots } from './bad-roots.js'
import type { UnwatchedRoot } from './unwatched.js'

/** How the options of a pair come about; it may fail, and succeed later. @throws Failure */
export type OptionsOf = (config: PairConfig, emit: Emit) => Promise<PairOptions>

/** One pair as the agent keeps it: for itself, so that nothing that befalls it reaches the others. */
export class KeptPair implements SteeredPair {
  private loop: PairLoop | undefined
  private readonly finish = new AbortController()
  private readonly now = new AbortController()
  private trouble: Failure | undefined
  private paused = false
  private running: Promise<PassResult> | undefined
  /** Its roots of this machine, without links. */
  private places: readonly AbsPath[] = []

  constructor(
    readonly config: PairConfig,
    private readonly host: Host,
    private readonly emit: Emit,
    private readonly optionsOf: OptionsOf,
    private readonly unwatchedAt: (root: AbsPath) => UnwatchedRoot | undefined,
  ) {}

  get name(): string {
    return this.config.name
  }

  get roots(): { readonly alpha: string; readonly beta: string } {
    return { alpha: rootText(this.config.alpha), beta: rootText(this.config.beta) }
  }

  /** Finds out whether its roots can be a pair. @throws Failure */
  async prepare(): Promise<PairLoop> {
    const options = await this.optionsOf(this.config, (event) => this.heard(event))
    const { alpha, beta } = options.config
    this.places = [alpha, beta].flatMap((root) => (root.kind === 'local' ? [root.path] : []))
    const loop = new PairLoop(options)
    loop.standing.pause(this.paused)
    this.loop = loop
    return loop
  }

  /** One pass. @throws Failure */
  async pass(options: PassOptions): Promise<PassResult> {
    const loop = this.loop ?? (await this.prepare())
    return loop.pass(options, this.now.signal)
  }

  /** Keeps the pair until it is stopped. @throws Failure as long as it never worked and waiting cannot help */
  run(): Promise<PassResult> {
    this.running ??= (this.loop === undefined ? this.prepare() : Promise.resolve(this.loop)).then((loop) =>
      loop.run(this.finish.signal, this.now.signal),
    )
    return this.running
  }

  /**
   * Keeps the pair until it is stopped, whatever happens to it: what cannot go on now is told once and tried again. Two roots
   * that can never be a pair are left alone.
   */
  keep(): Promise<PassResult> {
    this.running ??= this.keepTrying()
    return this.running
  }

  stop(how: 'finish' | 'now'): void {
    this.finish.abort(new Error('told to stop'))
    if (how === 'now') this.now.abort(new Error('told to stop'))
  }

  /** Stops it and gives everything back. */
  async close(): Promise<void> {
    this.stop('now')
    // Whoever runs it hears how it ended.
    await this.running?.catch(() => undefined)
    await this.loop?.close()
    this.loop = undefined
  }

  state(): PairState {
    const { loop, trouble } = this
    if (trouble === undefined && loop !== undefined) return loop.standing.state()
    const before = loop?.standing.state() ?? nothingKnown
    return trouble === undefined
      ? { ...before, word: this.paused ? 'paused' : 'scanning' }
      : { ...before, word: 'halted', code: trouble.code, why: whyOf(trouble) }
  }

  open(): readonly OpenItem[] {
    return this.loop?.standing.open() ?? []
  }

  unwatched(): readonly UnwatchedRoot[] {
    return this.places.flatMap((place) => this.unwatchedAt(place) ?? [])
  }

  /** Its roots can never be a pair, as far as was seen: what is at them may be another thing by now. */
  get isRefused(): boolean {
    return this.trouble instanceof BadRoots
  }

  get isPaused(): boolean {
    return this.paused
  }

  pause(on: boolean): void {
    if (on === this.paused) return
    this.paused = on
    this.loop?.standing.pause(on)
    this.emit({ event: on ? 'pair-paused' : 'pair-resumed', pair: this.name })
  }

  async letGo(): Promise<void> {
    this.steered().standing.letGo()
  }

  async rescan(signal: AbortSignal): Promise<void> {
    await this.started(signal)
    await this.steered().standing.rescan(signal)
  }

  async accept(accepted: AcceptedPath): Promise<string> {
    return await this.steered().standing.accept(accepted)
  }

  async flush(signal: AbortSignal): Promise<readonly OpenItem[]> {
    await this.started(signal)
    return this.steered().standing.flush(signal)
  }

  /** The agent may be only just starting. */
  private async started(signal: AbortSignal): Promise<void> {
    while (this.loop === undefined && this.trouble === undefined && !signal.aborted && !this.finish.signal.aborted)
      await this.host.clock.sleep(startingMs, signal).catch(() => undefined)
  }

  private steered(): PairLoop {
    const { loop, trouble } = this
    if (trouble !== undefined) throw new NotReady('halted', whyOf(trouble))
    if (loop === undefined) throw new NotReady('stopping', 'the pair is not being kept')
    return loop
  }

  private async keepTrying(): Promise<PassResult> {
    const stopping = this.finish.signal
    for (let attempt = 0; !stopping.aborted; attempt++) {
      try {
        const loop = await this.prepare()
        return await loop.run(this.finish.signal, this.now.signal)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        if (stopping.aborted) break
        this.fail(error)
        await this.loop?.close()
        this.loop = undefined
        // Only another configuration can help here.
        const waitMs =
          error instanceof BadRoots ? foreverMs : backoffMs(attempt, firstRetryMs, mostRetryMs, this.host.random)
        await this.host.clock.sleep(waitMs, stopping).catch(() => undefined)
      }
    }
    return this.trouble === undefined ? nothing : { ...nothing, halted: this.trouble.message }
  }

  private fail(error: Failure): void {
    const told = this.trouble?.code === error.code && this.trouble.message === error.message
    this.trouble = error
    if (!told) this.emit({ event: 'pair-halted', pair: this.name, code: error.code, detail: whyOf(error) })
  }

  private heard(event: AgentEvent): void {
    if (event.event === 'pair-opened' && this.trouble !== undefined) {
      this.trouble = undefined
      this.emit({ event: 'pair-resumed', pair: this.name })
    }
    this.emit(event)
  }
}

/** Roots that can never be a pair are not tried again. */
function whyOf(trouble: Failure): string {
  return trouble instanceof BadRoots ? trouble.message : haltText(trouble)
}

const nothingKnown: PairState = {
  word: 'scanning',
  code: '',
  why: '',
  conflicts: 0,
  problems: 0,
  scanAgeMs: undefined,
  auditAgeMs: undefined,
  auditDifferences: 0,
}

/** What a person has to mend (a key, a lock of another process) is looked at again every minute. */
const firstRetryMs = 1_000
const mostRetryMs = 60_000
const startingMs = 20
/** The longest time that a timer takes: 24 days, and then one look more. */
const foreverMs = 2_147_483_647

export function rootText(root: RootConfig): string {
  return root.kind === 'local' ? root.path : canonicalOf(root)
}

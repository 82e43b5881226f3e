import type { RootConfig } from '../config/config.js'
import { Failure } from '../core/failure.js'
import { LinkFailure, placeText } from '../host/sockets.js'
import { sleepAwake } from '../host/wake.js'
import { haltText } from './advice.js'
import { HeldArchive, PairBusy, StaleArchive } from './held-archive.js'
import { Outage } from './outage.js'
import { Pair } from './pair.js'
import type { PairOptions, Stops } from './pair-options.js'
import type { PassOptions, PassResult } from './pass.js'
import { Standing } from './state.js'

/**
 * The life of a pair: holds its archive, opens its roots, and opens them again when a link dropped or a root was in doubt
 * and is back. What may pass never ends it.
 */
export class PairLoop {
  private held: HeldArchive | undefined
  private last: PassResult = nothing
  /** What it is and was told from outside. */
  readonly standing: Standing

  constructor(private readonly options: PairOptions) {
    this.standing = new Standing(options.host.clock)
  }

  /** One pass. @throws PairBusy, LinkFailure, ReplicaFailure, StoreFailure */
  async pass(options: PassOptions, stop: AbortSignal): Promise<PassResult> {
    const pair = await this.open(false, { connecting: stop, operations: stop })
    try {
      return await pair.pass(options)
    } finally {
      await pair.close()
    }
  }

  /**
   * Keeps the pair until `finish` (after the cycle in progress) or `now` (after the operations in hand). Resolves with the
   * result of the last cycle.
   * @throws what waiting cannot help with, as long as the pair never worked: wrong key, unknown root, busy pair
   */
  async run(finish: AbortSignal, now: AbortSignal): Promise<PassResult> {
    const { host, emit, config } = this.options
    const stopping = AbortSignal.any([finish, now])
    const outage = new Outage(host.clock, host.random)
    let worked = false
    /** The code of the failure that it is halted by. */
    let halted: string | undefined
    /** How many paths were agreed on when it was halted. */
    let agreed = 0
    while (!stopping.aborted) {
      let pair: Pair | undefined
      try {
        pair = await this.open(config.preferences.repeat.kind === 'watch', { connecting: stopping, operations: now })
        this.standing.opened(pair)
        // It comes back when it is told to stop, or in a long pause.
        await pair.run(finish, (result) => {
          // Not before a cycle came through: a missing mount point halts it after the roots were opened.
          if (halted !== undefined) emit({ event: 'pair-resumed', pair: config.name })
          halted = undefined
          this.last = result
          this.standing.worked()
          worked = true
          outage.end()
        })
        await pair.close()
        await this.standing.resumed(stopping)
      } catch (error) {
        if (stopping.aborted) break
        // A bug ends the process. What the world did may pass, unless it never worked and waiting cannot help.
        if (!(error instanceof Failure) || error instanceof PairBusy) throw error
        if (!worked && !error.transient) throw error
        // A link that is away is tried ten times a second, and a large archive is not counted in no time.
        if (!(error instanceof LinkFailure) && halted !== error.code) agreed = this.agreed()
        this.standing.failed(error, agreed)
        const { retryInMs, isNews } = outage.failed(error)
        if (error instanceof LinkFailure) {
          const peer = peerOf(config.alpha, config.beta)
          if (isNews) emit({ event: 'link-lost', peer, code: error.code, detail: error.message, retryInMs })
        } else if (halted !== error.code) {
          halted = error.code
          emit({ event: 'pair-halted', pair: config.name, code: error.code, detail: haltText(error, agreed) })
        }
        await pair?.close()
        pair = undefined
        // A machine that wakes, or is somewhere else, may have its network back: no need to wait on.
        const networkSign = () => host.machine.networkSign()
        const isHopeful = await sleepAwake(host.clock, retryInMs, stopping, networkSign).catch(() => false)
        if (isHopeful) outage.end()
      } finally {
        await pair?.close()
      }
    }
    this.standing.ended()
    return halted !== undefined ? { ...this.last, halted: 'a root is in doubt' } : this.last
  }

  async close(): Promise<void> {
    await this.held?.close()
    this.held = undefined
  }

  /** How many paths are agreed on; 0 where that cannot be told. */
  private agreed(): number {
    try {
      return this.held?.archive.count() ?? 0
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return 0
    }
  }

  private async open(watch: boolean, stops: Stops): Promise<Pair> {
    const { config, canonicalOf } = this.options
    const canonicals = { alpha: canonicalOf(config.alpha), beta: canonicalOf(config.beta) }
    const discard = config.ignoreArchives ? 'asked for with -ignorearchives' : undefined
    if (this.held === undefined) {
      this.held = await HeldArchive.take(this.options, canonicals, discard)
      this.standing.remembers([...this.held.archive.opens()])
    }
    try {
      return await Pair.open(this.options, this.held, watch, stops)
    } catch (error) {
      if (!(error instanceof StaleArchive)) throw error
      const { held } = this
      this.held = undefined
      await held.close()
      this.held = await HeldArchive.take(this.options, canonicals, error.message)
      return await Pair.open(this.options, this.held, watch, stops)
    }
  }
}

const nothing: PassResult = { applied: 0, skipped: 0, failed: 0, bytes: 0, items: [], halted: undefined }

function peerOf(...roots: readonly RootConfig[]): string {
  for (const root of roots) if (root.kind !== 'local') return placeText(root)
  return ''
}

import type { RootConfig } from '../config/config.js'
import { Failure } from '../core/failure.js'
import { LinkFailure } from '../host/sockets.js'
import { backoffMs } from './backoff.js'
import { HeldArchive, Pair, PairBusy, type PairOptions, StaleArchive, type Stops } from './pair.js'
import type { PassOptions, PassResult } from './pass.js'

/**
 * The life of a pair: holds its archive, opens its roots, and opens them again when a link dropped or a root was in doubt
 * and is back. What may pass never ends it.
 */
export class PairLoop {
  private held: HeldArchive | undefined
  private last: PassResult = nothing

  constructor(private readonly options: PairOptions) {}

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
    let attempt = 0
    let worked = false
    let halted = false
    while (!stopping.aborted) {
      let pair: Pair | undefined
      try {
        pair = await this.open(config.preferences.repeat.kind === 'watch', { connecting: stopping, operations: now })
        if (halted) emit({ event: 'pair-resumed', pair: config.name })
        halted = false
        await pair.run(finish, (result) => {
          this.last = result
          worked = true
          attempt = 0
        })
      } catch (error) {
        if (stopping.aborted) break
        // A bug ends the process. What the world did may pass, unless it never worked and waiting cannot help.
        if (!(error instanceof Failure) || error instanceof PairBusy) throw error
        if (!worked && !error.transient) throw error
        const retryInMs = Math.round(backoffMs(attempt++, firstRetryMs, mostRetryMs, host.random))
        if (error instanceof LinkFailure) {
          const peer = peerOf(config.alpha, config.beta)
          emit({ event: 'link-lost', peer, code: error.code, detail: error.message, retryInMs })
        } else if (!halted) {
          halted = true
          emit({ event: 'pair-halted', pair: config.name, code: error.code, detail: error.message })
        }
        await pair?.close()
        pair = undefined
        await host.clock.sleep(retryInMs, stopping).catch(() => undefined)
      } finally {
        await pair?.close()
      }
    }
    return halted ? { ...this.last, halted: 'a root is in doubt' } : this.last
  }

  async close(): Promise<void> {
    await this.held?.close()
    this.held = undefined
  }

  private async open(watch: boolean, stops: Stops): Promise<Pair> {
    const { config, canonicalOf } = this.options
    const canonicals = { alpha: canonicalOf(config.alpha), beta: canonicalOf(config.beta) }
    const discard = config.ignoreArchives ? 'asked for with -ignorearchives' : undefined
    this.held ??= await HeldArchive.take(this.options, canonicals, discard)
    try {
      return await Pair.open(this.options, this.held, watch, stops)
    } catch (error) {
      if (!(error instanceof StaleArchive)) throw error
      await this.held.close()
      this.held = await HeldArchive.take(this.options, canonicals, error.message)
      return await Pair.open(this.options, this.held, watch, stops)
    }
  }
}

const nothing: PassResult = { applied: 0, skipped: 0, failed: 0, bytes: 0, items: [], halted: undefined }

/** A cut link is tried again at once, a dead one every half minute, for ever. */
const firstRetryMs = 200
const mostRetryMs = 30_000

function peerOf(...roots: readonly RootConfig[]): string {
  for (const root of roots) if (root.kind === 'wss') return `${root.endpoint.host}:${root.endpoint.port}`
  return ''
}

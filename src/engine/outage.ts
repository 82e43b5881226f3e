import type { Failure } from '../core/failure.js'
import type { Clock, Random } from '../host/clock.js'
import { LinkFailure } from '../host/sockets.js'
import { backoffMs } from './backoff.js'

/**
 * A link that was cut is tried again at once, then ten times a second for a quarter of a minute and four times for the rest of the
 * minute: most cuts are short, and what was edited meanwhile waits. One that stays away is tried ever more seldom, in the end every half
 * minute, for ever.
 */
const atOnceRetryMs = 100
const atOnceForMs = 15_000
const firstRetryMs = 200
const soonRetryMs = 250
const soonForMs = 60_000
const mostRetryMs = 30_000
/** A root that is away is looked for more often: somebody may have just mounted it. */
const mostRootRetryMs = 5_000

/** The time in which a pair does not work, from one failed attempt to the next. */
export class Outage {
  private sinceMs: number | undefined
  private attempt = 0
  private told: string | undefined

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  /** How long to wait; `isNews`: there is something to be told that was not told of the attempt before. */
  failed(failure: Failure): { readonly retryInMs: number; readonly isNews: boolean } {
    const nowMs = this.clock.now()
    this.sinceMs ??= nowMs
    const isLink = failure instanceof LinkFailure
    // Who is refused is not let in by asking more often.
    const isSoon = isLink && failure.transient && nowMs - this.sinceMs < soonForMs
    const isAtOnce = isSoon && nowMs - this.sinceMs < atOnceForMs
    const mostMs = isSoon ? soonRetryMs : isLink ? mostRetryMs : mostRootRetryMs
    const [firstMs, lastMs] = isAtOnce ? [atOnceRetryMs, atOnceRetryMs] : [firstRetryMs, mostMs]
    const retryInMs = Math.round(backoffMs(this.attempt, firstMs, lastMs, this.random))
    // The long waits begin where the short ones end.
    if (!isSoon || firstRetryMs * 2 ** this.attempt < soonRetryMs) this.attempt++
    const isNews = !isSoon || this.told !== failure.code
    this.told = failure.code
    return { retryInMs, isNews }
  }

  /** It works again, or there is reason to hope so. */
  end(): void {
    this.sinceMs = undefined
    this.attempt = 0
    this.told = undefined
  }
}

import type { Clock, Instant } from './clock.js'

/** Less than this is no leap: the two clocks are not read at one moment, and one of them is slewed. */
const leapMs = 1_000

/**
 * Notices when the wall clock runs ahead of the time that goes by: it was set, or the machine slept. What is measured by it then
 * seems older than it is.
 */
export class Steadiness {
  private aheadMs: number
  /** When it was last found to have leapt. */
  private leaptMs: Instant | undefined

  constructor(private readonly clock: Pick<Clock, 'now' | 'wallNs'>) {
    this.aheadMs = this.measured()
  }

  /** How long ago it was last found to have leapt, in nanoseconds; undefined: it never was. */
  forNs(): bigint | undefined {
    const aheadMs = this.measured()
    if (aheadMs - this.aheadMs > leapMs) this.leaptMs = this.clock.now()
    this.aheadMs = aheadMs
    return this.leaptMs === undefined ? undefined : BigInt(Math.floor(this.clock.now() - this.leaptMs)) * 1_000_000n
  }

  private measured(): number {
    return Number(this.clock.wallNs() / 1_000_000n) - this.clock.now()
  }
}

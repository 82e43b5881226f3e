/**
 * Notices when a time of much work is over. A time of work lasts until nothing was noted for restMs; what counts is the processor time
 * that the process took in it, whichever thread. Edits now and then are little work, until they come to much.
 */
export class Resting {
  /** Processor time when this time of work began. */
  private beganMs: number
  /** The same at the last rest. */
  private restedMs: number
  private lastMs = 0
  /** When it is to rest again, having rested once; undefined: it has not. */
  private restAgainMs: number | undefined
  /** Rests after the second one of this time of work. */
  private tries = 0
  private isClosed = false
  private timer: NodeJS.Timeout | undefined
  /** The timer is that of the long rest: what comes meanwhile is looked at before. */
  private isLong = false

  /**
   * `rest` is called once after each such time, and once more when nothing came for longRestMs; and again as long as it answers that
   * something is left, triesMax times.
   */
  constructor(
    private readonly isBusy: () => boolean,
    private readonly rest: () => Promise<boolean>,
    private readonly processorMs: () => number = processMs,
  ) {
    this.beganMs = processorMs()
    this.restedMs = this.beganMs
  }

  /** A piece of work is done. */
  note(): void {
    this.lastMs = performance.now()
    if (this.isLong) this.clear()
    this.timer ??= this.later(restMs)
  }

  close(): void {
    this.isClosed = true
    this.clear()
  }

  private clear(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.isLong = false
  }

  private look(): void {
    this.timer = undefined
    this.isLong = false
    const left = this.lastMs + restMs - performance.now()
    if (left > 0 || this.isBusy()) {
      this.timer = this.later(Math.max(left, restMs / 10))
      return
    }
    const nowMs = this.processorMs()
    const isMuch = nowMs - this.beganMs >= workMsMin || nowMs - this.restedMs >= littleMsMax
    this.beganMs = nowMs
    if (!isMuch) {
      const again = this.restAgainMs
      if (again === undefined) return
      if (again > performance.now()) {
        this.waitLong(again)
        return
      }
    }
    this.restedMs = nowMs
    this.restAgainMs = undefined
    if (isMuch) {
      this.tries = 0
      this.againLater()
    }
    void this.rest().then((isLeft) => {
      if (!isLeft || this.restAgainMs !== undefined || this.tries >= triesMax) return
      this.tries++
      this.againLater()
    })
  }

  private againLater(): void {
    this.restAgainMs = performance.now() + longRestMs
    // A time of work that has begun looks at it when it ends.
    if (this.timer === undefined && !this.isClosed) this.waitLong(this.restAgainMs)
  }

  private waitLong(untilMs: number): void {
    this.timer = this.later(untilMs - performance.now())
    this.isLong = true
  }

  /** Nobody waits for a rest: the process may end meanwhile. */
  private later(durationMs: number): NodeJS.Timeout {
    return setTimeout(() => this.look(), durationMs).unref()
  }
}

export const restMs = 1_000
/** V8 lets go of the room for new objects when it collects, if little was allocated in the five seconds before. */
export const longRestMs = 10_000
/** For a minute: what came in between the first rest and the second may have been too much for V8 and too little for a time of work. */
export const triesMax = 6
/** Less than this leaves little behind. */
export const workMsMin = 500
/** So much work by and by leaves something too. A rest costs about a tenth of a second. */
export const littleMsMax = 4 * workMsMin

function processMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

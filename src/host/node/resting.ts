/**
 * Notices when a time of much work is over. A time of work lasts until nothing was noted for restMs; what was noted in it is
 * added up. Edits now and then are little work, until they come to much.
 */
export class Resting {
  /** In this time of work. */
  private worked = 0
  /** Since the last rest. */
  private workedSince = 0
  private lastMs = 0
  /** Once, and is to again. */
  private isRested = false
  private timer: NodeJS.Timeout | undefined

  /** `rest` is called once after each such time, and once more when nothing came for longRestMs. */
  constructor(
    private readonly isBusy: () => boolean,
    private readonly rest: () => void,
  ) {}

  /** A piece of work is done that took so long. */
  note(durationMs: number): void {
    this.worked += durationMs
    this.workedSince += durationMs
    this.lastMs = performance.now()
    this.timer ??= this.later(restMs)
  }

  close(): void {
    clearTimeout(this.timer)
  }

  private look(): void {
    this.timer = undefined
    const left = this.lastMs + restMs - performance.now()
    if (left > 0 || this.isBusy()) {
      this.timer = this.later(Math.max(left, restMs / 10))
      return
    }
    const isMuch = this.worked >= workMsMin || this.workedSince >= littleMsMax
    this.worked = 0
    if (!isMuch && !this.isRested) return
    this.workedSince = 0
    this.isRested = !this.isRested
    this.rest()
    if (this.isRested) this.timer = this.later(longRestMs)
  }

  /** Nobody waits for a rest: the process may end meanwhile. */
  private later(durationMs: number): NodeJS.Timeout {
    return setTimeout(() => this.look(), durationMs).unref()
  }
}

export const restMs = 1_000
/** V8 lets go of the room for new objects when it collects, if little was allocated in the five seconds before. */
export const longRestMs = 10_000
/** Less than this leaves little behind. */
export const workMsMin = 500
/** So much work by and by leaves something too. A rest costs about a tenth of a second. */
export const littleMsMax = 4 * workMsMin

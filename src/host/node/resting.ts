/**
 * Notices when a time of much work is over. A time of work lasts until nothing was noted for restMs; what was noted in it is
 * added up. Edits now and then are little work, however many they are.
 */
export class Resting {
  private worked = 0
  private lastMs = 0
  private timer: NodeJS.Timeout | undefined

  /** `rest` is called once after each such time. */
  constructor(
    private readonly isBusy: () => boolean,
    private readonly rest: () => void,
  ) {}

  /** A piece of work is done that took so long. */
  note(durationMs: number): void {
    this.worked += durationMs
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
    const { worked } = this
    this.worked = 0
    if (worked >= workMsMin) this.rest()
  }

  /** Nobody waits for a rest: the process may end meanwhile. */
  private later(durationMs: number): NodeJS.Timeout {
    return setTimeout(() => this.look(), durationMs).unref()
  }
}

export const restMs = 1_000
/** Less than this leaves little behind. */
export const workMsMin = 500

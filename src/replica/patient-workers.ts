import type { Clock } from '../host/clock.js'
import type { ApartWorkers, Job, Order, Workers } from '../host/workers.js'
import { ReplicaFailure } from './replica.js'

/**
 * Workers of a root on a file system that may hang. When no job has ended and no call has returned for lateMs, whoever waits
 * is told that the root is not answering, and so is whoever asks until every job is back: what they do then is done, and
 * nobody counts it as anything.
 */
export class PatientWorkers implements Workers {
  private readonly waiting = new Set<(failure: ReplicaFailure) => void>()
  /** Jobs given to a worker and not back. */
  private under = 0
  private ended = 0
  private isLate = false
  private watching: AbortController | undefined
  /** Told when the root begins not to answer. */
  whenLate: (failure: ReplicaFailure) => void = () => {}

  constructor(
    private readonly inner: ApartWorkers,
    private readonly clock: Clock,
    private readonly root: string,
    private readonly lateMs = lateMsUsual,
  ) {}

  get count(): number {
    return this.inner.count
  }

  run<Input, Output>(job: Job<Input, Output>, input: NoInfer<Input>, order: Order, lane?: number): Promise<Output> {
    if (this.isLate) return Promise.reject(this.failure())
    return new Promise<Output>((resolve, reject) => {
      this.waiting.add(reject)
      this.under++
      this.inner
        .run(job, input, order, lane)
        .finally(() => this.back(reject))
        .then(resolve, reject)
      if (this.watching === undefined) void this.watch()
    })
  }

  apart(): ApartWorkers {
    return this.inner.apart()
  }

  close(): Promise<void> {
    return this.inner.close()
  }

  private back(reject: (failure: ReplicaFailure) => void): void {
    this.waiting.delete(reject)
    this.ended++
    if (--this.under > 0) return
    this.isLate = false
    this.watching?.abort()
  }

  /** As long as somebody waits. */
  private async watch(): Promise<void> {
    const watching = new AbortController()
    this.watching = watching
    let progress = this.progress
    let sinceMs = this.clock.now()
    while (!watching.signal.aborted) {
      await this.clock.sleep(this.lateMs / looksEach, watching.signal).catch(() => undefined)
      const now = this.progress
      if (now !== progress) sinceMs = this.clock.now()
      progress = now
      if (this.clock.now() - sinceMs < this.lateMs) continue
      watching.abort()
      if (this.under > 0) this.giveUp()
    }
    // What was asked for in the same moment is watched too.
    this.watching = undefined
    if (this.under > 0 && !this.isLate) void this.watch()
  }

  private get progress(): string {
    return `${this.ended} ${this.inner.beats}`
  }

  private giveUp(): void {
    this.isLate = true
    const failure = this.failure()
    for (const reject of this.waiting) reject(failure)
    this.waiting.clear()
    this.whenLate(failure)
  }

  private failure(): ReplicaFailure {
    return new ReplicaFailure('not-answering', this.root, 'its file system does not answer')
  }
}

/** A call to a healthy server takes no time; one to a server that is being restarted is worth a wait. */
const lateMsUsual = 30_000
/** A wait is looked at so many times. */
const looksEach = 10

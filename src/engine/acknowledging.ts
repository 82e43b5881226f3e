import type { Side } from '../core/side.js'
import type { Clock } from '../host/clock.js'
import type { Replica } from '../replica/replica.js'

/**
 * Batches whose outcomes are in the archive. Their roots hear of it by and by, of several at a time: until then they keep what
 * they would tell to the next life of the pair, which knows by the number of a batch that it need not listen.
 */
export class Acknowledging {
  private readonly settled: Record<Side, number[]> = { alpha: [], beta: [] }
  private waiting: Promise<void> | undefined

  constructor(
    private readonly replicas: Readonly<Record<Side, Replica>>,
    private readonly clock: Clock,
    /** The life of the pair is over: what is not told yet is not told by it. */
    private readonly over: AbortSignal,
    private readonly failed: (error: unknown) => void,
  ) {}

  add(side: Side, batch: number): void {
    this.settled[side].push(batch)
    this.waiting ??= this.later()
  }

  /** Tells them of all. @throws LinkFailure, ReplicaFailure */
  async flush(): Promise<void> {
    for (const side of ['alpha', 'beta'] as const) {
      const batches = this.settled[side].splice(0)
      if (batches.length > 0) await this.replicas[side].acknowledge(batches)
    }
  }

  private async later(): Promise<void> {
    try {
      await this.clock.sleep(acknowledgeMs, this.over)
      this.waiting = undefined
      await this.flush()
    } catch (error) {
      this.failed(error)
    }
  }
}

/** A user who saves every few seconds is told of by one message, and so is a build that writes for minutes. */
const acknowledgeMs = 1_000

import type { Side } from '../core/side.js'
import type { Clock } from '../host/clock.js'
import type { Replica } from '../replica/replica.js'

/**
 * Batches whose outcomes are in the archive. Their roots hear of small ones by and by, of several at a time: until then they keep what
 * they would tell to the next life of the pair, which knows by the number of a batch that it need not listen. Of many outcomes they
 * hear at once: telling them costs the next life a long message.
 */
export class Acknowledging {
  private readonly settled: Record<Side, number[]> = { alpha: [], beta: [] }
  private operations = 0
  private isWaiting = false
  private telling: Promise<void> = Promise.resolve()

  constructor(
    private readonly replicas: Readonly<Record<Side, Replica>>,
    private readonly clock: Clock,
    /** The life of the pair is over: what is not told yet is not told by it. */
    private readonly over: AbortSignal,
    private readonly failed: (error: unknown) => void,
  ) {}

  add(side: Side, batch: number, operations: number): void {
    this.settled[side].push(batch)
    this.operations += operations
    if (this.operations >= operationsMany) void this.flush().catch((error: unknown) => this.failed(error))
    else if (!this.isWaiting) void this.later()
  }

  /** Resolves when they have heard of all. @throws LinkFailure, ReplicaFailure */
  flush(): Promise<void> {
    this.telling = this.telling.then(() => this.tell())
    return this.telling
  }

  private async tell(): Promise<void> {
    this.operations = 0
    for (const side of ['alpha', 'beta'] as const) {
      const batches = this.settled[side].splice(0)
      if (batches.length > 0) await this.replicas[side].acknowledge(batches)
    }
  }

  private async later(): Promise<void> {
    this.isWaiting = true
    try {
      await this.clock.sleep(acknowledgeMs, this.over)
      this.isWaiting = false
      await this.flush()
    } catch (error) {
      this.failed(error)
    }
  }
}

/** What is saved within so much time is acknowledged together. */
const acknowledgeMs = 1_000
/** So many outcomes are many. */
const operationsMany = 100

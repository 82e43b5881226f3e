/**
 * The lanes in which one replica's bytes travel: as many as half of the threads, one where there are two. Every thread that
 * does a kind of work compiles its code for itself and has a young generation to fill with it; that costs more than a
 * further thread gains while the far end of the transfer, the engine and the link need the processors too.
 */
export class TransferLanes {
  /** Counted over the whole process, so that two roots of a pair on one machine begin at different threads. */
  private readonly first = nextReplica++

  /** Of the batch or stream `number`, where there are `threads`. */
  of(number: number, threads: number): number {
    return this.first + (number % Math.max(1, Math.floor(threads / 2)))
  }
}

let nextReplica = 1

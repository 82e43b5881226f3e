import type { Clock, Instant, Random } from '../../src/host/clock.js'
import type { Process } from './process.js'
import type { Dice } from './random.js'

/** Virtual time as one process sees it. A sleep of a dead process never ends. */
export class SimClock implements Clock {
  constructor(
    private readonly process: Process,
    private readonly lateness: Dice,
  ) {}

  now(): Instant {
    return this.process.machine.nowMs()
  }

  wallNs(): bigint {
    return this.process.machine.wallNs()
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    const { process } = this
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason)
      // A timer is never early, and on a busy machine it is late.
      const lateNs = this.lateness.skewed(0, 500_000)
      const task = process.machine.scheduler.after(durationMs * 1e6 + lateNs, `${process.name} wakes`, () => {
        signal?.removeEventListener('abort', abort)
        forget()
        resolve()
      })
      const abort = (): void => {
        task.cancel()
        forget()
        if (!process.dead) reject(signal?.reason)
      }
      signal?.addEventListener('abort', abort, { once: true })
      const forget = process.onEnd(() => task.cancel())
    })
  }
}

export class SimRandom implements Random {
  constructor(private readonly dice: Dice) {}

  bytes(count: number): Uint8Array {
    return this.dice.bytes(count)
  }

  fraction(): number {
    return this.dice.fraction()
  }
}

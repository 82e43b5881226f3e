import type { Clock } from '../../src/host/clock.js'
import type { Compression } from '../../src/host/compression.js'
import { bufferedLowBytes, LinkFailure, type Socket } from '../../src/host/sockets.js'

/** Two ends of a connection in memory: frames are delivered in order, one a turn of the event loop. */
export class WirePair {
  readonly near: PairSocket = new PairSocket(this, 'near:1')
  readonly far: PairSocket = new PairSocket(this, 'far:2')

  otherOf(socket: PairSocket): PairSocket {
    return socket === this.near ? this.far : this.near
  }

  /** The cable is cut: both ends find out. */
  cut(): void {
    for (const socket of [this.near, this.far]) socket.end(new LinkFailure('lost', 'cut'))
  }
}

class PairSocket implements Socket {
  readonly identity = 'laptop'
  /** To be set before the link begins. */
  compression: Compression | undefined
  /** Nothing is delivered to this end while it is set: a far end that does not read. */
  isDeaf = false
  /** What becomes of a frame for this end on its way: of a far end that keeps no rule. */
  bent: (frame: Uint8Array) => readonly Uint8Array[] = (frame) => [frame]
  /** A test may add to it: of a message that is not whole yet. */
  receivedBytes = 0
  /** The most that ever waited here to be sent. */
  highest = 0
  readonly sent: Uint8Array[] = []
  private readonly outgoing: Uint8Array[] = []
  private buffered = 0
  private aboveMark = false
  private on: Parameters<Socket['start']>[0] | undefined
  private ended: LinkFailure | undefined
  private closeReason: string | undefined
  private isRunning = false

  constructor(
    private readonly pair: WirePair,
    readonly remote: string,
  ) {}

  get bufferedBytes(): number {
    return this.buffered
  }

  send(frame: Uint8Array): void {
    if (this.ended !== undefined || this.closeReason !== undefined) return
    this.outgoing.push(frame)
    this.sent.push(frame)
    this.buffered += frame.length
    this.highest = Math.max(this.highest, this.buffered)
    if (this.buffered >= bufferedLowBytes) this.aboveMark = true
    void this.run()
  }

  start(on: Parameters<Socket['start']>[0]): void {
    this.on = on
    void this.pair.otherOf(this).run()
  }

  pause(): void {}

  resume(): void {}

  close(reason: string): void {
    if (this.closeReason !== undefined || this.ended !== undefined) return
    this.closeReason = reason
    void this.run()
  }

  /** Hears again. */
  listen(): void {
    this.isDeaf = false
    void this.pair.otherOf(this).run()
  }

  end(failure: LinkFailure): void {
    if (this.ended !== undefined) return
    this.ended = failure
    const { on } = this
    this.on = undefined
    on?.closed(failure)
  }

  private async run(): Promise<void> {
    if (this.isRunning) return
    this.isRunning = true
    const other = this.pair.otherOf(this)
    for (;;) {
      await turn()
      if (this.ended !== undefined || other.on === undefined || other.isDeaf) break
      const frame = this.outgoing.shift()
      if (frame === undefined) break
      this.buffered -= frame.length
      for (const bent of other.bent(frame)) {
        other.receivedBytes += bent.length
        if (other.closeReason === undefined) other.on?.frame(bent)
      }
      if (this.aboveMark && this.buffered < bufferedLowBytes) {
        this.aboveMark = false
        this.on?.drained()
      }
    }
    this.isRunning = false
    if (this.closeReason === undefined || this.outgoing.length > 0) return
    this.end(new LinkFailure('closed', this.closeReason))
    other.end(new LinkFailure('lost', `closed by the far end: ${this.closeReason}`))
  }
}

/** An agent that describes nothing and invites nobody. */
export const nothingElse = {
  describe: async () => new LinkFailure('unknown-root', 'not here'),
  join: async () => new LinkFailure('denied', 'not here'),
}

/** One turn of the event loop: everything that was ready has run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

/** Turns until the condition holds; a test that waits in vain fails. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 20_000; i++) {
    if (condition()) return
    await turn()
  }
  throw new Error(`in vain: ${what}`)
}

/** Time passes when the test says so. */
export class HandClock implements Clock {
  private time = 0
  /** The machine slept so long in all: only the time of day noticed. */
  sleptMs = 0
  private readonly sleepers = new Set<{ readonly due: number; wake(): void }>()

  now(): number {
    return this.time
  }

  wallNs(): bigint {
    return BigInt(this.time + this.sleptMs) * 1_000_000n
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (durationMs === 0) return turn()
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const sleeper = {
        due: this.time + durationMs,
        wake: () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        },
      }
      const abort = () => {
        this.sleepers.delete(sleeper)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.sleepers.add(sleeper)
    })
  }

  async pass(durationMs: number): Promise<void> {
    this.time += durationMs
    for (const sleeper of [...this.sleepers].sort((one, other) => one.due - other.due)) {
      if (sleeper.due > this.time) break
      this.sleepers.delete(sleeper)
      sleeper.wake()
    }
    await turns(5)
  }
}

import { assert } from '../core/assert.js'

/**
 * What of bulk has been handed to the socket and has not arrived, as far as is known: in our buffers and the kernel's, on the way, and
 * with a far end that has not got to it yet. All a small message has to wait for. Pings among the bulk say what has arrived: who answers
 * one has taken all before it.
 *
 * There is room for twice what the way holds (the best rate of late by the shortest time there and back), so that it is never idle, and
 * for flightBytesLeast: on a short way that is all.
 */
export class Flight {
  private sentBytes = 0
  private arrivedBytes = 0
  /** In the order of their answers. */
  private readonly pings: Ping[] = []
  private pingedBytes = 0
  private shortestMs = Number.POSITIVE_INFINITY
  /** Bytes a millisecond, of the last answers. */
  private readonly rates: number[] = []
  private roomBytes = flightBytesLeast

  /** May a frame of that length go? One that is longer than all the room may go alone. */
  fits(bytes: number): boolean {
    const flying = this.sentBytes - this.arrivedBytes
    return flying === 0 || flying + bytes <= this.roomBytes
  }

  /** A frame of bulk goes. True when a ping has to follow, or nobody would tell that it arrived in time for the next. */
  put(bytes: number): boolean {
    this.sentBytes += bytes
    return this.sentBytes - this.pingedBytes >= pingBytes
  }

  /** A ping goes, for whatever reason. */
  ping(nowMs: number): void {
    this.pings.push({ sentMs: nowMs, sentBytes: this.sentBytes, arrivedBytes: this.arrivedBytes })
    this.pingedBytes = this.sentBytes
  }

  /** An answer came; one that nobody asked for says nothing. */
  pong(nowMs: number): void {
    const ping = this.pings.shift()
    if (ping === undefined) return
    assert(ping.sentBytes >= this.arrivedBytes, 'pings are answered in order')
    this.arrivedBytes = ping.sentBytes
    const tookMs = Math.max(nowMs - ping.sentMs, tookMsLeast)
    this.shortestMs = Math.min(this.shortestMs, tookMs)
    this.rates.push((this.arrivedBytes - ping.arrivedBytes) / tookMs)
    if (this.rates.length > ratesMax) this.rates.shift()
    this.roomBytes = Math.max(flightBytesLeast, 2 * this.shortestMs * Math.max(...this.rates))
  }
}

interface Ping {
  readonly sentMs: number
  /** What had been sent, and had arrived, by then. */
  readonly sentBytes: number
  readonly arrivedBytes: number
}

/** Two packs: while one is taken in the next is on its way. At 250 MB/s this is two milliseconds. */
export const flightBytesLeast = 640 * 1024
/** Bulk between two pings. */
const pingBytes = 128 * 1024
/** Answers whose rates count. */
const ratesMax = 16
/** No clock is better, and a simulated way takes no time. */
const tookMsLeast = 0.05

import { assert } from '../core/assert.js'
import { BadPath } from '../core/path.js'
import type { Clock } from '../host/clock.js'
import { bufferedLowBytes, frameBytesMax, type LinkCode, LinkFailure, type Socket } from '../host/sockets.js'
import { sleepAwake } from '../host/wake.js'
import { Malformed } from '../wire/bytes.js'
import type { Role, Speaker } from '../wire/hello.js'
import { decode, encode, type Message } from '../wire/message.js'
import { answerTo, checkWelcome, helloOf, type Self } from './greeting.js'
import type { Rate } from './rate.js'
import { Shortening } from './shortening.js'
import type { Window } from './window.js'

export interface LinkEnd {
  /**
   * One message of the far end, after the greeting, in order. `sizeBytes` is the length of its frame.
   * @throws LinkFailure 'protocol' when it has no place here: the link is then closed with it
   */
  message(message: Message, sizeBytes: number): void
  /** A heartbeat of a link that lives, at which nothing waited here to be sent: about beatMs after the one before. */
  beat?(): void
  /** The link is over; called once, last. */
  closed(failure: LinkFailure): void
}

/**
 * The session on a socket, the same at both ends: greeting, messages, heartbeats, and the order of what goes out. Whatever
 * the far end does ends this link at worst.
 *
 * Small messages go out at once. Bulk waits until the socket has little to send, so that what is small never waits behind
 * much, and until the window of its stream has room. It may travel shorter; whatever comes is delivered in order all the same.
 */
export class Link {
  /** What the far end said of itself. Rejects with the LinkFailure that ended the link before. */
  readonly greeted: Promise<Speaker>
  private greet: { resolve(far: Speaker): void; reject(failure: LinkFailure): void } | undefined
  private ended: LinkFailure | undefined
  /** Of what has come and gone at the last heartbeat, and whether anything was said since. */
  private receivedBefore = 0
  private hasSpoken = false
  private isSlowed = false
  private isFull = false
  private isPaused = false
  private readonly shortening: Shortening
  /** What waits for a frame before it to be restored; the first is that frame. */
  private readonly arrived: Arrived[] = []
  private arrivedBytes = 0
  private isRestoring = false
  private readonly ending = new AbortController()
  private readonly bulkQueue: Waiting[] = []
  /** Of what waits, bytes of files: whatever else is long goes before them, for somebody waits for it. */
  private readonly packQueue: Waiting[] = []

  constructor(
    private readonly socket: Socket,
    private readonly clock: Clock,
    private readonly self: Self,
    private readonly role: Role,
    private readonly end: LinkEnd,
    /** What slows it down: bulk waits, and so does reading. */
    private readonly rate?: Rate | undefined,
  ) {
    this.greeted = new Promise((resolve, reject) => {
      this.greet = { resolve, reject }
    })
    this.shortening = new Shortening(socket.compression)
    // Who only listens for `closed` need not look at it.
    this.greeted.catch(() => undefined)
  }

  /** Why the link is over, or undefined while it lives. */
  get failure(): LinkFailure | undefined {
    return this.ended
  }

  get remote(): string {
    return this.socket.remote
  }

  get identity(): string {
    return this.socket.identity
  }

  start(): void {
    this.socket.start({
      frame: (bytes) => this.frame(bytes),
      drained: () => this.release(),
      closed: (failure) => this.finish(failure),
    })
    if (this.role === 'lead') this.send(helloOf(this.self, this.socket.identity, this.shortening.features))
    void this.awaitGreeting()
    void this.beat()
  }

  /** A small message: out at once, whatever waits. Nothing when the link is over. */
  send(message: Message): void {
    if (this.ended !== undefined) return
    if (this.socket.bufferedBytes > outgoingBytesMax) this.fail('protocol', 'it does not read what it asks for')
    else this.put(encode(message))
  }

  /**
   * Resolves when the message has been handed to the socket, with the length of its frame taken out of the windows.
   * @throws LinkFailure when the link is over
   */
  async bulk(message: Message, ...windows: readonly Window[]): Promise<void> {
    const whole = encode(message)
    for (const window of windows) await window.take(whole.length)
    const frame = this.shortening.isOn ? await this.shortening.outgoing(whole) : whole
    if (this.rate !== undefined) await this.inTime(this.rate)
    if (this.ended !== undefined) throw this.ended
    const isPack = message.kind === 'pack' || message.kind === 'stage'
    const isNext = this.bulkQueue.length === 0 && (!isPack || this.packQueue.length === 0)
    if (isNext && this.socket.bufferedBytes < bufferedLowBytes) return this.put(frame)
    const queue = isPack ? this.packQueue : this.bulkQueue
    await new Promise<void>((resolve, reject) => queue.push({ frame, resolve, reject }))
  }

  /** Ends the link from here; the far end is told the code and the detail. */
  fail(code: LinkCode, detail: string): void {
    this.refuse(new LinkFailure(code, `${this.socket.remote}: ${detail}`))
  }

  /** Ends the link from here, in order. */
  close(reason: string): void {
    this.finish(new LinkFailure('closed', `${this.socket.remote}: closed here: ${reason}`), reason)
  }

  private frame(bytes: Uint8Array): void {
    if (this.ended !== undefined) return
    if (this.rate !== undefined) this.slowDown(this.rate, bytes.length)
    try {
      const message = decode(bytes)
      if (message.kind === 'shortened' || this.arrived.length > 0) this.wait(message, bytes.length)
      else this.take(message, bytes.length)
    } catch (error) {
      this.refuseFor(error)
    }
  }

  /** What the far end did ends the link. @throws what it did not do */
  private refuseFor(error: unknown): void {
    if (error instanceof Malformed || error instanceof BadPath)
      this.fail('protocol', error.message.slice(0, detailCharsMax))
    else if (error instanceof LinkFailure) this.refuse(error)
    else throw error
  }

  private wait(message: Message, sizeBytes: number): void {
    if (this.greet !== undefined) throw new LinkFailure('protocol', `${message.kind} where a greeting belongs`)
    this.arrived.push({ message, sizeBytes })
    this.arrivedBytes += sizeBytes
    this.isFull = this.arrivedBytes > arrivedBytesMax
    this.steer()
    if (!this.isRestoring) void this.restore()
  }

  /** Until nothing waits any more. */
  private async restore(): Promise<void> {
    this.isRestoring = true
    for (let next = this.arrived[0]; next !== undefined && this.ended === undefined; next = this.arrived[0]) {
      const { message, sizeBytes } = next
      try {
        if (message.kind === 'shortened') {
          const whole = await this.shortening.restored(message)
          if (this.ended !== undefined) return
          const inner = decode(whole)
          if (inner.kind === 'shortened') throw new LinkFailure('protocol', 'a frame shortened twice')
          this.take(inner, whole.length)
        } else this.take(message, sizeBytes)
      } catch (error) {
        this.refuseFor(error)
        return
      }
      this.arrived.shift()
      this.arrivedBytes -= sizeBytes
      this.isFull &&= this.arrivedBytes > arrivedBytesMax
      this.steer()
    }
    this.isRestoring = false
  }

  private take(message: Message, sizeBytes: number): void {
    if (message.kind === 'refuse')
      this.finish(new LinkFailure(linkCode(message.code), `${this.socket.remote}: ${message.detail}`))
    else if (this.greet !== undefined) this.hear(message)
    else if (message.kind === 'ping') this.send({ kind: 'pong' })
    else if (message.kind === 'hello' || message.kind === 'welcome')
      throw new LinkFailure('protocol', 'a second greeting')
    else if (message.kind !== 'pong') this.end.message(message, sizeBytes)
  }

  private hear(message: Message): void {
    if (message.kind === 'hello' && this.role === 'peer')
      this.send(answerTo(message, this.self, this.socket.identity, this.shortening.features))
    else if (message.kind === 'welcome' && this.role === 'lead') checkWelcome(message, this.self, this.socket.identity)
    else throw new LinkFailure('protocol', `${message.kind} where a greeting belongs`)
    this.shortening.agree(message.features)
    this.greet?.resolve(message)
    this.greet = undefined
  }

  private put(frame: Uint8Array): void {
    assert(frame.length <= frameBytesMax, `a frame of ${frame.length} bytes`)
    this.rate?.note(frame.length)
    this.hasSpoken = true
    this.socket.send(frame)
  }

  /** Waits until bulk may go; nothing is said of the end of the link, which the caller looks for. */
  private async inTime(rate: Rate): Promise<void> {
    await rate.ready(this.ending.signal).catch((error: unknown) => {
      if (!this.ending.signal.aborted) throw error
    })
  }

  /** Reads no more until what came is paid for: the far end is held up by the network itself. */
  private slowDown(rate: Rate, bytes: number): void {
    rate.note(bytes)
    if (this.isSlowed || !rate.isBehind) return
    this.isSlowed = true
    this.steer()
    void this.inTime(rate).then(() => {
      this.isSlowed = false
      this.steer()
    })
  }

  /** Reads, or does not for now. */
  private steer(): void {
    const pauses = this.isSlowed || this.isFull
    if (pauses === this.isPaused) return
    this.isPaused = pauses
    if (pauses) this.socket.pause()
    else this.socket.resume()
  }

  /** Lets bulk go while the socket has little to send. */
  private release(): void {
    while (this.ended === undefined && this.socket.bufferedBytes < bufferedLowBytes) {
      const next = this.bulkQueue.shift() ?? this.packQueue.shift()
      if (next === undefined) return
      this.put(next.frame)
      next.resolve()
    }
  }

  private async awaitGreeting(): Promise<void> {
    if (await this.isOverAfter(greetingMs)) return
    if (this.greet !== undefined) this.fail('timed-out', 'no greeting in time')
  }

  private async beat(): Promise<void> {
    for (let silent = 0; ; ) {
      const slept = await this.sleptWithin(beatMs)
      if (this.ended !== undefined) return
      if (slept && this.greet === undefined) {
        this.takeHeard()
        this.send({ kind: 'ping' })
        if (await this.isOverAfter(wakeMs)) return
        // What has arrived is read before it is judged.
        if (await this.isOverAfter(0)) return
        if (this.socket.receivedBytes === this.receivedBefore)
          return this.fail('timed-out', 'no answer after the machine slept')
      }
      const hasSpoken = this.hasSpoken
      const isDrained = this.socket.bufferedBytes === 0 && !this.isPaused
      const heardBytes = this.takeHeard()
      // Beats are counted, not time: after a pause of this whole process the far end gets its chance to be heard.
      // Who is not read cannot be heard.
      silent = heardBytes > 0 || this.isPaused ? 0 : silent + 1
      if (silent >= silentBeatsMax) return this.fail('timed-out', `nothing heard for ${(silent * beatMs) / 1_000} s`)
      // Who is heard need not be asked, but has to hear something from who does not read. The lead asks first: one is enough.
      const asksAfter = this.role === 'lead' ? 1 : 2
      if ((silent >= asksAfter || this.isPaused) && this.greet === undefined) this.send({ kind: 'ping' })
      // Its own question may wait behind what it sends, on a slow line for minutes: it is told unasked that it is heard.
      else if (heardBytes > pulseBytesMax && !hasSpoken && this.greet === undefined) this.send({ kind: 'pong' })
      // What a beat says itself is no reason to leave out the next one.
      this.hasSpoken = false
      if (isDrained && this.greet === undefined) this.end.beat?.()
      this.release()
    }
  }

  /** Bytes that came since it was last asked; from here on nothing was said either. */
  private takeHeard(): number {
    const { receivedBytes } = this.socket
    const heardBytes = receivedBytes - this.receivedBefore
    this.receivedBefore = receivedBytes
    this.hasSpoken = false
    return heardBytes
  }

  /** Waits; true, and early, when the machine slept meanwhile. */
  private async sleptWithin(durationMs: number): Promise<boolean> {
    try {
      return await sleepAwake(this.clock, durationMs, this.ending.signal)
    } catch (error) {
      if (!this.ending.signal.aborted) throw error
      return false
    }
  }

  private async isOverAfter(durationMs: number): Promise<boolean> {
    try {
      await this.clock.sleep(durationMs, this.ending.signal)
    } catch (error) {
      if (!this.ending.signal.aborted) throw error
    }
    return this.ended !== undefined
  }

  private refuse(failure: LinkFailure): void {
    if (this.ended !== undefined) return
    this.put(encode({ kind: 'refuse', code: failure.code, detail: failure.message }))
    this.finish(failure)
  }

  private finish(failure: LinkFailure, reason: string = failure.code): void {
    if (this.ended !== undefined) return
    this.ended = failure
    this.ending.abort()
    this.socket.close(reason)
    for (const { reject } of [...this.bulkQueue.splice(0), ...this.packQueue.splice(0)]) reject(failure)
    this.greet?.reject(failure)
    this.greet = undefined
    this.end.closed(failure)
  }
}

interface Arrived {
  readonly message: Message
  readonly sizeBytes: number
}

interface Waiting {
  readonly frame: Uint8Array
  resolve(): void
  reject(failure: LinkFailure): void
}

/** From the open socket to the far end's greeting. */
const greetingMs = 10_000
/** Between two heartbeats. */
export const beatMs = 3_500
/** Heartbeats without a word from the far end, after which it is dead: 14 s at most, for the first word counts for a whole one. */
const silentBeatsMax = 3
/** The pings and pongs of one beat, framed. More than that is something else, of which its sender hears. */
const pulseBytesMax = 64
/** What a far end has for an answer after this machine slept; most connections are gone then, and nobody says so. */
const wakeMs = 1_000
/** What may wait in the socket before a far end that asks and does not read is cut off. */
const outgoingBytesMax = 16 << 20
/** What may wait for a frame to be restored before nothing more is read. */
const arrivedBytesMax = 1 << 20
/** Of a breach that is told. */
const detailCharsMax = 200

/** Bytes of packs without credit, of each direction of a link. */
export const linkWindowBytes = 8 << 20
/** Likewise of one stream: one supply, or the changes. */
export const streamWindowBytes = 4 << 20
/** Requests under way on a link; the one that closes it may be one more. */
export const requestsMax = 64
/** Paths, operations, wants or batches of one request. */
export const itemsMax = 20_000
/**
 * What the requests under way on a link may cost together: their frames, and what each item takes in memory beside them. One
 * request alone may cost more.
 */
export const requestCostMax = 16 << 20
export const itemCostBytes = 400
/** What the outcomes may cost that a peer tells of when a root is opened, reckoned likewise: the last ones. */
export const pastCostMax = 32 << 20

const linkCodes: readonly string[] = [
  'timed-out',
  'protocol',
  'version',
  'closed',
  'denied',
  'unknown-root',
  'root-in-doubt',
  'root-busy',
] satisfies readonly LinkCode[]

/** A code that the far end may give; 'protocol' for any other. */
export function linkCode(code: string): LinkCode {
  return isLinkCode(code) ? code : 'protocol'
}

function isLinkCode(code: string): code is LinkCode {
  return linkCodes.includes(code)
}

import { connect, createServer, type Server, type Socket } from 'node:net'

/** How a line is: what a message takes one way, and what goes through in a second, each way. */
export interface Line {
  readonly delayMs: number
  readonly bytesPerSecond: number
}

const perfect: Line = { delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY }

/**
 * Stands between two agents: passes on what they say, counts it, and can be a slow line, be cut, or fall silent.
 *
 * What is on the line is at most its bandwidth times its delay, and a router's queue before it: who sends more is not read, so that
 * it waits in the kernel of the sender as it would with a real line.
 */
export class Relay {
  /** Passed on so far, of both directions. */
  bytes = 0
  line = perfect
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private isCut = false
  private isSilent = false
  private bytesMax = Number.POSITIVE_INFINITY

  private constructor(private target: number) {
    this.server = createServer((near) => this.take(near))
  }

  /** In front of a port of this machine; it is reached at `host`. */
  static async to(target: number, line: Line = perfect, host = '127.0.0.1'): Promise<Relay> {
    const relay = new Relay(target)
    relay.line = line
    await new Promise<void>((resolve) => relay.server.listen(0, host, resolve))
    return relay
  }

  get port(): number {
    const address = this.server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Nothing gets through any more, and nothing new is taken: everybody is told at once. */
  cut(): void {
    this.isCut = true
    for (const socket of this.sockets) socket.resetAndDestroy()
  }

  /** Nothing gets through any more, and nobody is told: not on the connections that are there, nor on new ones. */
  fallSilent(): void {
    this.isSilent = true
  }

  /** The same once it has passed on so many bytes in all. */
  fallSilentAfter(bytes: number): void {
    this.bytesMax = bytes
  }

  /** From now on to that port. What fell silent stays so: its ends find out by themselves. */
  mend(target: number = this.target): void {
    this.target = target
    this.isCut = false
    if (this.isSilent) for (const socket of this.sockets) lost.add(socket)
    this.isSilent = false
    this.bytesMax = Number.POSITIVE_INFINITY
  }

  close(): void {
    this.cut()
    this.server.close()
  }

  private take(near: Socket): void {
    if (this.isCut) {
      near.resetAndDestroy()
      return
    }
    this.sockets.add(near)
    near.on('close', () => this.sockets.delete(near))
    if (this.isSilent) {
      near.on('error', () => {})
      return
    }
    const far = connect(this.target, '127.0.0.1')
    this.sockets.add(far)
    far.on('close', () => this.sockets.delete(far))
    this.carry(near, far)
    this.carry(far, near)
  }

  private carry(from: Socket, to: Socket): void {
    from.setNoDelay(true)
    const underWay: { readonly data: Buffer; readonly dueMs: number }[] = []
    /** When the line has room for the next byte. */
    let freeMs = 0
    let bytes = 0
    let hasEnded = false
    const isDead = () => this.isSilent || lost.has(from)
    const holds = () => (this.line.bytesPerSecond * (this.line.delayMs + queueMs)) / 1_000
    const arrive = () => {
      for (let next = underWay[0]; next !== undefined; next = underWay[0]) {
        const leftMs = next.dueMs - performance.now()
        if (leftMs > 0) {
          setTimeout(arrive, Math.ceil(leftMs))
          break
        }
        underWay.shift()
        bytes -= next.data.length
        if (!isDead()) to.write(next.data)
      }
      if (bytes <= holds()) from.resume()
      if (hasEnded && underWay.length === 0 && !isDead()) to.destroy()
    }
    from.on('data', (data: Buffer) => {
      if (isDead()) return
      this.bytes += data.length
      if (this.bytes > this.bytesMax) return this.fallSilent()
      const nowMs = performance.now()
      freeMs = Math.max(nowMs, freeMs) + (data.length / this.line.bytesPerSecond) * 1_000
      underWay.push({ data, dueMs: freeMs + this.line.delayMs })
      bytes += data.length
      if (bytes > holds()) from.pause()
      if (underWay.length === 1) arrive()
    })
    from.on('error', () => {})
    from.on('close', () => {
      hasEnded = true
      if (underWay.length === 0) arrive()
    })
  }
}

/** Connections that fell silent, for good. */
const lost = new WeakSet<Socket>()
/** What a router keeps of a line that is full. */
const queueMs = 100

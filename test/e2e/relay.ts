import { connect, createServer, type Server, type Socket } from 'node:net'

/** Stands between two agents: passes on what they say, counts it, and can be cut. */
export class Relay {
  /** Passed on so far, of both directions. */
  bytes = 0
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private isCut = false

  private constructor(private target: number) {
    this.server = createServer((near) => this.take(near))
  }

  /** In front of a port of this machine. */
  static async to(target: number): Promise<Relay> {
    const relay = new Relay(target)
    await new Promise<void>((resolve) => relay.server.listen(0, '127.0.0.1', resolve))
    return relay
  }

  get port(): number {
    const address = this.server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Nothing gets through any more, and nothing new is taken. */
  cut(): void {
    this.isCut = true
    for (const socket of this.sockets) socket.destroy()
  }

  /** From now on to that port. */
  mend(target: number = this.target): void {
    this.target = target
    this.isCut = false
  }

  close(): void {
    this.cut()
    this.server.close()
  }

  private take(near: Socket): void {
    if (this.isCut) {
      near.destroy()
      return
    }
    const far = connect(this.target, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(one)
      one.on('data', (data: Buffer) => {
        this.bytes += data.length
        other.write(data)
      })
      one.on('error', () => other.destroy())
      one.on('close', () => {
        this.sockets.delete(one)
        other.destroy()
      })
    }
  }
}

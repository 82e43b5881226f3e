import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import type { Compression } from '../compression.js'
import { bufferedLowBytes, frameBytesMax, LinkFailure, type Refused, type Socket } from '../sockets.js'
import { nodeCompression } from './compression.js'
import { websocketFault } from './link-fault.js'
import type { WaitingRoom } from './waiting-room.js'

/** The request of every link is the same one: anything else is not a link. */
const websocketHost = 'tandem'
const websocketPath = '/tandem'
/** How long a closing handshake may take before the connection is cut. */
const closeMs = 2_000

/** What a carrier knows of a link. */
export interface Way {
  readonly identity: string
  /** For messages. */
  readonly remote: string
  /** It stays within this machine, or is shortened by what carries it: there is nothing to be gained by shorter frames. */
  readonly isShort: boolean
}

/** The near end of a link over a connected stream. `failed` gets what went wrong before it was open. */
export function openWebsocket(
  stream: Duplex,
  { identity, remote, isShort }: Way,
  opened: (socket: Socket) => void,
  failed: (error: Error) => void,
): void {
  const web = new WebSocket(`ws://${websocketHost}${websocketPath}`, {
    createConnection: () => stream,
    perMessageDeflate: false,
    maxPayload: frameBytesMax,
    autoPong: false,
    // It is encrypted already, or never leaves the machine: a mask of zeros spares the copy.
    generateMask: (mask: Buffer) => mask.fill(0),
  })
  web.on('error', failed)
  web.once('open', () => {
    web.off('error', failed)
    opened(new WebsocketSocket(identity, remote, web, stream, isShort ? undefined : nodeCompression()))
  })
}

export interface Guests {
  readonly waiting: WaitingRoom
  /** The name of a connection, for messages and for the waiting room. */
  guestOf(stream: object): string
  /** Who it is, once that is known. */
  identityOf(stream: object): string | undefined
  accept(socket: Socket): void
  readonly refused: Refused
}

/** Lets those in who ask a server for a link, once they are known; everybody else is put out. */
export function admit(server: Server, { waiting, guestOf, identityOf, accept, refused }: Guests): void {
  const websockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: frameBytesMax,
    autoPong: false,
  })
  const refuse = (stream: Duplex, why: string) => {
    const guest = guestOf(stream)
    if (waiting.leave(guest)) refused(new LinkFailure('protocol', `${guest}: ${why}`), guest)
    stream.destroy()
  }
  server.on('request', (request) => refuse(request.socket, 'not a websocket request'))
  server.on('upgrade', (request, stream, head) => {
    const guest = guestOf(request.socket)
    const identity = identityOf(stream)
    if (identity === undefined || !isOurRequest(request)) return refuse(stream, 'not a request for a link')
    websockets.handleUpgrade(request, request.socket, head, (web) => {
      waiting.leave(guest)
      accept(new WebsocketSocket(identity, guest, web, request.socket, nodeCompression()))
    })
  })
}

/** A web page can come as far as this machine, but it cannot leave out its origin or take our name for its own. */
function isOurRequest({ method, url, headers }: IncomingMessage): boolean {
  return method === 'GET' && url === websocketPath && headers.host === websocketHost && headers.origin === undefined
}

/** A websocket that is open, not read from until start. */
export class WebsocketSocket implements Socket {
  private on: Parameters<Socket['start']>[0] | undefined
  /** Frames that ws had already taken from the network when it was paused: at most what one read of it holds. */
  private readonly waiting: Uint8Array[] = []
  private paused = false
  private delivering = false
  private gathering = false
  private aboveMark = false
  private received = 0
  private closedBy: string | undefined
  private fault: LinkFailure | undefined
  private ended: LinkFailure | undefined

  constructor(
    readonly identity: string,
    readonly remote: string,
    private readonly web: WebSocket,
    /** What carries it. */
    private readonly stream: Duplex,
    readonly compression: Compression | undefined,
  ) {
    web.pause()
    // Beside ws, which tells of whole messages only: one of them may take a slow line minutes. Not every stream counts for itself.
    stream.on('data', (bytes: Uint8Array) => {
      this.received += bytes.length
    })
    web.on('message', (data, isBinary) => this.arrived(data, isBinary))
    web.on('error', (error) => {
      this.fault ??= websocketFault(error, remote)
      // A far end that breaks the framing may not answer the closing handshake either.
      this.cutLater()
    })
    web.on('close', (code, reason) => {
      this.ended = this.endOf(code, reason.toString())
      this.deliver()
    })
  }

  get receivedBytes(): number {
    return this.received
  }

  get bufferedBytes(): number {
    return this.web.bufferedAmount
  }

  send(frame: Uint8Array): void {
    if (this.closedBy !== undefined || this.web.readyState !== this.web.OPEN) return
    this.gather()
    this.web.send(frame, { binary: true, compress: false }, this.sent)
    if (this.web.bufferedAmount >= bufferedLowBytes) this.aboveMark = true
  }

  start(on: Parameters<Socket['start']>[0]): void {
    this.on = on
    this.read()
  }

  pause(): void {
    this.paused = true
    this.web.pause()
  }

  resume(): void {
    this.paused = false
    if (this.on !== undefined) this.read()
  }

  close(reason: string): void {
    if (this.closedBy !== undefined || this.ended !== undefined) return
    this.closedBy = reason
    this.waiting.length = 0
    this.web.close(1000, reason.replace(/[^\x20-\x7e]/g, '?').slice(0, reasonCharsMax))
    // The answer to the closing frame is only seen by who reads.
    this.web.resume()
    this.cutLater()
  }

  /** What is sent in one turn leaves in one piece: each piece costs a call and a record here, and wakes the far end. */
  private gather(): void {
    if (this.gathering) return
    this.gathering = true
    this.stream.cork()
    process.nextTick(() => {
      this.gathering = false
      this.stream.uncork()
    })
  }

  private readonly sent = (): void => {
    if (!this.aboveMark || this.web.bufferedAmount >= bufferedLowBytes) return
    this.aboveMark = false
    this.on?.drained()
  }

  private arrived(data: unknown, isBinary: boolean): void {
    if (this.closedBy !== undefined || this.fault !== undefined) return
    if (!isBinary || !(data instanceof Uint8Array)) {
      this.fault = new LinkFailure('protocol', `${this.remote}: a text message`)
      this.web.close(1003)
      this.cutLater()
      return
    }
    this.waiting.push(data)
    this.deliver()
  }

  private read(): void {
    this.deliver()
    if (!this.paused) this.web.resume()
  }

  private deliver(): void {
    if (this.on === undefined || this.delivering) return
    this.delivering = true
    try {
      while (!this.paused || this.ended !== undefined) {
        const frame = this.waiting.shift()
        if (frame === undefined) break
        this.on.frame(frame)
      }
    } finally {
      this.delivering = false
    }
    if (this.ended === undefined || this.waiting.length > 0) return
    const on = this.on
    this.on = undefined
    on.closed(this.ended)
  }

  private endOf(code: number, reason: string): LinkFailure {
    if (this.closedBy !== undefined) return new LinkFailure('closed', `${this.remote}: closed here: ${this.closedBy}`)
    if (this.fault !== undefined) return this.fault
    if (code === 1000) return new LinkFailure('lost', `${this.remote}: closed by the far end: ${reason}`)
    if (code === 1006) return new LinkFailure('lost', `${this.remote}: the connection ended`)
    return new LinkFailure('protocol', `${this.remote}: closed by the far end with ${code} ${reason}`)
  }

  private cutLater(): void {
    const timer = setTimeout(() => this.web.terminate(), closeMs)
    this.web.once('close', () => clearTimeout(timer))
  }
}

/** A close reason of the protocol, in characters. */
const reasonCharsMax = 64

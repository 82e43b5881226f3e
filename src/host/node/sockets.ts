import { constants } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { WebSocket, WebSocketServer } from 'ws'
import {
  bufferedLowBytes,
  type Endpoint,
  frameBytesMax,
  LinkFailure,
  type Listener,
  type Secret,
  type Socket,
  type Sockets,
} from '../sockets.js'
import { connectFault, handshakeFault, listenFault, websocketFault } from './link-fault.js'
import { WaitingRoom } from './waiting-room.js'

/**
 * Websockets over TLS 1.3 with an external PSK, and no certificate on either side (RFC 8446, RFC 9257). The PSK identity
 * in the ClientHello is the peer's name with the role of its sender before it, so that a key has one direction.
 * `deadlineMs`: from accept or connect to an open websocket.
 */
export function nodeSockets({ deadlineMs = 10_000 }: { deadlineMs?: number } = {}): Sockets {
  return {
    connect: (endpoint, secret, signal) => connect(endpoint, secret, signal, deadlineMs),
    listen: (endpoint, secretOf, accept, refused) => listen(endpoint, secretOf, accept, refused, deadlineMs),
  }
}

/** Only the suites whose hash is SHA-256, to which an external PSK is bound. */
const channel = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256' } as const
/** What stands before the peer's name in the PSK identity of a connecting agent. */
const rolePrefix = 'tandem-1/lead/'
/** OpenSSL takes 256 bytes; this leaves room for the role. */
const identityBytesMax = 200
/** The request of every link is the same one: anything else is not a link. */
const websocketHost = 'tandem'
const websocketPath = '/tandem'
/** How long a closing handshake may take before the connection is cut. */
const closeMs = 2_000
/** TCP asks a silent far end whether it is there; the heartbeats of the link are quicker. */
const keepAliveMs = 15_000
/** Authenticated connections of one listener, at most. */
const connectionsMax = 1_024

function connect(endpoint: Endpoint, secret: Secret, signal: AbortSignal, deadlineMs: number): Promise<Socket> {
  const target = spoken(endpoint)
  const identity = rolePrefix + secret.identity
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(givenUp(target))
    if (Buffer.byteLength(identity) > identityBytesMax)
      return reject(new LinkFailure('unknown-peer', `a name of more than ${identityBytesMax} bytes`))
    const stream = connectTls({
      host: endpoint.host,
      port: endpoint.port,
      ...channel,
      pskCallback: () => ({ psk: secret.key, identity }),
      // Never called by a PSK handshake: whoever shows a certificate instead is a stranger, even with one that is trusted.
      checkServerIdentity: () => new Error('the far end shows a certificate instead of the key'),
    })
    const settle = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
    const fail = (failure: LinkFailure) => {
      settle()
      stream.destroy()
      reject(failure)
    }
    const abort = () => fail(givenUp(target))
    const timer = setTimeout(() => fail(new LinkFailure('timed-out', `${target}: no answer in time`)), deadlineMs)
    signal.addEventListener('abort', abort, { once: true })
    stream.on('error', (error) => fail(connectFault(error, target)))
    stream.once('secureConnect', () => {
      tune(stream)
      const web = new WebSocket(`ws://${websocketHost}${websocketPath}`, {
        createConnection: () => stream,
        perMessageDeflate: false,
        maxPayload: frameBytesMax,
        autoPong: false,
        // TLS has encrypted it already: a mask of zeros spares the copy.
        generateMask: (mask) => mask.fill(0),
      })
      web.on('error', (error) => fail(connectFault(error, target)))
      web.once('open', () => {
        settle()
        resolve(new WebsocketSocket(secret.identity, remoteOf(stream), web))
      })
    })
  })
}

function listen(
  endpoint: Endpoint,
  secretOf: (identity: string) => Uint8Array | undefined,
  accept: (socket: Socket) => void,
  refused: (failure: LinkFailure) => void,
  deadlineMs: number,
): Promise<Listener> {
  const waiting = new WaitingRoom(deadlineMs, refused)
  /** The name that each connection gave, and whether there is a key for it. */
  const named = new WeakMap<object, { readonly identity: string; readonly known: boolean }>()
  const websockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: frameBytesMax,
    autoPong: false,
  })
  const server = createServer({
    ...channel,
    // No tickets: a session resumed with one would outlive the key that it was made with.
    secureOptions: constants.SSL_OP_NO_TICKET,
    // The waiting room has the deadline.
    handshakeTimeout: 2 * deadlineMs,
    maxHeaderSize: 4_096,
    pskCallback: (stream, text) => {
      const identity = text.startsWith(rolePrefix) ? text.slice(rolePrefix.length) : undefined
      const key = identity === undefined ? undefined : secretOf(identity)
      named.set(stream, { identity: identity ?? '', known: key !== undefined })
      // The type of Node 20 asks for a view; null refuses, as its documentation says.
      return key ?? null
    },
  })
  server.maxConnections = connectionsMax
  const refuse = (stream: Duplex, guest: string, failure: LinkFailure) => {
    if (waiting.leave(guest)) refused(failure)
    stream.destroy()
  }

  server.on('connection', (raw) => waiting.enter(remoteOf(raw), raw))
  // A failed handshake, or what is not HTTP.
  server.on('clientError', (error: Error, stream) => {
    const guest = remoteOf(stream)
    refuse(stream, guest, handshakeFault(error, guest, named.get(stream)?.known))
  })
  server.on('request', (request) => {
    const guest = remoteOf(request.socket)
    refuse(request.socket, guest, new LinkFailure('protocol', `${guest}: not a websocket request`))
  })
  server.on('upgrade', (request, stream, head) => {
    const guest = remoteOf(request.socket)
    const who = named.get(stream)
    if (who === undefined || !isOurRequest(request))
      return refuse(stream, guest, new LinkFailure('protocol', `${guest}: not a request for a link`))
    websockets.handleUpgrade(request, request.socket, head, (web) => {
      waiting.leave(guest)
      tune(request.socket)
      accept(new WebsocketSocket(who.identity, guest, web))
    })
  })

  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(listenFault(error, spoken(endpoint)))
    server.once('error', fail)
    server.listen({ host: endpoint.host, port: endpoint.port }, () => {
      server.off('error', fail)
      server.on('error', (error) => refused(new LinkFailure('lost', `${spoken(endpoint)}: ${error.message}`, error)))
      const bound = server.address()
      const port = bound !== null && typeof bound === 'object' ? bound.port : endpoint.port
      resolve({
        endpoint: { host: endpoint.host, port },
        // Accepted sockets belong to whoever accepted them: only listening ends here.
        async close() {
          server.close()
          waiting.close()
        },
      })
    })
  })
}

function isOurRequest(request: IncomingMessage): boolean {
  return request.method === 'GET' && request.url === websocketPath && request.headers.host === websocketHost
}

/** A websocket that is open, not read from until start. */
class WebsocketSocket implements Socket {
  private on: Parameters<Socket['start']>[0] | undefined
  /** Frames that ws had already taken from the network when it was paused: at most what one read of it holds. */
  private readonly waiting: Uint8Array[] = []
  private paused = false
  private delivering = false
  private aboveMark = false
  private closedBy: string | undefined
  private fault: LinkFailure | undefined
  private ended: LinkFailure | undefined

  constructor(
    readonly identity: string,
    readonly remote: string,
    private readonly web: WebSocket,
  ) {
    web.pause()
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

  get bufferedBytes(): number {
    return this.web.bufferedAmount
  }

  send(frame: Uint8Array): void {
    if (this.closedBy !== undefined || this.web.readyState !== this.web.OPEN) return
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

function tune(stream: { setNoDelay(on: boolean): unknown; setKeepAlive(on: boolean, ms: number): unknown }): void {
  stream.setNoDelay(true)
  stream.setKeepAlive(true, keepAliveMs)
}

function givenUp(target: string): LinkFailure {
  return new LinkFailure('closed', `${target}: the attempt was given up`)
}

function spoken({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** 'address:port' of the far end; the TCP socket and the TLS socket over it give the same. */
function remoteOf(stream: object): string {
  const host = 'remoteAddress' in stream && typeof stream.remoteAddress === 'string' ? stream.remoteAddress : '?'
  const port = 'remotePort' in stream && typeof stream.remotePort === 'number' ? stream.remotePort : 0
  return spoken({ host, port })
}

import { constants } from 'node:crypto'
import { createServer as createPlainServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { isIP, type Socket as TcpSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import {
  anyone,
  type Endpoint,
  endpointText,
  LinkFailure,
  type Listener,
  type Place,
  type Refused,
  type Secret,
  type Socket,
  type Sockets,
} from '../sockets.js'
import { type Attempt, attempted } from './attempt.js'
import { dial } from './dial.js'
import { connectFault, handshakeFault, listenFault } from './link-fault.js'
import { keepBuffersSmall } from './socket-buffers.js'
import { watchStalls } from './stall.js'
import { WaitingRoom } from './waiting-room.js'
import { admit, openWebsocket } from './websockets.js'

/** Only the suites whose hash is SHA-256, to which an external PSK is bound. */
const channel = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256' } as const
/** What stands before the peer's name in the PSK identity of a connecting agent. */
const rolePrefix = 'tandem-1/lead/'
/** OpenSSL takes 256 bytes; this leaves room for the role. */
const identityBytesMax = 200
/** TCP asks a silent far end whether it is there; the heartbeats of the link are quicker. */
const keepAliveMs = 15_000
/** Authenticated connections of one listener, at most. */
const connectionsMax = 1_024

/**
 * Websockets over TLS 1.3 with an external PSK, and no certificate on either side (RFC 8446, RFC 9257). The PSK identity
 * in the ClientHello is the peer's name with the role of its sender before it, so that a key has one direction.
 */
export function connectWss(
  endpoint: Endpoint,
  secret: Secret,
  signal: AbortSignal,
  deadlineMs: number,
): Promise<Socket> {
  const target = endpointText(endpoint)
  const identity = rolePrefix + secret.identity
  return attempted(target, deadlineMs, signal, (attempt) => {
    const { done, fail } = attempt
    if (Buffer.byteLength(identity) > identityBytesMax) {
      fail(new LinkFailure('unknown-peer', `a name of more than ${identityBytesMax} bytes`))
      return () => {}
    }
    return reached(endpoint, attempt, (raw, isShort) => {
      const stream = connectTls({
        ...endpoint,
        socket: raw,
        ...channel,
        pskCallback: () => ({ psk: secret.key, identity }),
        // Never called by a PSK handshake: whoever shows a certificate instead is a stranger, even with one that is trusted.
        checkServerIdentity: () => new Error('the far end shows a certificate instead of the key'),
      })
      const failed = (error: Error) => fail(connectFault(error, target))
      stream.on('error', failed)
      stream.once('secureConnect', () => {
        openWebsocket(stream, { identity: secret.identity, remote: remoteOf(raw), isShort }, done, failed)
      })
      return stream
    })
  })
}

/** A websocket with nothing around it: for this machine only. */
export function connectWs(endpoint: Endpoint, signal: AbortSignal, deadlineMs: number): Promise<Socket> {
  const target = endpointText(endpoint)
  return attempted(target, deadlineMs, signal, (attempt) => {
    const { done, fail } = attempt
    return reached(endpoint, attempt, (raw, isShort) => {
      if (!isShort) fail(new LinkFailure('denied', `${target}: ws:// is not encrypted and never leaves this machine`))
      else {
        const failed = (error: Error) => fail(connectFault(error, target))
        openWebsocket(raw, { identity: anyone, remote: remoteOf(raw), isShort }, done, failed)
      }
      return raw
    })
  })
}

/**
 * Goes on with the connection to the endpoint, once there is one; `isShort`: it does not leave this machine. `begin` answers what has to be
 * destroyed when the attempt ends.
 * @returns how everything is ended
 */
function reached(
  endpoint: Endpoint,
  { fail }: Attempt,
  begin: (raw: TcpSocket, isShort: boolean) => TcpSocket,
): () => void {
  const failed = (error: Error) => fail(connectFault(error, endpointText(endpoint)))
  let end = dial(endpoint, {
    connected(raw) {
      raw.on('error', failed)
      end = () => raw.destroy()
      tune(raw)
      const isShort = isLoopback(raw.remoteAddress)
      if (isShort) keepBuffersSmall(raw)
      else watchStalls(raw, endpoint, () => raw.destroy())
      const stream = begin(raw, isShort)
      end = () => stream.destroy()
    },
    failed,
  })
  return () => end()
}

export function listenTcp(
  place: Place & { readonly kind: 'wss' | 'ws' },
  secretOf: Parameters<Sockets['listen']>[1],
  accept: (socket: Socket) => void,
  refused: Refused,
  deadlineMs: number,
): Promise<Listener> {
  const { endpoint, kind } = place
  const waiting = new WaitingRoom(deadlineMs, refused)
  /** The name that each connection gave, and whether there is a key for it. */
  const named = new WeakMap<object, { readonly identity: string; readonly known: boolean }>()
  const server = kind === 'wss' ? tlsServer(secretOf, deadlineMs, named) : createPlainServer({ maxHeaderSize })
  server.maxConnections = connectionsMax
  server.on('connection', (raw) => {
    waiting.enter(remoteOf(raw), raw)
    if (isLoopback(raw.remoteAddress)) keepBuffersSmall(raw)
  })
  // A failed handshake, or what is not HTTP.
  server.on('clientError', (error: Error, stream: Duplex) => {
    const guest = remoteOf(stream)
    if (waiting.leave(guest)) refused(handshakeFault(error, guest, named.get(stream)?.known), guest)
    stream.destroy()
  })
  admit(server, {
    waiting,
    guestOf: remoteOf,
    identityOf: (stream) => (kind === 'ws' ? anyone : named.get(stream)?.identity),
    refused,
    accept,
  })
  server.on('upgrade', (request) => tune(request.socket))
  return new Promise((resolve, reject) => {
    if (kind === 'ws' && !isLoopback(endpoint.host))
      return reject(new LinkFailure('denied', `${endpointText(endpoint)}: ws:// is for the loopback only`))
    const fail = (error: Error) => reject(listenFault(error, endpointText(endpoint)))
    server.once('error', fail)
    server.listen({ host: endpoint.host, port: endpoint.port }, () => {
      server.off('error', fail)
      server.on('error', (error) =>
        refused(new LinkFailure('lost', `${endpointText(endpoint)}: ${error.message}`, error), ''),
      )
      const bound = server.address()
      const port = bound !== null && typeof bound === 'object' ? bound.port : endpoint.port
      resolve({
        place: { kind, endpoint: { host: endpoint.host, port } },
        // Accepted sockets belong to whoever accepted them: only listening ends here.
        async close() {
          server.close()
          waiting.close()
        },
      })
    })
  })
}

const maxHeaderSize = 4_096

function tlsServer(
  secretOf: Parameters<Sockets['listen']>[1],
  deadlineMs: number,
  named: WeakMap<object, { readonly identity: string; readonly known: boolean }>,
): Server {
  return createTlsServer({
    ...channel,
    // No tickets: a session resumed with one would outlive the key that it was made with.
    secureOptions: constants.SSL_OP_NO_TICKET,
    // The waiting room has the deadline.
    handshakeTimeout: 2 * deadlineMs,
    maxHeaderSize,
    pskCallback: (stream, text) => {
      const identity = text.startsWith(rolePrefix) ? text.slice(rolePrefix.length) : undefined
      const key = identity === undefined ? undefined : secretOf(identity)
      named.set(stream, { identity: identity ?? '', known: key !== undefined })
      // The type of Node 20 asks for a view; null refuses, as its documentation says.
      return key ?? null
    },
  })
}

function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false
  return address === 'localhost' || address === '::1' || (/^(::ffff:)?127\./.test(address) && isIP(address) !== 0)
}

function tune(stream: { setNoDelay(on: boolean): unknown; setKeepAlive(on: boolean, ms: number): unknown }): void {
  stream.setNoDelay(true)
  stream.setKeepAlive(true, keepAliveMs)
}

/** 'address:port' of the far end; the TCP socket and the TLS socket over it give the same. */
function remoteOf(stream: object): string {
  const host = 'remoteAddress' in stream && typeof stream.remoteAddress === 'string' ? stream.remoteAddress : '?'
  const port = 'remotePort' in stream && typeof stream.remotePort === 'number' ? stream.remotePort : 0
  return endpointText({ host, port })
}

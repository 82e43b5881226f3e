import { createServer } from 'node:http'
import { connect } from 'node:net'
import { basename, dirname } from 'node:path'
import type { Duplex } from 'node:stream'
import type { AbsPath } from '../../core/path.js'
import { LinkFailure, type Listener, type Refused, type Socket, sameUser } from '../sockets.js'
import { attempted } from './attempt.js'
import { connectFault, handshakeFault, listenFault } from './link-fault.js'
import { strangerAt } from './peer-uid.js'
import { bindPrivately, withSocketName } from './unix-place.js'
import { WaitingRoom } from './waiting-room.js'
import { admit, openWebsocket } from './websockets.js'

/** Connections of one listener, at most. */
const connectionsMax = 256
const maxHeaderSize = 4_096

/** A link over a Unix socket: both ends ask the kernel whose the other one is. */
export function connectUnix(path: AbsPath, signal: AbortSignal, deadlineMs: number): Promise<Socket> {
  const target = `{${path}}`
  return withSocketName(dirname(path), basename(path), (short) =>
    attempted(target, deadlineMs, signal, ({ done, fail }) => {
      const failed = (error: Error) => fail(connectFault(error, target))
      const stream = connect(short)
      stream.on('error', failed)
      stream.once('connect', () => {
        const why = strangerAt(stream)
        if (why === undefined)
          openWebsocket(stream, { identity: sameUser, remote: target, isShort: true }, done, failed)
        else fail(new LinkFailure('denied', `${target}: ${why}`))
      })
      return () => stream.destroy()
    }),
  ).catch((error: unknown) => {
    // The directory is not there.
    throw error instanceof Error && 'code' in error && !(error instanceof LinkFailure)
      ? connectFault(error, target)
      : error
  })
}

/** @throws LinkFailure 'port-in-use', 'denied', 'unreachable' */
export async function listenUnix(
  path: AbsPath,
  accept: (socket: Socket) => void,
  refused: Refused,
  deadlineMs: number,
): Promise<Listener> {
  const target = `{${path}}`
  const waiting = new WaitingRoom(deadlineMs, refused)
  const names = new WeakMap<object, string>()
  let count = 0
  const guestOf = (stream: object) => names.get(stream) ?? target
  const server = createServer({ maxHeaderSize })
  server.maxConnections = connectionsMax
  server.on('connection', (stream) => {
    const guest = `${target} ${++count}`
    names.set(stream, guest)
    const why = strangerAt(stream)
    if (why === undefined) return waiting.enter(guest, stream)
    stream.destroy()
    refused(new LinkFailure('denied', `${guest}: ${why}`), guest)
  })
  server.on('clientError', (error: Error, stream: Duplex) => {
    const guest = guestOf(stream)
    if (waiting.leave(guest)) refused(handshakeFault(error, guest, undefined), guest)
    stream.destroy()
  })
  admit(server, {
    waiting,
    guestOf,
    identityOf: (stream) => (names.has(stream) ? sameUser : undefined),
    accept,
    refused,
  })
  let release: (() => void) | undefined
  try {
    release = await bindPrivately(server, dirname(path), basename(path))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    throw listenFault(error, target)
  }
  if (release === undefined) throw new LinkFailure('port-in-use', `${target}: another program listens there`)
  return {
    place: { kind: 'socket', path },
    async close() {
      release()
      server.close()
      waiting.close()
    },
  }
}

import { createServer } from 'node:http'
import { connect, Socket as Stream } from 'node:net'
import { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { LinkFailure, type Socket, sameUser } from '../sockets.js'
import { strangerAt } from './peer-uid.js'
import { withSocketName } from './unix-place.js'
import { WaitingRoom } from './waiting-room.js'
import { admit } from './websockets.js'

/** From the start of the process to an open websocket. */
const deadlineMs = 10_000

/**
 * The link that comes over the standard streams of this process, from whoever started it as this user. `remote` is for messages.
 * @throws LinkFailure when what comes is no link
 */
export function acceptStandardStreams(remote: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const server = createServer({ maxHeaderSize: 4_096 })
    const waiting = new WaitingRoom(deadlineMs, reject)
    const stream = standardStreams()
    server.on('clientError', (error) => reject(new LinkFailure('protocol', `${remote}: ${error.message}`, error)))
    stream.on('error', (error) => reject(new LinkFailure('lost', `${remote}: ${error.message}`, error)))
    stream.once('close', () => reject(new LinkFailure('lost', `${remote}: ended before there was a link`)))
    admit(server, { waiting, guestOf: () => remote, identityOf: () => sameUser, accept: resolve, refused: reject })
    waiting.enter(remote, stream)
    server.emit('connection', stream)
  })
}

/**
 * Joins the standard streams with a Unix socket of this user, until either ends. False, and nothing was taken from the streams, when
 * nobody listens there.
 */
export function joinStandardStreams(directory: string, name: string): Promise<boolean> {
  return withSocketName(directory, name, async (path) => {
    const there = await connected(path)
    if (there === undefined) return false
    const here = standardStreams()
    for (const stream of [here, there]) stream.on('error', () => {})
    // How a link ends is told by its two ends; what is between them only passes it on.
    await Promise.race([pipeline(here, there), pipeline(there, here)]).catch(() => undefined)
    here.destroy()
    there.destroy()
    return true
  }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error) return false
    throw error
  })
}

function connected(path: string): Promise<Stream | undefined> {
  return new Promise((resolve) => {
    const stream = connect(path)
    stream.once('error', () => resolve(undefined))
    stream.once('connect', () => {
      if (strangerAt(stream) === undefined) return resolve(stream)
      stream.destroy()
      resolve(undefined)
    })
  })
}

function standardStreams(): Duplex {
  const readable = new Stream({ fd: 0, readable: true, writable: false })
  const writable = new Stream({ fd: 1, readable: false, writable: true })
  return withSocketCalls(Duplex.from({ readable, writable }))
}

/** What an HTTP server asks of a network socket and a pair of pipes does not have. */
function withSocketCalls(stream: Duplex): Duplex {
  const none = () => stream
  return Object.assign(stream, { setTimeout: none, setNoDelay: none, setKeepAlive: none, ref: none, unref: none })
}

import { unreachable } from '../../core/assert.js'
import type { Sockets } from '../sockets.js'
import { connectSsh } from './ssh.js'
import { connectWs, connectWss, listenTcp } from './tcp.js'
import { connectUnix, listenUnix } from './unix.js'

/** From accept or connect to an open websocket. */
export const handshakeMs = 10_000

/** Real connections. ssh, which may have to ask a person, has a deadline of its own. */
export function nodeSockets({ deadlineMs = handshakeMs }: { deadlineMs?: number } = {}): Sockets {
  return {
    connect: (target, signal) => {
      switch (target.kind) {
        case 'wss':
          return connectWss(target.endpoint, target.secret, signal, deadlineMs)
        case 'ws':
          return connectWs(target.endpoint, signal, deadlineMs)
        case 'socket':
          return connectUnix(target.path, signal, deadlineMs)
        case 'ssh':
          return connectSsh(target.host, target.command, signal)
        default:
          return unreachable(target)
      }
    },
    listen: (place, secretOf, accept, refused) =>
      place.kind === 'socket'
        ? listenUnix(place.path, accept, refused, deadlineMs)
        : listenTcp({ ...place, kind: place.kind }, secretOf, accept, refused, deadlineMs),
  }
}

import type { Socket } from 'node:net'
import { getpeereid, getsockopt, onLinux } from './libc.js'
import { socketDescriptor } from './socket-buffers.js'

const socketLevel = 1
/** SO_PEERCRED, unix(7): struct ucred, the pid, uid and gid of the far end, u32 each. */
const peerCredentials = 17

/** The user at the far end of a connected Unix socket, as the kernel tells; undefined when it does not. */
export function peerUid(socket: Socket): number | undefined {
  const handle = socketDescriptor(socket)
  if (handle === undefined) return undefined
  if (!onLinux) {
    const ids = new Uint32Array(2)
    return getpeereid(handle, ids.subarray(0, 1), ids.subarray(1)) === 0 ? ids[0] : undefined
  }
  const credentials = new Uint32Array(3)
  const length = Uint32Array.of(credentials.byteLength)
  const failed = getsockopt(handle, socketLevel, peerCredentials, credentials, length) !== 0
  return failed || length[0] !== credentials.byteLength ? undefined : credentials[1]
}

/** Why the far end may not be spoken with; undefined when it is this user, or root, who is everybody. */
export function strangerAt(socket: Socket): string | undefined {
  const own = process.getuid?.()
  const uid = peerUid(socket)
  if (uid === undefined) return 'nobody can tell whose it is'
  return uid === own || uid === 0 ? undefined : `it belongs to user ${uid}, not to this user (${own})`
}

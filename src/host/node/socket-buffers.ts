import type { Socket } from 'node:net'
import { onLinux, onMacos, setsockopt } from './libc.js'

/** SOL_SOCKET, SO_SNDBUF, SO_RCVBUF: socket(7), and sys/socket.h of macOS. */
const options = onLinux ? { level: 1, send: 7, receive: 8 } : { level: 0xffff, send: 0x1001, receive: 0x1002 }

/** Linux doubles it, for its own book-keeping. */
const bufferBytes = 64 * 1024

/**
 * For a way inside this machine, which holds nothing itself: the kernel's buffers at both ends would grow to some MiB of bulk each, and
 * whatever is small would wait behind them. Where it cannot be done nothing else is lost.
 */
export function keepBuffersSmall(socket: Socket): void {
  const descriptor = socketDescriptor(socket)
  if (descriptor === undefined || !(onLinux || onMacos)) return
  const value = Uint32Array.of(bufferBytes)
  for (const option of [options.send, options.receive])
    setsockopt(descriptor, options.level, option, value, value.byteLength)
}

/** Node has it, but no name for it. */
export function socketDescriptor(socket: Socket): number | undefined {
  const handle: unknown = '_handle' in socket ? socket._handle : undefined
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return undefined
  return typeof handle.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined
}

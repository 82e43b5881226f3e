import type { Socket } from 'node:net'
import type { Endpoint } from '../sockets.js'
import { dial } from './dial.js'
import { getsockopt, onLinux } from './libc.js'
import { socketDescriptor } from './socket-buffers.js'

/** How often it is looked. */
const lookMs = 1_000
/** So often in a row TCP has asked again for the same, in vain: on a way of the usual length for a second and a half. */
const inVainMin = 3

/**
 * Finds a connection that TCP itself holds up. While a network is silent TCP asks again ever more seldom, so that what was said meanwhile
 * waits for about half as long as the silence was once it is over; a new connection is there at once. So the far end is dialled beside
 * one on which TCP has asked in vain a few times: if that is answered, and the old one still is not, `stalled` is called. A far end that
 * is slow is no reason: its kernel answers for it. Looks until the stream is closed.
 */
export function watchStalls(
  stream: Socket,
  endpoint: Endpoint,
  stalled: () => void,
  inVain: (stream: Socket) => number = retransmitsOf,
): void {
  let endDial: (() => void) | undefined
  const timer = setInterval(() => {
    if (endDial !== undefined || inVain(stream) < inVainMin) return
    endDial = dial(endpoint, {
      connected(beside) {
        beside.destroy()
        endDial = undefined
        if (!stream.destroyed && inVain(stream) >= inVainMin) stalled()
      },
      failed() {
        endDial = undefined
      },
    })
  }, lookMs)
  timer.unref()
  stream.once('close', () => {
    clearInterval(timer)
    endDial?.()
  })
}

/** IPPROTO_TCP, and TCP_INFO: tcp(7), struct tcp_info. */
const tcpLevel = 6
const tcpInfo = 11
/** Of tcpi_retransmits, u8: how often in a row it was asked again. */
const retransmitsAt = 2

/** 0 where the system does not tell. */
function retransmitsOf(stream: Socket): number {
  const descriptor = socketDescriptor(stream)
  if (!onLinux || descriptor === undefined) return 0
  const info = new Uint8Array(8)
  const failed = getsockopt(descriptor, tcpLevel, tcpInfo, info, Uint32Array.of(info.byteLength)) !== 0
  return failed ? 0 : (info[retransmitsAt] ?? 0)
}

import type { Duplex } from 'node:stream'
import { LinkFailure, type Refused } from '../sockets.js'

/** Connections that have not authenticated, at most. */
export const unauthenticatedMax = 32

/**
 * Where accepted connections stay until their websocket is open: each at most `deadlineMs`, and no more than
 * unauthenticatedMax of them. One more puts out the one that has waited longest, for an honest peer is through within
 * milliseconds while silent ones stay: so a crowd of silent connections never keeps an honest one out.
 */
export class WaitingRoom {
  private readonly guests = new Map<string, { readonly socket: Duplex; readonly timer: NodeJS.Timeout }>()

  constructor(
    private readonly deadlineMs: number,
    private readonly putOut: Refused,
  ) {}

  enter(guest: string, socket: Duplex): void {
    const [oldest] = this.guests.keys()
    if (oldest !== undefined && this.guests.size >= unauthenticatedMax)
      this.end(oldest, 'too many connections that do not authenticate')
    const timer = setTimeout(() => this.end(guest, `not authenticated within ${this.deadlineMs} ms`), this.deadlineMs)
    this.guests.set(guest, { socket, timer })
    socket.once('close', () => this.leave(guest, socket))
  }

  /** Takes a guest out, alive. False if it is not here (any more). */
  leave(guest: string, socket?: Duplex): boolean {
    const there = this.guests.get(guest)
    if (there === undefined || (socket !== undefined && there.socket !== socket)) return false
    clearTimeout(there.timer)
    this.guests.delete(guest)
    return true
  }

  /** Ends every connection that is still here. */
  close(): void {
    for (const [guest, { socket }] of this.guests) {
      this.leave(guest)
      socket.destroy()
    }
  }

  private end(guest: string, why: string): void {
    const there = this.guests.get(guest)
    if (there === undefined) return
    this.leave(guest)
    there.socket.destroy()
    this.putOut(new LinkFailure('timed-out', `${guest}: ${why}`), guest)
  }
}

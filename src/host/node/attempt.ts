import { LinkFailure, type Socket } from '../sockets.js'

/** How an attempt ends: once, the first of these counts. */
export interface Attempt {
  done(socket: Socket): void
  fail(failure: LinkFailure): void
}

/**
 * An attempt to connect, which ends with a socket, a failure, the deadline or the signal. `begin` answers how everything that it
 * began is ended; that is called unless a socket came of it.
 */
export function attempted(
  target: string,
  deadlineMs: number,
  signal: AbortSignal,
  begin: (attempt: Attempt) => () => void,
): Promise<Socket> {
  const givenUp = () => new LinkFailure('closed', `${target}: the attempt was given up`)
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(givenUp())
    let isOver = false
    let end = () => {}
    const settle = (): boolean => {
      if (isOver) return false
      isOver = true
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      return true
    }
    const fail = (failure: LinkFailure) => {
      if (!settle()) return
      end()
      reject(failure)
    }
    const abort = () => fail(givenUp())
    const timer = setTimeout(() => fail(new LinkFailure('timed-out', `${target}: no answer in time`)), deadlineMs)
    signal.addEventListener('abort', abort, { once: true })
    end = begin({
      fail,
      done: (socket) => {
        if (settle()) resolve(socket)
        else socket.close('given-up')
      },
    })
  })
}

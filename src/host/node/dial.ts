import { connect, isIP, type Socket } from 'node:net'
import type { Endpoint } from '../sockets.js'

/** What a dial gets before another one is made beside it. */
const dialMs = 500
/** What an address of several gets before the next one is tried. */
const addressMs = 2_000

/** How it ends: once, the first of these counts. */
export interface Dialled {
  connected(stream: Socket): void
  failed(error: Error): void
}

/**
 * Connects, by dialling again each half second beside what hangs: while a network is away its packets are lost, and TCP asks again after a
 * second and ever more seldom, which is what an edit would wait once it is back. The first that is answered counts, with a connection or
 * with an error. A host name that is being looked up is not looked up again.
 * @returns how to end all that was begun and is not handed over
 */
export function dial({ host, port }: Endpoint, { connected, failed }: Dialled): () => void {
  const dials = new Set<Socket>()
  let timer: NodeJS.Timeout | undefined
  const end = () => {
    clearTimeout(timer)
    for (const stream of dials) stream.destroy()
    dials.clear()
  }
  const again = () => {
    // A name may have several addresses, of both kinds: each gets a moment, until one answers.
    const stream = connect({ host, port, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: addressMs })
    dials.add(stream)
    stream.once('connect', () => {
      // An end for the others.
      dials.delete(stream)
      end()
      stream.off('error', fail)
      connected(stream)
    })
    const fail = (error: Error) => {
      if (!dials.has(stream)) return
      end()
      failed(error)
    }
    stream.on('error', fail)
    const next = () => {
      if (dials.has(stream)) timer = setTimeout(again, dialMs)
    }
    if (isIP(host) === 0) stream.once('lookup', next)
    else next()
  }
  again()
  return end
}

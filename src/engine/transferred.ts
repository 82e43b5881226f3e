import type { Side } from '../core/side.js'
import type { Clock } from '../host/clock.js'
import type { Emit } from '../status/event.js'

/** Adds up what one cycle sends and tells of it while it lasts. The first tenth of a second tells nothing: most cycles are over by then. */
export function transferred(pair: string, emit: Emit, clock: Clock): (to: Side, bytes: number) => void {
  const sent: Record<Side, number> = { alpha: 0, beta: 0 }
  let toldMs = clock.now()
  return (to, bytes) => {
    sent[to] += bytes
    const now = clock.now()
    if (bytes === 0 || now - toldMs < tellEveryMs) return
    toldMs = now
    emit({ event: 'transfer-progressed', pair, to, bytes: sent[to] })
  }
}

const tellEveryMs = 100

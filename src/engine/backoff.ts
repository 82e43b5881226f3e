import type { Random } from '../host/clock.js'

/** How long to wait before the n-th attempt, doubling and jittered to between half and the whole of it. */
export function backoffMs(attempt: number, firstMs: number, mostMs: number, random: Random): number {
  const whole = Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 30))
  return whole * (0.5 + random.fraction() / 2)
}

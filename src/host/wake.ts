import type { Clock } from './clock.js'

/** How often it is looked. */
const lookMs = 1_000
/** The time of day went on by this much more than a clock that stands still while the machine sleeps. */
const sleptMs = 5_000
/** Where no clock stands still: a wait that was this much longer than it should have been. */
const lateMs = 30_000

/**
 * Waits; true, and early, when the machine slept meanwhile: connections are dead then, and nobody says so. (A time of day that
 * somebody set forward looks the same, and does no harm.)
 * @throws signal.reason when it aborts
 */
export async function sleepAwake(clock: Clock, durationMs: number, signal: AbortSignal): Promise<boolean> {
  for (let leftMs = durationMs; leftMs > 0; leftMs -= lookMs) {
    const partMs = Math.min(leftMs, lookMs)
    const nowMs = clock.now()
    const wallNs = clock.wallNs()
    await clock.sleep(partMs, signal)
    const passedMs = clock.now() - nowMs
    const wallPassedMs = Number((clock.wallNs() - wallNs) / 1_000_000n)
    if (wallPassedMs - passedMs >= sleptMs || passedMs - partMs >= lateMs) return true
  }
  return false
}

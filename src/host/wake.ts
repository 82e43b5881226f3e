import type { Clock } from './clock.js'

/** How often it is looked. */
const lookMs = 1_000
/** The time of day went on by this much more than a clock that stands still while the machine sleeps. */
const sleptMs = 5_000
/** Where no clock stands still: a wait that was this much longer than it should have been. */
const lateMs = 30_000

/**
 * Waits; true, and early, when the machine slept meanwhile: connections are dead then, and nobody says so. (A time of day that
 * somebody set forward looks the same, and does no harm.) Also when `sign` says something else than at first, which is looked at once a
 * second.
 * @throws signal.reason when it aborts
 */
export async function sleepAwake(
  clock: Clock,
  durationMs: number,
  signal: AbortSignal,
  sign: () => string = () => '',
): Promise<boolean> {
  signal.throwIfAborted()
  const over = new AbortController()
  const before = sign()
  let isEarly = false
  const wake = (slept: boolean) => {
    if (!slept && sign() === before) return
    isEarly = true
    over.abort()
  }
  const end = () => over.abort(signal.reason)
  const lookout = lookoutOf(clock)
  signal.addEventListener('abort', end, { once: true })
  lookout.add(wake)
  try {
    await clock.sleep(durationMs, over.signal)
  } catch (error) {
    if (!isEarly) throw error
  } finally {
    lookout.remove(wake)
    signal.removeEventListener('abort', end)
  }
  return isEarly
}

const lookouts = new WeakMap<Clock, Lookout>()

function lookoutOf(clock: Clock): Lookout {
  const known = lookouts.get(clock)
  if (known !== undefined) return known
  const made = new Lookout(clock)
  lookouts.set(clock, made)
  return made
}

/** Looked again; `slept`: the machine did. */
type Wake = (slept: boolean) => void

/** Looks once for all who wait: a hub has many links, and nothing else to do. */
class Lookout {
  private readonly waiting = new Set<Wake>()
  private looking: AbortController | undefined

  constructor(private readonly clock: Clock) {}

  add(wake: Wake): void {
    this.waiting.add(wake)
    if (this.looking !== undefined) return
    this.looking = new AbortController()
    void this.look(this.looking.signal)
  }

  remove(wake: Wake): void {
    this.waiting.delete(wake)
    if (this.waiting.size > 0) return
    this.looking?.abort()
    this.looking = undefined
  }

  private async look(signal: AbortSignal): Promise<void> {
    const { clock } = this
    while (!signal.aborted) {
      const nowMs = clock.now()
      const wallNs = clock.wallNs()
      try {
        await clock.sleep(lookMs, signal)
      } catch (error) {
        if (!signal.aborted) throw error
        return
      }
      const passedMs = clock.now() - nowMs
      const wallPassedMs = Number((clock.wallNs() - wallNs) / 1_000_000n)
      const slept = wallPassedMs - passedMs >= sleptMs || passedMs - lookMs >= lateMs
      for (const wake of [...this.waiting]) wake(slept)
    }
  }
}

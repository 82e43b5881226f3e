import type { Clock, Instant } from '../clock.js'

const nsPerMs = 1_000_000n
/** setTimeout takes no more: a longer one would fire at once. */
const timerMaxMs = 2 ** 31 - 1

export function nodeClock(): Clock {
  return { now, wallNs, sleep }
}

/** Of the machine, so that all threads count from one zero; performance.now() has another in each. */
function now(): Instant {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}

/** In whole milliseconds, rounded down. */
function wallNs(): bigint {
  return BigInt(Date.now()) * nsPerMs
}

function sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason)
      return
    }
    const until = now() + durationMs
    let timer = setTimeout(wake, Math.min(durationMs, timerMaxMs))
    signal?.addEventListener('abort', abort, { once: true })

    function wake(): void {
      const restMs = until - now()
      // A timer may fire a little early, by the clock's own measure.
      if (restMs > 0) {
        timer = setTimeout(wake, Math.min(Math.ceil(restMs), timerMaxMs))
        return
      }
      signal?.removeEventListener('abort', abort)
      resolve()
    }

    function abort(): void {
      clearTimeout(timer)
      reject(signal?.reason)
    }
  })
}

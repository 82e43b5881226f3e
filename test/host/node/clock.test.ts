import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { nodeClock } from '../../../src/host/node/clock.js'

const clock = nodeClock()

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** What became of `promise` so far. */
function watched(promise: Promise<void>): { state: 'waiting' | 'done' | 'failed'; reason?: unknown } {
  const outcome: { state: 'waiting' | 'done' | 'failed'; reason?: unknown } = { state: 'waiting' }
  promise.then(
    () => {
      outcome.state = 'done'
    },
    (reason: unknown) => {
      outcome.state = 'failed'
      outcome.reason = reason
    },
  )
  return outcome
}

test.each([
  ['a moment', 5],
  ['a day', 86_400_000],
  ['longer than any timer', 2 ** 31 + 1_000],
])('a sleep of %s ends after it and not before', async (_, durationMs) => {
  const start = clock.now()
  const outcome = watched(clock.sleep(durationMs))
  await vi.advanceTimersByTimeAsync(durationMs - 1)
  expect(outcome.state).toBe('waiting')
  await vi.advanceTimersByTimeAsync(1)
  expect(outcome.state).toBe('done')
  expect(clock.now() - start).toBe(durationMs)
})

test('an abort ends a sleep with its reason and leaves no timer', async () => {
  const abort = new AbortController()
  const outcome = watched(clock.sleep(1_000, abort.signal))
  const reason = new Error('enough')
  abort.abort(reason)
  await vi.advanceTimersByTimeAsync(0)
  expect(outcome).toEqual({ state: 'failed', reason })
  expect(vi.getTimerCount()).toBe(0)
})

test('a sleep does not begin under a signal that is aborted', async () => {
  const reason = new Error('before')
  await expect(clock.sleep(1_000, AbortSignal.abort(reason))).rejects.toBe(reason)
  expect(vi.getTimerCount()).toBe(0)
})

test('an abort after the end changes nothing', async () => {
  const abort = new AbortController()
  const outcome = watched(clock.sleep(1, abort.signal))
  await vi.advanceTimersByTimeAsync(1)
  abort.abort()
  await vi.advanceTimersByTimeAsync(0)
  expect(outcome.state).toBe('done')
})

test('the wall clock is in nanoseconds', () => {
  vi.setSystemTime(1_700_000_000_123)
  expect(clock.wallNs()).toBe(1_700_000_000_123_000_000n)
})

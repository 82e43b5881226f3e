import { expect, test } from 'vitest'
import { Rate } from '../../src/replica/rate.js'
import { HandClock } from './wire-pair.js'

const never = new AbortController().signal

/** Milliseconds until bulk may go, as the clock is moved on. */
async function waited(rate: Rate, clock: HandClock, mostMs = 10_000): Promise<number> {
  const startedMs = clock.now()
  let isReady = false
  const ready = rate.ready(never).then(() => {
    isReady = true
  })
  await clock.pass(0)
  while (!isReady && clock.now() - startedMs < mostMs) await clock.pass(50)
  if (isReady) await ready
  return clock.now() - startedMs
}

test('without a limit nothing waits', async () => {
  const clock = new HandClock()
  const rate = new Rate(clock, undefined)
  rate.note(1e9)
  expect(rate.isBehind).toBe(false)
  expect(await waited(rate, clock)).toBe(0)
})

test('what passed is paid for before more may go', async () => {
  const clock = new HandClock()
  const rate = new Rate(clock, 1_000)
  rate.note(2_000)
  expect(await waited(rate, clock)).toBe(2_000)
  expect(await waited(rate, clock)).toBe(0)
})

test('a time of rest is worth a tenth of a second', async () => {
  const clock = new HandClock()
  const rate = new Rate(clock, 1_000)
  await clock.pass(60_000)
  rate.note(1_100)
  expect(await waited(rate, clock)).toBe(1_000)
})

test('another rate counts at once for who waits', async () => {
  const clock = new HandClock()
  const rate = new Rate(clock, 1)
  rate.note(1_000_000)
  const waiting = waited(rate, clock)
  await clock.pass(0)
  rate.set(1_000_000)
  expect(await waiting).toBeLessThanOrEqual(1_250)
  rate.note(1_000_000)
  rate.set(undefined)
  expect(rate.isBehind).toBe(false)
})

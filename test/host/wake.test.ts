import { expect, test } from 'vitest'
import { sleepAwake } from '../../src/host/wake.js'
import { HandClock, turns } from '../replica/wire-pair.js'

/** Counts what is waited for. */
class CountingClock extends HandClock {
  readonly sleeps: number[] = []

  override sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (durationMs > 0) this.sleeps.push(durationMs)
    return super.sleep(durationMs, signal)
  }
}

test('however many wait, one looks for all of them, once a second', async () => {
  const clock = new CountingClock()
  const waits = Array.from({ length: 50 }, () => sleepAwake(clock, 3_500, new AbortController().signal))
  for (let at = 0; at < 7; at++) await clock.pass(500)
  expect(await Promise.all(waits)).toEqual(Array(50).fill(false))
  expect(clock.sleeps.filter((durationMs) => durationMs === 3_500)).toHaveLength(50)
  expect(clock.sleeps.length - 50).toBeLessThanOrEqual(4)
})

test('a machine that slept wakes all of them, and who comes after that waits on', async () => {
  const clock = new CountingClock()
  const { signal } = new AbortController()
  const waits = [sleepAwake(clock, 3_500, signal), sleepAwake(clock, 60_000, signal)]
  clock.sleptMs = 60_000
  await clock.pass(1_000)
  expect(await Promise.all(waits)).toEqual([true, true])
  const later = sleepAwake(clock, 3_500, signal)
  for (let at = 0; at < 4; at++) await clock.pass(1_000)
  expect(await later).toBe(false)
})

test('what has changed wakes who asked about it, and nobody else', async () => {
  const clock = new CountingClock()
  const { signal } = new AbortController()
  let sign = 'at home'
  const asking = sleepAwake(clock, 60_000, signal, () => sign)
  const other = sleepAwake(clock, 3_500, signal)
  for (let at = 0; at < 2; at++) await clock.pass(1_000)
  sign = 'at the office'
  await clock.pass(1_000)
  expect(await asking).toBe(true)
  await clock.pass(1_000)
  expect(await other).toBe(false)
})

test('one that is aborted ends with the reason, and nobody looks any more when nobody waits', async () => {
  const clock = new CountingClock()
  const stop = new AbortController()
  const wait = sleepAwake(clock, 60_000, stop.signal)
  stop.abort(new Error('no more'))
  await expect(wait).rejects.toThrow('no more')
  await turns(2)
  const before = clock.sleeps.length
  for (let at = 0; at < 5; at++) await clock.pass(1_000)
  expect(clock.sleeps.length).toBe(before)
  await expect(sleepAwake(clock, 1_000, stop.signal)).rejects.toThrow('no more')
})

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { littleMsMax, longRestMs, Resting, restMs, triesMax, workMsMin } from '../../../src/host/node/resting.js'

let rests = 0
let busy = false
let left = false
let processorMs = 0
let resting: Resting

function work(ms: number): void {
  processorMs += ms
  resting.note()
}

beforeEach(() => {
  vi.useFakeTimers()
  rests = 0
  busy = false
  left = false
  resting = new Resting(
    () => busy,
    async () => {
      rests++
      return left
    },
    () => processorMs,
  )
})
afterEach(() => vi.useRealTimers())

test('much work, then nothing: a rest, and one more when nothing came for long', () => {
  work(workMsMin)
  vi.advanceTimersByTime(restMs - 1)
  expect(rests).toBe(0)
  vi.advanceTimersByTime(1)
  expect(rests).toBe(1)
  vi.advanceTimersByTime(longRestMs - 1)
  expect(rests).toBe(1)
  vi.advanceTimersByTime(1)
  expect(rests).toBe(2)
  vi.advanceTimersByTime(10 * longRestMs)
  expect(rests).toBe(2)
})

test('the long rest waits for a pause in what came meanwhile', () => {
  work(workMsMin)
  vi.advanceTimersByTime(restMs)
  expect(rests).toBe(1)
  for (let edit = 0; edit < 50; edit++) {
    work(1)
    vi.advanceTimersByTime(restMs / 2)
  }
  expect(rests).toBe(1)
  vi.advanceTimersByTime(restMs)
  expect(rests).toBe(2)
})

test('much work before the long rest is a time of its own: two rests follow it', () => {
  work(workMsMin)
  vi.advanceTimersByTime(restMs)
  expect(rests).toBe(1)
  work(workMsMin)
  vi.advanceTimersByTime(longRestMs)
  expect(rests).toBe(2)
  vi.advanceTimersByTime(longRestMs)
  expect(rests).toBe(3)
  vi.advanceTimersByTime(10 * longRestMs)
  expect(rests).toBe(3)
})

test('what comes within a time of work is added up, and puts its end off', () => {
  for (let piece = 0; piece < 10; piece++) {
    work(workMsMin / 10)
    vi.advanceTimersByTime(restMs / 2)
  }
  expect(rests).toBe(0)
  vi.advanceTimersByTime(restMs)
  expect(rests).toBe(1)
})

test('a little work now and then is none, until it comes to much', () => {
  const edits = littleMsMax / 20
  for (let edit = 0; edit < edits - 1; edit++) {
    work(20)
    vi.advanceTimersByTime(2 * restMs)
  }
  expect(rests).toBe(0)
  work(20)
  vi.advanceTimersByTime(2 * restMs)
  expect(rests).toBe(1)
})

test('a piece of work that is not done yet is waited for', () => {
  work(workMsMin)
  busy = true
  vi.advanceTimersByTime(20 * restMs)
  expect(rests).toBe(0)
  busy = false
  vi.advanceTimersByTime(restMs)
  expect(rests).toBe(1)
})

test('what the main thread takes counts as well', () => {
  processorMs += workMsMin - 1
  work(1)
  vi.advanceTimersByTime(restMs)
  expect(rests).toBe(1)
})

test('nothing is done after the end', () => {
  work(workMsMin)
  resting.close()
  vi.advanceTimersByTime(10 * restMs)
  expect(rests).toBe(0)
})

test('what a rest has left is tried again, until it is gone', async () => {
  left = true
  work(workMsMin)
  await vi.advanceTimersByTimeAsync(restMs + longRestMs)
  expect(rests).toBe(2)
  await vi.advanceTimersByTimeAsync(longRestMs)
  expect(rests).toBe(3)
  left = false
  await vi.advanceTimersByTimeAsync(longRestMs)
  expect(rests).toBe(4)
  await vi.advanceTimersByTimeAsync(10 * longRestMs)
  expect(rests).toBe(4)
})

test('but not for ever; the next time of work begins anew', async () => {
  left = true
  for (let time = 1; time <= 2; time++) {
    work(workMsMin)
    await vi.advanceTimersByTimeAsync(restMs + 20 * longRestMs)
    expect(rests).toBe(time * (2 + triesMax))
  }
})

test('a little that comes meanwhile puts it off to the next pause', async () => {
  left = true
  work(workMsMin)
  await vi.advanceTimersByTimeAsync(restMs + longRestMs + longRestMs / 2)
  expect(rests).toBe(2)
  work(1)
  await vi.advanceTimersByTimeAsync(longRestMs / 2 + restMs)
  expect(rests).toBe(3)
})

test('nor is anything tried again after the end', async () => {
  left = true
  work(workMsMin)
  await vi.advanceTimersByTimeAsync(restMs + longRestMs - 1)
  vi.advanceTimersByTime(1)
  resting.close()
  await vi.advanceTimersByTimeAsync(10 * longRestMs)
  expect(rests).toBe(2)
})

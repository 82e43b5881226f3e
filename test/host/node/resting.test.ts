import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Resting, restMs, workMsMin } from '../../../src/host/node/resting.js'

let rests = 0
let busy = false
let resting: Resting

beforeEach(() => {
  vi.useFakeTimers()
  rests = 0
  busy = false
  resting = new Resting(
    () => busy,
    () => {
      rests++
    },
  )
})
afterEach(() => vi.useRealTimers())

test('much work, then nothing: one rest', () => {
  resting.note(workMsMin)
  vi.advanceTimersByTime(restMs - 1)
  expect(rests).toBe(0)
  vi.advanceTimersByTime(1)
  expect(rests).toBe(1)
  vi.advanceTimersByTime(10 * restMs)
  expect(rests).toBe(1)
})

test('what comes within a time of work is added up, and puts its end off', () => {
  for (let piece = 0; piece < 10; piece++) {
    resting.note(workMsMin / 10)
    vi.advanceTimersByTime(restMs / 2)
  }
  expect(rests).toBe(0)
  vi.advanceTimersByTime(restMs)
  expect(rests).toBe(1)
})

test('a little work now and then is none', () => {
  for (let edit = 0; edit < 100; edit++) {
    resting.note(workMsMin - 1)
    vi.advanceTimersByTime(2 * restMs)
  }
  expect(rests).toBe(0)
})

test('a piece of work that is not done yet is waited for', () => {
  resting.note(workMsMin)
  busy = true
  vi.advanceTimersByTime(20 * restMs)
  expect(rests).toBe(0)
  busy = false
  vi.advanceTimersByTime(restMs)
  expect(rests).toBe(1)
})

test('nothing is done after the end', () => {
  resting.note(workMsMin)
  resting.close()
  vi.advanceTimersByTime(10 * restMs)
  expect(rests).toBe(0)
})

import { expect, test } from 'vitest'
import { Steadiness } from '../../src/host/steadiness.js'

/** Two clocks, in milliseconds. */
function clocks() {
  const at = { now: 5_000, wall: 1_000_000 }
  const clock = { now: () => at.now, wallNs: () => BigInt(at.wall) * 1_000_000n }
  const pass = (ms: number, leapMs = 0) => {
    at.now += ms
    at.wall += ms + leapMs
  }
  return { pass, steadiness: new Steadiness(clock) }
}

const seconds = (count: number) => BigInt(count) * 1_000_000_000n

test('a clock that goes as time does has never leapt, nor one that is set back', () => {
  const { pass, steadiness } = clocks()
  for (const leapMs of [0, 900, -3_600_000, 0]) {
    pass(60_000, leapMs)
    expect(steadiness.forNs()).toBeUndefined()
  }
})

test('after a leap it is steady for as long as has gone by since it was noticed', () => {
  const { pass, steadiness } = clocks()
  pass(10_000, 3_600_000)
  expect(steadiness.forNs()).toBe(0n)
  pass(7_000)
  expect(steadiness.forNs()).toBe(seconds(7))
  pass(1_000, 2_000)
  expect(steadiness.forNs()).toBe(0n)
  pass(100_000)
  expect(steadiness.forNs()).toBe(seconds(100))
})

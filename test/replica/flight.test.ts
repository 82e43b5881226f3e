import { describe, expect, test } from 'vitest'
import { Flight, flightBytesLeast } from '../../src/replica/flight.js'

const packBytes = 256 * 1024

/** A way with a rate and a delay, and a sender of packs that has always more to send: how well it is used, and what waits on it. */
function send(bytesPerMs: number, delayMs: number, forMs: number) {
  const flight = new Flight()
  let nowMs = 0
  let freeMs = 0
  let sentBytes = 0
  let waitedMs = 0
  const answers: number[] = []
  while (nowMs < forMs) {
    while (flight.fits(packBytes)) {
      freeMs = Math.max(freeMs, nowMs) + packBytes / bytesPerMs
      sentBytes += packBytes
      if (nowMs > forMs / 4) waitedMs = Math.max(waitedMs, freeMs - nowMs)
      if (!flight.put(packBytes)) continue
      flight.ping(nowMs)
      answers.push(freeMs + 2 * delayMs)
    }
    nowMs = answers.shift() ?? Number.POSITIVE_INFINITY
    flight.pong(nowMs)
  }
  return { used: sentBytes / (nowMs * bytesPerMs), waitedMs }
}

describe('bulk fills the way and no more', () => {
  test.each([
    // what the way is                     bytes a ms  delay ms  waits at most
    ['the loopback', 250_000, 0.1, 3],
    ['a local network of 1 Gbit/s', 118_000, 0.2, 6],
    ['50 Mbit/s with 100 ms there and back', 6_250, 50, 220],
    ['1 Gbit/s with 20 ms there and back', 118_000, 10, 45],
  ])('%s', (_, bytesPerMs, delayMs, mostMs) => {
    const { used, waitedMs } = send(bytesPerMs, delayMs, 60_000)
    expect(used).toBeGreaterThan(0.95)
    expect(waitedMs).toBeLessThan(mostMs)
  })
})

test('what is longer than all the room goes alone, and then what fits', () => {
  const flight = new Flight()
  expect(flight.fits(1 << 20)).toBe(true)
  expect(flight.put(1 << 20)).toBe(true)
  flight.ping(0)
  expect(flight.fits(1)).toBe(false)
  flight.pong(1)
  expect(flight.fits(flightBytesLeast)).toBe(true)
})

test('answers that nobody asked for say nothing', () => {
  const flight = new Flight()
  flight.put(flightBytesLeast)
  for (let at = 0; at < 9; at++) flight.pong(at)
  expect(flight.fits(1)).toBe(false)
})

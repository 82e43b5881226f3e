import { connect, createServer, type Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { watchStalls } from '../../../src/host/node/stall.js'

const ends: (() => unknown)[] = []
afterEach(() => {
  vi.useRealTimers()
  for (const end of ends.splice(0).reverse()) end()
})

/** A connection to a server that counts who comes. */
async function connection() {
  const guests: Socket[] = []
  const server = createServer((guest) => {
    guest.on('error', () => {})
    guests.push(guest)
  })
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address()
      resolve(bound !== null && typeof bound === 'object' ? bound.port : 0)
    })
  })
  const endpoint = { host: '127.0.0.1', port }
  const stream = connect(endpoint)
  await new Promise((resolve) => stream.once('connect', resolve))
  ends.push(
    () => server.close(),
    () => {
      for (const guest of guests) guest.destroy()
    },
    () => stream.destroy(),
  )
  return { stream, endpoint, guests }
}

const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 20_000, interval: 10 })

test('a connection on which TCP asks in vain is stalled once the far end answers another one', async () => {
  const { stream, endpoint, guests } = await connection()
  const stalled = vi.fn()
  watchStalls(stream, endpoint, stalled, () => 3)
  await until(() => stalled.mock.calls.length > 0)
  // Nothing was said to whoever answered.
  await until(() => guests.length >= 2 && guests[1]?.destroyed === true)
  expect(guests[1]?.bytesRead).toBe(0)
})

const honest: readonly [string, () => number, guestsMin: number][] = [
  ['TCP has asked again once or twice', () => 2, 1],
  ['what was asked for is answered meanwhile', halfway(), 2],
]
test.each(honest)('it is not, when %s', async (_, inVain, guestsMin) => {
  const { stream, endpoint, guests } = await connection()
  const stalled = vi.fn()
  const looks = vi.fn(inVain)
  watchStalls(stream, endpoint, stalled, looks)
  await until(() => looks.mock.calls.length >= 3 && guests.length >= guestsMin)
  expect(stalled).not.toHaveBeenCalled()
})

test('the kernel tells of a connection that is well that nothing was asked for in vain', async () => {
  const { stream, endpoint, guests } = await connection()
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const stalled = vi.fn()
  watchStalls(stream, endpoint, stalled)
  stream.write('something')
  await until(() => (guests[0]?.bytesRead ?? 0) > 0)
  await vi.advanceTimersByTimeAsync(5_000)
  expect(guests).toHaveLength(1)
  expect(stalled).not.toHaveBeenCalled()
})

test('nobody looks once it is closed', async () => {
  const { stream, endpoint } = await connection()
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const looks = vi.fn(() => 0)
  watchStalls(stream, endpoint, () => {}, looks)
  await vi.advanceTimersByTimeAsync(2_500)
  expect(looks).toHaveBeenCalledTimes(2)
  stream.destroy()
  await new Promise((resolve) => stream.once('close', resolve))
  await vi.advanceTimersByTimeAsync(5_000)
  expect(looks).toHaveBeenCalledTimes(2)
})

/** In vain at the first look only. */
function halfway(): () => number {
  let looked = 0
  return () => (looked++ === 0 ? 5 : 0)
}

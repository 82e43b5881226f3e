import { randomBytes } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { eventuallyEqual, portOf, sandbox, serve } from './harness.js'
import { Relay } from './relay.js'

const relays: Relay[] = []
afterEach(() => {
  for (const relay of relays.splice(0)) relay.close()
})

test.each([
  // files of 100 KiB, which travel in one message  bytes a second  from
  [6, 30_000, 'a'],
  [6, 30_000, 'b'],
  [10, 64_000, 'a'],
  [10, 64_000, 'b'],
] as const)(
  '%d files of 100 KiB get over a line of %d bytes a second from %s, on the first link',
  async (files, bytesPerSecond, from) => {
    const box = sandbox()
    box.write('a/first', 'a')
    const serving = await serve(box, { r: 'b' })
    const relay = await Relay.to(portOf(serving.address), { delayMs: 20, bytesPerSecond })
    relays.push(relay)
    const lead = box.start(['watch', 'a', `wss://127.0.0.1:${relay.port}/r`, '--secret-file', 'lead.key'])
    await lead.event('pair-current')
    for (let at = 0; at < files; at++) box.write(`${from}/f${at}`, randomBytes(100 * 1_024))
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists(`${from}/f${files - 1}`))
    expect(lead.events().filter(({ event }) => event === 'link-lost')).toEqual([])
    const left = serving.process.events().filter(({ event }) => event === 'peer-left')
    expect(left).toEqual([])
  },
  90_000,
)

import { afterEach, expect, test } from 'vitest'
import { networkOf, Refusals } from '../../src/agent/refusals.js'
import type { AgentEvent } from '../../src/status/event.js'
import { HandClock, turns } from '../replica/wire-pair.js'

let refusals: Refusals | undefined
afterEach(() => refusals?.close())

function setUp() {
  const clock = new HandClock()
  const told: string[] = []
  const emit = (event: AgentEvent) => {
    if (event.event === 'peer-refused') told.push(`${event.remote} ${event.code} ${event.detail} x${event.times ?? 1}`)
  }
  const made = new Refusals(clock, emit)
  refusals = made
  const refuse = (remote: string, code = 'unknown-peer', detail = 'd') =>
    made.note({ event: 'peer-refused', remote, code, detail })
  const pass = async (durationMs: number) => {
    await clock.pass(durationMs)
    await turns(3)
  }
  return { told, refuse, pass, close: () => made.close() }
}

test('the first of an address is told at once, the rest of its minute as one; a quiet minute begins anew', async () => {
  const { told, refuse, pass } = setUp()
  for (let port = 1; port <= 500; port++) refuse(`192.0.2.1:${port}`, 'unknown-peer', `${port}`)
  refuse('192.0.2.2:9')
  expect(told.splice(0)).toEqual(['192.0.2.1:1 unknown-peer 1 x1', '192.0.2.2:9 unknown-peer d x1'])
  await pass(60_000)
  expect(told.splice(0)).toEqual(['192.0.2.1:500 unknown-peer 500 x499'])
  // It goes on: again one line a minute.
  for (let port = 1; port <= 500; port++) refuse(`192.0.2.1:${port}`)
  expect(told).toEqual([])
  await pass(60_000)
  expect(told.splice(0)).toEqual(['192.0.2.1:500 unknown-peer d x500'])
  await pass(60_000)
  refuse('192.0.2.1:7')
  expect(told).toEqual(['192.0.2.1:7 unknown-peer d x1'])
})

test('another reason is told at once too', () => {
  const { told, refuse } = setUp()
  for (const code of ['unknown-peer', 'wrong-key', 'unknown-peer', 'wrong-key']) refuse('192.0.2.1:1', code)
  expect(told).toEqual(['192.0.2.1:1 unknown-peer d x1', '192.0.2.1:1 wrong-key d x1'])
})

test('a crowd of addresses is few lines too, and nobody is forgotten', async () => {
  const { told, refuse, pass } = setUp()
  const count = 5_000
  for (let at = 0; at < count; at++) refuse(`10.0.${at >> 8}.${at & 255}:1`)
  expect(told.length).toBeLessThan(300)
  await pass(60_000)
  expect(told.length).toBeLessThan(300)
  expect(told.reduce((sum, line) => sum + Number(/x(\d+)$/.exec(line)?.[1]), 0)).toBe(count)
})

test('what was not told yet is told at the end', () => {
  const { told, refuse, close } = setUp()
  for (let at = 0; at < 3; at++) refuse('192.0.2.1:1')
  close()
  expect(told).toEqual(['192.0.2.1:1 unknown-peer d x1', '192.0.2.1:1 unknown-peer d x2'])
})

test.each([
  ['192.0.2.1:4000', '192.0.2.1'],
  ['[2001:db8:1:2:3:4:5:6]:4000', '2001:db8:1:2'],
  ['[2001:db8::1]:1', '2001:db8:0:0'],
  ['[2001:db8:0:0::1]:1', '2001:db8:0:0'],
  ['[::1]:1', '0:0:0:0'],
  // As a socket for both kinds of addresses has one of the old kind.
  ['[::ffff:192.0.2.1]:4000', '192.0.2.1'],
  ['[fe80::1%eth0]:1', 'fe80:0:0:0'],
  ['{/run/t.sock} 12', '{/run/t.sock}'],
  ['', ''],
])('who is taken for one: %s', (remote, network) => {
  expect(networkOf(remote)).toBe(network)
})

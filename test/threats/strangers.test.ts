import { connect as plain } from 'node:net'
import { type ConnectionOptions, connect as tls } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { handshakeMs, nodeSockets } from '../../src/host/node/sockets.js'
import { unauthenticatedMax } from '../../src/host/node/waiting-room.js'
import type { Endpoint, LinkFailure, Listener, Secret, Socket } from '../../src/host/sockets.js'
import { openRemote } from '../../src/replica/remote.js'
import { decode, encode, type Message } from '../../src/wire/message.js'
import { eventually } from '../e2e/harness.js'
import { codeOf } from '../host/code-of.js'
import { HandClock } from '../replica/wire-pair.js'
import { hostileLead } from './fresh-lead.js'
import { hello } from './hostile-lead.js'

const key = new Uint8Array(32).fill(3)
const laptop: Secret = { identity: 'laptop', key }
const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A listener that knows the laptop. */
async function listening(deadlineMs = 5_000) {
  const accepted: Socket[] = []
  const refused: LinkFailure[] = []
  const listener = await nodeSockets({ deadlineMs }).listen(
    { kind: 'wss', endpoint: { host: '127.0.0.1', port: 0 } },
    (identity) => (identity === 'laptop' ? key : undefined),
    (socket) => accepted.push(socket),
    (failure) => refused.push(failure),
  )
  ends.push(() => listener.close())
  return { accepted, refused, endpoint: endpointOf(listener) }
}

function endpointOf({ place }: Listener): Endpoint {
  if (place.kind === 'socket') throw new Error('no endpoint')
  return place.endpoint
}

async function connected(endpoint: Endpoint, secret = laptop): Promise<Socket> {
  const socket = await nodeSockets().connect({ kind: 'wss', endpoint, secret }, new AbortController().signal)
  ends.push(() => socket.close('end of test'))
  return socket
}

/** Connects so often and says nothing; `cut` counts those that were ended. */
async function crowdAt({ port, host }: Endpoint, count: number): Promise<{ cut: number }> {
  const crowd = { cut: 0 }
  for (let at = 0; at < count; at++) {
    const raw = plain(port, host)
    ends.push(() => raw.destroy())
    raw.on('error', () => {})
    raw.on('close', () => crowd.cut++)
    await new Promise((resolve) => raw.once('connect', resolve))
  }
  return crowd
}

test('T9: of a crowd that says nothing only the most are kept, and a good peer is served meanwhile', async () => {
  expect([unauthenticatedMax, handshakeMs]).toEqual([32, 10_000])
  const { endpoint, accepted, refused } = await listening(60_000)
  const crowd = await crowdAt(endpoint, unauthenticatedMax + 20)
  await eventually(
    () => crowd.cut === 20,
    () => `20 to be cut: ${crowd.cut}`,
  )
  const good = await connected(endpoint)
  await eventually(
    () => accepted.length === 1,
    () => 'the good peer',
  )
  const echoed = new Promise<Uint8Array>((resolve) => good.start({ frame: resolve, drained() {}, closed() {} }))
  accepted[0]?.send(Uint8Array.of(5))
  expect([...(await echoed)]).toEqual([5])
  expect(crowd.cut).toBeLessThanOrEqual(21)
  expect(new Set(refused.map(({ message }) => message.replace(/^\S+ /, '')))).toEqual(
    new Set(['too many connections that do not authenticate']),
  )
})

test('T9: who says nothing is cut at the deadline, before its greeting and after it', async () => {
  const { endpoint, accepted, refused } = await listening(300)
  const crowd = await crowdAt(endpoint, 5)
  const greeted = tls({ ...endpoint, ...modern, ...psk('tandem-1/lead/laptop'), checkServerIdentity: () => undefined })
  ends.push(() => greeted.destroy())
  greeted.on('error', () => {})
  greeted.on('close', () => crowd.cut++)
  greeted.resume()
  await eventually(
    () => crowd.cut === 6,
    () => `all to be cut: ${crowd.cut}`,
  )
  expect(accepted).toEqual([])
  expect(refused.map(({ code, message }) => [code, message.replace(/^\S+ /, '')])).toEqual(
    Array(6).fill(['timed-out', 'not authenticated within 300 ms']),
  )
})

/** How a TLS client with the key fares that offers `options`: what it is told, 'cut' for nothing. */
function strangerWith(endpoint: Endpoint, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const stream = tls({ ...endpoint, rejectUnauthorized: false, checkServerIdentity: () => undefined, ...options })
    ends.push(() => stream.destroy())
    stream.on('secureConnect', () => stream.write(upgrade))
    stream.on('data', (data) => {
      answer += data.toString('latin1')
      if (answer.includes('\r\n\r\n')) resolve(answer)
    })
    stream.on('error', () => {})
    stream.on('close', () => resolve(answer === '' ? 'cut' : answer))
  })
}

const upgrade =
  'GET /tandem HTTP/1.1\r\nHost: tandem\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

const modern = {
  minVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256',
} as const
const psk = (identity: string) => ({ pskCallback: () => ({ psk: Buffer.from(key), identity }) })

test.each<[string, ConnectionOptions]>([
  ['TLS 1.2, keys that are not ephemeral', { maxVersion: 'TLSv1.2', ciphers: 'PSK', ...psk('tandem-1/lead/laptop') }],
  [
    'TLS 1.2, ephemeral keys',
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-PSK-CHACHA20-POLY1305', ...psk('tandem-1/lead/laptop') },
  ],
  ['the name without its role', { ...modern, ...psk('laptop') }],
  ['the name in the other role', { ...modern, ...psk('tandem-1/peer/laptop') }],
  ['no key at all', modern],
])('T10: the right key does not help who offers %s', async (_, options) => {
  const { endpoint, accepted, refused } = await listening()
  expect(await strangerWith(endpoint, { ...modern, ...psk('tandem-1/lead/laptop') })).toContain('101 Switching')
  expect(accepted).toHaveLength(1)
  expect(await strangerWith(endpoint, options)).not.toContain('101 Switching')
  await eventually(
    () => refused.length === 1,
    () => 'the refusal',
  )
  expect(accepted).toHaveLength(1)
})

test('T10: a wrong key and a name that is not known are refused and told apart, at both ends', async () => {
  const { endpoint, accepted, refused } = await listening()
  const other = new Uint8Array(32).fill(4)
  expect(await codeOf(connected(endpoint, { identity: 'laptop', key: other }))).toBe('wrong-key')
  expect(await codeOf(connected(endpoint, { identity: 'thief', key }))).toBe('unknown-peer')
  await eventually(
    () => refused.length === 2,
    () => 'both refusals',
  )
  expect(refused.map(({ code }) => code)).toEqual(['wrong-key', 'unknown-peer'])
  expect(accepted).toEqual([])
})

test.each<[string, (said: Message & { readonly kind: 'hello' }) => Message]>([
  ['its own role', (said) => ({ ...said, role: 'peer' })],
  ['another name than that of the key', (said) => ({ ...said, identity: 'somebody else' })],
  ['the run of the agent itself: it is reflected', (said) => ({ ...said, run: 'peer-run' })],
  [
    'an answer instead: our own is played back',
    (said) => ({ ...said, kind: 'welcome', role: 'peer', protocol: 1, heard: 'hostile-run' }),
  ],
])('T10: a greeting that says %s ends the link', async (_, change) => {
  const lead = await hostileLead()
  await lead.cut()
  await lead.begin(false, null, change(hello))
  await lead.refused('the greeting')
  lead.expectUnharmed()
})

test('T10: a greeting that was recorded is no answer to another one', async () => {
  const { endpoint, accepted } = await listening()
  const opening = openRemote(
    { sockets: nodeSockets(), clock: new HandClock() },
    { kind: 'wss', endpoint, name: 'docs', secret: laptop },
    { agent: 'tandem', version: '0.1.0', run: 'this run' },
    new AbortController().signal,
  )
  const code = codeOf(opening)
  await eventually(
    () => accepted.length === 1,
    () => 'the link',
  )
  const [socket] = accepted
  socket?.start({
    frame(bytes) {
      if (decode(bytes).kind !== 'hello') return
      socket.send(encode({ ...hello, kind: 'welcome', role: 'peer', run: 'r', protocol: 1, heard: 'an earlier run' }))
    },
    drained() {},
    closed() {},
  })
  expect(await code).toBe('protocol')
})

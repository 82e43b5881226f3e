import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect as connectTcp, createServer as createServerTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls, createServer } from 'node:tls'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { type AbsPath, absPath } from '../../src/core/path.js'
import { nodeSockets } from '../../src/host/node/sockets.js'
import { unauthenticatedMax } from '../../src/host/node/waiting-room.js'
import type { Endpoint, LinkFailure, Listener, Socket } from '../../src/host/sockets.js'
import { describeSockets } from './sockets.suite.js'

const loopback = { host: '127.0.0.1', port: 0 }
describeSockets('TLS', () => ({ sockets: nodeSockets(), place: { kind: 'wss', endpoint: loopback } }))
describeSockets('TLS, IPv6', () => ({
  sockets: nodeSockets(),
  place: { kind: 'wss', endpoint: { host: '::1', port: 0 } },
}))
describeSockets('plain', () => ({ sockets: nodeSockets(), place: { kind: 'ws', endpoint: loopback } }), 'ws')
describeSockets('Unix', () => ({ sockets: nodeSockets(), place: { kind: 'socket', path: freshPlace() } }), 'socket')

const places: string[] = []
afterAll(() => {
  for (const place of places) rmSync(place, { recursive: true, force: true })
})

function freshPlace(name = 'link.sock'): AbsPath {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-socket-'))
  places.push(directory)
  return absPath(join(directory, name))
}

function endpointOf({ place }: Listener): Endpoint {
  if (place.kind === 'socket') throw new Error('no endpoint')
  return place.endpoint
}

test.each(['ws', 'socket'] as const)('over %s, bytes of a message count before it is whole', async (kind) => {
  const half = 200_000
  const server = createServerTcp((stream) =>
    stream.once('data', (request) => {
      const key = /sec-websocket-key: (\S+)/i.exec(request.toString('latin1'))?.[1] ?? ''
      const answer = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      stream.write(
        `HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${answer}\r\n\r\n`,
      )
      // A binary message (RFC 6455, section 5.2) of twice as many bytes as ever come.
      const header = Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0])
      header.writeUInt32BE(2 * half, 6)
      stream.write(Buffer.concat([header, new Uint8Array(half)]))
    }),
  )
  const path = freshPlace()
  const listening = once(server, 'listening')
  if (kind === 'ws') server.listen(0, '127.0.0.1')
  else server.listen(path)
  await listening
  const bound = server.address()
  const endpoint = { host: '127.0.0.1', port: typeof bound === 'object' ? (bound?.port ?? 0) : 0 }
  const target = kind === 'ws' ? { kind, endpoint } : { kind, path }
  const socket = await nodeSockets().connect(target, new AbortController().signal)
  const frames: Uint8Array[] = []
  socket.start({ frame: (bytes) => frames.push(bytes), drained() {}, closed() {} })
  await vi.waitUntil(() => socket.receivedBytes >= half, 10_000)
  expect(frames).toEqual([])
  socket.close('end of test')
  server.close()
})

test.each([
  ['the loopback', { kind: 'wss', endpoint: loopback } as const],
  ['the loopback, IPv6', { kind: 'wss', endpoint: { host: '::1', port: 0 } } as const],
  ['a Unix socket', { kind: 'socket', path: freshPlace() } as const],
])('over %s nothing is compressed', async (_, place) => {
  const key = new Uint8Array(32)
  const sockets = nodeSockets()
  const listener = await sockets.listen(
    place,
    () => key,
    () => {},
    () => {},
  )
  const there = listener.place
  const target = there.kind === 'socket' ? there : ({ ...there, secret: { identity: 'laptop', key } } as const)
  const socket = await sockets.connect(target, new AbortController().signal)
  expect(socket.compression).toBeUndefined()
  socket.close('end of test')
  await listener.close()
})

describe('the listener on the network', () => {
  const key = new Uint8Array(32).fill(3)
  const psk = { pskCallback: () => ({ psk: Buffer.from(key), identity: 'tandem-1/lead/laptop' }) }
  const modern = {
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256',
  } as const
  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  async function listening(deadlineMs = 5_000) {
    const accepted: Socket[] = []
    const refused: LinkFailure[] = []
    const listener = await nodeSockets({ deadlineMs }).listen(
      { kind: 'wss', endpoint: loopback },
      (identity) => (identity === 'laptop' ? key : undefined),
      (socket) => accepted.push(socket),
      (failure) => refused.push(failure),
    )
    ends.push(() => listener.close())
    return { listener, accepted, refused }
  }

  /** How a TLS client fares that sends `request` once it is through. */
  function tlsClient(listener: Listener, options: ConnectionOptions, request = ''): Promise<string> {
    return new Promise((resolve) => {
      let answer = ''
      const stream = connectTls({
        ...endpointOf(listener),
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        ...options,
      })
      ends.push(() => stream.destroy())
      stream.on('secureConnect', () => stream.write(request))
      stream.on('data', (data) => {
        answer += data.toString('latin1')
        if (answer.includes('101 Switching')) resolve(answer)
      })
      stream.on('error', () => {})
      stream.on('close', () => resolve(answer === '' ? 'cut' : answer))
    })
  }

  const upgrade = (path: string, host: string) =>
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

  test('a client with the key and the right request is let in', async () => {
    const { listener, accepted } = await listening()
    expect(await tlsClient(listener, { ...modern, ...psk }, upgrade('/tandem', 'tandem'))).toContain('101 Switching')
    await until(() => accepted.length === 1)
    expect(accepted[0]?.identity).toBe('laptop')
    expect(accepted[0]?.remote).toMatch(/^127\.0\.0\.1:\d+$/)
  })

  test.each<[string, ConnectionOptions, string]>([
    // who comes                                   what it offers                                     what it asks
    ['a client without a key', { ...modern }, upgrade('/tandem', 'tandem')],
    ['a TLS 1.2 client with the key', { maxVersion: 'TLSv1.2', ciphers: 'PSK', ...psk }, upgrade('/tandem', 'tandem')],
    [
      'a TLS 1.2 client with the key and an ephemeral one',
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-PSK-CHACHA20-POLY1305', ...psk },
      upgrade('/tandem', 'tandem'),
    ],
    [
      'a client whose name lacks the role',
      { ...modern, pskCallback: () => ({ psk: Buffer.from(key), identity: 'laptop' }) },
      upgrade('/tandem', 'tandem'),
    ],
    ['another path', { ...modern, ...psk }, upgrade('/', 'tandem')],
    ['another host (a web page that was rebound)', { ...modern, ...psk }, upgrade('/tandem', 'localhost')],
    ['a plain request', { ...modern, ...psk }, 'GET /tandem HTTP/1.1\r\nHost: tandem\r\n\r\n'],
    ['no HTTP at all', { ...modern, ...psk }, '\x00\x01\x02\r\n\r\n'],
  ])('%s is refused, and told to the owner', async (_, options, request) => {
    const { listener, accepted, refused } = await listening()
    expect(await tlsClient(listener, options, request)).not.toContain('101 Switching')
    await until(() => refused.length === 1)
    expect(accepted).toEqual([])
  })

  test('a TLS client with a certificate is refused', async () => {
    const { listener, accepted, refused } = await listening()
    const certificate = selfSigned()
    expect(await tlsClient(listener, { ...modern, ...certificate }, upgrade('/tandem', 'tandem'))).toBe('cut')
    await until(() => refused.length === 1)
    expect(accepted).toEqual([])
  })

  test('a server that shows a certificate is refused, even one that is trusted', async () => {
    const { cert, key: certKey } = selfSigned()
    const server = createServer({ cert, key: certKey }, (stream) => stream.on('error', () => {}))
    server.on('tlsClientError', () => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(() => server.close())
    const bound = server.address()
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0
    const attempt = nodeSockets().connect(
      { kind: 'wss', endpoint: { host: '127.0.0.1', port }, secret: { identity: 'laptop', key } },
      new AbortController().signal,
    )
    await expect(attempt).rejects.toMatchObject({ code: 'protocol' })
  })

  test('a server that never answers is given up at the deadline', async () => {
    const { listener } = await listening(60)
    // The listener is the silent end here: the client below speaks no TLS to it, and this server none to the client.
    const silent = createTcp()
    const port = await silent.port
    const attempt = nodeSockets({ deadlineMs: 50 }).connect(
      { kind: 'wss', endpoint: { host: '127.0.0.1', port }, secret: { identity: 'laptop', key } },
      new AbortController().signal,
    )
    await expect(attempt).rejects.toMatchObject({ code: 'timed-out' })
    expect(endpointOf(listener).port).not.toBe(port)
  })

  test('a session cannot be resumed with a ticket in place of the key', async () => {
    const { listener, refused } = await listening()
    let session: Buffer | undefined
    const first = connectTls({ ...endpointOf(listener), ...modern, ...psk, checkServerIdentity: () => undefined })
    first.on('error', () => {})
    first.on('session', (ticket) => {
      session = ticket
    })
    await new Promise((resolve) => first.once('secureConnect', resolve))
    first.write(upgrade('/', 'tandem'))
    first.resume()
    await new Promise((resolve) => first.once('close', resolve))
    await until(() => refused.length === 1)
    const options = session === undefined ? { ...modern } : { ...modern, session }
    expect(await tlsClient(listener, options, upgrade('/tandem', 'tandem'))).toBe('cut')
  })

  test('silent connections are dropped at the deadline, and more than the most of them never keep a good peer out', async () => {
    const { listener, accepted, refused } = await listening(3_000)
    const silent = unauthenticatedMax + 8
    let cut = 0
    for (let i = 0; i < silent; i++) {
      const raw = connectTcp(endpointOf(listener).port, '127.0.0.1')
      ends.push(() => raw.destroy())
      raw.on('error', () => {})
      raw.on('close', () => {
        cut += 1
      })
      await new Promise((resolve) => raw.once('connect', resolve))
    }
    const good = await nodeSockets().connect(
      { kind: 'wss', endpoint: endpointOf(listener), secret: { identity: 'laptop', key } },
      new AbortController().signal,
    )
    ends.push(() => good.close('end of test'))
    await until(() => accepted.length === 1)
    await until(() => cut === silent)
    expect(refused.map((failure) => failure.code)).toEqual(Array(silent).fill('timed-out'))
    // The good peer is past the deadline too, and still there.
    const echoed = new Promise<Uint8Array>((resolve) => {
      good.start({ frame: resolve, drained() {}, closed() {} })
    })
    accepted[0]?.send(Uint8Array.of(5))
    expect([...(await echoed)]).toEqual([5])
  })

  test('a text message is a breach of the protocol', async () => {
    const { listener, accepted } = await listening()
    const stream = connectTls({ ...endpointOf(listener), ...modern, ...psk, checkServerIdentity: () => undefined })
    ends.push(() => stream.destroy())
    stream.on('error', () => {})
    stream.write(upgrade('/tandem', 'tandem'))
    // The first data is the answer to the request, the second the closing frame: answered by hanging up.
    stream.once('data', () => stream.once('data', () => stream.destroy()))
    await until(() => accepted.length === 1)
    const closed = new Promise<LinkFailure>((resolve) => {
      accepted[0]?.start({ frame() {}, drained() {}, closed: resolve })
    })
    // FIN and text, masked with zeros, two bytes: 'hi'.
    stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
    expect((await closed).code).toBe('protocol')
  })

  test('a name that no resolver knows is unreachable', async () => {
    // A resolver that does not answer is waited for longer than a peer.
    const attempt = nodeSockets({ deadlineMs: 60_000 }).connect(
      { kind: 'wss', endpoint: { host: 'no-such-host.invalid', port: 4242 }, secret: { identity: 'laptop', key } },
      new AbortController().signal,
    )
    await expect(attempt).rejects.toMatchObject({ code: 'unreachable' })
  })

  // localhost is the name of both on most machines; where it has one address, that one is tested alone.
  test.each(['127.0.0.1', '::1'])(
    'a name with several addresses is reached at the one that answers, %s',
    async (host) => {
      const found = await lookup('localhost', { all: true })
      const accepted: Socket[] = []
      const listener = await nodeSockets().listen(
        {
          kind: 'wss',
          endpoint: { host: found.some(({ address }) => address === host) ? host : '127.0.0.1', port: 0 },
        },
        () => key,
        (socket) => accepted.push(socket),
        () => {},
      )
      ends.push(() => listener.close())
      const socket = await nodeSockets().connect(
        {
          kind: 'wss',
          endpoint: { host: 'localhost', port: endpointOf(listener).port },
          secret: { identity: 'laptop', key },
        },
        new AbortController().signal,
      )
      ends.push(() => socket.close('end of test'))
      await until(() => accepted.length === 1)
    },
  )

  test('an address of another machine cannot be listened on', async () => {
    const attempt = nodeSockets().listen(
      { kind: 'wss', endpoint: { host: '192.0.2.1', port: 0 } },
      () => undefined,
      () => {},
      () => {},
    )
    await expect(attempt).rejects.toMatchObject({ code: 'unreachable' })
  })

  /** A TCP server that accepts and says nothing. */
  function createTcp(): { port: Promise<number> } {
    const server = createServerTcp((raw) => {
      ends.push(() => raw.destroy())
      raw.on('error', () => {})
    })
    ends.push(() => server.close())
    const port = new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => {
        const bound = server.address()
        resolve(bound !== null && typeof bound === 'object' ? bound.port : 0)
      }),
    )
    return { port }
  }
})

/** A condition of real sockets, waited for with a deadline. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the condition did not come true in time')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function selfSigned(): { cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-certificate-'))
  try {
    const files = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') }
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'].concat([
        '-subj',
        '/CN=127.0.0.1',
        '-keyout',
        files.key,
        '-out',
        files.cert,
      ]),
      { stdio: 'ignore' },
    )
    return { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { nodeSockets } from '../../src/host/node/sockets.js'
import type { Endpoint, Socket } from '../../src/host/sockets.js'
import { sandbox } from '../e2e/harness.js'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A listener that asks nobody for a key. */
async function listening() {
  const accepted: Socket[] = []
  const listener = await nodeSockets().listen(
    { kind: 'ws', endpoint: { host: '127.0.0.1', port: 0 } },
    () => undefined,
    (socket) => accepted.push(socket),
    () => {},
  )
  ends.push(() => listener.close())
  if (listener.place.kind === 'socket') throw new Error('no endpoint')
  return { accepted, endpoint: listener.place.endpoint }
}

/** What a web page can bring a browser to ask for, and what it cannot: leave out its origin, or name another host. */
function webRequest({ host = 'tandem', origin = '', method = 'GET', path = '/tandem' }): string {
  return (
    `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${origin === '' ? '' : `Origin: ${origin}\r\n`}` +
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 0\r\n\r\n'
  )
}

function answerTo(where: Endpoint, request: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const stream = connect(where, () => stream.write(request))
    ends.push(() => stream.destroy())
    stream.on('data', (data) => {
      answer += data.toString('latin1')
      if (answer.includes('\r\n\r\n')) resolve(answer)
    })
    stream.on('error', () => {})
    stream.on('close', () => resolve(answer))
  })
}

test('T14: no web page gets through to an agent that listens on the loopback without a key', async () => {
  const { endpoint, accepted } = await listening()
  expect(await answerTo(endpoint, webRequest({}))).toContain('101 Switching')
  expect(accepted).toHaveLength(1)
  const pages = [
    { origin: 'https://example.org' },
    { origin: 'null' },
    { host: `127.0.0.1:${endpoint.port}` },
    { host: `localhost:${endpoint.port}`, origin: `http://localhost:${endpoint.port}` },
    { host: 'rebound.example.org', origin: 'http://rebound.example.org' },
    { method: 'POST' },
    { path: '/' },
  ]
  for (const page of pages) expect(await answerTo(endpoint, webRequest(page)), JSON.stringify(page)).toBe('')
  expect(accepted).toHaveLength(1)
})

test('T14: what steers the agent is no port, and its socket is for its user alone', async () => {
  const box = sandbox()
  const running = box.start(['watch', 'a', 'b'])
  box.write('a/f', 'f')
  await running.event('pair-current')
  const fds = `/proc/${running.pid}/fd`
  expect(lstatSync(box.at('state/control.sock')).mode & 0o777).toBe(0o600)
  expect(lstatSync(box.at('state')).mode & 0o077).toBe(0)
  const inodes = readdirSync(fds).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`${fds}/${fd}`))?.[1] ?? []
    } catch {
      return []
    }
  })
  const onNetwork = ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((name) =>
    readFileSync(`/proc/${running.pid}/net/${name}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/)[9] ?? ''),
  )
  expect(inodes.length).toBeGreaterThan(0)
  expect(inodes.filter((inode) => onNetwork.includes(inode))).toEqual([])
})

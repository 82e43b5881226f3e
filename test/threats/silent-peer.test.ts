import { randomBytes } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { readSecret, writeSecret } from '../../src/config/secret.js'
import { rootPath } from '../../src/core/path.js'
import type { Report } from '../../src/core/report.js'
import { nodeSockets } from '../../src/host/node/sockets.js'
import { type Listener, placeText, type Socket } from '../../src/host/sockets.js'
import { decode, encode, type Message } from '../../src/wire/message.js'
import { eventually, type Sandbox, sandbox } from '../e2e/harness.js'
import { hello } from './hostile-lead.js'

const listeners: Listener[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close('end of test')
  for (const listener of listeners.splice(0)) await listener.close()
})

/** A peer that has the key, greets, answers every heartbeat and these requests, as an empty root would, and nothing else, ever. */
async function silentPeer(
  box: Sandbox,
  answered: readonly string[] = [],
): Promise<{ url: string; keyFile: string; asked: string[] }> {
  const keyFile = box.at('lead.key')
  writeSecret(keyFile, 'lead', { bytes: (count) => randomBytes(count) })
  const { key } = readSecret(keyFile)
  const asked: string[] = []
  const accept = (socket: Socket) => {
    sockets.push(socket)
    socket.start({
      frame(bytes) {
        const message = decode(bytes)
        asked.push(message.kind)
        if (message.kind === 'ping') socket.send(encode({ kind: 'pong' }))
        if (answered.includes(message.kind)) answer(socket, message)
        if (message.kind !== 'hello') return
        const { identity } = socket
        socket.send(encode({ ...hello, identity, kind: 'welcome', role: 'peer', protocol: 1, heard: message.run }))
      },
      drained() {},
      closed() {},
    })
  }
  const listener = await nodeSockets().listen(
    { kind: 'wss', endpoint: { host: '127.0.0.1', port: 0 } },
    () => key,
    accept,
    () => {},
  )
  listeners.push(listener)
  return { url: `wss://${placeText(listener.place)}/docs`, keyFile, asked }
}

function answer(socket: Socket, message: Message): void {
  if (message.kind === 'open') {
    const ids = { rootId: 'r', boot: 'b', index: 'i', run: 'u' }
    const opened = { ...ids, created: true, fresh: true, generation: 0, folding: false, hardLink: undefined }
    socket.send(encode({ kind: 'opened', id: message.id, opened }))
  } else if (message.kind === 'set-generation') socket.send(encode({ kind: 'done', id: message.id }))
  else if (message.kind === 'changes') {
    const reports: Report[] = [
      { kind: 'entry', path: rootPath, found: { kind: 'directory', props: { mode: 0o755, mtimeNs: 1n } } },
      { kind: 'listing', path: rootPath, members: [], more: false },
    ]
    socket.send(encode({ kind: 'changed', id: message.id, last: true, sequence: 1, current: true, reports }))
  }
}

test.each(['SIGINT', 'SIGTERM'] as const)(
  'T7: a pass that waits for a peer that never answers ends on %s, with 3',
  async (signal) => {
    const box = sandbox()
    box.write('mine/a', 'a')
    const { url, keyFile, asked } = await silentPeer(box)
    const pass = box.start(['sync', 'mine', url, '--secret-file', keyFile, '--batch'])
    await eventually(
      () => asked.includes('open'),
      () => `the open: ${pass.stderr}`,
    )
    pass.signal(signal)
    expect((await pass.ended).code).toBe(3)
    expect(box.read('mine/a')).toBe('a')
  },
)

test('T7: a pass whose peer falls silent in the middle ends on SIGINT too, after a while', async () => {
  const box = sandbox()
  box.write('mine/a', 'a')
  const { url, keyFile, asked } = await silentPeer(box, ['open', 'set-generation', 'changes'])
  const pass = box.start(['sync', 'mine', url, '--secret-file', keyFile, '--batch'])
  await eventually(
    () => asked.includes('apply'),
    () => `the apply: ${asked} ${pass.stderr}`,
  )
  pass.signal('SIGINT')
  expect((await pass.ended).code).toBe(3)
})

test('T7: of two pairs of an agent the one with a good peer goes on, and the agent stops when it is told to', async () => {
  const box = sandbox()
  box.write('mine/a', 'a')
  box.write('one/b', 'b')
  const { url, asked } = await silentPeer(box)
  const text = [
    '[[pair]]',
    'name = "stuck"',
    'alpha = "mine"',
    `beta = "${url}"`,
    'secret_file = "lead.key"',
    '',
    '[[pair]]',
    'name = "good"',
    'alpha = "one"',
    'beta = "two"',
    '',
  ]
  box.write('tandem.toml', text.join('\n'), { mode: 0o600 })
  const agent = box.start(['run', '--config', 'tandem.toml'])
  await eventually(
    () => asked.includes('open'),
    () => `the open: ${agent.stderr}`,
  )
  await eventually(
    () => box.exists('two/b'),
    () => `the good pair: ${agent.stderr}`,
  )
  box.write('one/c', 'c')
  await eventually(
    () => box.exists('two/c'),
    () => `the good pair: ${agent.stderr}`,
  )
  agent.signal('SIGTERM')
  expect((await agent.ended).code).toBe(0)
})

import { randomBytes } from 'node:crypto'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { readSecret, writeSecret } from '../../src/config/secret.js'
import { absent } from '../../src/core/content.js'
import { relPath, rootPath } from '../../src/core/path.js'
import type { Member, Report } from '../../src/core/report.js'
import { nodeSockets } from '../../src/host/node/sockets.js'
import { type Listener, placeText, type Socket } from '../../src/host/sockets.js'
import { digestOf } from '../../src/replica/jobs/digest.js'
import { parseMarker } from '../../src/replica/jobs/marker.js'
import { ReadOnlyReplica } from '../../src/replica/read-only.js'
import { decode, encode, type Message } from '../../src/wire/message.js'
import { eventually, portOf, type Sandbox, type Serving, sandbox, serve, tree } from '../e2e/harness.js'
import { packOf } from '../replica/jobs/fixture.js'
import { hostileLead } from './fresh-lead.js'
import { hello } from './hostile-lead.js'

const listeners: Listener[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close('end of test')
  for (const listener of listeners.splice(0)) await listener.close()
})

test('T11: an invitation is used up by the first join; who comes with it after that is refused and told of, and gets nothing', async () => {
  const box = sandbox()
  box.write('hub/photos/f', 'from the hub')
  writeFileSync(
    box.at('hub/t.toml'),
    '[listen]\naddress = "127.0.0.1:0"\n\n[[serve]]\nname = "photos"\npath = "photos"\n',
    { mode: 0o600 },
  )
  const agent = box.start(['run', '--config', 'hub/t.toml'], { state: box.at('hub/state') })
  await agent.event('listening')
  const given = ['invite', 'laptop', '--root', 'hub/photos', '--config', 'hub/t.toml']
  const line = (await box.tandem(given, { state: box.at('hub/state') })).stdout.trim()
  const join = (there: string) =>
    box.tandem(['join', line, `${there}/photos`, '--config', `${there}/t.toml`], { state: box.at(there, 'state') })
  expect((await join('spoke')).code).toBe(0)
  const before = box.read('hub/t.toml')
  const thief = await join('thief')
  expect(thief).toMatchObject({ code: 3, stderr: expect.stringMatching(/has been used/) })
  expect((await agent.event('peer-refused')).detail).toMatch(/has been used/)
  expect(box.read('hub/t.toml')).toBe(before)
  expect(box.exists('thief/t.toml')).toBe(false)
  expect(box.exists('thief/photos/f')).toBe(false)
  // What is in the line is not the key that was agreed on either.
  const [, address, root, id, text] = /^tandem-invite:([^/]+)\/([^/]+)\/([^/]+)\/(.+)$/.exec(line) ?? []
  const stolen = Buffer.from(text ?? '', 'base64url').toString('hex')
  for (const identity of [`invite-${id}`, 'laptop']) {
    box.write('stolen.key', `identity = "${identity}"\nkey = "${stolen}"\n`, { mode: 0o600 })
    const direct = ['sync', 'thief/photos', `wss://${address}/${root}`, '--secret-file', 'stolen.key', '--batch']
    expect((await box.tandem(direct)).code).toBe(3)
  }
  expect(box.exists('thief/photos/f')).toBe(false)
})

test('T22: a lead that may only read changes nothing, whatever it asks for', async () => {
  const lead = await hostileLead({
    prepare: (made) => {
      made.rights = (replica) => new ReadOnlyReplica(replica)
    },
  })
  const props = { mode: 0o600, mtimeNs: 1_700_000_000_000_000_000n }
  const { size, mode, mtimeNs } = statSync(lead.there.abs('mine'), { bigint: true })
  const held = { mode: Number(mode & 0o7777n), mtimeNs }
  const mine = { kind: 'file' as const, fingerprint: undefined, sizeBytes: Number(size), props: held }
  await lead.ask({ kind: 'rescan', id: lead.id(), more: false, paths: [rootPath] })
  lead.send({ kind: 'stage', batch: 1, props: new Uint8Array(0), bytes: packOf(['new', 'new']) })
  const answer = await lead.ask({
    kind: 'apply',
    id: lead.id(),
    more: false,
    batch: 1,
    supplier: 'boot',
    operations: [
      { op: 'write-file', path: relPath('n'), expect: absent, want: 0, sizeBytes: 3, props },
      { op: 'write-file', path: relPath('mine'), expect: mine, want: 1, sizeBytes: 3, props },
      { op: 'remove', path: relPath('mine'), expect: mine },
      { op: 'set-props', path: relPath('mine'), expect: mine, props },
      { op: 'create-directory', path: relPath('d'), expect: absent, props },
      { op: 'write-symlink', path: relPath('l'), expect: absent, target: 'x' },
      { op: 'rename', path: relPath('moved'), from: relPath('mine'), expect: mine },
    ],
  })
  expect(answer).toMatchObject({ kind: 'outcomes', outcomes: Array(7).fill({ kind: 'failed', code: 'denied' }) })
  lead.expectUnharmed()
  expect(statSync(lead.there.abs('mine'), { bigint: true }).mtimeNs).toBe(mtimeNs)
})

interface Told {
  readonly rootId: string
  readonly generation: number
  readonly sequence?: number
  readonly members: readonly Member[]
}

/** What a served root says of itself, greeted and opened as it should. `port` 0: any free one. */
async function lyingPeer(box: Sandbox, port: number, { rootId, generation, sequence = 1, members }: Told) {
  const { key } = readSecret(box.at('lead.key'))
  const asked: string[] = []
  const answerTo = (message: Message, identity: string): Message[] => {
    switch (message.kind) {
      case 'ping':
        return [{ kind: 'pong' }]
      case 'hello':
        return [{ ...hello, identity, kind: 'welcome', role: 'peer', protocol: 1, heard: message.run }]
      case 'open': {
        const ids = { rootId, boot: 'b', index: 'i', run: 'u' }
        const opened = { ...ids, created: false, fresh: false, generation, folding: false, hardLink: undefined }
        return [{ kind: 'opened', id: message.id, opened }]
      }
      case 'changes': {
        const reports: Report[] = [
          { kind: 'entry', path: rootPath, found: { kind: 'directory', props: { mode: 0o755, mtimeNs: 1n } } },
          { kind: 'listing', path: rootPath, members, more: false },
        ]
        return [{ kind: 'changed', id: message.id, last: true, sequence, current: true, reports }]
      }
      case 'set-generation':
      case 'sync':
      case 'acknowledge':
      case 'close':
        return [{ kind: 'done', id: message.id }]
      default:
        return []
    }
  }
  const accept = (socket: Socket) => {
    sockets.push(socket)
    socket.start({
      frame(bytes) {
        const message = decode(bytes)
        asked.push(message.kind)
        for (const answer of answerTo(message, socket.identity)) socket.send(encode(answer))
      },
      drained() {},
      closed() {},
    })
  }
  const place = { kind: 'wss', endpoint: { host: '127.0.0.1', port } } as const
  const listener = await nodeSockets().listen(
    place,
    () => key,
    accept,
    () => {},
  )
  listeners.push(listener)
  return { asked, url: `wss://${placeText(listener.place)}/docs` }
}

test.each<[string, number, boolean, number]>([
  // what it says                         files  one is left  how the pass ends
  ['that its root is empty', 30, false, 3],
  ['that nearly everything is gone', 2_600, true, 1],
])('T22: a peer that says %s deletes nothing on the other side', async (_, files, oneStays, code) => {
  const box = sandbox()
  mkdirSync(box.at('a'))
  for (let at = 0; at < files; at++) writeFileSync(box.at('a', `${at}`), `${at}`)
  mkdirSync(box.at('b'))
  const serving = await serve(box, { docs: 'b' })
  const sync = () => box.tandem(['sync', 'a', serving.url('docs'), '--secret-file', serving.keyFile, '--batch'])
  expect((await sync()).code).toBe(0)
  serving.process.signal('SIGTERM')
  await serving.process.ended
  const marker = parseMarker(box.read('b/.tandem/marker'))
  const [generation = 0] = Object.values(marker?.generations ?? {})
  const { size, mode, mtimeNs } = statSync(box.at('b/0'), { bigint: true })
  const props = { mode: Number(mode & 0o7777n), mtimeNs }
  const stays = { kind: 'file', fingerprint: digestOf(Buffer.from('0')), sizeBytes: Number(size), props } as const
  const before = tree(box.at('a'))
  const told = { rootId: marker?.rootId ?? '', generation, members: oneStays ? [{ name: '0', found: stays }] : [] }
  const { asked } = await lyingPeer(box, portOf(serving.address), told)
  const end = await sync()
  expect(asked).toContain('changes')
  expect(end.code, end.stdout + end.stderr).toBe(code)
  expect(tree(box.at('a'))).toEqual(before)
})

test.each<[string, Pick<Told, 'generation' | 'sequence'>]>([
  ['its generation', { generation: Number.MAX_SAFE_INTEGER }],
  ['its generation, the last one that a store can hold', { generation: 2 ** 48 - 1 }],
  ['its sequence', { generation: 0, sequence: Number.MAX_SAFE_INTEGER }],
])(
  'T22: a peer whose number is too long for a store, as %s, ends its own link, and the agent goes on',
  async (_, lie) => {
    const box = sandbox()
    box.write('mine/a', 'a')
    box.write('one/b', 'b')
    writeSecret(box.at('lead.key'), 'lead', { bytes: (count) => randomBytes(count) })
    const { url } = await lyingPeer(box, 0, { rootId: 'ab'.repeat(16), members: [], ...lie })
    const pairs = [
      `[[pair]]\nname = "lied-to"\nalpha = "mine"\nbeta = "${url}"\nsecret_file = "lead.key"\n`,
      '[[pair]]\nname = "good"\nalpha = "one"\nbeta = "two"\n',
    ]
    box.write('tandem.toml', pairs.join('\n'), { mode: 0o600 })
    const agent = box.start(['run', '--config', 'tandem.toml'])
    await agent.until(() => /"code":"protocol"/.test(agent.stderr), 'the end of the link')
    box.write('one/c', 'c')
    await agent.until(() => box.exists('two/c'), 'the good pair')
    expect(box.read('mine/a')).toBe('a')
    agent.signal('SIGTERM')
    expect((await agent.ended).code).toBe(0)
  },
)

/** A lead with the key of the served peer; `said` is what it heard. */
async function leadOf(serving: Serving) {
  const endpoint = { host: '127.0.0.1', port: portOf(serving.address) }
  const target = { kind: 'wss', endpoint, secret: readSecret(serving.keyFile) } as const
  const socket = await nodeSockets().connect(target, new AbortController().signal)
  sockets.push(socket)
  const said: Message[] = []
  const lead = { said, isClosed: false, open, close: () => socket.close('done') }
  socket.start({
    frame: (bytes) => said.push(decode(bytes)),
    drained() {},
    closed() {
      lead.isClosed = true
    },
  })
  socket.send(encode({ ...hello, identity: socket.identity }))
  await eventually(
    () => said.length > 0,
    () => 'a greeting, or a refusal',
  )
  function open(pair: string): Promise<void> {
    const view = { ignore: [], ignorenot: [], paths: [] }
    const request = { pair, from: '', cursor: undefined, view, create: true, watch: true }
    socket.send(encode({ kind: 'open', id: 1, more: false, root: 'docs', request }))
    return eventually(
      () => said.some(({ kind }) => kind === 'opened'),
      () => `the root: ${JSON.stringify(said)}`,
    )
  }
  return lead
}

const pairId = (at: number) => at.toString(16).padStart(32, '0')

test('T8: one key has 16 links at most; who comes with it beyond that is told, once in the log, and served when there is room', async () => {
  const box = sandbox()
  box.write('docs/f', 'f')
  const serving = await serve(box, { docs: 'docs' })
  const leads: Awaited<ReturnType<typeof leadOf>>[] = []
  for (let at = 0; at < 16; at++) leads.push(await leadOf(serving))
  for (let again = 0; again < 3; again++)
    expect((await leadOf(serving)).said).toMatchObject([
      { kind: 'refuse', code: 'root-busy', detail: expect.stringContaining('lead has 16 links here') },
    ])
  const refusals = () => serving.process.events().filter(({ event }) => event === 'peer-refused')
  expect(refusals()).toMatchObject([{ code: 'root-busy' }])
  expect(leads.filter(({ isClosed }) => isClosed)).toEqual([])
  leads[3]?.close()
  await eventually(
    () => leads[3]?.isClosed === true && refusals().length === 2,
    () => 'the end of a link',
  )
  expect((await leadOf(serving)).said).toMatchObject([{ kind: 'welcome' }])
})

test('T8: a pair that comes again takes the place of its link that fell silent; other pairs of the same key stay', async () => {
  const box = sandbox()
  box.write('docs/f', 'f')
  const serving = await serve(box, { docs: 'docs' })
  const leads: Awaited<ReturnType<typeof leadOf>>[] = []
  for (let at = 0; at < 15; at++) {
    const lead = await leadOf(serving)
    await lead.open(pairId(at))
    leads.push(lead)
  }
  // Every link fell silent without a word: each pair is back, one after the other, though there is room for one more link alone.
  for (let at = 0; at < 15; at++) {
    const again = await leadOf(serving)
    await again.open(pairId(at))
    await eventually(
      () => leads[at]?.isClosed === true,
      () => `the end of the link before, of pair ${at}`,
    )
    expect(again.isClosed).toBe(false)
    expect(leads.filter(({ isClosed }) => isClosed)).toHaveLength(at + 1)
  }
  // Not because nobody answered its heartbeats.
  const left = serving.process.events().filter(({ event }) => event === 'peer-left')
  expect(left.map(({ code }) => code)).toEqual(Array(15).fill('closed'))
})

import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readSecret, writeSecret } from '../../src/config/secret.js'
import { absent } from '../../src/core/content.js'
import { relPath, rootPath } from '../../src/core/path.js'
import type { Report } from '../../src/core/report.js'
import { nodeSockets } from '../../src/host/node/sockets.js'
import { placeText, type Socket } from '../../src/host/sockets.js'
import { BytesWriter } from '../../src/wire/bytes.js'
import { decode, encode, type Message } from '../../src/wire/message.js'
import { packBytesMax, writeItem } from '../../src/wire/pack.js'
import { eventually, portOf, type Running, Sandbox, type Serving, sandbox, serve } from '../e2e/harness.js'
import { hello } from './hostile-lead.js'

const growthKiBMax = 64 * 1_024
/** Nobody is kept waiting by patterns for so long: the agent answers a ping, and everything before it. */
const patternsMsMax = 6_000
const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** Frames as a hostile lead sends them, one after the other, until the link is ended or there are no more. */
type Attack = (id: () => number, box: Sandbox) => Iterable<Message | Uint8Array>

const open: Message & { readonly kind: 'open' } = {
  kind: 'open',
  id: 1,
  more: false,
  root: 'docs',
  request: {
    pair: 'a'.repeat(32),
    from: '',
    cursor: undefined,
    view: { ignore: [], ignorenot: [], paths: [] },
    create: true,
    watch: true,
  },
}
const long = 'x'.repeat(250)
const quickly = (bytes: Uint8Array) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })

/** Patterns that are short and stand for very much: what they become is asked for in every way there is. */
function patternAttacks(): [string, Attack][] {
  const asking = (ignore: readonly string[]): Attack =>
    function* (id) {
      yield { ...open, request: { ...open.request, view: { ...open.request.view, ignore } } }
      yield { kind: 'changes', id: id() }
      yield { kind: 'removing', id: id(), count: 3_000, confirmed: false }
      yield {
        kind: 'audit',
        id: id(),
        more: false,
        paths: [{ path: rootPath, isLeftOut: false }],
        members: true,
        perms: 0,
        times: true,
      }
    }
  const repeated = (length: number, at: number) => `Regex ${'x{1000}'.repeat(length)}${at}`
  const few = Array.from({ length: 237 }, (_, at) => repeated(9, at))
  const many = Array.from({ length: 220 }, (_, at) => repeated(580, at))
  const each = Array.from({ length: 10_000 }, (_, at) => repeated(9, at))
  return [
    ['patterns that stand for very much', asking(few)],
    ['patterns that stand for as much as there is room for', asking([repeated(4, 0)])],
    ['patterns that stand for very much, 900,000 characters of them', asking(many)],
    ['10,000 patterns of which each stands for much', asking(each)],
    [
      'globs that are in many places at once',
      asking([
        `Name ${'*?'.repeat(2_000)}`,
        ...Array.from({ length: 400 }, (_, at) => `Name ${'*[!x]'.repeat(20)}${at}`),
      ]),
    ],
  ]
}

/** Batches that change the modes of twenty files to and fro. */
function batches(count: number, acknowledged: boolean): Attack {
  return function* (id, box) {
    yield open
    const files = Array.from({ length: 20 }, (_, at) => `dir-${at % 20}/file-${at}`)
    for (let at = 0; at < count; at++) {
      const operations = files.map((path) => {
        const { size, mtimeNs, mode } = statSync(box.at(`docs/${path}`), { bigint: true })
        const expected = { kind: 'file', fingerprint: undefined, sizeBytes: Number(size) } as const
        const now = Number(mode) & 0o777
        return {
          op: 'set-props' as const,
          path: relPath(path),
          expect: { ...expected, props: { mode: now, mtimeNs } },
          props: { mode: now ^ 0o044, mtimeNs },
        }
      })
      const batch = ++lastBatch
      yield { kind: 'apply', id: id(), more: false, batch, supplier: 'boot', operations }
      if (acknowledged) yield { kind: 'acknowledge', id: id(), more: false, batches: [batch] }
    }
  }
}

let lastBatch = 0

const attacks: readonly [string, Attack][] = [
  [
    'counts that no frame can hold',
    function* () {
      yield open
      const forged = Buffer.from(encode({ kind: 'acknowledge', id: 3, more: false, batches: [1] }))
      forged.writeUInt32LE(0xffff_ffff, forged.length - 12)
      yield forged
    },
  ],
  [
    'patterns without an end',
    function* () {
      const ignore = Array.from({ length: 200 }, () => `Regex ${'(a|b)*'.repeat(600)}`)
      for (let at = 0; at < 500; at++)
        yield { ...open, more: true, request: { ...open.request, view: { ...open.request.view, ignore } } }
    },
  ],
  [
    'patterns that are costly to match',
    function* () {
      // As much as is made of patterns at all: more is not looked at.
      const ignore = [`Regex ${'(.|d)*(i|.|r){1,50}'.repeat(2)}x`]
      yield { ...open, request: { ...open.request, view: { ...open.request.view, ignore } } }
      yield { kind: 'changes', id: 2 }
    },
  ],
  ...patternAttacks(),
  [
    'requests whose end never comes',
    function* () {
      yield open
      const paths = Array.from({ length: 1_000 }, (_, at) => relPath(`${long}/${long}/${at}`))
      for (let at = 0; at < 2_000; at++) yield { kind: 'identify', id: 2 + (at % 60), more: true, paths }
    },
  ],
  [
    'the whole root, as often as one request can name it',
    function* (id) {
      yield open
      for (let at = 0; at < 60; at++)
        yield { kind: 'list', id: id(), more: false, paths: Array.from({ length: 10_000 }, () => rootPath) }
    },
  ],
  [
    'the whole root, in all requests that there may be, and nothing is read',
    function* (id) {
      yield open
      for (let at = 0; at < 60; at++) yield { kind: 'list', id: id(), more: false, paths: [rootPath] }
    },
  ],
  [
    'wants by the million',
    function* (id) {
      yield open
      const path = relPath('file-1')
      const wants = Array.from({ length: 15_000 }, (_, want) => {
        return { want, path, sizeBytes: 1, mtimeNs: 1n, fingerprint: undefined }
      })
      for (let at = 0; at < 60; at++) yield { kind: 'supply', id: id(), more: false, wants }
    },
  ],
  [
    'batches that are never applied',
    function* () {
      yield open
      for (let batch = 1; batch < 3_000; batch++)
        yield { kind: 'stage', batch, props: new Uint8Array(0), bytes: manySmall(20) }
    },
  ],
  [
    'one batch of more files than there is sense in',
    function* () {
      yield open
      for (let at = 0; at < 40; at++)
        yield { kind: 'stage', batch: 1, props: new Uint8Array(0), bytes: manySmall(1_000, at * 1_000) }
    },
  ],
  [
    'more to stage than there is room for',
    function* () {
      yield open
      for (let at = 0; at < 400; at++)
        yield { kind: 'stage', batch: 1, props: new Uint8Array(0), bytes: new Uint8Array(packBytesMax) }
    },
  ],
  [
    'frames that become a thousand times as long as a frame may be',
    function* () {
      yield open
      const bytes = quickly(new Uint8Array(128 << 20))
      for (let at = 0; at < 400; at++) yield { kind: 'shortened', format: 'brotli', sizeBytes: 1 << 20, bytes }
    },
  ],
  [
    'more to stage than there is room for, in few bytes',
    function* () {
      yield open
      const whole = encode({ kind: 'stage', batch: 1, props: new Uint8Array(0), bytes: new Uint8Array(packBytesMax) })
      const bytes = quickly(whole)
      for (let at = 0; at < 4_000; at++) yield { kind: 'shortened', format: 'brotli', sizeBytes: whole.length, bytes }
    },
  ],
  ['batches whose outcomes are never acknowledged', batches(40, false)],
]

describe('T8: the serving agent grows by less than 64 MiB, and serves others meanwhile', () => {
  // Memory is what is asked about: a disk that is slow to sync, batch by batch, would only take time.
  const box = new Sandbox(mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tandem-threats-')))
  let serving: Serving
  const goodPeer = async () => {
    const good = await box.tandem(['sync', 'copy', serving.url('docs'), '--secret-file', serving.keyFile, '--batch'])
    expect(good.code, good.stderr).toBe(0)
  }

  beforeAll(async () => {
    for (let at = 0; at < 2_000; at++) box.write(`docs/dir-${at % 20}/file-${at}`, `${at}`)
    serving = await serve(box, { docs: 'docs' })
    // Its code is warm then, and its workers have the room that honest work takes.
    await Promise.all([goodPeer(), attackWith(serving, box, batches(20, true))])
  })
  afterAll(() => box.remove())

  test.each(attacks)('%s', { timeout: 180_000 }, async (what, attack) => {
    peakKiB(serving.process)
    const before = peakKiB(serving.process)
    const began = performance.now()
    // Somebody else is served meanwhile.
    const good = goodPeer()
    const end = await attackWith(serving, box, attack)
    if (what.includes('never acknowledged')) expect(end.done).toBe(40 * 20)
    if (/patterns that|patterns of|globs/.test(what)) {
      expect(end.how).toBe('answered')
      expect(performance.now() - began).toBeLessThan(patternsMsMax)
    }
    await good
    const grown = peakKiB(serving.process) - before
    expect(grown).toBeLessThan(growthKiBMax)
  })
})

/** Frames as a served peer sends them when it is asked for `kind`, as fast as they are taken. */
type Answers = (id: number) => Iterable<Message>

const past = Array.from({ length: 2_000 }, (_, at) => {
  return { batch: 1, supplier: 'b', outcome: { kind: 'done', path: relPath(`f${at}`), content: absent } as const }
})
const names = Array.from({ length: 10_000 }, (_, at) => ({ name: `name-${at}`, found: absent }))
const entries = names.map(({ name }) => ({ kind: 'entry', path: relPath(name), found: absent }) as const)
const changed = (id: number, reports: readonly Report[], last = false): Message => {
  return { kind: 'changed', id, last, sequence: 1, current: false, reports }
}

function* largeRoot(id: number): Generator<Message> {
  for (let part = 0; part < 7; part++) {
    const members = names.map(({ name, found }) => ({ name: `${part}-${name}`, found }))
    yield changed(id, [{ kind: 'listing', path: rootPath, members, more: part < 6 }], part === 6)
  }
}

const lies: readonly [string, Message['kind'], Answers][] = [
  [
    'outcomes of the past without an end',
    'open',
    function* (id) {
      for (let at = 0; at < 2_000; at++) yield { kind: 'past', id, outcomes: past }
    },
  ],
  [
    'one listing without an end',
    'changes',
    function* (id) {
      for (let at = 0; at < 2_000; at++)
        yield changed(id, [{ kind: 'listing', path: rootPath, members: names, more: true }])
    },
  ],
  [
    'listings by the thousand, none of them whole',
    'changes',
    function* (id) {
      for (let at = 0; at < 2_000; at++)
        yield changed(id, [{ kind: 'listing', path: relPath(`d${at}`), members: names, more: true }])
    },
  ],
  [
    'one change without an end, of the same paths',
    'changes',
    function* (id) {
      for (let at = 0; at < 200; at++) yield changed(id, entries)
    },
  ],
  [
    'the same changes all the time',
    'changes',
    function* (id) {
      for (let at = 0; at < 200; at++) yield changed(id, entries, true)
    },
  ],
]

describe('T8: a lead whose peer lies grows by less than 64 MiB, and keeps its other pair', () => {
  test.each(lies)('%s', { timeout: 60_000 }, async (_, kind, answers) => {
    const box = sandbox()
    const { url, state } = await lyingPeer(box, kind, answers)
    box.write('mine/a', 'a')
    box.write('one/b', 'b')
    const pairs = [
      `[[pair]]\nname = "lied-to"\nalpha = "mine"\nbeta = "${url}"\nsecret_file = "lead.key"\n`,
      '[[pair]]\nname = "good"\nalpha = "one"\nbeta = "two"\n',
    ]
    box.write('tandem.toml', pairs.join('\n'), { mode: 0o600 })
    const agent = box.start(['run', '--config', 'tandem.toml'])
    await agent.until(() => box.exists('two/b') && state.isWarm, 'the good pair, and the question')
    // The most so far: how much of it is garbage when the lies begin is chance.
    const before = peakKiB(agent)
    state.begin()
    box.write('one/c', 'c')
    await agent.until(() => box.exists('two/c'), 'the good pair')
    await agent.until(() => state.isOver, 'the end of the link or of the lies')
    const after = peakKiB(agent)
    box.write('one/d', 'd')
    await agent.until(() => box.exists('two/d'), 'the good pair')
    expect(after - before).toBeLessThan(growthKiBMax)
  })
})

/**
 * Opens as an empty root does; the lies come when they may begin. `isWarm`: they are asked for, and where they are changes, the
 * lead has heard of an honest root of 70,000 files a few times: it has the room that such a root takes. `isOver`: the first link ended, or all of the lies were taken.
 */
async function lyingPeer(box: Sandbox, kind: Message['kind'], answers: Answers) {
  writeSecret(box.at('lead.key'), 'lead', { bytes: (count) => randomBytes(count) })
  const { key } = readSecret(box.at('lead.key'))
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const state = { isWarm: false, isOver: false, begin }
  const accept = (socket: Socket) => {
    ends.push(() => socket.close('end of test'))
    const link = { closed: false, credit: creditBytes, wake: () => {} }
    const say = (message: Message) => socket.send(encode(message))
    const room = async (creditMin: number) => {
      while (!link.closed && (socket.bufferedBytes > 1 << 20 || link.credit < creditMin))
        await new Promise<void>((resolve) => {
          link.wake = resolve
        })
    }
    const sendAll = async (messages: Iterable<Message>) => {
      for (const message of messages) {
        const frame = encode(message)
        if (message.kind === 'changed') link.credit -= frame.length
        socket.send(frame)
        await room(1 << 20)
        if (link.closed) return
      }
    }
    const lie = async (id: number) => {
      if (kind === 'changes') {
        for (let at = 0; at < 25; at++) await sendAll(largeRoot(id))
        await room(creditBytes)
      }
      state.isWarm = true
      await begun
      await sendAll(answers(id))
      state.isOver = true
    }
    socket.start({
      frame(bytes) {
        const message = decode(bytes)
        if (message.kind === 'ping') say({ kind: 'pong' })
        else if (message.kind === 'hello') {
          const { identity } = socket
          say({ ...hello, identity, kind: 'welcome', role: 'peer', protocol: 1, heard: message.run })
        } else if (message.kind === 'credit') {
          link.credit += message.bytes
          link.wake()
        } else if (message.kind === kind && 'id' in message) void lie(message.id)
        else if (message.kind === 'open') {
          const ids = { rootId: 'ab'.repeat(16), boot: 'b', index: 'i', run: 'u' }
          const opened = { ...ids, created: true, fresh: true, generation: 0, folding: false, hardLink: undefined }
          say({ kind: 'opened', id: message.id, opened })
        } else if ('id' in message) say({ kind: 'done', id: message.id })
      },
      drained: () => link.wake(),
      closed() {
        link.closed = true
        link.wake()
        if (state.isWarm) state.isOver = true
      },
    })
  }
  const place = { kind: 'wss', endpoint: { host: '127.0.0.1', port: 0 } } as const
  const listener = await nodeSockets().listen(
    place,
    () => key,
    accept,
    () => {},
  )
  ends.push(() => void listener.close())
  return { url: `wss://${placeText(listener.place)}/docs`, state }
}

/** What the changes have room for. */
const creditBytes = 4 << 20

interface End {
  readonly how: 'answered' | 'closed'
  /** Operations that were carried out. */
  readonly done: number
}

/**
 * Sends what the far end has room for, until it has answered a ping after the last frame, and what was asked about removals, for an
 * audit and to be applied, or has ended the link.
 */
async function attackWith(serving: Serving, box: Sandbox, attack: Attack): Promise<End> {
  const endpoint = { host: '127.0.0.1', port: portOf(serving.address) }
  const socket = await nodeSockets().connect(
    { kind: 'wss', endpoint, secret: readSecret(serving.keyFile) },
    new AbortController().signal,
  )
  ends.push(() => socket.close('end of test'))
  const state = { opened: false, closed: false, pong: false, done: 0, wake: () => {} }
  const asked = new Set<number>()
  socket.start({
    frame(bytes) {
      const message = decode(bytes)
      const { kind } = message
      if ('id' in message) asked.delete(message.id)
      if (message.kind === 'outcomes') state.done += message.outcomes.filter((one) => one.kind === 'done').length
      if (kind === 'ping') socket.send(encode({ kind: 'pong' }))
      if (kind === 'pong') state.pong = true
      else if (kind === 'opened' || kind === 'failed') state.opened = true
    },
    drained: () => state.wake(),
    closed() {
      state.closed = true
      state.wake()
    },
  })
  const identity = socket.identity
  socket.send(encode({ ...hello, identity }))
  let last = 1
  for (const frame of attack(() => ++last, box)) {
    if (state.closed) return { how: 'closed', done: state.done }
    if (!(frame instanceof Uint8Array) && ['removing', 'audit', 'apply'].includes(frame.kind) && 'id' in frame)
      asked.add(frame.id)
    socket.send(frame instanceof Uint8Array ? frame : encode(frame))
    await roomIn(socket, state)
    // A lead has few batches under way: more would be a breach.
    if (!(frame instanceof Uint8Array) && frame.kind === 'apply')
      await eventually(
        () => asked.size === 0 || state.closed,
        () => 'the outcomes',
      )
    // What asks for the root before it is open is refused at once.
    if (!(frame instanceof Uint8Array) && frame.kind === 'open' && !frame.more)
      await eventually(
        () => state.opened || state.closed,
        () => 'the root',
      )
  }
  socket.send(encode({ kind: 'ping' }))
  await eventually(
    () => state.closed || (state.pong && asked.size === 0),
    () => 'the answers, or the end of the link',
  )
  return { how: state.closed ? 'closed' : 'answered', done: state.done }
}

async function roomIn(socket: Socket, state: { closed: boolean; wake: () => void }): Promise<void> {
  while (!state.closed && socket.bufferedBytes > 4 << 20)
    await new Promise<void>((resolve) => {
      state.wake = resolve
    })
}

function manySmall(count: number, first = 0): Uint8Array {
  const pack = new BytesWriter()
  for (let want = first; want < first + count; want++)
    writeItem(pack, { want, position: 0, data: new Uint8Array(1), fingerprint: undefined })
  return pack.finish()
}

/** The most memory that the agent had so far; begins anew with each call. */
function peakKiB({ pid }: Running): number {
  const folder = `/proc/${pid}`
  const peak = /VmHWM:\s*(\d+) kB/.exec(readFileSync(`${folder}/status`, 'utf8'))?.[1]
  writeFileSync(`${folder}/clear_refs`, '5')
  return Number(peak)
}

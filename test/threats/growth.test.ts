import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readSecret } from '../../src/config/secret.js'
import { relPath, rootPath } from '../../src/core/path.js'
import { nodeSockets } from '../../src/host/node/sockets.js'
import type { Socket } from '../../src/host/sockets.js'
import { BytesWriter } from '../../src/wire/bytes.js'
import { decode, encode, type Message } from '../../src/wire/message.js'
import { packBytesMax, writeItem } from '../../src/wire/pack.js'
import { eventually, portOf, Sandbox, type Serving, serve } from '../e2e/harness.js'
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
  [
    'batches whose outcomes are never acknowledged',
    function* (id, box) {
      yield open
      const files = Array.from({ length: 20 }, (_, at) => `dir-${at % 20}/file-${at}`)
      const held = files.map((path) => statSync(box.at(`docs/${path}`), { bigint: true }))
      for (let batch = 1; batch < 400; batch++)
        yield {
          kind: 'apply',
          id: id(),
          more: false,
          batch,
          supplier: 'boot',
          operations: files.map((path, at) => {
            const { size = 0n, mtimeNs = 0n } = held[at] ?? {}
            const [before, after] = batch % 2 === 1 ? [0o644, 0o600] : [0o600, 0o644]
            const expected = { kind: 'file', fingerprint: undefined, sizeBytes: Number(size) } as const
            return {
              op: 'set-props' as const,
              path: relPath(path),
              expect: { ...expected, props: { mode: before, mtimeNs } },
              props: { mode: after, mtimeNs },
            }
          }),
        }
    },
  ],
]

describe('T8: the serving agent grows by less than 64 MiB, and serves others meanwhile', () => {
  const box = new Sandbox(mkdtempSync(join(tmpdir(), 'tandem-threats-')))
  let serving: Serving
  const goodPeer = async () => {
    const good = await box.tandem(['sync', 'copy', serving.url('docs'), '--secret-file', serving.keyFile, '--batch'])
    expect(good.code, good.stderr).toBe(0)
  }

  beforeAll(async () => {
    for (let at = 0; at < 2_000; at++) box.write(`docs/dir-${at % 20}/file-${at}`, `${at}`)
    serving = await serve(box, { docs: 'docs' })
    // Its code is warm then.
    await goodPeer()
  })
  afterAll(() => box.remove())

  test.each(attacks)('%s', { timeout: 60_000 }, async (what, attack) => {
    peakKiB(serving)
    const before = peakKiB(serving)
    const began = performance.now()
    const end = await attackWith(serving, box, attack)
    if (what.includes('never acknowledged')) expect(end.done).toBe(399 * 20)
    if (/patterns that|patterns of|globs/.test(what)) {
      expect(end.how).toBe('answered')
      expect(performance.now() - began).toBeLessThan(patternsMsMax)
    }
    const grown = peakKiB(serving) - before
    await goodPeer()
    expect(grown).toBeLessThan(growthKiBMax)
  })
})

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
function peakKiB(serving: Serving): number {
  const folder = `/proc/${serving.process.pid}`
  const peak = /VmHWM:\s*(\d+) kB/.exec(readFileSync(`${folder}/status`, 'utf8'))?.[1]
  writeFileSync(`${folder}/clear_refs`, '5')
  return Number(peak)
}

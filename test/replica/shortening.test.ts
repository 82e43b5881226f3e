import { describe, expect, test } from 'vitest'
import type { Compression, Format } from '../../src/host/compression.js'
import { frameBytesMax, type LinkFailure } from '../../src/host/sockets.js'
import { Link, type LinkEnd } from '../../src/replica/link.js'
import { Window } from '../../src/replica/window.js'
import type { Role } from '../../src/wire/hello.js'
import { decode, encode, type Message } from '../../src/wire/message.js'
import { HandClock, turn, turns, until, WirePair } from './wire-pair.js'

/** Runs of one byte become five bytes. Every call waits for the gate, if there is one. */
class Runs implements Compression {
  tried: number[] = []
  gate: Promise<void> = Promise.resolve()

  constructor(readonly formats: readonly Format[] = ['brotli']) {}

  async shorten(_: Format, bytes: Uint8Array): Promise<Uint8Array> {
    this.tried.push(bytes.length)
    await this.gate
    const parts: number[] = []
    for (let at = 0; at < bytes.length; ) {
      let end = at
      while (end < bytes.length && bytes[end] === bytes[at]) end++
      parts.push(bytes[at] ?? 0, ...new Uint8Array(Uint32Array.of(end - at).buffer))
      at = end
    }
    return Uint8Array.from(parts)
  }

  async restore(_: Format, bytes: Uint8Array, sizeBytes: number): Promise<Uint8Array | undefined> {
    await this.gate
    const whole = new Uint8Array(sizeBytes)
    let to = 0
    for (let at = 0; at < bytes.length; at += 5) {
      const count = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 1, true)
      if (to + count > sizeBytes) return undefined
      whole.fill(bytes[at] ?? 0, to, to + count)
      to += count
    }
    return to === sizeBytes ? whole : undefined
  }
}

class End implements LinkEnd {
  readonly taken: { readonly message: Message; readonly sizeBytes: number }[] = []
  failure: LinkFailure | undefined

  message(message: Message, sizeBytes: number): void {
    this.taken.push({ message, sizeBytes })
  }

  closed(failure: LinkFailure): void {
    this.failure = failure
  }

  get kinds(): string[] {
    return this.taken.map(({ message }) => message.kind)
  }
}

/** Two ends of a link, greeted. */
async function linked(near: Compression | undefined, far: Compression | undefined) {
  const wire = new WirePair()
  const clock = new HandClock()
  wire.near.compression = near
  wire.far.compression = far
  const at = (role: Role) => {
    const end = new End()
    const self = { agent: 'tandem', version: '0.1.0', run: role }
    const link = new Link(role === 'lead' ? wire.near : wire.far, clock, self, role, end)
    link.start()
    return { link, end }
  }
  const peer = at('peer')
  const lead = at('lead')
  await Promise.all([lead.link.greeted, peer.link.greeted])
  return { wire, clock, lead, peer, sent: () => wire.near.sent.slice(1).map((frame) => decode(frame)) }
}

const pack = (bytes: Uint8Array): Message => ({ kind: 'pack', id: 1, finished: [], bytes })
const even = (value: number, sizeBytes = 100_000) => pack(new Uint8Array(sizeBytes).fill(value))
/** To be compared: byte by byte would take its time. */
const brief = (message: Message) =>
  'bytes' in message && message.kind === 'pack' ? Buffer.from(message.bytes).toString('latin1') : ''
const uneven = (sizeBytes = 100_000) => pack(Uint8Array.from({ length: sizeBytes }, (_, at) => at))

describe('what is negotiated', () => {
  test.each<[string, Compression | undefined, Compression | undefined, Format | undefined]>([
    ['both can', new Runs(), new Runs(), 'brotli'],
    ['both can both', new Runs(['zstd', 'brotli']), new Runs(['zstd', 'brotli']), 'zstd'],
    ['one is older', new Runs(['zstd', 'brotli']), new Runs(['brotli']), 'brotli'],
    ['nothing in common', new Runs(['zstd']), new Runs(['brotli']), undefined],
    ['the way is short', undefined, new Runs(), undefined],
    ['the far end cannot', new Runs(), undefined, undefined],
  ])('%s', async (_, near, far, format) => {
    const { lead, peer, wire } = await linked(near, far)
    await lead.link.bulk(even(1))
    await peer.link.bulk(even(2))
    await until(() => lead.end.taken.length + peer.end.taken.length === 2, 'taken')
    for (const { sent } of [wire.near, wire.far]) {
      const last = decode(sent.at(-1) ?? new Uint8Array(0))
      expect(last).toMatchObject(format === undefined ? { kind: 'pack' } : { kind: 'shortened', format })
    }
    const [taken] = peer.end.taken
    expect(taken?.sizeBytes).toBe(encode(even(1)).length)
    expect(taken && brief(taken.message)).toBe(brief(even(1)))
  })
})

describe('what is sent', () => {
  test('few bytes go as they are', async () => {
    const runs = new Runs()
    const { lead, sent } = await linked(runs, new Runs())
    await lead.link.bulk(even(1, 4_000))
    expect(sent().map(({ kind }) => kind)).toEqual(['pack'])
    expect(runs.tried).toEqual([])
  })

  test('bulk keeps its order, whatever takes how long; small messages wait for none of it', async () => {
    const runs = new Runs()
    const { lead, peer, sent } = await linked(runs, new Runs())
    let open = () => {}
    runs.gate = new Promise((resolve) => {
      open = resolve
    })
    const all = [even(1), even(2, 100), uneven(), even(3)].map((message) => lead.link.bulk(message))
    lead.link.send({ kind: 'sync-all', id: 9 })
    await turns(5)
    expect(sent().map(({ kind }) => kind)).toEqual(['sync-all'])
    open()
    await Promise.all(all)
    await until(() => peer.end.taken.length === 5, 'taken')
    expect(peer.end.taken.slice(1).map(({ message }) => brief(message))).toEqual(
      [even(1), even(2, 100), uneven(), even(3)].map(brief),
    )
  })

  test('a sample of what does not get shorter is enough, and then it is tried ever less', async () => {
    const runs = new Runs()
    const { lead, sent } = await linked(runs, new Runs())
    for (let at = 0; at < 100; at++) await lead.link.bulk(uneven())
    expect(new Set(runs.tried)).toEqual(new Set([16 * 1024]))
    expect(runs.tried.length).toBeLessThan(15)
    expect(new Set(sent().map(({ kind }) => kind))).toEqual(new Set(['pack']))
    for (let at = 0; at < 40; at++) await lead.link.bulk(even(at))
    expect(sent().filter(({ kind }) => kind === 'shortened').length).toBeGreaterThan(20)
  })

  test('windows go by what a frame was', async () => {
    const { lead } = await linked(new Runs(), new Runs())
    const window = new Window(1 << 20)
    await lead.link.bulk(even(1), window)
    expect(window.taken).toBe(encode(even(1)).length)
  })
})

describe('what comes', () => {
  test('is taken in order, though a frame before it is still being restored', async () => {
    const runs = new Runs()
    const { lead, peer } = await linked(new Runs(), runs)
    let open = () => {}
    runs.gate = new Promise((resolve) => {
      open = resolve
    })
    await lead.link.bulk(even(1))
    lead.link.send({ kind: 'done', id: 1 })
    await lead.link.bulk(even(2))
    lead.link.send({ kind: 'done', id: 2 })
    await turns(10)
    expect(peer.end.kinds).toEqual([])
    open()
    await until(() => peer.end.taken.length === 4, 'taken')
    expect(peer.end.kinds).toEqual(['pack', 'done', 'pack', 'done'])
  })

  test('is not read any more when much of it waits', async () => {
    const runs = new Runs()
    const { lead, peer, wire } = await linked(new Runs(), runs)
    const read: string[] = []
    wire.far.pause = () => read.push('paused')
    wire.far.resume = () => read.push('resumed')
    let open = () => {}
    runs.gate = new Promise((resolve) => {
      open = resolve
    })
    await lead.link.bulk(even(1))
    for (let at = 0; at < 12; at++) await lead.link.bulk(uneven())
    await turns(30)
    expect(read).toEqual(['paused'])
    open()
    await until(() => peer.end.taken.length === 13, 'taken')
    expect(read).toEqual(['paused', 'resumed'])
  })

  const shortened = { kind: 'shortened', format: 'brotli', sizeBytes: 5, bytes: Uint8Array.of(7, 5, 0, 0, 0) } as const
  test.each<[string, Message]>([
    ['becomes longer than was said', { ...shortened, sizeBytes: 4 }],
    ['becomes longer than a frame may be', { ...shortened, sizeBytes: frameBytesMax + 1 }],
    ['is in a format that was not offered', { ...shortened, format: 'zstd' }],
    ['becomes no message', { ...shortened, bytes: Uint8Array.of(250, 5, 0, 0, 0) }],
  ])('T8: a frame that %s ends the link', async (_, message) => {
    const { lead, peer } = await linked(new Runs(), new Runs())
    lead.link.send(message)
    await until(() => peer.end.failure !== undefined, 'the end')
    expect(peer.end.failure).toMatchObject({ code: 'protocol' })
    expect(peer.end.taken).toEqual([])
  })

  test('T8: a frame that was shortened twice ends the link', async () => {
    const { lead, peer } = await linked(new Runs(), new Runs())
    const inner = encode(shortened)
    lead.link.send({ ...shortened, sizeBytes: inner.length, bytes: await new Runs().shorten('brotli', inner) })
    await until(() => peer.end.failure !== undefined, 'the end')
    expect(peer.end.failure).toMatchObject({ code: 'protocol' })
  })

  test('T8: a shortened frame in place of a greeting, or where none was offered, ends the link', async () => {
    const { wire } = await unmet()
    wire.near.send(encode(shortened))
    await until(() => decode(wire.far.sent.at(-1) ?? encode({ kind: 'ping' })).kind === 'refuse', 'refused')
    const { lead, peer } = await linked(undefined, undefined)
    lead.link.send(shortened)
    await until(() => peer.end.failure !== undefined, 'the end')
    expect(peer.end.failure).toMatchObject({ code: 'protocol' })
  })

  test('nothing is taken of a link that ended meanwhile', async () => {
    const runs = new Runs()
    const { lead, peer, wire } = await linked(new Runs(), runs)
    let open = () => {}
    runs.gate = new Promise((resolve) => {
      open = resolve
    })
    await lead.link.bulk(even(1))
    lead.link.send({ kind: 'done', id: 1 })
    await turns(10)
    wire.cut()
    open()
    await turns(10)
    expect(peer.end.taken).toEqual([])
    expect(peer.end.failure).toMatchObject({ code: 'lost' })
  })
})

/** A peer that nobody has greeted. */
async function unmet() {
  const wire = new WirePair()
  wire.far.compression = new Runs()
  const link = new Link(wire.far, new HandClock(), { agent: 'tandem', version: '0', run: 'peer' }, 'peer', new End())
  link.start()
  wire.near.start({ frame() {}, drained() {}, closed() {} })
  await turn()
  return { wire }
}

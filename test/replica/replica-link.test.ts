import { afterEach, describe, expect, test } from 'vitest'
import { absent, type Fingerprint } from '../../src/core/content.js'
import { Failure } from '../../src/core/failure.js'
import type { Operation, Outcome } from '../../src/core/operation.js'
import { type RelPath, relPath, rootPath } from '../../src/core/path.js'
import type { Member, Report } from '../../src/core/report.js'
import { LinkFailure, type Socket } from '../../src/host/sockets.js'
import type { Self } from '../../src/replica/greeting.js'
import { itemsMax, linkWindowBytes, requestsMax, streamWindowBytes } from '../../src/replica/link.js'
import { peerPair } from '../../src/replica/peer-pair.js'
import { Rate } from '../../src/replica/rate.js'
import { inquire, openRemote } from '../../src/replica/remote.js'
import {
  type Changes,
  type Delivery,
  type OpenRequest,
  type Pack,
  type ReachedRoot,
  type Replica,
  ReplicaFailure,
} from '../../src/replica/replica.js'
import { type RootDescription, serve } from '../../src/replica/serving.js'
import type { AgentEvent } from '../../src/status/event.js'
import type { Hello } from '../../src/wire/hello.js'
import { decode, encode, type Message, protocolVersion } from '../../src/wire/message.js'
import { packBytesMax } from '../../src/wire/pack.js'
import { FakeReplica } from './fake-replica.js'
import { HandClock, nothingElse, turn, turns, until, WirePair } from './wire-pair.js'

const lead: Self = { agent: 'tandem', version: '0.1.0', run: 'lead-run' }
const peer: Self = { agent: 'tandem', version: '0.1.0', run: 'peer-run' }
const request: OpenRequest = {
  pair: 'pair',
  from: '//lead//root',
  cursor: { index: 'index', run: 'run', sequence: 7, view: 'view' },
  view: { ignore: ['Name *.o'], ignorenot: [], paths: ['a'] },
  create: false,
  watch: true,
}
const fingerprint = `sha256:${'12'.repeat(32)}` as Fingerprint
const p = relPath
const never = new AbortController().signal
const entry = (path: string): Report => ({ kind: 'entry', path: p(path), found: absent })
const change = (sequence: number, reports: Report[] = [], current = true): Changes => ({ reports, sequence, current })

/** A lead and a peer with one root, 'docs', on one cable. */
class Fixture {
  readonly wire = new WirePair()
  readonly clock = new HandClock()
  readonly local = new FakeReplica()
  readonly events: AgentEvent[] = []
  readonly stop = new AbortController()
  serving: Promise<void> = Promise.resolve()
  private readonly gates: (() => void)[] = []
  readonly rootFor = async (_identity: string, name: string): Promise<Replica | LinkFailure> =>
    name === 'docs' ? this.local : new LinkFailure('unknown-root', `${name} is not served`)

  serve(socket: Socket = this.wire.far, self = peer, rate?: Rate, described?: RootDescription): void {
    const { clock, rootFor, events, stop } = this
    this.serving = serve(socket, {
      clock,
      self,
      rootFor,
      ...nothingElse,
      ...(described === undefined ? {} : { describe: async () => described }),
      rate,
      emit: (event) => events.push(event),
      stop: stop.signal,
    })
    this.serving.catch(() => undefined)
  }

  connect(self = lead, name = 'docs', signal = never): Promise<ReachedRoot> {
    const sockets = {
      connect: async () => this.wire.near,
      listen: () => Promise.reject(new Error('not here')),
    }
    const endpoint = { host: 'hub', port: 4242 }
    const secret = { identity: 'laptop', key: new Uint8Array(32) }
    return openRemote({ sockets, clock: this.clock }, { kind: 'wss', endpoint, name, secret }, self, signal)
  }

  async opened(): Promise<Replica> {
    this.serve()
    const remote = await this.connect()
    await remote.open(request)
    return remote
  }

  /** Work of the root there waits until it is let go: by the test, or at its end. */
  hold(): () => void {
    const gate = deferred()
    this.local.gate = gate.promise
    this.gates.push(gate.resolve)
    return gate.resolve
  }

  async end(): Promise<void> {
    for (const open of this.gates) open()
    this.wire.cut()
    await this.serving
  }

  codes(): string[] {
    return this.events.map((event) => ('code' in event ? `${event.event} ${event.code}` : event.event))
  }
}

let here = new Fixture()
afterEach(async () => {
  await here.end()
  here = new Fixture()
})

describe('every method', () => {
  test('open takes the whole request there, and all that was opened back', async () => {
    here.local.opened = {
      ...here.local.opened,
      created: true,
      folding: true,
      unacknowledged: Array.from({ length: 9_000 }, (_, batch) => {
        return { batch, supplier: 'boot', outcome: { kind: 'done', path: p(`some/where/${batch}`), content: absent } }
      }),
    }
    here.serve()
    const remote = await here.connect()
    expect(remote.canonical).toBe('wss://hub:4242/docs')
    expect(await remote.open(request)).toEqual(here.local.opened)
    expect(here.local.asked).toEqual([['open', { ...request, pair: peerPair('laptop', 'pair') }]])
    expect(here.codes()).toEqual(['peer-accepted'])
  })

  test('a view of many patterns comes whole', async () => {
    here.serve()
    const remote = await here.connect()
    const ignore = Array.from({ length: 9_000 }, (_, at) => `Path ${'long/'.repeat(20)}${at}`)
    const big = { ...request, view: { ...request.view, ignore } }
    await remote.open(big)
    expect(here.local.asked).toEqual([['open', { ...big, pair: peerPair('laptop', 'pair') }]])
  })

  test('what is there of large files is told, and what is wanted goes on from it', async () => {
    const remote = await here.opened()
    here.local.asked.length = 0
    const files = [{ want: 3, path: p('large'), sizeBytes: 900_000 }]
    const prefixes = [{ sizeBytes: 500_000, fingerprint }]
    here.local.resumption = { parts: [{ want: 3, prefixes }], others: true }
    expect(await remote.resume(7, files)).toEqual(here.local.resumption)
    const want = { ...wantOf(3, 900_000), prefixes }
    await collect(remote.supply([want], never))
    expect(here.local.asked).toEqual([
      ['resume', 7, files],
      ['supply', [want]],
    ])
  })

  test('once nothing more is there, nobody waits for the answer, and the packs still come after it', async () => {
    const remote = await here.opened()
    here.local.asked.length = 0
    const files = [{ want: 3, path: p('large'), sizeBytes: 900_000 }]
    expect(await remote.resume(7, files)).toEqual({ parts: [], others: false })
    here.wire.near.isDeaf = true
    expect(await remote.resume(8, files)).toEqual({ parts: [], others: false })
    here.wire.near.listen()
    await remote.stage(8, delivery(3, 10))
    await until(() => here.local.stagedPacks.length === 1, 'staged')
    expect(here.local.asked.slice(0, 2)).toEqual([
      ['resume', 7, files],
      ['resume', 8, files],
    ])
  })

  test('S2-20: what is held is told, and no word of a peer lets it go', async () => {
    const remote = await here.opened()
    here.local.asked.length = 0
    expect(await remote.removing(3_000, true)).toBeUndefined()
    here.local.held = { detail: 'it would remove 3,000 paths' }
    expect(await remote.removing(3_000, false)).toEqual({ detail: 'it would remove 3,000 paths' })
    expect(here.local.asked).toEqual([
      ['removing', 3_000, false],
      ['removing', 3_000, false],
    ])
  })

  test('S1-14: what is accepted is said of pairs as the root knows them, and why not is told', async () => {
    const remote = await here.opened()
    here.local.asked.length = 0
    const request = { path: p('usb'), pairs: ['pair', 'other'], confirmed: false, asksOnly: true }
    here.local.acceptance = { kind: 'refused', detail: 'one other pair' }
    expect(await remote.accept(request)).toEqual({ kind: 'refused', detail: 'one other pair' })
    here.local.acceptance = { kind: 'nothing' }
    expect(await remote.accept({ ...request, confirmed: true })).toEqual({ kind: 'nothing' })
    const pairs = [peerPair('laptop', 'pair'), peerPair('laptop', 'other')]
    expect(here.local.asked).toEqual([
      ['accept', { ...request, pairs }],
      ['accept', { ...request, pairs, confirmed: true }],
    ])
  })

  test('the short ones', async () => {
    const remote = await here.opened()
    here.local.asked.length = 0
    here.local.reports = [entry('a'), { kind: 'listing', path: p('a/b'), members: [], more: false }]
    expect(await remote.list([p('a')])).toEqual(here.local.reports)
    here.local.reports = [entry('a'), entry('a/b')]
    expect(await remote.identify([p('a'), p('a/b')])).toEqual(here.local.reports)
    await remote.rescan([p('a')])
    await remote.sync([p('a')])
    await remote.sync('all')
    await remote.acknowledge([1, 1_700_000_000_000_000])
    await remote.setGeneration('pair', 4)
    await remote.sync([])
    expect(here.local.asked).toEqual([
      ['list', [p('a')]],
      ['identify', [p('a'), p('a/b')]],
      ['rescan', [p('a')]],
      ['sync', [p('a')]],
      ['sync', 'all'],
      ['acknowledge', [1, 1_700_000_000_000_000]],
      ['setGeneration', peerPair('laptop', 'pair'), 4],
    ])
  })

  test('a listing of 100,000 names is split and comes whole', async () => {
    const remote = await here.opened()
    const members = Array.from({ length: 100_000 }, (_, at): Member => ({ name: `name-${at}`, found: absent }))
    here.local.reports = [entry(''), { kind: 'listing', path: rootPath, members, more: false }]
    expect(await remote.list([rootPath])).toEqual(here.local.reports)
    expect(Math.max(...here.wire.far.sent.map((frame) => frame.length))).toBeLessThan(300_000)
    expect(here.wire.far.highest).toBeLessThan(1_500_000)
  })

  test('more paths than one request takes are asked for in several', async () => {
    const remote = await here.opened()
    const paths = Array.from({ length: itemsMax + 5 }, (_, at) => p(`${at}`))
    here.local.asked.length = 0
    await remote.sync(paths)
    expect(here.local.asked.map((call) => (call[1] as RelPath[]).length)).toEqual([itemsMax, 5])
  })

  test('a batch: its packs are staged before it is applied, and every operation has its outcome', async () => {
    const remote = await here.opened()
    const operations = Array.from({ length: 5_000 }, (_, want): Operation => {
      return { op: 'write-file', path: p(`dir/${want}`), expect: absent, want, sizeBytes: 3, props: noProps }
    })
    here.local.outcomes = operations.map(({ path }): Outcome => ({ kind: 'superseded', path, detail: 'd' }))
    const packs = Array.from({ length: 30 }, (_, at) => delivery(at, 1_000))
    for (const one of packs) await remote.stage(5, one)
    expect(await remote.apply(5, operations, 'boot')).toEqual(here.local.outcomes)
    expect(here.local.stagedPacks).toEqual(packs.map((one) => ({ batch: 5, pack: one })))
    expect(here.local.asked.at(-1)).toEqual(['apply', 5, operations, 'boot', 30])
  })

  test('a supply gives its packs in order', async () => {
    const remote = await here.opened()
    here.local.packs = Array.from({ length: 50 }, (_, at) => pack(at, packBytesMax))
    const wants = here.local.packs.map((_, at) => wantOf(at, packBytesMax))
    const got: Pack[] = []
    for await (const one of remote.supply(wants, never)) got.push(one)
    expect(got.map(brief)).toEqual(here.local.packs.map(brief))
    expect(here.local.asked.at(-1)).toEqual(['supply', wants])
  })

  test('changes come as they were told, the long ones whole', async () => {
    const remote = await here.opened()
    const members = Array.from({ length: 60_000 }, (_, at): Member => ({ name: `name-${at}`, found: absent }))
    const told = [
      change(0, [{ kind: 'listing', path: rootPath, members, more: false }], false),
      change(8),
      change(9, [entry('x')]),
    ]
    here.local.tell(...told)
    const stop = new AbortController()
    const got: Changes[] = []
    for await (const changes of remote.changes(stop.signal)) if (got.push(changes) === 3) stop.abort()
    expect(got).toEqual(told)
    await until(() => here.wire.near.sent.some((frame) => decode(frame).kind === 'cancel'), 'the far side is told')
  })

  test('what a rescan or a flush found has reached the reader of the changes when it resolves', async () => {
    const remote = await here.opened()
    const got: number[] = []
    const reading = (async () => {
      for await (const { sequence } of remote.changes(never)) got.push(sequence)
    })()
    reading.catch(() => undefined)
    here.local.found = Array.from({ length: 40 }, (_, at) => change(at + 1, [entry(`f${at}`)]))
    await remote.rescan([rootPath])
    expect(got).toHaveLength(40)
    here.local.found = [change(41, [entry('g')])]
    here.local.restless = Array.from({ length: 9_000 }, (_, at) => p(`${'long/'.repeat(20)}${at}`))
    expect(await remote.flush()).toEqual(here.local.restless)
    expect(got).toHaveLength(41)
  })

  test('close finishes there, then ends the link', async () => {
    const remote = await here.opened()
    await remote.close()
    await here.serving
    expect(here.local.closes).toBe(1)
    expect(here.codes()).toEqual(['peer-accepted', 'peer-left closed'])
    await expect(remote.list([p('a')])).rejects.toBeInstanceOf(LinkFailure)
    await remote.close()
  })
})

describe('failures', () => {
  test('a failure of the root keeps its code, and the link lives', async () => {
    const remote = await here.opened()
    here.local.fault = new ReplicaFailure('in-doubt', '/home/docs', 'another root stands there')
    const failure = await caught(remote.list([p('a')]))
    expect(failure).toBeInstanceOf(ReplicaFailure)
    expect(failure).toMatchObject({ code: 'in-doubt', root: 'wss://hub:4242/docs', transient: true })
    expect(failure.message).toContain('another root stands there')
    here.local.fault = undefined
    await remote.setGeneration('pair', 1)
  })

  test('another failure there is a failure of the root, with its code in words', async () => {
    class Full extends Failure {
      override readonly name = 'FileFailure'
      readonly code = 'disk-full'
    }
    const remote = await here.opened()
    here.local.fault = new Full('no room')
    const failure = await caught(remote.setGeneration('pair', 1))
    expect(failure).toMatchObject({ name: 'ReplicaFailure', code: 'unreadable' })
    expect(failure.message).toContain('disk-full: no room')
  })

  test('what went wrong with a stage is the answer to the apply', async () => {
    const remote = await here.opened()
    here.local.fault = new ReplicaFailure('unwritable', '/home/docs', 'read-only')
    await remote.stage(9, delivery(1, 10))
    await turns(20)
    here.local.fault = undefined
    await expect(remote.apply(9, [], 'boot')).rejects.toMatchObject({ code: 'unwritable' })
    here.local.outcomes = []
    expect(await remote.apply(10, [], 'boot')).toEqual([])
  })

  test('a root that is not served: unknown-root, and the link ends', async () => {
    here.serve()
    const remote = await here.connect(lead, 'secrets')
    const failure = await caught(remote.open(request))
    expect(failure).toMatchObject({ name: 'LinkFailure', code: 'unknown-root', transient: false })
    await here.serving
    expect(here.codes()).toEqual(['peer-refused unknown-root'])
    expect(here.local.closes).toBe(0)
  })

  test('a cut cable fails every call that waits, ends the changes, and closes the root there', async () => {
    const remote = await here.opened()
    const letGo = here.hold()
    here.local.packs = Array.from({ length: 100 }, (_, at) => pack(at, packBytesMax))
    const wants = here.local.packs.map((_, at) => wantOf(at, packBytesMax))
    const calls = [
      remote.list([p('a')]),
      remote.list([p('b')]),
      collect(remote.changes(never)),
      collectSlowly(remote.supply(wants, never)),
      stageMany(remote, 60),
    ].map(caught)
    await turns(30)
    here.wire.cut()
    for (const failure of await Promise.all(calls)) expect(failure).toMatchObject({ name: 'LinkFailure', code: 'lost' })
    for (const late of [
      remote.list([p('a')]),
      remote.sync('all'),
      remote.stage(1, delivery(1, 1)),
      remote.apply(1, [], 'b'),
    ])
      expect(await caught(late)).toBeInstanceOf(LinkFailure)
    letGo()
    await here.serving
    expect(here.local.closes).toBe(1)
    expect(here.local.supplyEnded).toBe(1)
    expect(here.codes()).toEqual(['peer-accepted', 'peer-left lost'])
    await remote.close()
  })

  test('a peer that stops says so; the lead may come again', async () => {
    const remote = await here.opened()
    const waiting = caught(collect(remote.changes(never)))
    await turns(10)
    here.stop.abort()
    await here.serving
    expect(await waiting).toMatchObject({ code: 'lost', transient: true })
    expect(here.local.closes).toBe(1)
  })

  test('a bug there ends the link and comes out of serve', async () => {
    const remote = await here.opened()
    here.local.fault = new TypeError('a bug')
    expect(await caught(remote.list([p('a')]))).toBeInstanceOf(LinkFailure)
    await expect(here.serving).rejects.toThrow('a bug')
    here.serving = Promise.resolve()
  })
})

describe('nothing grows', () => {
  test('a slow reader of changes holds the replica there up', async () => {
    const remote = await here.opened()
    const members = Array.from(
      { length: 2_000 },
      (_, at): Member => ({ name: `name-${at}-${'x'.repeat(80)}`, found: absent }),
    )
    const total = 100
    here.local.tell(
      ...Array.from({ length: total }, (_, at) =>
        change(at + 1, [{ kind: 'listing', path: rootPath, members, more: false }]),
      ),
    )
    const changes = remote.changes(never)[Symbol.asyncIterator]()
    await changes.next()
    await turns(2_000)
    const bytes = here.wire.far.sent.reduce((sum, frame) => sum + frame.length, 0)
    expect(bytes).toBeLessThan(streamWindowBytes + 1_000_000)
    expect(here.local.yielded).toBeLessThan(total)
    for (let sequence = 2; sequence <= total; sequence++)
      expect((await changes.next()).value).toMatchObject({ sequence, reports: [{ members }] })
  })

  test('a slow consumer of a supply holds the supplier up, and small requests pass', async () => {
    const remote = await here.opened()
    const total = 200
    here.local.packs = Array.from({ length: total }, (_, at) => pack(at, packBytesMax))
    const wants = here.local.packs.map((_, at) => wantOf(at, packBytesMax))
    const packs = remote.supply(wants, never)[Symbol.asyncIterator]()
    await packs.next()
    await turns(2_000)
    expect(here.local.yielded * packBytesMax).toBeLessThan(streamWindowBytes + 3 * packBytesMax)
    here.local.reports = []
    expect(await remote.list([p('a')])).toEqual([])
    let got = 1
    while (!(await packs.next()).done) got += 1
    expect(got).toBe(total)
  })

  test('two slow consumers together stay within the window of the link', async () => {
    const remote = await here.opened()
    here.local.packs = Array.from({ length: 100 }, (_, at) => pack(at, packBytesMax))
    const wants = here.local.packs.map((_, at) => wantOf(at, packBytesMax))
    const supplies = [1, 2, 3].map(() => remote.supply(wants, never)[Symbol.asyncIterator]())
    await Promise.all(supplies.map((supply) => supply.next()))
    await turns(2_000)
    const bytes = here.wire.far.sent.reduce((sum, frame) => sum + frame.length, 0)
    expect(bytes).toBeLessThan(linkWindowBytes + 4 * packBytesMax)
    for (const supply of supplies) {
      let got = 1
      while (!(await supply.next()).done) got += 1
      expect(got).toBe(100)
    }
  })

  test('a supply that is given up ends there, and the room it held is given back', async () => {
    const remote = await here.opened()
    here.local.packs = Array.from({ length: 300 }, (_, at) => pack(at, packBytesMax))
    const wants = here.local.packs.map((_, at) => wantOf(at, packBytesMax))
    for (let round = 1; round <= 5; round++) {
      for await (const _ of remote.supply(wants, never)) break
      await until(() => here.local.supplyEnded === round, 'the supplier is ended')
      const abort = new AbortController()
      let got = 0
      for await (const _ of remote.supply(wants, abort.signal)) if (++got === 3) abort.abort()
      expect(got).toBe(3)
      await until(() => here.local.supplyEnded === round + 1, 'the supplier is ended')
      here.local.supplyEnded = round
    }
    let got = 0
    for await (const _ of remote.supply(wants, never)) got += 1
    expect(got).toBe(300)
  })

  test('a root that stages slowly holds the lead up', async () => {
    const remote = await here.opened()
    const letGo = here.hold()
    let sent = 0
    const staging = (async () => {
      for (; sent < 100; sent++) await remote.stage(1, delivery(sent, packBytesMax))
    })()
    await turns(2_000)
    expect(sent * packBytesMax).toBeLessThan(linkWindowBytes + packBytesMax)
    letGo()
    await staging
    await remote.apply(1, [], 'boot')
    expect(here.local.stagedPacks).toHaveLength(100)
  })

  test('a far end that does not read: bulk waits, small messages go first', async () => {
    const remote = await here.opened()
    here.wire.far.isDeaf = true
    const staging = stageMany(remote, 30).catch(() => undefined)
    await turns(50)
    expect(here.wire.near.highest).toBeLessThan((1 << 20) + packBytesMax + 1_000)
    const before = here.wire.near.sent.length
    void remote.list([p('a')]).catch(() => undefined)
    await turns(5)
    expect(here.wire.near.sent.slice(before).map((frame) => decode(frame).kind)).toEqual(['list'])
    here.wire.far.listen()
    await staging
  })

  test('an answer goes before the packs that wait', async () => {
    const remote = await here.opened()
    here.local.packs = Array.from({ length: 30 }, (_, at) => pack(at, packBytesMax))
    here.wire.near.isDeaf = true
    const wants = here.local.packs.map((_, at) => wantOf(at, packBytesMax))
    void collect(remote.supply(wants, never)).catch(() => undefined)
    await turns(50)
    const kinds = () => here.wire.far.sent.map((frame) => decode(frame).kind)
    const before = kinds().length
    void remote.list([p('a')]).catch(() => undefined)
    await turns(50)
    expect(kinds().slice(before)).toEqual([])
    here.wire.near.listen()
    await until(() => kinds().length > before + 1, 'more is sent')
    expect(kinds().slice(before, before + 2)).toEqual(['reports', 'pack'])
  })

  test('more calls than may be under way wait here', async () => {
    const remote = await here.opened()
    const letGo = here.hold()
    here.local.asked.length = 0
    const calls = Array.from({ length: requestsMax * 3 }, () => remote.sync([p('a')]))
    await turns(500)
    expect(here.local.asked).toHaveLength(requestsMax)
    letGo()
    await Promise.all(calls)
    expect(here.local.asked).toHaveLength(requestsMax * 3)
  })
})

async function seconds(clock: HandClock, count: number): Promise<void> {
  for (let i = 0; i < count * 10; i++) await clock.pass(100)
}

describe('time', () => {
  test.each([0, 0.5, 1, 2, 3, 3.4])(
    'a cut that nobody tells is found within 15 s, %s s after a heartbeat',
    async (s) => {
      const remote = await here.opened()
      const waiting = caught(collect(remote.changes(never)))
      await seconds(here.clock, 7)
      await seconds(here.clock, s)
      here.wire.near.isDeaf = true
      here.wire.far.isDeaf = true
      await seconds(here.clock, 15)
      expect(await waiting).toMatchObject({ code: 'timed-out' })
      await here.serving
      expect(here.codes().at(-1)).toBe('peer-left timed-out')
    },
  )

  test('after a sleep of the machine a dead link is found at once, a live one goes on', async () => {
    const remote = await here.opened()
    const waiting = caught(collect(remote.changes(never)))
    await seconds(here.clock, 10)
    here.clock.sleptMs += 3_600_000
    await seconds(here.clock, 4)
    await remote.setGeneration('pair', 1)
    here.wire.near.isDeaf = true
    here.clock.sleptMs += 3_600_000
    await seconds(here.clock, 4)
    expect(await waiting).toMatchObject({ code: 'timed-out', message: expect.stringMatching(/slept/) })
  })

  test('a link at rest says no more than it takes to know that it is there', async () => {
    const remote = await here.opened()
    await seconds(here.clock, 10)
    const sent = () => here.wire.near.sent.length + here.wire.far.sent.length
    const before = sent()
    await seconds(here.clock, 70)
    expect(sent() - before).toBeGreaterThan(10)
    expect(sent() - before).toBeLessThanOrEqual(30)
    await remote.setGeneration('pair', 1)
  })

  test('an end that may not read yet is still heard by the other one', async () => {
    const { far } = here.wire
    here.serve(far, peer, new Rate(here.clock, 10_000))
    far.pause = () => {
      far.isDeaf = true
    }
    far.resume = () => far.listen()
    const connecting = here.connect()
    await seconds(here.clock, 2)
    const remote = await connecting
    const opening = remote.open(request)
    await seconds(here.clock, 2)
    await opening
    let stillReads = 0
    // Each pack is more than 25 s worth of what may pass.
    void stageMany(remote, 3).catch(() => undefined)
    for (let at = 0; at < 60; at++) {
      await seconds(here.clock, 1)
      if (!far.isDeaf) stillReads++
    }
    expect(stillReads).toBeLessThan(10)
    expect(here.codes()).toEqual(['peer-accepted'])
  })

  test('a far end that says nothing is dead after 15 s', async () => {
    const remote = await here.opened()
    const waiting = caught(collect(remote.changes(never)))
    await turns(10)
    await seconds(here.clock, 100)
    await remote.setGeneration('pair', 1)
    here.wire.near.isDeaf = true
    await seconds(here.clock, 15)
    expect(await waiting).toMatchObject({ code: 'timed-out', transient: true })
  })

  test.each(['near', 'far'] as const)(
    'a message that takes minutes to come is heard while it comes, and who sends it knows; half of one is not heard for ever (%s)',
    async (side) => {
      const remote = await here.opened()
      const waiting = caught(collect(remote.changes(never)))
      await turns(10)
      // Nothing gets whole to one end, which still reads.
      const end = here.wire[side]
      end.isDeaf = true
      for (let s = 0; s < 120; s++) {
        end.receivedBytes += 30_000
        await seconds(here.clock, 1)
      }
      expect(here.codes()).toEqual(['peer-accepted'])
      await seconds(here.clock, 15)
      expect(here.codes().at(-1)).toBe('peer-left timed-out')
      expect(await waiting).toMatchObject({ code: 'timed-out' })
    },
  )

  test('no greeting within 10 s ends the link, at both ends', async () => {
    here.serve()
    await turns(5)
    await here.clock.pass(10_000)
    await here.serving
    expect(here.codes()).toEqual(['peer-refused timed-out'])

    const silent = new Fixture()
    const connecting = caught(silent.connect())
    await turns(5)
    await silent.clock.pass(10_000)
    expect(await connecting).toMatchObject({ code: 'timed-out' })
  })

  test('an attempt that is aborted ends as closed', async () => {
    const abort = new AbortController()
    const connecting = caught(here.connect(lead, 'docs', abort.signal))
    await turns(5)
    abort.abort()
    expect(await connecting).toMatchObject({ code: 'closed' })
  })
})

describe('greetings', () => {
  const hello: Hello = {
    kind: 'hello',
    lowest: protocolVersion,
    highest: protocolVersion,
    role: 'lead',
    identity: 'laptop',
    agent: 'tandem',
    version: '0.1.0',
    run: 'lead-run',
    features: [],
  }

  test.each<[string, Message, string]>([
    ['a newer protocol alone', { ...hello, lowest: protocolVersion + 1, highest: 99 }, 'version'],
    ['the role of the other end', { ...hello, role: 'peer' }, 'protocol'],
    ['the name of another key', { ...hello, identity: 'desktop' }, 'protocol'],
    ['the run of this very agent', { ...hello, run: peer.run }, 'protocol'],
    ['no greeting', { kind: 'list', id: 1, more: false, paths: [] }, 'protocol'],
    ['a welcome', { ...hello, kind: 'welcome', protocol: protocolVersion, heard: 'x', role: 'peer' }, 'protocol'],
  ])('a lead that comes with %s is refused, and told', async (_, message, code) => {
    here.serve()
    const seen = raw(here.wire.near)
    here.wire.near.send(encode(message))
    await here.serving
    expect(here.codes()).toEqual([`peer-refused ${code}`])
    await until(() => seen.length > 0, 'told')
    expect(seen).toMatchObject([{ kind: 'refuse', code }])
  })

  test.each<[string, (hello: Message) => Message, string]>([
    ['sends the hello back', (message) => message, 'protocol'],
    [
      'sends the hello back as a welcome',
      (message) => ({ ...hello, ...message, kind: 'welcome', protocol: protocolVersion, heard: lead.run }),
      'protocol',
    ],
    [
      'answers for another agent',
      () => ({ ...hello, kind: 'welcome', role: 'peer', run: 'x', protocol: protocolVersion, heard: 'y' }),
      'protocol',
    ],
    [
      'speaks another version',
      () => ({ ...hello, kind: 'welcome', role: 'peer', run: 'x', protocol: 9, heard: lead.run }),
      'version',
    ],
    ['refuses', () => ({ kind: 'refuse', code: 'root-busy', detail: 'later' }), 'root-busy'],
    ['refuses with a code that it may not give', () => ({ kind: 'refuse', code: 'wrong-key', detail: '' }), 'protocol'],
  ])('a peer that %s is left', async (_, answer, code) => {
    const { far } = here.wire
    far.start({ frame: (frame) => far.send(encode(answer(decode(frame)))), drained() {}, closed() {} })
    expect(await caught(here.connect())).toMatchObject({ code })
  })

  test.each<[string, Message]>([
    ['older', { ...hello, version: '9.9.9', lowest: protocolVersion + 1, highest: protocolVersion + 2 }],
    ['newer', { ...hello, version: '9.9.9', lowest: 0, highest: 0 }],
  ])('with nothing in common both are named, whoever is %s', async (_, message) => {
    here.serve()
    const seen = raw(here.wire.near)
    here.wire.near.send(encode(message))
    await here.serving
    await until(() => seen.length > 0, 'told')
    const [refusal] = seen
    const detail = refusal?.kind === 'refuse' ? refusal.detail : ''
    expect(detail).toMatch(/tandem 9\.9\.9 speaks version .*, tandem 0\.1\.0 speaks 1: nothing in common/)
  })

  test('a lead that knows more, and one that knows less, are served', async () => {
    for (const features of [[], ['inquire', 'join', 'telepathy']]) {
      const one = new Fixture()
      one.serve()
      const seen = raw(one.wire.near)
      one.wire.near.send(encode({ ...hello, features }))
      one.wire.near.send(encode({ kind: 'open', id: 1, more: false, root: 'docs', request }))
      await until(() => seen.some(({ kind }) => kind === 'opened'), 'opened')
      // It does not say why it does what it does, and nothing is made up.
      expect(one.local.asked).toMatchObject([['open', { isSilent: true }]])
      expect(seen[0]).toMatchObject({
        kind: 'welcome',
        features: ['inquire', 'join', 'resume', 'file', 'accept', 'why', 'folders'],
      })
    }
  })

  test.each([
    ['is told where new files belong', ['folders'], [1, 2, 3]],
    ['that does not know of it is not', [], [1, 2]],
  ])('a far end %s', async (_, features, props) => {
    const { far } = here.wire
    const staged: Message[] = []
    far.start({
      frame(frame) {
        const message = decode(frame)
        if (message.kind === 'hello')
          far.send(
            encode({ ...hello, kind: 'welcome', role: 'peer', run: 'x', protocol: 1, heard: message.run, features }),
          )
        if (message.kind === 'stage') staged.push(message)
      },
      drained() {},
      closed() {},
    })
    const remote = await here.connect()
    const bytes = Buffer.from('bytes')
    void remote.stage(1, { bytes, props: Buffer.from([1, 2]), places: Buffer.from([3]) }).catch(() => undefined)
    await until(() => staged.length > 0, 'staged')
    expect(staged).toMatchObject([{ props: new Uint8Array(props) }])
  })

  test('an agent that cannot tell of a root is not asked', async () => {
    const { far } = here.wire
    const asked: string[] = []
    far.start({
      frame(frame) {
        const message = decode(frame)
        asked.push(message.kind)
        if (message.kind === 'hello')
          far.send(encode({ ...hello, kind: 'welcome', role: 'peer', run: 'x', protocol: 1, heard: message.run }))
      },
      drained() {},
      closed() {},
    })
    const sockets = { connect: async () => here.wire.near, listen: () => Promise.reject(new Error('not here')) }
    const root = { kind: 'ws', endpoint: { host: '::1', port: 1 }, name: 'docs' } as const
    const told = await inquire({ sockets, clock: here.clock }, root, lead, never)
    expect(told).toMatchObject({ far: { agent: 'tandem' }, root: undefined })
    expect(asked).toEqual(['hello'])
  })

  test('an agent that cannot go on where a transfer was cut is asked for the whole', async () => {
    const { far } = here.wire
    const asked: Message[] = []
    far.start({
      frame(frame) {
        const message = decode(frame)
        asked.push(message)
        if (message.kind === 'hello')
          far.send(encode({ ...hello, kind: 'welcome', role: 'peer', run: 'x', protocol: 1, heard: message.run }))
        if (message.kind === 'supply') far.send(encode({ kind: 'done', id: message.id }))
      },
      drained() {},
      closed() {},
    })
    const remote = await here.connect()
    expect(await remote.resume(1, [{ want: 3, path: p('large'), sizeBytes: 900_000 }])).toEqual({
      parts: [],
      others: false,
    })
    await collect(remote.supply([{ ...wantOf(3, 900_000), prefixes: [{ sizeBytes: 5, fingerprint }] }], never))
    expect(asked.slice(1)).toEqual([{ kind: 'supply', id: 1, more: false, wants: [wantOf(3, 900_000)] }])
  })

  test('an agent that knows no files that are roots is not asked what stands there, and keeps no file', async () => {
    const { far } = here.wire
    const asked: string[] = []
    far.start({
      frame(frame) {
        const message = decode(frame)
        asked.push(message.kind)
        const features = ['inquire', 'resume']
        if (message.kind === 'hello')
          far.send(
            encode({ ...hello, kind: 'welcome', role: 'peer', run: 'x', protocol: 1, heard: message.run, features }),
          )
      },
      drained() {},
      closed() {},
    })
    const remote = await here.connect()
    expect(await remote.look()).toBe('ready')
    expect(await caught(remote.open({ ...request, file: p('notes.txt') }))).toMatchObject({
      code: 'version',
      message: expect.stringMatching(/keeps no single files equal/),
    })
    expect(asked).toEqual(['hello'])
  })

  test.each([
    ['that knows files', ['file'], 'file'],
    ['that does not', [], 'not-directory'],
  ] as const)('a lead %s is told what it can take', async (_, features, state) => {
    const one = new Fixture()
    one.serve(one.wire.far, peer, undefined, { state: 'file', readOnly: false })
    const seen = raw(one.wire.near)
    one.wire.near.send(encode({ ...hello, features }))
    one.wire.near.send(encode({ kind: 'inquire', id: 1, root: 'docs' }))
    await until(() => seen.length > 1, 'described')
    expect(seen[1]).toMatchObject({ kind: 'described', state })
  })

  test('an agent that reaches itself finds out', async () => {
    here.serve(here.wire.far, lead)
    expect(await caught(here.connect())).toMatchObject({ code: 'protocol' })
    await here.serving
  })
})

describe('a hostile lead ends its own link, and nothing else', () => {
  const open: Message = { kind: 'open', id: 1, more: false, root: 'docs', request }
  const list: Message = { kind: 'list', id: 2, more: false, paths: [p('a')] }
  test.each<[string, Uint8Array[]]>([
    ['bytes that are no message', [Uint8Array.of(200, 1, 2, 3)]],
    ['an empty frame', [new Uint8Array(0)]],
    ['a path with a way up', [encode({ ...list, paths: ['../x' as RelPath] } as Message)]],
    ['a request before the root is open', [encode(list)]],
    [
      'a second greeting',
      [
        encode({
          kind: 'hello',
          lowest: protocolVersion,
          highest: protocolVersion,
          role: 'lead',
          identity: 'laptop',
          agent: '',
          version: '',
          run: 'r',
          features: [],
        }),
      ],
    ],
    ['a second open', [encode(open), encode({ ...open, id: 2 })]],
    ['an answer', [encode(open), encode({ kind: 'done', id: 1 })]],
    ['an id twice', [encode(open), encode(list), encode(list)]],
    ['the id of the stage', [encode(open), encode({ ...list, id: 0 })]],
    ['credit for nothing', [encode(open), encode({ kind: 'credit', id: 5, bytes: 1 })]],
    ['the changes twice', [encode(open), encode({ kind: 'changes', id: 2 }), encode({ kind: 'changes', id: 3 })]],
    ['too many requests', [encode(open), ...Array.from({ length: 200 }, (_, at) => encode({ ...list, id: at + 2 }))]],
    [
      'too many items',
      [
        encode(open),
        ...Array.from({ length: 20 }, () =>
          encode({ kind: 'acknowledge', id: 3, more: true, batches: Array(9_000).fill(1) }),
        ),
      ],
    ],
    [
      'too many files to go on with',
      [
        encode(open),
        encode({
          kind: 'resume',
          id: 3,
          batch: 1,
          files: Array.from({ length: 65 }, (_, want) => ({ want, path: p('f'), sizeBytes: 9 })),
        }),
      ],
    ],
    [
      'more packs than there is room for',
      [
        encode(open),
        ...Array.from({ length: 60 }, () =>
          encode({ kind: 'stage', batch: 1, props: new Uint8Array(0), bytes: new Uint8Array(packBytesMax) }),
        ),
      ],
    ],
  ])('%s', async (_, frames) => {
    const letGo = here.hold()
    here.serve()
    const seen = raw(here.wire.near)
    const hello: Message = {
      kind: 'hello',
      lowest: protocolVersion,
      highest: protocolVersion,
      role: 'lead',
      identity: 'laptop',
      agent: '',
      version: '',
      run: 'r',
      features: [],
    }
    here.wire.near.send(encode(hello))
    for (const frame of frames) {
      here.wire.near.send(frame)
      // The root is open, where it is to be, before what breaks the rules.
      await turns(3)
    }
    await until(() => seen.some(({ kind }) => kind === 'refuse'), 'refused')
    letGo()
    await here.serving
    expect(seen.at(-1)).toMatchObject({ kind: 'refuse', code: 'protocol' })
    expect(here.codes().at(-1)).toMatch(/^peer-(left|refused) protocol$/)
  })

  test('pings without reading the answers: cut off', async () => {
    here.serve()
    const hello: Message = {
      kind: 'hello',
      lowest: protocolVersion,
      highest: protocolVersion,
      role: 'lead',
      identity: 'laptop',
      agent: '',
      version: '',
      run: 'r',
      features: [],
    }
    raw(here.wire.near)
    here.wire.near.send(encode(hello))
    await turns(5)
    here.wire.near.isDeaf = true
    const { far } = here.wire
    // As if the socket already held what the lead does not read.
    far.send(new Uint8Array(17 << 20))
    here.wire.near.send(encode({ kind: 'ping' }))
    await until(() => here.codes().length > 0, 'cut off')
    expect(here.codes()).toEqual(['peer-refused protocol'])
  })
})

describe('a hostile peer ends its own link', () => {
  test.each<[string, (asked: Message) => Message[]]>([
    ['an answer to nothing', () => [{ kind: 'done', id: 77 }]],
    ['an answer of another kind', () => [{ kind: 'outcomes', id: 2, last: true, outcomes: [] }]],
    ['a report of what was not asked', () => [{ kind: 'reports', id: 2, last: true, reports: [entry('elsewhere')] }]],
    ['credit for nothing', () => [{ kind: 'credit', id: 0, bytes: 1 }]],
    ['a request', () => [{ kind: 'list', id: 2, more: false, paths: [] }]],
    [
      'a pack of what was not wanted',
      () => [{ kind: 'pack', id: 3, finished: [{ want: 8, kind: 'superseded' }], bytes: new Uint8Array(1) }],
    ],
    [
      'more bytes than were wanted',
      () =>
        Array.from({ length: 12 }, () => ({ kind: 'pack', id: 3, finished: [], bytes: new Uint8Array(packBytesMax) })),
    ],
  ])('%s', async (_, answer) => {
    const { far } = here.wire
    far.start({
      frame(frame) {
        const asked = decode(frame)
        if (asked.kind === 'hello')
          far.send(
            encode({ ...asked, kind: 'welcome', role: 'peer', run: 'x', protocol: protocolVersion, heard: asked.run }),
          )
        else if (asked.kind === 'open') {
          const { unacknowledged, ...opened } = here.local.opened
          far.send(encode({ kind: 'opened', id: asked.id, opened }))
        } else if (asked.kind === 'supply') for (const message of answer(asked)) far.send(encode(message))
      },
      drained() {},
      closed() {},
    })
    const remote = await here.connect()
    await remote.open(request)
    const listing = caught(remote.list([p('a')]))
    const supplying = caught(collect(remote.supply([wantOf(0, 100)], never)))
    expect(await listing).toMatchObject({ name: 'LinkFailure', code: 'protocol' })
    expect(await supplying).toBeInstanceOf(LinkFailure)
  })
})

describe('T7: a peer that answers every ping, and not what it is asked', () => {
  const minute = async () => {
    for (let at = 0; at < 120; at++) await here.clock.pass(500)
  }

  /** It answers hello, ping and open as it should, and everything else with the first of what `answer` says. */
  async function openedAt(answer: (asked: Message & { readonly id: number }) => Message | undefined = () => undefined) {
    const { far } = here.wire
    far.start({
      frame(frame) {
        const asked = decode(frame)
        if (asked.kind === 'ping') far.send(encode({ kind: 'pong' }))
        else if (asked.kind === 'hello')
          far.send(
            encode({ ...asked, kind: 'welcome', role: 'peer', run: 'x', protocol: protocolVersion, heard: asked.run }),
          )
        else if (asked.kind === 'open') {
          const { unacknowledged, ...opened } = here.local.opened
          far.send(encode({ kind: 'opened', id: asked.id, opened }))
        } else if ('id' in asked && asked.kind !== 'credit') {
          const told = answer(asked)
          if (told !== undefined) far.send(encode(told))
        }
      },
      drained() {},
      closed() {},
    })
    const remote = await here.connect()
    await remote.open(request)
    return remote
  }

  test.each<[string, (remote: Replica) => Promise<unknown>]>([
    ['set-generation', (remote) => remote.setGeneration('pair', 1)],
    ['acknowledge', (remote) => remote.acknowledge([1])],
    ['doubt', (remote) => remote.doubt([p('a')])],
    ['removing', (remote) => remote.removing(1, false)],
    ['resume', (remote) => remote.resume(1, [{ want: 3, path: p('large'), sizeBytes: 100 }])],
    ['supply', (remote) => collect(remote.supply([wantOf(0, 100)], never))],
  ])('%s: it is waited for, and not for ever', async (kind, ask) => {
    const remote = await openedAt()
    let end: Error | undefined
    void caught(ask(remote)).then((error) => {
      end = error
    })
    for (let at = 0; at < 14; at++) await minute()
    expect(end).toBeUndefined()
    for (let at = 0; at < 3; at++) await minute()
    expect(end).toMatchObject({ name: 'LinkFailure', code: 'timed-out', transient: true })
    expect(end?.message).toContain(`no answer to ${kind}`)
  })

  test.each<[string, (remote: Replica) => Promise<unknown>, (asked: { readonly id: number }) => Message]>([
    [
      'list',
      (remote) => remote.list([p('a')]),
      ({ id }) => ({ kind: 'reports', id, last: false, reports: [entry('a')] }),
    ],
    ['flush', (remote) => remote.flush(), ({ id }) => ({ kind: 'flushed', id, last: false, paths: [p('a')] })],
    [
      'supply',
      (remote) => collect(remote.supply([wantOf(0, 100)], never)),
      ({ id }) => ({ kind: 'pack', id, finished: [], bytes: new Uint8Array(9) }),
    ],
    [
      'changes',
      (remote) => collect(remote.changes(never)),
      ({ id }) => ({ kind: 'changed', id, last: false, sequence: 1, current: true, reports: [entry('a')] }),
    ],
  ])('%s that stops in the middle of the answer', async (kind, ask, part) => {
    const remote = await openedAt(part)
    const end = caught(ask(remote))
    for (let at = 0; at < 17; at++) await minute()
    expect(await end).toMatchObject({ code: 'timed-out', message: expect.stringContaining(`no answer to ${kind}`) })
  })

  test('what may take a scan or a sync is waited for, and so is the next change', async () => {
    const remote = await openedAt(({ kind, id }) =>
      kind === 'changes' ? { kind: 'changed', id, last: true, sequence: 1, current: true, reports: [] } : undefined,
    )
    const ends: unknown[] = []
    const long = [
      remote.rescan([p('a')]),
      remote.sync([p('a')]),
      remote.sync('all'),
      remote.identify([p('a')]),
      remote.flush(),
      collect(remote.changes(never)),
    ]
    for (const one of long) void caught(one).then((error) => ends.push(error))
    for (let at = 0; at < 120; at++) await minute()
    expect(ends).toEqual([])
  })
})

describe('T8: a peer whose answer has no end', () => {
  type Asked = Message & { readonly id: number }
  const names = (count: number, from = 0) =>
    Array.from({ length: count }, (_, at): Member => ({ name: `name-${from + at}`, found: absent }))
  const outcomesMany = Array.from({ length: 2_000 }, (_, at) => ({
    batch: 1,
    supplier: 'boot',
    outcome: { kind: 'done', path: p(`f${at}`), content: absent } as const,
  }))
  const row = (directory: string, name: string) => ({
    directory: p(directory),
    name,
    found: absent,
    sequence: 1,
    digest: '',
  })
  const audited = { paths: [p('a')], members: true, perms: 0, times: false, except: [] }
  const listing = (from: number, more = true, path = 'a'): Report => {
    return { kind: 'listing', path: p(path), members: names(2_000, from), more }
  }

  test.each<[string, string, (remote: Replica) => Promise<unknown>, (id: number, at: number) => Message]>([
    [
      'outcomes of the past',
      'open',
      (remote) => remote.open(request),
      (id) => ({ kind: 'past', id, outcomes: outcomesMany }),
    ],
    [
      'a path that is listed again',
      'list',
      (remote) => remote.list([p('a')]),
      (id) => ({ kind: 'reports', id, last: false, reports: [entry('a')] }),
    ],
    [
      'a directory that is listed again',
      'list',
      (remote) => remote.list([p('a')]),
      (id) => ({
        kind: 'reports',
        id,
        last: false,
        reports: [{ kind: 'listing', path: p('a'), members: [], more: false }],
      }),
    ],
    [
      'a directory whose members come again',
      'list',
      (remote) => remote.list([p('a')]),
      (id) => ({ kind: 'reports', id, last: false, reports: [listing(0)] }),
    ],
    [
      'a move, which no list tells of',
      'list',
      (remote) => remote.list([p('a')]),
      (id) => ({ kind: 'reports', id, last: false, reports: [{ kind: 'moved', path: p('a'), from: p('a/b') }] }),
    ],
    [
      'more entries than files to be read',
      'identify',
      (remote) => remote.identify([p('a')]),
      (id, at) => ({ kind: 'reports', id, last: false, reports: [entry(`a/${at}`)] }),
    ],
    [
      'a file that is read again',
      'identify',
      (remote) => remote.identify([p('a')]),
      (id) => ({ kind: 'reports', id, last: false, reports: [entry('a')] }),
    ],
    [
      'an audit with a row again',
      'audit',
      (remote) => remote.audit(audited),
      (id) => ({ kind: 'audited', id, last: false, rows: [row('a', 'x')] }),
    ],
    [
      'a change: a directory whose members come again',
      'changes',
      (remote) => collect(remote.changes(never)),
      (id) => ({ kind: 'changed', id, last: false, sequence: 1, current: false, reports: [listing(0)] }),
    ],
    [
      'a change: listings that are never finished',
      'changes',
      (remote) => collect(remote.changes(never)),
      (id, at) => ({
        kind: 'changed',
        id,
        last: false,
        sequence: 1,
        current: false,
        reports: [listing(0, true, `d${at}`)],
      }),
    ],
  ])('%s: its link ends', async (_, kind, ask, part) => {
    const { far } = here.wire
    let sent = 0
    const more = (asked: Asked) => {
      // As many as there is sense in: the link ends before.
      for (; sent < 200; sent++) far.send(encode(part(asked.id, sent)))
    }
    far.start({
      frame(frame) {
        const asked = decode(frame)
        if (asked.kind === 'hello')
          far.send(
            encode({ ...asked, kind: 'welcome', role: 'peer', run: 'x', protocol: protocolVersion, heard: asked.run }),
          )
        else if (asked.kind === kind && 'id' in asked) more(asked)
      },
      drained() {},
      closed() {},
    })
    const remote = await here.connect()
    expect(await caught(ask(remote))).toMatchObject({ name: 'LinkFailure', code: 'protocol' })
  })

  test('an honest root may have any number of them: what its lead has to hear fits', async () => {
    const outcome = (at: number) => ({ kind: 'done', path: p(`${'long/'.repeat(20)}${at}`), content: absent }) as const
    const past = Array.from({ length: 120_000 }, (_, batch) => ({ batch, supplier: 'boot', outcome: outcome(batch) }))
    here.local.opened = { ...here.local.opened, unacknowledged: past }
    here.serve()
    const remote = await here.connect()
    const { unacknowledged } = await remote.open(request)
    // The last ones: these the archive has least of all.
    expect(unacknowledged.length).toBeGreaterThan(30_000)
    expect(unacknowledged.length).toBeLessThan(past.length)
    expect(unacknowledged).toEqual(past.slice(-unacknowledged.length))
  })
})

describe('a hostile peer that tells of parts', () => {
  test.each<[string, Message & { readonly kind: 'resumed' }]>([
    ['of a file that was not asked for', parts([8, 5])],
    ['twice of one file', parts([3, 5], [3, 5])],
    ['as long as the file', parts([3, 100])],
  ])('%s: its link ends', async (_, answer) => {
    const { far } = here.wire
    far.start({
      frame(frame) {
        const asked = decode(frame)
        if (asked.kind === 'hello')
          far.send(
            encode({ ...asked, kind: 'welcome', role: 'peer', run: 'x', protocol: protocolVersion, heard: asked.run }),
          )
        else if (asked.kind === 'resume') far.send(encode({ ...answer, id: asked.id }))
      },
      drained() {},
      closed() {},
    })
    const remote = await here.connect()
    const resuming = caught(remote.resume(1, [{ want: 3, path: p('large'), sizeBytes: 100 }]))
    expect(await resuming).toMatchObject({ name: 'LinkFailure', code: 'protocol' })
  })
})

function parts(
  ...told: readonly (readonly [want: number, sizeBytes: number])[]
): Message & { readonly kind: 'resumed' } {
  const all = told.map(([want, sizeBytes]) => ({ want, prefixes: [{ sizeBytes, fingerprint }] }))
  return { kind: 'resumed', id: 1, others: false, parts: all }
}

const noProps = { mode: undefined, mtimeNs: undefined }

function delivery(want: number, sizeBytes: number): Delivery {
  return { bytes: pack(want, sizeBytes).bytes, props: Uint8Array.of(want) }
}

function pack(want: number, sizeBytes: number): Pack {
  return { bytes: new Uint8Array(sizeBytes).fill(want), finished: [{ want, kind: 'whole', fingerprint }] }
}

/** A pack to compare: element by element would take its time. */
function brief({ bytes, finished }: Pack): unknown {
  return [Buffer.from(bytes).toString('latin1'), finished]
}

function wantOf(want: number, sizeBytes: number) {
  return { want, path: p(`file-${want}`), sizeBytes, mtimeNs: 5n, fingerprint: undefined }
}

async function caught(work: Promise<unknown>): Promise<Error> {
  try {
    await work
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
  throw new Error('nothing failed')
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

async function collectSlowly<T>(source: AsyncIterable<T>): Promise<void> {
  for await (const _ of source) await turn()
}

async function stageMany(remote: Replica, count: number): Promise<void> {
  for (let at = 0; at < count; at++) await remote.stage(1, delivery(at, packBytesMax))
}

function deferred(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
}

/** The far end's messages, as a stranger at this end sees them. */
function raw(socket: Socket): Message[] {
  const seen: Message[] = []
  socket.start({ frame: (frame) => seen.push(decode(frame)), drained() {}, closed() {} })
  return seen
}

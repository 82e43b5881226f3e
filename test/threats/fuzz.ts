import { deepEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { BadPath } from '../../src/core/path.js'
import type { Socket } from '../../src/host/sockets.js'
import { openRemote } from '../../src/replica/remote.js'
import { Malformed } from '../../src/wire/bytes.js'
import { decode, encode, type Message } from '../../src/wire/message.js'
import { HandClock, turns, WirePair } from '../replica/wire-pair.js'
import { anyMessage } from '../wire/message.arbitrary.js'
import { Dice } from './dice.js'
import { HostileLead, hello } from './hostile-lead.js'

/** Frames of one link at most. */
const framesMax = 40
/** Frames that are made from the same messages, before others are drawn. */
const fromOnes = 20_000

/**
 * Frames as they may come from anybody, without an end: a message, one that is bent, cut or grown in places, or bytes that never were
 * one. The same for the same seed.
 */
class Frames {
  private seeds: readonly Uint8Array[] = []
  private drawn = 0
  private readonly dice: Dice

  constructor(private readonly seed: number) {
    this.dice = new Dice(seed)
  }

  next(): Uint8Array {
    if (this.drawn++ % fromOnes === 0) {
      const messages = fc.sample(anyMessage, { seed: this.seed + this.drawn, numRuns: 600 })
      this.seeds = messages.map((message) => encode(withLikelyId(message)))
    }
    const { dice } = this
    const whole = this.seeds[dice.below(this.seeds.length)] ?? new Uint8Array(0)
    return dice.below(10) < 4 ? whole : bentFrame(whole, dice)
  }
}

/** A frame that is cut, or bent in places, or grown; or bytes that never were one. */
export function bentFrame(whole: Uint8Array, dice: Dice): Uint8Array {
  const kind = dice.below(6)
  if (kind === 0) return whole.subarray(0, dice.below(whole.length))
  if (kind === 1) return Uint8Array.from({ length: dice.below(200) }, () => dice.below(256))
  const frame = Uint8Array.from(whole)
  for (let bends = 1 + dice.below(4); bends > 0; bends--) {
    const at = dice.below(frame.length)
    // Lengths and counts are small numbers as a rule, and the highest bits of large ones.
    frame[at] = [0, 1, 0x7f, 0x80, 0xff, dice.below(256), (frame[at] ?? 0) ^ (1 << dice.below(8))][dice.below(7)] ?? 0
  }
  return kind < 5 ? frame : Buffer.concat([frame, whole.subarray(dice.below(whole.length))])
}

/** Of the first requests of a link, so that an answer has a question. */
function withLikelyId(message: Message): Message {
  return 'id' in message ? { ...message, id: message.id % 5 } : message
}

/** What is found is told with the frames that led to it. */
async function telling(seed: number, frames: readonly Uint8Array[], body: () => unknown): Promise<void> {
  try {
    await body()
  } catch (error) {
    const told = frames.map((frame) => Buffer.from(frame).toString('hex')).join('\n')
    throw new Error(`fuzzing with seed ${seed}, frames of this link:\n${told}`, { cause: error })
  }
}

/**
 * The decoder gets so many frames: each is refused as such, or is a message that says the same when it is written down and read again.
 * Answers how many were messages.
 */
export async function fuzzDecoder(count: number, seed: number): Promise<number> {
  const frames = new Frames(seed)
  let messages = 0
  for (let taken = 0; taken < count; taken++) {
    const frame = frames.next()
    await telling(seed, [frame], () => {
      const message = decoded(frame)
      if (message === undefined) return
      messages++
      deepEqual(decode(encode(message)), message)
    })
  }
  return messages
}

function decoded(frame: Uint8Array): Message | undefined {
  try {
    return decode(frame)
  } catch (error) {
    if (error instanceof Malformed || error instanceof BadPath) return undefined
    throw error
  }
}

/**
 * A served root gets so many frames from its lead, with the root open or not, link after link, each until it is refused. It refuses or
 * serves, and nothing outside the root is touched. Answers how many links there were.
 */
export async function fuzzServing(count: number, seed: number): Promise<number> {
  const frames = new Frames(seed)
  const lead = new HostileLead(undefined)
  let links = 0
  try {
    await lead.begin()
    for (let taken = 0; taken < count; links++) {
      await lead.cut()
      await lead.begin(links % 2 === 0)
      const sent: Uint8Array[] = []
      await telling(seed, sent, async () => {
        while (sent.length < framesMax && !lead.isRefused) {
          const frame = frames.next()
          sent.push(frame)
          lead.raw(frame)
          await turns(2)
        }
        lead.expectNothingOutside()
      })
      taken += sent.length
      lead.events.length = 0
    }
  } finally {
    await lead.end()
  }
  return links
}

/**
 * A lead gets so many frames in answer to its first requests, link after link, each until it is given up: no call stays without an end,
 * and each ends as a failure of the link or the root, or well. Answers how many links there were.
 */
export async function fuzzLeading(count: number, seed: number): Promise<number> {
  const frames = new Frames(seed)
  let links = 0
  for (let taken = 0; taken < count; links++) {
    const sent: Uint8Array[] = []
    await telling(seed, sent, () => lieTo(frames, sent))
    taken += sent.length
  }
  return links
}

async function lieTo(frames: Frames, sent: Uint8Array[]): Promise<void> {
  const wire = new WirePair()
  let isOver = false
  const over = () => {
    isOver = true
  }
  const asked = new Promise<void>((resolve) => greet(wire.far, resolve, over))
  const sockets = { connect: async () => wire.near, listen: () => Promise.reject(new Error('not here')) }
  const secret = { identity: 'laptop', key: new Uint8Array(32) }
  const remote = await openRemote(
    { sockets, clock: new HandClock() },
    { kind: 'wss', endpoint: { host: 'hub', port: 1 }, name: 'docs', secret },
    { agent: 'tandem', version: '0.1.0', run: 'lead-run' },
    new AbortController().signal,
  )
  const calls = [
    remote.open({
      pair: 'a'.repeat(32),
      from: '',
      cursor: undefined,
      view: { ignore: [], ignorenot: [], paths: [] },
      create: false,
      watch: false,
    }),
    remote.list([]),
    remote.sync('all'),
  ].map((call) => call.then(() => undefined, failureOf))
  await asked
  while (sent.length < framesMax && !isOver) {
    const frame = frames.next()
    sent.push(frame)
    wire.far.send(frame)
    await turns(2)
  }
  wire.cut()
  await Promise.all(calls)
}

/** Greets as it should, and tells of the first request, and of the end. */
function greet(socket: Socket, asked: () => void, over: () => void): void {
  socket.start({
    frame(bytes) {
      const message = decode(bytes)
      if (message.kind === 'refuse') over()
      else if (message.kind !== 'hello') asked()
      else
        socket.send(
          encode({ ...hello, kind: 'welcome', role: 'peer', run: 'peer-run', protocol: 1, heard: message.run }),
        )
    },
    drained() {},
    closed: over,
  })
}

function failureOf(error: unknown): void {
  // A bug would be another kind of error.
  if (!(error instanceof Error) || !('code' in error)) throw error
}

/** mulberry32. */

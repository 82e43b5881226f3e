import fc from 'fast-check'
import { afterEach, test } from 'vitest'
import type { Socket } from '../../src/host/sockets.js'
import { openRemote } from '../../src/replica/remote.js'
import { decode, encode, type Message } from '../../src/wire/message.js'
import { HandClock, turns, WirePair } from '../replica/wire-pair.js'
import { anyMessage } from '../wire/message.arbitrary.js'
import { hello, hostileLead } from './hostile-lead.js'
import { runs } from './runs.js'

/** A frame as it may come from anybody: a message, bent, cut or grown in places, or bytes that never were one. */
const anyFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 4, arbitrary: anyMessage.map((message) => encode(withLikelyId(message))) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(anyMessage, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
      .map(([message, bends]) => {
        const frame = Uint8Array.from(encode(message))
        for (const [at, value] of bends) frame[at % frame.length] = value
        return frame
      }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(anyMessage, fc.nat()).map(([message, at]) => {
      const frame = encode(message)
      return frame.subarray(0, at % frame.length)
    }),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
)

/** Of the first requests of a link, so that an answer has a question. */
function withLikelyId(message: Message): Message {
  return 'id' in message ? { ...message, id: message.id % 5 } : message
}

/** How many frames one link is sent: it is refused long before as a rule. */
const framesMax = 8
/** Links, so that about 20,000 frames are sent in all. */
const links = Math.ceil(runs(20_000) / framesMax)

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

test('T7, T8: a lead that sends anything is refused or served, and never harms anything outside the root', {
  timeout: 60_000 + links * 100,
}, async () => {
  const lead = await hostileLead()
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(anyFrame, { minLength: 1, maxLength: framesMax }), async (open, frames) => {
      await lead.cut()
      await lead.begin(open)
      for (const frame of frames) lead.raw(frame)
      await turns(2)
    }),
    { numRuns: links / 2 },
  )
  await lead.cut()
  lead.expectNothingOutside()
})

test('T7: a peer that answers anything ends its link at worst: no call stays without an end, and nothing else happens', {
  timeout: 60_000 + links * 100,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyFrame, { minLength: 1, maxLength: framesMax }), async (frames) => {
      const wire = new WirePair()
      ends.push(() => wire.cut())
      answer(wire.far, frames)
      const sockets = { connect: async () => wire.near, listen: () => Promise.reject(new Error('not here')) }
      const root = {
        kind: 'wss',
        endpoint: { host: 'hub', port: 1 },
        name: 'docs',
        secret: { identity: 'laptop', key: new Uint8Array(32) },
      } as const
      const self = { agent: 'tandem', version: '0.1.0', run: 'lead-run' }
      const remote = await openRemote({ sockets, clock: new HandClock() }, root, self, new AbortController().signal)
      const over = [
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
      await turns(12)
      wire.cut()
      await Promise.all(over)
    }),
    { numRuns: links / 2 },
  )
})

/** Greets as it should, and answers the first request with the frames. */
function answer(socket: Socket, frames: readonly Uint8Array[]): void {
  let answered = false
  socket.start({
    frame(bytes) {
      const asked = decode(bytes)
      if (asked.kind === 'hello') socket.send(encode(welcomeTo(asked)))
      else if (!answered) {
        answered = true
        for (const frame of frames) socket.send(frame)
      }
    },
    drained() {},
    closed() {},
  })
}

function welcomeTo(asked: Message & { readonly kind: 'hello' }): Message {
  return { ...hello, kind: 'welcome', role: 'peer', run: 'peer-run', protocol: 1, heard: asked.run }
}

function failureOf(error: unknown): void {
  // A bug would be another kind of error.
  if (!(error instanceof Error) || !('code' in error)) throw error
}

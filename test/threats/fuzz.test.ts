import { expect, test } from 'vitest'
import { askedKinds, converse } from './conversations.js'
import { fuzzDecoder, fuzzLeading, fuzzServing } from './fuzz.js'

/** So many for the decoder here and as many for the ends of links, a million each in `npm run soak`. A failure tells the seed. */
const frames = 20_000
const seed = Date.now() % 1_000_000
const timeout = 120_000

test('T8: whatever the decoder gets, it is refused as such or means one thing', { timeout }, async () => {
  expect(await fuzzDecoder(frames, seed)).toBeGreaterThan(frames / 5)
})

test('T7, T8: a lead that sends anything is refused or served, and never harms anything outside the root', {
  timeout,
}, async () => {
  expect(await fuzzServing(frames / 4, seed)).toBeGreaterThan(100)
})

test('T7: a peer that answers anything ends its link at worst: no call stays without an end, and nothing else happens', {
  timeout,
}, async () => {
  expect(await fuzzLeading(frames / 4, seed)).toBeGreaterThan(100)
})

test('T7, T8: deep in a conversation a frame that is bent ends the link at worst, and where none is the link never ends', {
  timeout,
}, async () => {
  const told = await converse(frames / 2, seed)
  // It was as deep as is meant, and all that can be asked was answered.
  expect(told.frames / told.links).toBeGreaterThan(50)
  for (const kind of askedKinds) expect(told.answered.get(kind) ?? 0, kind).toBeGreaterThan(20)
  expect(Math.min(told.changes, told.done, told.supplied)).toBeGreaterThan(20)
  expect(told.unbent).toBeGreaterThan(3)
})

import { expect, test } from 'vitest'
import { fuzzDecoder, fuzzLeading, fuzzServing } from './fuzz.js'

/** So many here, a million in `npm run soak`. A failure tells the seed. */
const frames = 20_000
const seed = Date.now() % 1_000_000
const timeout = 120_000

test('T8: whatever the decoder gets, it is refused as such or means one thing', { timeout }, async () => {
  expect(await fuzzDecoder(frames, seed)).toBeGreaterThan(frames / 5)
})

test('T7, T8: a lead that sends anything is refused or served, and never harms anything outside the root', {
  timeout,
}, async () => {
  expect(await fuzzServing(frames / 2, seed)).toBeGreaterThan(100)
})

test('T7: a peer that answers anything ends its link at worst: no call stays without an end, and nothing else happens', {
  timeout,
}, async () => {
  expect(await fuzzLeading(frames / 2, seed)).toBeGreaterThan(100)
})

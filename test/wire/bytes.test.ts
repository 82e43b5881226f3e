import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeName, encodeName } from '../../src/core/path.js'
import { BytesReader, BytesWriter, Malformed } from '../../src/wire/bytes.js'

const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => decodeName(bytes)),
)

test('law: a text comes back as it was, with what stands before and after it', () => {
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 5 }), (some) => {
      const to = new BytesWriter(8)
      for (const text of some) to.text(text)
      to.u8(7)
      const from = new BytesReader(to.finish())
      for (const text of some) expect(from.text(1_000)).toBe(text)
      expect(from.u8()).toBe(7)
      expect(from.atEnd()).toBe(true)
    }),
    { numRuns: 1_000 },
  )
})

test('law: a text is its length and its bytes as a name has them', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const to = new BytesWriter()
      to.text(text)
      const bytes = encodeName(text)
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.length)
      expect(Buffer.from(to.finish())).toEqual(Buffer.concat([length, bytes]))
    }),
  )
})

test('a text that is longer than allowed, or than what is there, is malformed', () => {
  const to = new BytesWriter()
  to.text('abc')
  expect(() => new BytesReader(to.finish()).text(2)).toThrow(Malformed)
  expect(() => new BytesReader(to.finish().subarray(0, 6)).text(9)).toThrow(Malformed)
})

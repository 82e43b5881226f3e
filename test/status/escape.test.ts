import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeName } from '../../src/core/path.js'
import { bytesText, countOf, durationText, stampText } from '../../src/status/amounts.js'
import { escapeJson, escapeName, escapeText } from '../../src/status/escape.js'

// T13: what stands on the right is all that a terminal ever gets of the name on the left.
const rows: [string, string, string][] = [
  ['plain ASCII', 'a b-c.txt', 'a b-c.txt'],
  ['letters of the world', 'Käse 日本 🎉', 'Käse 日本 🎉'],
  ['combining marks', 'e\u0301', 'e\u0301'],
  ['a newline', 'a\nb', 'a\\nb'],
  ['a tab', 'a\tb', 'a\\tb'],
  ['a carriage return', 'a\rb', 'a\\rb'],
  ['an escape sequence', '\x1b[31mred', '\\x1b[31mred'],
  ['a bell and a delete', '\x07\x7f', '\\x07\\x7f'],
  ['a C1 control, which some terminals obey', '\x9b31m', '\\u009b31m'],
  ['text turned round', 'photo\u202egpj.exe', 'photo\\u202egpj.exe'],
  ['isolates', '\u2066a\u2069', '\\u2066a\\u2069'],
  ['nothing to see', 'a\u200bb\ufeff\u00ad', 'a\\u200bb\\ufeff\\u00ad'],
  ['line separators', '\u2028\u2029', '\\u2028\\u2029'],
  ['a tag character', 'a\u{e0041}', 'a\\u{e0041}'],
  ['a byte that is not UTF-8', decodeName(Buffer.from([0x61, 0xff])), 'a\\xff'],
  ['a lone high surrogate', 'a\ud800', 'a\\ud800'],
  ['a backslash, so that the rest can be told apart', 'a\\nb', 'a\\\\nb'],
]
test.each(rows)('a name is shown safely: %s', (_, name, shown) => {
  expect(escapeName(name)).toBe(shown)
})

test('two names never look the same, and none leaves its line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      expect(escapeName(a)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\p{Cs}]/u)
      if (a !== b) expect(escapeName(a)).not.toBe(escapeName(b))
    }),
  )
})

test('in a sentence a backslash stays', () => {
  expect(escapeText('C:\\x\x1b')).toBe('C:\\x\\x1b')
})

test('escaped JSON means the same and shows nothing unsafe', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const line = escapeJson(JSON.stringify({ text }))
      expect(JSON.parse(line)).toEqual({ text })
      expect(line).not.toMatch(/[\x7f-\x9f\u202a-\u202e\u2066-\u2069\p{Cs}]/u)
    }),
  )
})

test.each([
  [0, '0 bytes'],
  [1, '1 byte'],
  [1023, '1023 bytes'],
  [1024, '1.0 KiB'],
  [12_595, '12.3 KiB'],
  [1024 ** 2 - 1, '1.0 MiB'],
  [3 * 1024 ** 3, '3.0 GiB'],
  [2 ** 60, '1024.0 PiB'],
])('%i bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text)
})

test.each([
  [12.4, '12 ms'],
  [3_400, '3.4 s'],
  [12_000, '12 s'],
  [59_990, '59.9 s'],
  [125_000, '2 min 5 s'],
  [7_265_000, '2 h 1 min'],
])('%d ms are %s', (ms, text) => {
  expect(durationText(ms)).toBe(text)
})

test.each([
  [0, '0'],
  [999, '999'],
  [1_000, '1,000'],
  [1_234_567, '1,234,567'],
])('%d is written so that it can be read', (count, text) => {
  expect(countOf(count)).toBe(text)
})

test('a time keeps its nanoseconds, before 1970 too', () => {
  expect(stampText(1_700_000_000_123_456_789n)).toMatch(/^, 2023-11-1[45] \d\d:\d\d:20\.123456789$/)
  expect(stampText(-1n)).toMatch(/:59\.999999999$/)
  expect(stampText(undefined)).toBe('')
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { quoted } from '../../../src/replica/jobs/quoted.js'

test.each(['', 'a b/c.txt', '"', '\\', '[]', '~', '\x7f', '\x1f', '\n', 'é', '\u2028', '\udcff', '😀'])(
  'a text is quoted as JSON.stringify does: %j',
  (text) => expect(quoted(text)).toBe(JSON.stringify(text)),
)

test('any text is quoted as JSON.stringify does', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => quoted(text) === JSON.stringify(text)))
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  absoluteOf,
  absPath,
  BadPath,
  componentsOf,
  decodeName,
  encodeName,
  isDeepest,
  isReserved,
  isReservedName,
  isWithin,
  join,
  nameFault,
  nameOf,
  parentOf,
  pathDepthMax,
  relativeTo,
  relPath,
  rootPath,
} from '../../src/core/path.js'

describe('names', () => {
  test('law: encoding undoes decoding, for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect([...encodeName(decodeName(bytes))]).toEqual([...bytes])
      }),
      { numRuns: 2_000 },
    )
  })
  test('law: bytes that are nearly UTF-8 come back too', () => {
    const pieces = [
      [0xf0, 0x9f, 0x98, 0x80],
      [0xf0, 0x9f, 0x98],
      [0xed, 0xa0, 0x80],
      [0xed, 0xb2, 0x80],
      [0xc0, 0x80],
      [0xef, 0xbb, 0xbf],
      [0x61],
      [0x80],
      [0xf4, 0x90, 0x80, 0x80],
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 8 }), (chosen) => {
        const bytes = chosen.flat()
        expect([...encodeName(decodeName(Uint8Array.from(bytes)))]).toEqual(bytes)
      }),
      { numRuns: 2_000 },
    )
  })
  test('law: different bytes have different names', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }), (one, other) => {
        expect(decodeName(one) === decodeName(other)).toBe(Buffer.from(one).equals(Buffer.from(other)))
      }),
      { numRuns: 2_000 },
    )
  })
  test('law: what is UTF-8 is the text it looks like', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(decodeName(Buffer.from(text, 'utf8'))).toBe(text)
      }),
    )
  })
  test('a byte that is not UTF-8 stands as one lone surrogate', () => {
    expect(decodeName(Uint8Array.of(0x61, 0xff, 0x62))).toBe('a\udcffb')
    expect(decodeName(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa')
  })
})

describe('paths', () => {
  test.each(['', 'a', 'a/b', '.a', '...', 'a\nb', 'a\\b', ' ', '\udc80', 'a'.repeat(255), '-', '\u00e9'.repeat(127)])(
    '%j is a path',
    (text) => {
      expect(relPath(text)).toBe(text)
    },
  )
  test.each([
    ['an absolute path', '/a'],
    ['a slash at the end', 'a/'],
    ['an empty component', 'a//b'],
    ['a dot', '.'],
    ['a dot on the way', 'a/./b'],
    ['two dots', '..'],
    ['two dots on the way', 'a/../b'],
    ['a NUL', 'a\0b'],
    ['a name of 256 bytes', 'a'.repeat(256)],
    ['a name of 256 bytes in UTF-8', '\u00e9'.repeat(128)],
    [
      'too many directories',
      Array(pathDepthMax + 1)
        .fill('a')
        .join('/'),
    ],
  ])('%s is none', (_, text) => {
    expect(() => relPath(text)).toThrow(BadPath)
  })
  test('law: a path is one if each of its components is a name', () => {
    const names = fc.constantFrom('', '.', '..', '.a', '..b', 'a', 'a'.repeat(255), 'a'.repeat(256), 'a\0', '\u00e9')
    const text = fc.oneof(fc.array(names, { minLength: 1, maxLength: 4 }), fc.array(fc.string(), { minLength: 1 }))
    fc.assert(
      fc.property(text, (parts) => {
        const whole = parts.join('/')
        const faults = whole.split('/').filter((name) => nameFault(name) !== undefined)
        const isPath = () => relPath(whole)
        if (whole === '' || faults.length === 0) expect(isPath()).toBe(whole)
        else expect(isPath).toThrow(BadPath)
      }),
      { numRuns: 2_000 },
    )
  })
  test('an absolute path begins with a slash', () => {
    expect(() => absPath('a')).toThrow(BadPath)
    expect(absoluteOf(absPath('/'), relPath('a'))).toBe('/a')
    expect(absoluteOf(absPath('/r'), relPath('a/b'))).toBe('/r/a/b')
    expect(absoluteOf(absPath('/r'), rootPath)).toBe('/r')
  })
  test('law: parent and name make the path again, and lie in it', () => {
    const paths = fc
      .array(fc.constantFrom('a', 'b.c', '.d', '\udc80'), { minLength: 1, maxLength: 5 })
      .map((names) => relPath(names.join('/')))
    fc.assert(
      fc.property(paths, paths, (path, other) => {
        expect(join(parentOf(path), nameOf(path))).toBe(path)
        expect(componentsOf(path).join('/')).toBe(path)
        expect(isWithin(path, parentOf(path))).toBe(true)
        expect(isWithin(path, path)).toBe(true)
        const inside = relPath(`${other}/${path}`)
        expect(relativeTo(inside, other)).toBe(path)
        expect(isWithin(inside, other)).toBe(true)
      }),
    )
  })
  test('a common beginning is not a common directory', () => {
    expect(isWithin(relPath('ab'), relPath('a'))).toBe(false)
    expect(isWithin(relPath('a'), relPath('a/b'))).toBe(false)
  })
})

describe('the reserved name', () => {
  test.each([
    ['itself', '.tandem'],
    ['in capitals', '.TANDEM'],
    ['mixed', '.Tandem'],
    ['full width', '\uff0e\uff54\uff41\uff4e\uff44\uff45\uff4d'],
    ['with a code point that HFS+ ignores', '.tan\u200cdem'],
    ['with many of them', '.\u200dt\u200ea\u200fn\u2060d\ufeffe\u00adm'],
    ['with a variation selector', '.tandem\ufe0f'],
    ['in mathematical letters', `.${String.fromCodePoint(0x1d42d, 0x1d41a, 0x1d427, 0x1d41d, 0x1d41e, 0x1d426)}`],
    ['with the one dot leader', '\u2024tandem'],
  ])('%s', (_, name) => {
    expect(isReservedName(name)).toBe(true)
    expect(isReserved(relPath(name))).toBe(true)
    expect(isReserved(relPath(`a/${name}/b`))).toBe(true)
  })
  test('law: a path is reserved if one of its components is', () => {
    const names = fc.constantFrom(
      '.tandem',
      '.TanDem',
      'tandem',
      'a.tandem',
      '.tandem.',
      '\u2024tandem',
      '\u00e9',
      'b.txt',
      'K',
    )
    fc.assert(
      fc.property(fc.array(names, { minLength: 1, maxLength: 4 }), (parts) => {
        expect(isReserved(relPath(parts.join('/')))).toBe(parts.some(isReservedName))
      }),
    )
  })
  test.each(['tandem', '.tandem2', '.tande', '.tandem ', 'x.tandem', '.tandem-x', '\udc80tandem', '.t\u0430ndem'])(
    '%j is not',
    (name) => {
      expect(isReservedName(name)).toBe(false)
    },
  )
})

test.each([
  ['a short path', 'd/'.repeat(10), false],
  ['one short of the deepest', 'd/'.repeat(2_046), false],
  ['the deepest that is accepted', 'd/'.repeat(2_047), true],
  ['long names, not deep', `${'n'.repeat(255)}/`.repeat(24), false],
  ['long names, as long as the wire takes', `${'n'.repeat(255)}/`.repeat(64), true],
])('what lies below can be told or not: %s', (_, above, deepest) => {
  const path = relPath(`${above}d`)
  expect(isDeepest(path)).toBe(deepest)
})

import * as fc from 'fast-check'
import { RE2JS } from 're2js'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { RelPath } from '../../src/core/path.js'
import { BadPattern, ignorePredicate, matcherOf, parsePattern, TooManyPatterns } from '../../src/core/pattern.js'

/** Paths here may be what no file system holds: matching is by characters alone. */
function matches(pattern: string, path: string): boolean {
  return matcherOf([parsePattern(pattern)])(path as RelPath)
}

type Row = [what: string, pattern: string, matching: string[], other: string[]]

function table(rows: Row[]): void {
  test.each(rows)('%s: %s', (_, pattern, matching, other) => {
    expect(matching.filter((path) => !matches(pattern, path))).toEqual([])
    expect(other.filter((path) => matches(pattern, path))).toEqual([])
  })
}

describe('keywords', () => {
  table([
    ['Name is the last component at any depth', 'Name foo', ['foo', 'a/foo', 'a/b/foo'], ['foo/a', 'afoo', 'foob', '']],
    ['Name may span components', 'Name a/b', ['a/b', 'x/a/b', 'x/y/a/b'], ['b', 'xa/b', 'a/b/c']],
    ['Name with a glob that spans components', 'Name a*/b', ['a/b', 'x/ac/b'], ['xa/b', 'a/c/b']],
    ['Path is the whole path', 'Path a/b', ['a/b'], ['b', 'x/a/b', 'a/b/c', 'a']],
    ['Path with a glob is the whole path', 'Path a/*', ['a/b'], ['a', 'a/b/c', 'x/a/b']],
    [
      'BelowPath is the path and all below',
      'BelowPath a/b',
      ['a/b', 'a/b/c', 'a/b/c/d', 'a/b/.c'],
      ['a', 'a/bc', 'x/a/b'],
    ],
    ['BelowPath with a glob', 'BelowPath *.d', ['x.d', 'x.d/a', 'x.d/a/b'], ['x.de', 'a/x.d', '.d', '.d/a']],
    [
      'Regex is the whole path, and a dot matches a slash',
      'Regex a/.*\\.ml',
      ['a/b.ml', 'a/b/c.ml'],
      ['a/b.mli', 'x/a/b.ml', 'a.ml'],
    ],
    [
      'Regex dots match newlines and bytes',
      'Regex a.b',
      ['a\nb', 'a/b', 'a\udc80b', 'a\u{1f600}b'],
      ['ab', 'a\u{1f600}\u{1f600}b'],
    ],
    ['Regex alternatives are anchored each', 'Regex a|ab|.*/ab', ['a', 'ab', 'x/ab'], ['b', 'abb', 'ab/x']],
    ['Regex tells bytes apart', 'Regex \udc80.*', ['\udc80x'], ['\udc81x', '\ufffdx']],
    ['blanks around the pattern do not count', '  Name   foo  ', ['foo'], ['foo  ']],
    ['blanks inside it do', 'Name a b', ['a b'], ['a', 'b']],
  ])
})

describe('glyphs', () => {
  table([
    ['* is any characters, none too', 'Path a*b', ['ab', 'axb', 'axxb', 'a.b'], ['a/b', 'a', 'abc']],
    ['* does not cross a slash', 'Path a*', ['a', 'abc'], ['a/', 'a/b']],
    ['** is the same as *', 'Path **', ['a', 'abc', ''], ['a/b', '.a']],
    ['* does not match a dot at the start', 'Name *', ['a', '', 'x/a'], ['.a', 'x/.a']],
    [
      '* does not match a dot at the start though something follows',
      'Name *.o',
      ['a.o', 'a.b.o', 'x/a.o'],
      ['.o', 'x/.o', '.a.o', 'a.oo'],
    ],
    ['* does not match a dot at the start of an inner component', 'Path a/*/b', ['a/x/b'], ['a/.x/b', 'a/b']],
    ['Path matches no leading dot either', 'Path */tmp', ['foo/tmp'], ['.foo/tmp', 'tmp']],
    ['a dot that is given matches', 'Name .*', ['.a', '.', 'x/.a', '..'], ['a.']],
    ['* matches a dot within', 'Name a*', ['a.b', 'a.'], ['.a']],
    [
      '? is one character',
      'Path a?c',
      ['abc', 'a.c', 'a\u00e9c', 'a\u{1f600}c', 'a\udc80c', 'a\nc'],
      ['ac', 'a/c', 'abbc'],
    ],
    ['? does not match a dot at the start', 'Name ?a', ['xa'], ['.a', 'a', 'x/.a']],
    ['* then ? is at least one character', 'Name *?', ['a', 'ab'], ['', '.a', '.']],
    ['?* is at least one character', 'Name ?*', ['a', 'ab'], ['', '.a']],
    ['[set] is one of it', 'Path [abc]x', ['ax', 'cx'], ['dx', 'x', 'abx']],
    ['ranges', 'Path [a-cx-z0]', ['a', 'b', 'c', 'y', '0'], ['d', 'w', '-', '1']],
    ['a range given backwards', 'Path [c-a]', ['a', 'b', 'c'], ['d']],
    ['a dash at the end is itself', 'Path [a-]', ['a', '-'], ['b']],
    ['a dash at the start is itself', 'Path [-a]', ['a', '-'], ['b']],
    ['a bracket that comes first is itself', 'Path []a]', [']', 'a'], ['b', '[]']],
    ['[!set] is one not of it', 'Path [!abc]', ['d', '!', '\udc80', '\u{1f600}'], ['a', 'b', '/', '']],
    ['[^set] is the same', 'Path [^abc]', ['d', '^'], ['a']],
    ['a bracket first in a negated set', 'Path [!]a]', ['b'], [']', 'a']],
    ['a set does not match a dot at the start', 'Name [.a]b', ['ab'], ['.b']],
    ['nor does a negated one', 'Name [!a]b', ['cb'], ['.b', 'ab']],
    ['within a name it does', 'Name a[.-]b', ['a.b', 'a-b'], ['a/b']],
    ['a set never matches a slash', 'Path a[!x]b', ['ayb'], ['a/b', 'axb']],
    ['a range across the slash does not match it', 'Path a[+-9]b', ['a0b', 'a.b'], ['a/b']],
    ['[*?{] takes glyphs as they are', 'Path [*?{,]', ['*', '?', '{', ','], ['a']],
    ['{a,b} is either', 'Path x{a,bb}y', ['xay', 'xbby'], ['xy', 'xaby', 'x{a,bb}y']],
    ['{} with an empty choice', 'Path x{,a}', ['x', 'xa'], ['xb']],
    ['{a} is a', 'Path {a}', ['a'], ['{a}']],
    ['nested choices', 'Path {a,b{c,d,}}e', ['ae', 'bce', 'bde', 'be'], ['ce', 'abe']],
    ['choices of components', 'Path {a/b,c}/d', ['a/b/d', 'c/d'], ['b/d', 'a/d']],
    ['choices of globs', 'Name {CVS,*.cmo}', ['CVS', 'x/CVS', 'a.cmo'], ['.cmo', 'cvs']],
    ['a choice of a dot or a star', 'Name {.,}*a', ['.a', '.xa', 'xa', 'a'], ['b', '..']],
    ['an empty choice before a star is still the start', 'Name {x,}*.o', ['a.o', 'x.o', 'x.a.o'], ['.o']],
    ['a blank after a comma belongs to the choice', 'Path {a, b}', ['a', ' b'], ['b']],
    ['a comma outside is itself', 'Path a,b', ['a,b'], ['a', 'b']],
    ['a closing brace outside is itself', 'Path a}', ['a}'], ['a']],
    ['\\ quotes a star', 'Path \\*', ['*'], ['a', '\\*']],
    ['\\ quotes a brace and a comma', 'Path \\{a,b\\}{c\\,d,e}', ['{a,b}c,d', '{a,b}e'], ['a', '{a,b}c']],
    ['\\ quotes in a set', 'Path [\\]\\-a]', [']', '-', 'a'], ['\\', 'b']],
    ['\\ quotes itself', 'Path a\\\\b', ['a\\b'], ['ab']],
    ['\\ before an ordinary character is nothing', 'Path \\a', ['a'], ['\\a']],
    ['case counts', 'Name README', ['README'], ['readme']],
    ['forms count', 'Name \u00e9', ['\u00e9'], ['e\u0301']],
    ['bytes that are not UTF-8 are characters', 'Name a\udc80', ['a\udc80'], ['a\udc81', 'a\ufffd']],
    ['bytes in a range', 'Name [\udc80-\udc8f]', ['\udc85'], ['\udc90', '\ufffd']],
    [
      'characters beyond the first plane in a set',
      'Name [\u{1f600}-\u{1f64f}]',
      ['\u{1f610}'],
      ['\u{1f680}', '\ud83d'],
    ],
    ['* at the root ignores the root itself', 'Path *', ['', 'a'], ['a/b', '.a']],
  ])
})

describe('the associated string', () => {
  test.each([
    ['is what follows the arrow', 'Path a -> b c', 'Path a', 'b c'],
    ['the last arrow counts', 'Path a -> b -> c', 'Path a -> b', 'c'],
    ['an empty one protects an arrow in the pattern', 'Path a -> b ->', 'Path a -> b', ''],
    ['an arrow without blanks belongs to the pattern', 'Path a->b', 'Path a->b', undefined],
  ])('%s', (_, text, alone, associated) => {
    const pattern = parsePattern(text)
    expect(pattern.associated).toBe(associated)
    expect(matches(text, alone.slice(5))).toBe(true)
  })
})

describe('what is no pattern', () => {
  test.each([
    ['no keyword', '*.o'],
    ['an unknown keyword', 'Names *.o'],
    ['a keyword in small letters', 'name *.o'],
    ['a keyword alone', 'Name'],
    ['nothing', ''],
    ['a leading slash', 'Path /a'],
    ['a leading slash in a name', 'Name /a'],
    ['a leading slash in a regular expression', 'Regex /a'],
    ['a brace left open', 'Name {a,b'],
    ['a bracket left open', 'Name [ab'],
    ['a bracket that holds only its end', 'Name []'],
    ['a backslash at the end', 'Name a\\'],
    ['braces too deep', `Name ${'{'.repeat(100)}a${'}'.repeat(100)}`],
    ['an expression that cannot be parsed', 'Regex (a'],
    ['an expression that needs more than bounded time', 'Regex (a)\\1'],
    ['an expression that is too large', `Regex ${'.{900}'.repeat(40)}`],
    ['a pattern that is too long', `Name ${'a'.repeat(5_000)}`],
  ])('%s', (_, text) => {
    expect(() => parsePattern(text)).toThrow(BadPattern)
    expect(() => ignorePredicate([text], [])).toThrow(expect.objectContaining({ code: 'bad-pattern', text }))
  })
})

describe('ignore and ignorenot', () => {
  const ask = (ignore: string[], ignorenot: string[], path: string): boolean =>
    ignorePredicate(ignore, ignorenot)(path as RelPath)
  test('nothing is ignored without patterns', () => {
    expect(ask([], [], 'a')).toBe(false)
    expect(ask([], ['Name a'], 'a')).toBe(false)
  })
  test('any pattern ignores, and any of the others spares', () => {
    const ignore = ['Name *.o', 'Path tmp', 'Regex .*/cache/.*', 'Regex .*~', 'BelowPath build', 'Name core']
    const spare = ['Name keep.o', 'BelowPath build/doc']
    for (const path of ['a.o', 'x/a.o', 'tmp', 'x/cache/y', 'a~', 'build', 'build/x', 'x/core'])
      expect([path, ask(ignore, spare, path)]).toEqual([path, true])
    for (const path of ['keep.o', 'x/keep.o', 'x/tmp', 'cache/y', 'build/doc', 'build/doc/a', 'builds', 'a'])
      expect([path, ask(ignore, spare, path)]).toEqual([path, false])
  })
  test('a path is tested itself, not through its parents', () => {
    expect(ask(['Name d'], [], 'd')).toBe(true)
    expect(ask(['Name d'], [], 'd/a')).toBe(false)
  })
  test('expressions that cannot be joined to one keep their meaning', () => {
    expect(ask(['Regex \\Qa', 'Regex x\\Qb\\E'], [], 'a')).toBe(true)
    expect(ask(['Regex \\Qa.b', 'Regex c'], [], 'a.b')).toBe(true)
    expect(ask(['Regex \\Qa.b', 'Regex c'], [], 'c')).toBe(true)
    expect(ask(['Regex (?P<x>a)', 'Regex (?P<x>b)', 'Regex (?i)c', 'Regex d'], [], 'D')).toBe(false)
    expect(ask(['Regex (?P<x>a)', 'Regex (?P<x>b)', 'Regex (?i)c', 'Regex d'], [], 'C')).toBe(true)
  })
})

describe('T8: what a set of patterns may take', () => {
  afterEach(() => vi.restoreAllMocks())

  test.each([
    ['10,000 names', Array.from({ length: 10_000 }, (_, at) => `Name some-longer-name-${at}`)],
    ['10,000 paths', Array.from({ length: 10_000 }, (_, at) => `Path some/longer/path-${at}`)],
    ['3,000 globs', Array.from({ length: 3_000 }, (_, at) => `Name *.cache-${at}`)],
    ['250 expressions', Array.from({ length: 250 }, (_, at) => `Regex .*/cache${at}/.*`)],
  ])('%s are a list that somebody may have', (_, ignore) => {
    expect(ignorePredicate(ignore, [])('else' as RelPath)).toBe(false)
  })

  test('the one that is too much is named, and none is made', () => {
    const made = vi.spyOn(RE2JS, 'compile')
    const ignore = Array.from({ length: 300 }, (_, at) => `Regex ${'x{1000}'.repeat(4)}${at}`)
    expect(() => ignorePredicate(ignore, [])).toThrow(
      expect.objectContaining({ code: 'too-many-patterns', text: ignore[1] }),
    )
    expect(made).not.toHaveBeenCalled()
  })

  test('so it is in the other list, and with globs', () => {
    const globs = (letter: string) => Array.from({ length: 30 }, () => `Name ${`${letter}*`.repeat(500)}`)
    expect(() => ignorePredicate(globs('a'), [])).not.toThrow()
    expect(() => ignorePredicate(globs('a'), globs('b'))).toThrow(TooManyPatterns)
  })

  test('an expression is not made to find out that it is too large', () => {
    const made = vi.spyOn(RE2JS, 'compile')
    expect(() => parsePattern(`Regex ${'x{1000}'.repeat(500)}`)).toThrow('the expression is too large')
    expect(made).not.toHaveBeenCalled()
  })
})

describe('time', () => {
  const long = 'a'.repeat(4_000)
  test.each([
    ['many stars', `Name ${'*a'.repeat(60)}b`],
    ['stars in choices', `Name ${'{*a,*aa}'.repeat(40)}b`],
    ['choices that multiply', `Name ${'{a,aa}'.repeat(60)}b`],
    ['a set far from the end', `Name *a${'?'.repeat(200)}b`],
    ['nested repetition', 'Regex ((a*)*)*b'],
    ['repetition of alternatives', 'Regex (a|a|aa)*b'],
    ['stars across components', `Path ${'*/'.repeat(20)}*b`],
  ])('%s: no path takes more than a moment', (_, pattern) => {
    expect(matches(pattern, long)).toBe(false)
    expect(matches(pattern, `${'a/'.repeat(1_000)}a`)).toBe(false)
    expect(matches(pattern, `${'aaaa'.repeat(100)}${'\u{1f600}'.repeat(100)}`)).toBe(false)
  })
})

describe('against a matcher that tries everything', () => {
  const text = (alphabet: string, maxLength: number): fc.Arbitrary<string> =>
    fc.array(fc.constantFrom(...alphabet), { maxLength }).map((letters) => letters.join(''))
  const globs = text('ab./*?', 7)
  const braced = fc
    .array(
      fc.oneof(
        globs,
        fc.tuple(globs, globs).map(([one, other]) => `{${one},${other}}`),
      ),
      { maxLength: 3 },
    )
    .map((parts) => parts.join(''))
    .filter((glob) => glob !== '' && !glob.startsWith('/') && glob.trim() === glob)
  const somePaths = text('ab./', 8)

  test.each(['Name', 'Path', 'BelowPath'])('%s', (keyword) => {
    fc.assert(
      fc.property(braced, fc.array(somePaths, { minLength: 8, maxLength: 8 }), (glob, paths) => {
        const matcher = matcherOf([parsePattern(`${keyword} ${glob}`)])
        for (const path of paths)
          expect([path, matcher(path as RelPath)]).toEqual([path, expected(keyword, glob, path)])
      }),
      { numRuns: 1_500 },
    )
  })

  test('many patterns at once are any of them', () => {
    fc.assert(
      fc.property(fc.array(braced, { maxLength: 6 }), somePaths, (several, path) => {
        const patterns = several.map((glob, index) => `${['Name', 'Path', 'BelowPath'][index % 3]} ${glob}`)
        const any = several.some((glob, index) => expected(['Name', 'Path', 'BelowPath'][index % 3] ?? '', glob, path))
        expect(ignorePredicate(patterns, [])(path as RelPath)).toBe(any)
      }),
      { numRuns: 1_500 },
    )
  })

  function expected(keyword: string, glob: string, path: string): boolean {
    const texts = exploded(glob)
    const starts = keyword === 'Name' ? [0, ...[...path].flatMap((c, at) => (c === '/' ? [at + 1] : []))] : [0]
    const ends =
      keyword === 'BelowPath' ? [...[...path].flatMap((c, at) => (c === '/' ? [at] : [])), path.length] : [path.length]
    return texts.some((one) =>
      starts.some((start) => ends.some((stop) => start <= stop && tries(one, 0, path.slice(start, stop), 0))),
    )
  }

  /** Every text that the braces of a glob stand for. Here they are not nested. */
  function exploded(glob: string): string[] {
    const found = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(glob)
    if (found === null) return [glob]
    const [, before = '', inside = '', after = ''] = found
    return inside.split(',').flatMap((choice) => exploded(before + choice + after))
  }

  function tries(glob: string, at: number, path: string, from: number): boolean {
    const glyph = glob[at]
    if (glyph === undefined) return from === path.length
    const here = path[from]
    const guarded = here === '.' && (from === 0 || path[from - 1] === '/')
    if (glyph === '*') {
      if (guarded) return false
      if (tries(glob, at + 1, path, from)) return true
      return here !== undefined && here !== '/' && tries(glob, at, path, from + 1)
    }
    if (glyph === '?') return here !== undefined && here !== '/' && !guarded && tries(glob, at + 1, path, from + 1)
    return glyph === here && tries(glob, at + 1, path, from + 1)
  }
})

test('an automaton that outgrows its memory forgets and goes on', () => {
  // Many characters that the patterns tell apart make every state large.
  const letters = String.fromCharCode(...Array.from({ length: 100 }, (_, at) => 0x3a0 + 2 * at))
  const patterns = ['Name *a????????????????????b', 'Name *c????????????????????d', `Name [${letters}]*`]
  const matcher = matcherOf(patterns.map(parsePattern))
  let seed = 1
  for (let round = 0; round < 300; round++) {
    let name = ''
    for (let at = 0; at < 200; at++) {
      seed = (seed * 48_271) % 2_147_483_647
      name += 'abcde'[seed % 5]
    }
    const last = name.at(-1)
    const first = name.at(-22)
    expect(matcher(name as RelPath)).toBe((last === 'b' && first === 'a') || (last === 'd' && first === 'c'))
  }
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Content } from '../../src/core/content.js'
import { findMoves, type Hints, movedPath } from '../../src/core/moves.js'
import { isWithin, type RelPath, relPath } from '../../src/core/path.js'
import { reconcile } from '../../src/core/reconcile.js'
import type { Rules } from '../../src/core/rules.js'
import { wholeTouched } from '../../src/core/tree.js'
import { type Pair, pass, passWithMoves } from './disk.js'
import { agreed, type Drawn, directory, plainRules, tree } from './fixtures.js'
import { diskNode, emptyPair, rounds, type Step, steps, take } from './histories.js'
import { same } from './model.js'

const none: Hints = { alpha: new Map(), beta: new Map() }

/** What a side's index says: the new path, then the old one. */
function said(alpha: Record<string, string>, beta: Record<string, string> = {}): Hints {
  const of = (hints: Record<string, string>) =>
    new Map(Object.entries(hints).map(([path, from]) => [relPath(path), relPath(from)]))
  return { alpha: of(alpha), beta: of(beta) }
}

function spokenMoves(archive: Drawn, alpha: Drawn, beta: Drawn, hints: Hints, partial: Partial<Rules> = {}): string[] {
  const rules = { ...plainRules, ...partial }
  const decisions = reconcile(agreed(archive), tree(alpha), tree(beta), wholeTouched, rules)
  const { moves, made, unread } = findMoves(decisions, hints, rules, () => true)
  return [
    ...moves.map(({ to, from, path }) => `${from} -> ${path} on ${to}`),
    ...(['alpha', 'beta'] as const).flatMap((side) => [
      ...made[side].map((path) => `made ${path} on ${side}`),
      ...unread[side].map((path) => `read ${path} on ${side}`),
    ]),
  ]
}

describe('directories, as the index of a side says', () => {
  const D = { x: 'u', y: 'v' }
  const rows: readonly [string, Drawn, Drawn, Drawn, Hints, string[]][] = [
    ['one that was renamed', { d: D }, { e: D }, { d: D }, said({ e: 'd' }), ['d -> e on beta']],
    ['the same on the other side', { d: D }, { d: D }, { e: D }, said({}, { e: 'd' }), ['d -> e on alpha']],
    [
      'without a hint each file is known again by its bytes',
      { d: D },
      { e: D },
      { d: D },
      none,
      ['d/x -> e/x on beta', 'd/y -> e/y on beta', 'made e on beta'],
    ],
    ['with an edit inside', { d: D }, { e: { x: 'new', y: 'v' } }, { d: D }, said({ e: 'd' }), ['d -> e on beta']],
    [
      'with an edit inside, on the other side',
      { d: D },
      { e: D },
      { d: { x: 'new', y: 'v' } },
      said({ e: 'd' }),
      ['d -> e on beta'],
    ],
    [
      'with another file inside, on the other side',
      { d: D },
      { e: D },
      { d: { ...D, z: 'z' } },
      said({ e: 'd' }),
      ['d -> e on beta'],
    ],
    ['an empty one', { d: {} }, { e: {} }, { d: {} }, said({ e: 'd' }), ['d -> e on beta']],
    [
      'into a directory that is there',
      { d: D, n: {} },
      { n: { d: D } },
      { d: D, n: {} },
      said({ 'n/d': 'd' }),
      ['d -> n/d on beta'],
    ],
    [
      'into a new directory',
      { d: D },
      { n: { m: { d: D } } },
      { d: D },
      said({ 'n/m/d': 'd' }),
      ['d -> n/m/d on beta', 'made n on beta', 'made n/m on beta'],
    ],
    [
      'out of a directory that is gone',
      { p: { d: D, f: 'f' } },
      { d: D },
      { p: { d: D, f: 'f' } },
      said({ d: 'p/d' }),
      ['p/d -> d on beta'],
    ],
    [
      'what was moved out of what was moved comes later',
      { a: { b: D } },
      { c: {}, b: D },
      { a: { b: D } },
      said({ c: 'a', b: 'a/b' }),
      ['a -> c on beta'],
    ],
    [
      'what was moved into what was moved comes later',
      { a: {}, b: D },
      { c: { b: D } },
      { a: {}, b: D },
      said({ c: 'a', 'c/b': 'b' }),
      ['a -> c on beta'],
    ],
    ['never when both sides moved it', { d: D }, { e: D }, { f: D }, said({ e: 'd' }, { f: 'd' }), []],
    ['never when the other side removed it', { d: D }, { e: D }, {}, said({ e: 'd' }), []],
    [
      'never onto something: only what is in it',
      { d: D },
      { e: D },
      { d: D, e: { other: 'o' } },
      said({ e: 'd' }),
      ['d/x -> e/x on beta', 'd/y -> e/y on beta'],
    ],
    [
      'never when another is at the old place: only what is in it',
      { d: D },
      { d: { z: 'z' }, e: D },
      { d: D },
      said({ e: 'd' }),
      ['d/x -> e/x on beta', 'd/y -> e/y on beta', 'made e on beta'],
    ],
    [
      'never when the two moved them into each other',
      { a: { f: 'f' }, b: { g: 'g' } },
      { b: { g: 'g', a: { f: 'f' } } },
      { a: { f: 'f', b: { g: 'g' } } },
      said({ 'b/a': 'a' }, { 'a/b': 'b' }),
      [],
    ],
    [
      'never when a file stands where its new directory must be',
      { d: D, n: 'n' },
      { n: { d: D } },
      { d: D, n: 'n' },
      said({ 'n/d': 'd' }),
      [],
    ],
    ['a hint of what was never agreed', {}, { e: D }, {}, said({ e: 'd' }), []],
    ['a hint of what is still there', { d: D }, { d: D, e: D }, { d: D }, said({ e: 'd' }), []],
    ['a hint of a file', { d: 'u' }, { e: D }, { d: 'u' }, said({ e: 'd' }), ['d -> e/x on beta', 'made e on beta']],
  ]
  test.each(rows)('%s', (_, archive, alpha, beta, hints, expected) => {
    expect(spokenMoves(archive, alpha, beta, hints)).toEqual(expected)
  })
})

describe('files, by their bytes', () => {
  const rows: readonly [string, Drawn, Drawn, Drawn, string[]][] = [
    ['one that was renamed', { f: 'u' }, { g: 'u' }, { f: 'u' }, ['f -> g on beta']],
    ['edited on the other side', { f: 'u' }, { g: 'u' }, { f: 'new' }, ['f -> g on beta']],
    ['edited as well is another file', { f: 'u' }, { g: 'new' }, { f: 'u' }, []],
    [
      'of the same size and not read: its bytes would tell',
      { f: 'abc' },
      { g: '?xx' },
      { f: 'abc' },
      ['read g on alpha'],
    ],
    ['of another size and not read', { f: 'abcd' }, { g: '?xx' }, { f: 'abcd' }, []],
    ['an empty one is not worth it', { f: '' }, { g: '' }, { f: '' }, []],
    [
      'one of two with the same bytes: that of the same name',
      { a: { f: 'u' }, b: { g: 'u' } },
      { a: {}, b: {}, c: { g: 'u', f: 'u' } },
      { a: { f: 'u' }, b: { g: 'u' } },
      ['b/g -> c/g on beta', 'a/f -> c/f on beta', 'made c on beta'],
    ],
    ['two from one: the other is sent', { f: 'u' }, { g: 'u', h: 'u' }, { f: 'u' }, ['f -> g on beta']],
    ['a copy is no move', { f: 'u' }, { f: 'u', g: 'u' }, { f: 'u' }, []],
    [
      'one on each side',
      { f: 'u', g: 'v' },
      { f2: 'u', g: 'v' },
      { f: 'u', g2: 'v' },
      ['g -> g2 on alpha', 'f -> f2 on beta'],
    ],
    ['over another file it is a change of that one', { f: 'u', g: 'v' }, { g: 'u' }, { f: 'u', g: 'v' }, []],
    ['a link is made anew', { f: '->x' }, { g: '->x' }, { f: '->x' }, []],
  ]
  test.each(rows)('%s', (_, archive, alpha, beta, expected) => {
    expect(spokenMoves(archive, alpha, beta, none)).toEqual(expected)
  })
})

describe('preferences', () => {
  const archive = { d: { x: 'u' } }
  const moved = { e: { x: 'u' } }
  const edited = { d: { x: 'new' } }
  const spares = (side: string, restriction: string, path: string) => (s: string, r: string, p: RelPath) =>
    s === side && r === restriction && p === path
  const rows: readonly [string, Drawn, Partial<Rules>, string[]][] = [
    ['a move comes before who is preferred', edited, { prefer: 'beta' }, ['d -> e on beta']],
    ['and before who wins what the other one moved', edited, { prefer: 'alpha' }, ['d -> e on beta']],
    ['who is forced to win moves things on the other side', archive, { force: 'alpha' }, ['d -> e on beta']],
    ['nothing is moved on the side that is forced to win', archive, { force: 'beta' }, []],
    [
      'nor where it is at the old path',
      archive,
      { deciderAt: (path) => (path === 'd' ? { who: 'beta', forces: true } : undefined) },
      [],
    ],
    ['nodeletion keeps the old place', archive, { spares: spares('beta', 'nodeletion', 'd') }, []],
    ['nodeletion inside the old place', archive, { spares: spares('beta', 'nodeletion', 'd/x') }, []],
    ['nocreation keeps the new place free', archive, { spares: spares('beta', 'nocreation', 'e') }, []],
    ['nocreation inside the new place', archive, { spares: spares('beta', 'nocreation', 'e/x') }, []],
    [
      'what the other side is spared does not matter',
      archive,
      { spares: spares('alpha', 'nodeletion', 'd') },
      ['d -> e on beta'],
    ],
    ['what is ignored at its new path was removed', archive, { skips: (path) => path === 'e' }, []],
    ['what is ignored at its old path is new', archive, { skips: (path) => path === 'd' }, []],
  ]
  test.each(rows)('%s', (_, beta, rules, expected) => {
    expect(spokenMoves(archive, moved, beta, said({ e: 'd' }), rules)).toEqual(expected)
  })
})

test('a move that is not allowed is none', () => {
  const decisions = reconcile(agreed({ f: 'u' }), tree({ g: 'u' }), tree({ f: 'u' }), wholeTouched, plainRules)
  expect(findMoves(decisions, none, plainRules, () => false).moves).toEqual([])
})

test('below the old place everything has a new path, and nothing else', () => {
  const move = { from: relPath('a/b'), path: relPath('c') }
  expect(['a/b', 'a/b/d/e', 'a', 'a/bc', 'c/b'].map((path) => movedPath(relPath(path), move))).toEqual([
    'c',
    'c/d/e',
    'a',
    'a/bc',
    'c/b',
  ])
})

// ---- laws

const names = ['a', 'b', 'c', 'd', 'e']
const anyPath = fc
  .array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 })
  .map((parts) => relPath(parts.join('/')))

interface Rename {
  readonly side: 'alpha' | 'beta'
  /** Which of the paths that are there. */
  readonly which: number
  readonly path: RelPath
}

const renames: fc.Arbitrary<Rename[]> = fc.array(
  fc.record({ side: fc.constantFrom('alpha' as const, 'beta' as const), which: fc.nat(50), path: anyPath }),
  { maxLength: 5 },
)

/** What the sides say may be true, old, or made up. */
const lies = fc.array(fc.tuple(fc.constantFrom('alpha' as const, 'beta' as const), anyPath, anyPath), { maxLength: 3 })

interface History {
  readonly past: Step[][]
  readonly news: Step[]
  readonly renames: Rename[]
  readonly more: Step[]
  readonly lies: (readonly ['alpha' | 'beta', RelPath, RelPath])[]
}

const histories: fc.Arbitrary<History> = fc.record({ past: rounds, news: steps, renames, more: steps, lies })

function play({ past, news, renames, more, lies }: History): { pair: Pair; hints: Hints } {
  const pair = emptyPair()
  for (const round of past) {
    take(pair, round)
    pass(pair, plainRules)
  }
  take(pair, news)
  const hints = { alpha: new Map<RelPath, RelPath>(), beta: new Map<RelPath, RelPath>() }
  for (const { side, which, path } of renames) {
    const paths = [...pair[side].contents.keys()].filter((at) => at !== '')
    const from = paths[which % paths.length]
    if (from === undefined || isWithin(path, from)) continue
    try {
      pair[side].rename(from, path)
    } catch {
      continue
    }
    for (const [now, before] of [...hints[side]]) {
      hints[side].delete(now)
      hints[side].set(movedPath(now, { from, path }), before)
    }
    if (pair[side].at(path).kind === 'directory' && !hints[side].has(path)) hints[side].set(path, from)
  }
  take(pair, more)
  for (const [side, now, before] of lies) hints[side].set(now, before)
  return { pair, hints }
}

function copyOf(pair: Pair): Pair {
  const copy = emptyPair()
  for (const [path, known] of pair.archive.agreements) copy.archive.agreements.set(path, known)
  return { archive: copy.archive, alpha: pair.alpha.copy(), beta: pair.beta.copy() }
}

const runs = { numRuns: 1_500 }

const link: Content = { kind: 'symlink', target: 's' }

function put(side: Step['side'], path: string, content: Content): Step {
  return { side, path: relPath(path), content, mode: 0o755, mtimeNs: 1n }
}

/** Beta moves `a` into a `b` that both sides have just made, in place of nothing or of a link, and `a/a` out of it. */
const intoWhatBothMade = [[], [put('both', 'b', link)]].map((before): [History] => [
  {
    past: [[...before, put('both', 'a', directory()), put('both', 'a/a', link)]],
    news: [put('both', 'b', directory())],
    renames: [
      { side: 'beta', which: 1, path: relPath('d') },
      { side: 'beta', which: 0, path: relPath('b/a') },
    ],
    more: [],
    lies: [],
  },
])

describe('laws', () => {
  test('where nothing is in conflict, both sides end as they would without moves', () => {
    let moved = 0
    fc.assert(
      fc.property(histories, (history) => {
        const { pair, hints } = play(history)
        const plain = copyOf(pair)
        const decisions = pass(plain, plainRules)
        const { moves } = passWithMoves(pair, plainRules, hints)
        moved += moves.length
        if (decisions.some((one) => one.kind === 'conflict' && one.about === 'content')) return
        expect(diskNode(pair.alpha)).toEqual(diskNode(plain.alpha))
        expect(diskNode(pair.beta)).toEqual(diskNode(plain.beta))
      }),
      { numRuns: 2_500, examples: intoWhatBothMade },
    )
    // Enough of them to have tried the law; some 250 are usual.
    expect(moved).toBeGreaterThan(150)
  })

  test('no content is lost that was not agreed', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { pair, hints } = play(history)
        const contentsOf = (one: Pair) => {
          const found = new Set<string>()
          for (const disk of [one.alpha, one.beta])
            for (const content of disk.contents.values())
              if (content.kind === 'file') found.add(content.fingerprint ?? '')
          return found
        }
        const before = contentsOf(pair)
        const known = new Set(
          [...pair.archive.agreements.values()].map(({ content }) =>
            content.kind === 'file' ? content.fingerprint : undefined,
          ),
        )
        passWithMoves(pair, plainRules, hints)
        const after = contentsOf(pair)
        for (const content of before) expect(after.has(content) || known.has(content as never)).toBe(true)
      }),
      runs,
    )
  })

  test('a second pass finds nothing to move, and the sides differ only where there is a conflict', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { pair, hints } = play(history)
        passWithMoves(pair, plainRules, hints)
        const again = passWithMoves(pair, plainRules, none)
        expect(again.moves).toEqual([])
        if (again.decisions.every((one) => one.kind !== 'conflict' || one.about !== 'content'))
          expect(same(diskNode(pair.alpha), diskNode(pair.beta))).toBe(true)
      }),
      runs,
    )
  })

  test('swapping the sides swaps the moves', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { pair, hints } = play(history)
        const mirrored: Pair = { archive: copyOf(pair).archive, alpha: pair.beta.copy(), beta: pair.alpha.copy() }
        const one = passWithMoves(pair, plainRules, hints)
        const other = passWithMoves(mirrored, plainRules, { alpha: hints.beta, beta: hints.alpha })
        const spoken = ({ to, from, path }: { to: string; from: string; path: string }) => `${to} ${from} ${path}`
        const turned = other.moves.map((move) => spoken({ ...move, to: move.to === 'alpha' ? 'beta' : 'alpha' }))
        expect(turned.sort()).toEqual(one.moves.map(spoken).sort())
        expect(diskNode(mirrored.alpha)).toEqual(diskNode(pair.beta))
        expect(diskNode(mirrored.beta)).toEqual(diskNode(pair.alpha))
      }),
      runs,
    )
  })
})

import { describe, expect, test } from 'vitest'
import { reconcile } from '../../src/core/reconcile.js'
import type { Rules } from '../../src/core/rules.js'
import { type AgreementTree, wholeTouched } from '../../src/core/tree.js'
import { agreed, agreement, Dir, type Drawn, file, plainRules, skipping, spoken, touchedAt, tree } from './fixtures.js'

type Row = [what: string, archive: Drawn, alpha: Drawn, beta: Drawn, decisions: string[], rules?: Partial<Rules>]

function decide(
  archive: Drawn,
  alpha: Drawn,
  beta: Drawn,
  rules: Partial<Rules> = {},
  touched = wholeTouched,
): string[] {
  return spoken(reconcile(agreed(archive), tree(alpha), tree(beta), touched, { ...plainRules, ...rules }))
}

function table(rows: Row[]): void {
  test.each(rows)('%s', (_, archive, alpha, beta, decisions, rules) => {
    expect(decide(archive, alpha, beta, rules)).toEqual([...decisions].sort())
  })
  const mirrored = (line: string): string =>
    line
      .replace(/ (->|<-) /, (arrow) => (arrow === ' -> ' ? ' <- ' : ' -> '))
      .replace(/alpha|beta/, (side) => (side === 'alpha' ? 'beta' : 'alpha'))
  test.each(rows)('mirrored: %s', (_, archive, alpha, beta, decisions, rules = {}) => {
    const prefer = rules.prefer === 'alpha' ? 'beta' : rules.prefer === 'beta' ? 'alpha' : (rules.prefer ?? 'nobody')
    if (decisions.some((line) => line.includes(' and '))) return
    expect(decide(archive, beta, alpha, { ...rules, prefer })).toEqual(decisions.map(mirrored).sort())
  })
}

describe('a tree', () => {
  table([
    // what happened            archive     alpha         beta          decisions
    ['nothing anywhere', undefined, undefined, undefined, []],
    ['nothing changed', { a: 'x' }, { a: 'x' }, { a: 'x' }, []],
    ['a root that only alpha has', undefined, { a: 'x' }, undefined, ['. -> directory', 'a -> x']],
    ['a root that is a file', undefined, 'x', undefined, ['. -> x']],
    [
      'first run: the union',
      undefined,
      { a: 'x', c: 'z' },
      { b: 'y', c: 'z' },
      ['. = directory', 'a -> x', 'b <- y', 'c = z'],
    ],
    [
      'first run: only what differs is in conflict',
      undefined,
      { a: 'x', b: 'y' },
      { a: 'x', b: 'z' },
      ['. = directory', 'a = x', 'b conflict'],
    ],
    ['both made the same change', { a: 'x' }, { a: 'y' }, { a: 'y' }, ['a = y']],
    ['each changed something else', { a: 'x', b: 'x' }, { a: 'y', b: 'x' }, { a: 'x', b: 'y' }, ['a -> y', 'b <- y']],
    ['alpha deleted one, beta created one', { a: 'x' }, {}, { a: 'x', b: 'y' }, ['a -> nothing', 'b <- y']],
    [
      'an edit beside a conflict travels',
      { a: 'x', b: 'x' },
      { a: 'y', b: 'y' },
      { a: 'z', b: 'x' },
      ['a conflict', 'b -> y'],
    ],
    ['both deleted a directory', { d: { a: 'x' } }, {}, {}, ['d = nothing', 'd/a = nothing']],
    ['an empty directory travels', {}, { d: {} }, {}, ['d -> directory']],
    [
      'a new directory travels with all that is in it',
      {},
      { d: { e: { a: 'x' }, l: '->t' } },
      {},
      ['d -> directory', 'd/e -> directory', 'd/e/a -> x', 'd/l -> ->t'],
    ],
    ['both made the directory', {}, { d: { a: 'x' } }, { d: { b: 'y' } }, ['d = directory', 'd/a -> x', 'd/b <- y']],
    ['both made a directory of the file', { d: 'x' }, { d: { a: 'x' } }, { d: {} }, ['d = directory', 'd/a -> x']],
  ])
})

describe('a deletion', () => {
  table([
    [
      'of a directory that is as agreed',
      { d: { a: 'x', e: { b: 'y' } } },
      {},
      { d: { a: 'x', e: { b: 'y' } } },
      ['d -> nothing', 'd/a -> nothing', 'd/e -> nothing', 'd/e/b -> nothing'],
    ],
    [
      'of a directory against an edit deep inside',
      { d: { e: { a: 'x' } } },
      {},
      { d: { e: { a: 'y' } } },
      ['d conflict'],
    ],
    ['of a directory against a new member', { d: {} }, {}, { d: { a: 'x' } }, ['d conflict']],
    [
      'of a directory against the deletion of a member',
      { d: { a: 'x', b: 'y' } },
      {},
      { d: { a: 'x' } },
      ['d conflict'],
    ],
    [
      'of a directory against a chmod',
      { d: new Dir(0o755, { a: 'x' }) },
      {},
      { d: new Dir(0o700, { a: file('x', 0o600, 9n) }) },
      ['d -> nothing', 'd/a -> nothing'],
    ],
    ['of a member, on both sides', { d: { a: 'x' } }, { d: {} }, { d: {} }, ['d/a = nothing']],
    ['of a file against an edit', { a: 'x' }, {}, { a: 'y' }, ['a conflict']],
    ['one version deleted in a conflict that had no common state: the rest is new', {}, { a: 'x' }, {}, ['a -> x']],
    [
      'of everything',
      { a: 'x', d: { b: 'y' } },
      undefined,
      { a: 'x', d: { b: 'y' } },
      ['. -> nothing', 'a -> nothing', 'd -> nothing', 'd/b -> nothing'],
    ],
  ])
})

describe('another kind of thing', () => {
  table([
    [
      'a file in place of a directory as agreed',
      { d: { a: 'x' } },
      { d: 'f' },
      { d: { a: 'x' } },
      ['d -> f', 'd/a -> nothing'],
    ],
    ['a file in place of a directory changed inside', { d: { a: 'x' } }, { d: 'f' }, { d: { a: 'y' } }, ['d conflict']],
    ['a directory in place of a file', { d: 'f' }, { d: { a: 'x' } }, { d: 'f' }, ['d -> directory', 'd/a -> x']],
    ['a directory in place of a file that was edited', { d: 'f' }, { d: { a: 'x' } }, { d: 'g' }, ['d conflict']],
    [
      'a symlink in place of a directory',
      { d: { a: 'x' } },
      { d: '->t' },
      { d: { a: 'x' } },
      ['d -> ->t', 'd/a -> nothing'],
    ],
    ['a symlink in place of a file', { a: 'x' }, { a: '->t' }, { a: 'x' }, ['a -> ->t']],
    ['a new file against a new directory', {}, { d: 'f' }, { d: { a: 'x' } }, ['d conflict']],
    [
      'both put the same file in place of a directory',
      { d: { a: 'x' } },
      { d: 'f' },
      { d: 'f' },
      ['d = f', 'd/a = nothing'],
    ],
    ['a root that became a file', { a: 'x' }, 'f', { a: 'x' }, ['. -> f', 'a -> nothing']],
  ])
})

describe('modes and times', () => {
  table([
    [
      'a chmod of a directory travels',
      { d: new Dir(0o755, {}) },
      { d: new Dir(0o700, {}) },
      { d: new Dir(0o755, {}) },
      ['d = directory'],
    ],
    [
      'a conflict about the mode of a directory holds up no member',
      { d: new Dir(0o755, { a: 'x' }) },
      { d: new Dir(0o700, { a: 'y' }) },
      { d: new Dir(0o750, { a: 'x' }) },
      ['d conflict of modes', 'd/a -> y'],
    ],
    [
      'an edit travels although the modes are in conflict',
      { a: file('x', 0o644) },
      { a: file('y', 0o600) },
      { a: file('x', 0o755) },
      ['a -> y', 'a conflict of modes'],
    ],
    [
      'different times alone are no conflict',
      undefined,
      { a: file('x', 0o644, 1n) },
      { a: file('x', 0o644, 2n) },
      ['. = directory', 'a = x'],
    ],
    [
      'times that are not compared are forgotten',
      { a: 'x' },
      { a: file('x', 0o644, 7n) },
      { a: 'x' },
      ['a = x'],
      { times: false },
    ],
  ])
})

describe('a problem', () => {
  table([
    [
      'is reported, and its siblings travel',
      { a: 'x', b: 'x' },
      { a: '!', b: 'y' },
      { a: 'x', b: 'x' },
      ['a problem on alpha', 'b -> y'],
    ],
    [
      'on both sides is reported for both',
      { a: 'x' },
      { a: '!' },
      { a: '!' },
      ['a problem on alpha', 'a problem on beta'],
    ],
    ['never counts as a deletion', { a: 'x' }, { a: '!' }, { a: 'y' }, ['a problem on alpha']],
    ['against nothing is reported too', {}, { a: '!' }, {}, ['a problem on alpha']],
    ['at the root stops everything', { a: 'x' }, '!', {}, ['. problem on alpha']],
    [
      'in a directory that should go is one of the directory',
      { d: { a: 'x', b: 'y' } },
      {},
      { d: { a: '!', b: 'y' } },
      ['d problem on beta'],
    ],
    [
      'in a directory that should become a file',
      { d: { a: 'x' } },
      { d: 'f' },
      { d: { a: '!' } },
      ['d problem on beta'],
    ],
    [
      'beside an edit: the deletion is in conflict anyway',
      { d: { a: 'x', b: 'y' } },
      {},
      { d: { a: '!', b: 'z' } },
      ['d conflict'],
    ],
    [
      'in a new directory does not stop the rest',
      {},
      { d: { a: '!', b: 'y' } },
      {},
      ['d -> directory', 'd/a problem on alpha', 'd/b -> y'],
    ],
    [
      'at a directory keeps all that is below',
      { d: { a: 'x' } },
      { d: '!' },
      { d: { a: 'y' } },
      ['d problem on alpha'],
    ],
  ])
  test('deep inside is named in the one of the directory', () => {
    const decisions = reconcile(
      agreed({ d: { e: { a: 'x' } } }),
      tree({}),
      tree({ d: { e: { a: '!' } } }),
      wholeTouched,
      plainRules,
    )
    expect(decisions).toMatchObject([{ path: 'd', problem: { code: 'io', detail: 'e/a: read failed' } }])
  })
})

describe('what was not read yet', () => {
  table([
    ['and is new needs no reading', {}, { a: '?x' }, {}, ['a -> 2 bytes']],
    [
      'and is new in a new directory needs none either',
      {},
      { d: { a: '?x' } },
      {},
      ['d -> directory', 'd/a -> 2 bytes'],
    ],
    ['and would be deleted', { a: 'xx' }, {}, { a: '?x' }, ['a read beta']],
    [
      'and would be deleted with its directory',
      { d: { a: 'xx', b: 'y' } },
      {},
      { d: { a: '?x', b: 'y' } },
      ['d/a read beta for d'],
    ],
    ['does not matter beside a known edit', { d: { a: 'xx', b: 'y' } }, {}, { d: { a: '?x', b: 'z' } }, ['d conflict']],
    ['does not matter if its size tells that it was edited', { d: { a: 'x' } }, {}, { d: { a: '?x' } }, ['d conflict']],
    ['and may be as agreed while a directory came', { d: 'xx' }, { d: {} }, { d: '?x' }, ['d read beta']],
    ['on both sides', {}, { a: '?x' }, { a: '?y' }, ['a read alpha and beta']],
    ['holds up no sibling', { a: 'xx', b: 'x' }, { a: '?x', b: 'y' }, { a: 'xx', b: 'x' }, ['a read alpha', 'b -> y']],
  ])
})

describe('what is skipped', () => {
  const skips = skipping('skip')
  table([
    ['is not looked at', { skip: 'x' }, { skip: 'y' }, {}, [], { skips }],
    ['is not looked at, with all below', { skip: { a: 'x' } }, { skip: {} }, { skip: { a: 'y' } }, [], { skips }],
    [
      'in a directory that should go is no conflict',
      { d: { a: 'x' } },
      {},
      { d: { a: 'x', skip: 'y' } },
      ['d -> nothing', 'd/a -> nothing'],
      { skips },
    ],
    ['in a new directory stays', {}, { d: { a: 'x', skip: 'y' } }, {}, ['d -> directory', 'd/a -> x'], { skips }],
    ['is no problem', {}, { skip: '!' }, {}, [], { skips }],
    [
      'and was agreed once is forgotten with its directory',
      { d: { skip: { a: 'x' } } },
      {},
      {},
      ['d = nothing', 'd/skip = nothing', 'd/skip/a = nothing'],
      { skips },
    ],
    ['at the root leaves nothing', { a: 'x' }, { a: 'y' }, {}, [], { skips: (path) => path === '' }],
  ])
})

test('what is skipped and was agreed once is forgotten with a directory that goes', () => {
  const known: Drawn = { d: { skip: 'x', a: 'y' } }
  const expected = ['d -> nothing', 'd/a -> nothing', 'd/skip = nothing']
  expect(decide(known, {}, known, { skips: skipping('skip') })).toEqual(expected)
})

describe('members that were agreed below what was agreed to be no directory', () => {
  // An archive should not hold such members; if it does, they are no common state, and nothing is deleted because of them.
  const stale = (): AgreementTree => ({ ...agreed({ a: 'x' }), agreement: agreement(file('f')) })
  const known: AgreementTree = { ...agreed({ d: 'f' }), member: stale }
  const say = (alpha: Drawn, beta: Drawn): string[] =>
    spoken(reconcile(known, tree(alpha), tree(beta), wholeTouched, plainRules))
  test('when both made a directory', () => {
    expect(say({ d: { a: 'x' } }, { d: {} })).toEqual(['d = directory', 'd/a -> x'])
  })
  test('when one side made a directory', () => {
    expect(say({ d: {} }, { d: 'f' })).toEqual(['d -> directory'])
  })
})

describe('prefer', () => {
  const old = file('xxx', 0o644, 1n)
  const young = file('yyy', 0o644, 9n)
  table([
    ['alpha, where both edited', { a: 'x' }, { a: 'y' }, { a: 'z' }, ['a -> y'], { prefer: 'alpha' }],
    ['beta, where both edited', { a: 'x' }, { a: 'y' }, { a: 'z' }, ['a <- z'], { prefer: 'beta' }],
    [
      'alpha, what does not conflict goes its way',
      { a: 'x', b: 'x' },
      { a: 'y', b: 'x' },
      { a: 'z', b: 'y' },
      ['a -> y', 'b <- y'],
      { prefer: 'alpha' },
    ],
    [
      'alpha, whose deletion wins over an edit inside',
      { d: { a: 'x', b: 'y' } },
      {},
      { d: { a: 'z', b: 'y' } },
      ['d -> nothing', 'd/a -> nothing', 'd/b -> nothing'],
      { prefer: 'alpha' },
    ],
    [
      'beta, whose edit inside undoes the deletion',
      { d: { a: 'x', b: 'y' } },
      {},
      { d: { a: 'z', b: 'y' } },
      ['d <- directory', 'd/a <- z', 'd/b <- y'],
      { prefer: 'beta' },
    ],
    [
      'beta, whose directory lacks a member that was agreed',
      { d: { a: 'x', b: 'y' } },
      {},
      { d: { a: 'x' } },
      ['d <- directory', 'd/a <- x', 'd/b = nothing'],
      { prefer: 'beta' },
    ],
    [
      'alpha, a file against a directory',
      {},
      { d: 'f' },
      { d: { a: 'x' } },
      ['d -> f', 'd/a -> nothing'],
      { prefer: 'alpha' },
    ],
    [
      'alpha, never over what cannot be told',
      { d: { a: 'x' } },
      {},
      { d: { a: '!', b: 'z' } },
      ['d problem on beta'],
      { prefer: 'alpha' },
    ],
    [
      'beta, a problem in what comes back does not stop the rest',
      { d: { a: 'x' } },
      {},
      { d: { a: '!', b: 'z' } },
      ['d <- directory', 'd/a problem on beta', 'd/b <- z'],
      { prefer: 'beta' },
    ],
    [
      'alpha, skipped members do not count',
      { d: {} },
      {},
      { d: { a: 'x', skip: 'y' } },
      ['d -> nothing', 'd/a -> nothing'],
      { prefer: 'alpha', skips: skipping('skip') },
    ],
    ['newer, by the time of the files', {}, { a: old }, { a: young }, ['a <- yyy'], { prefer: 'newer' }],
    ['older, by the time of the files', {}, { a: old }, { a: young }, ['a -> xxx'], { prefer: 'older' }],
    [
      'newer, where equal times decide nothing',
      {},
      { a: file('x', 0o644, 3n) },
      { a: file('y', 0o644, 3n) },
      ['a conflict'],
      { prefer: 'newer' },
    ],
    ['newer, where a change beats a deletion', { a: 'x' }, {}, { a: 'y' }, ['a <- y'], { prefer: 'newer' }],
    [
      'older, which decides nothing against a deletion',
      { a: 'x' },
      {},
      { a: 'y' },
      ['a conflict'],
      { prefer: 'older' },
    ],
    [
      'newer, a directory by its newest file',
      {},
      { d: file('f', 0o644, 5n) },
      { d: { a: old, e: { b: young } } },
      ['d <- directory', 'd/a <- xxx', 'd/e <- directory', 'd/e/b <- yyy'],
      { prefer: 'newer' },
    ],
    [
      'newer, skipped files do not count',
      {},
      { d: file('f', 0o644, 5n) },
      { d: { a: old, skip: young } },
      ['d -> f', 'd/a -> nothing'],
      { prefer: 'newer', skips: skipping('skip') },
    ],
    ['newer, an empty directory decides nothing', {}, { d: young }, { d: {} }, ['d conflict'], { prefer: 'newer' }],
    ['newer, a symlink has no time', {}, { a: '->t' }, { a: young }, ['a conflict'], { prefer: 'newer' }],
    [
      'alpha, in a conflict of modes',
      { a: file('x', 0o644) },
      { a: file('x', 0o600) },
      { a: file('x', 0o755) },
      ['a = x'],
      { prefer: 'alpha' },
    ],
  ])
})

describe('what is not touched', () => {
  test('is not looked at', () => {
    const beta: Drawn = { a: 'y', b: 'y', d: { c: 'y', e: 'y' } }
    const archive: Drawn = { a: 'x', b: 'x', d: { c: 'x', e: 'x' } }
    expect(decide(archive, archive, beta, {}, touchedAt(['a', 'd/e']))).toEqual(['a <- y', 'd/e <- y'])
    expect(decide(archive, archive, beta, {}, touchedAt(['d/']))).toEqual(['d/c <- y', 'd/e <- y'])
  })
  test('comes along with a directory that is new or goes', () => {
    expect(decide({}, { d: { a: 'x' } }, {}, {}, touchedAt(['d']))).toEqual(['d -> directory', 'd/a -> x'])
    expect(decide({ d: { a: 'x' } }, {}, { d: { a: 'x' } }, {}, touchedAt(['d']))).toEqual([
      'd -> nothing',
      'd/a -> nothing',
    ])
    expect(decide({}, { d: { a: 'x' } }, { d: {} }, {}, touchedAt(['d']))).toEqual(
      ['d -> directory', 'd/a -> x'].map((line) => line.replace('d -> d', 'd = d')),
    )
  })
})

test('parents come before what is below them', () => {
  const decisions = reconcile(
    agreed(undefined),
    tree({ d: { e: { a: 'x' } } }),
    tree(undefined),
    wholeTouched,
    plainRules,
  )
  expect(decisions.map(({ path }) => path)).toEqual(['', 'd', 'd/e', 'd/e/a'])
})

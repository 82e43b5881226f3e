import { describe, expect, test } from 'vitest'
import { planOf } from '../../src/core/plan.js'
import { reconcile } from '../../src/core/reconcile.js'
import type { Decider, Prefer, Rules } from '../../src/core/rules.js'
import { wholeTouched } from '../../src/core/tree.js'
import { agreed, Dir, type Drawn, file, plainRules, skipping, spoken, tree } from './fixtures.js'

const old = file('xxx', 0o644, 1n)
const middle = file('mmm', 0o644, 5n)
const young = file('yyy', 0o644, 9n)

type Row = [what: string, archive: Drawn, alpha: Drawn, beta: Drawn, decisions: string[]]

function decide(archive: Drawn, alpha: Drawn, beta: Drawn, rules: Partial<Rules>): string[] {
  return spoken(reconcile(agreed(archive), tree(alpha), tree(beta), wholeTouched, { ...plainRules, ...rules }))
}

/** Each row, and each row with the sides exchanged. */
function table(force: Prefer, rows: Row[], rules: Partial<Rules> = {}): void {
  test.each(rows)('%s', (_, archive, alpha, beta, decisions) => {
    expect(decide(archive, alpha, beta, { ...rules, force })).toEqual([...decisions].sort())
    const turned = force === 'alpha' ? 'beta' : force === 'beta' ? 'alpha' : force
    const mirrored = decisions.map((line) =>
      line
        .replace(/ (->|<-) /, (arrow) => (arrow === ' -> ' ? ' <- ' : ' -> '))
        .replace(/alpha|beta/, (side) => (side === 'alpha' ? 'beta' : 'alpha')),
    )
    expect(decide(archive, beta, alpha, { ...rules, force: turned })).toEqual(mirrored.sort())
  })
}

describe('force alpha', () => {
  table('alpha', [
    // what happened             archive     alpha         beta         decisions
    ['nothing', { a: 'x' }, { a: 'x' }, { a: 'x' }, []],
    ['alpha edited', { a: 'x' }, { a: 'y' }, { a: 'x' }, ['a -> y']],
    ['beta edited: undone', { a: 'x' }, { a: 'x' }, { a: 'y' }, ['a -> x']],
    ['both edited', { a: 'x' }, { a: 'y' }, { a: 'z' }, ['a -> y']],
    ['both made the same edit', { a: 'x' }, { a: 'y' }, { a: 'y' }, ['a = y']],
    ['beta deleted: undone', { a: 'x' }, { a: 'x' }, {}, ['a -> x']],
    ['alpha deleted what beta edited', { a: 'x' }, {}, { a: 'y' }, ['a -> nothing']],
    ['beta created: deleted', {}, {}, { a: 'x' }, ['a -> nothing']],
    ['beta created a directory: deleted', {}, {}, { d: { a: 'x' } }, ['d -> nothing', 'd/a -> nothing']],
    ['beta deleted a directory: undone', { d: { a: 'x' } }, { d: { a: 'x' } }, {}, ['d -> directory', 'd/a -> x']],
    [
      'beta put a file in place of a directory: undone',
      { d: { a: 'x' } },
      { d: { a: 'x' } },
      { d: 'f' },
      ['d -> directory', 'd/a -> x'],
    ],
    [
      'beta put a directory in place of a file: undone',
      { d: 'f' },
      { d: 'f' },
      { d: { a: 'x' } },
      ['d -> f', 'd/a -> nothing'],
    ],
    ['beta made a link of a file: undone', { a: 'x' }, { a: 'x' }, { a: '->t' }, ['a -> x']],
    [
      'first meeting',
      undefined,
      { a: 'x', b: 'y' },
      { a: 'z', c: 'w' },
      ['. = directory', 'a -> x', 'b -> y', 'c -> nothing'],
    ],
    ['different sizes need no reading', { a: 'x' }, { a: '?xx' }, { a: '?yyy' }, ['a -> 3 bytes']],
    ['never over what cannot be told', {}, {}, { d: { a: '!', b: 'z' } }, ['d problem on beta']],
  ])

  test('equal sizes are read before they are judged', () => {
    expect(decide({ a: 'x' }, { a: '?xx' }, { a: '?yy' }, { force: 'alpha' })).toEqual(['a read alpha and beta'])
  })

  test('what is skipped does not go', () => {
    const rules: Partial<Rules> = { force: 'alpha', skips: skipping('skip') }
    expect(decide({}, {}, { skip: 'x', a: 'x' }, rules)).toEqual(['a -> nothing'])
  })

  test('a mode and a time that beta changed go back on its disk, though the archive has them', () => {
    const agreement: Drawn = { d: new Dir(0o755, { a: file('x', 0o644, 5n) }) }
    const beta: Drawn = { d: new Dir(0o700, { a: file('x', 0o600, 7n) }) }
    const rules: Rules = { ...plainRules, force: 'alpha' }
    const plan = planOf(reconcile(agreed(agreement), tree(agreement), tree(beta), wholeTouched, rules), rules)
    expect(plan.alpha).toEqual([])
    expect(plan.beta).toMatchObject([
      { op: 'set-props', path: 'd', props: { mode: 0o755 } },
      { op: 'set-props', path: 'd/a', props: { mode: 0o644, mtimeNs: 5n } },
    ])
  })

  test('a mode that beta could not hold is not set again and again', () => {
    const known = { content: file('x', 0o644), alphaHolds: undefined, betaHolds: { mode: 0o777, mtimeNs: 1n } }
    const archive = { ...agreed({ a: 'x' }), member: () => ({ ...agreed('x'), agreement: known }) }
    const rules: Rules = { ...plainRules, force: 'alpha' }
    const sides = [tree({ a: file('x', 0o644) }), tree({ a: file('x', 0o777) })] as const
    expect(planOf(reconcile(archive, ...sides, wholeTouched, rules), rules)).toEqual({ alpha: [], beta: [] })
  })
})

describe('force newer', () => {
  table('newer', [
    ['the newer edit wins a conflict', { a: middle }, { a: young }, { a: old }, ['a -> yyy']],
    ['an edit that is older is undone', { a: middle }, { a: old }, { a: middle }, ['a <- mmm']],
    ['an edit that is newer travels', { a: middle }, { a: young }, { a: middle }, ['a -> yyy']],
    ['equal times decide nothing: the edit travels', { a: 'x' }, { a: 'y' }, { a: 'x' }, ['a -> y']],
    ['equal times decide nothing: the conflict stays', { a: 'x' }, { a: 'y' }, { a: 'z' }, ['a conflict']],
    ['an unopposed deletion travels', { a: middle }, {}, { a: middle }, ['a -> nothing']],
    ['an unopposed creation travels', {}, { a: old }, {}, ['a -> xxx']],
    ['a change beats a deletion', { a: middle }, {}, { a: old }, ['a <- xxx']],
    [
      'a directory by its newest file',
      { d: middle },
      { d: { a: old, b: young } },
      { d: middle },
      ['d -> directory', 'd/a -> xxx', 'd/b -> yyy'],
    ],
  ])
})

describe('force older', () => {
  table('older', [
    ['an edit that is newer is undone', { a: middle }, { a: young }, { a: middle }, ['a <- mmm']],
    ['an unopposed deletion travels', { a: middle }, {}, { a: middle }, ['a -> nothing']],
    ['an unopposed creation travels', {}, { a: young }, {}, ['a -> yyy']],
    ['nothing is decided against a deletion', { a: middle }, {}, { a: old }, ['a conflict']],
  ])
})

describe('at some paths', () => {
  const at =
    (deciders: Readonly<Record<string, Decider>>): Rules['deciderAt'] =>
    (path) =>
      deciders[path]
  type PartialRow = [what: string, alpha: Drawn, beta: Drawn, decisions: string[], rules: Partial<Rules>]
  const both: [Drawn, Drawn] = [
    { a: 'y', b: 'y', c: 'x' },
    { a: 'z', b: 'z', c: 'y' },
  ]
  const rows: PartialRow[] = [
    [
      'prefer there, conflict elsewhere',
      ...both,
      ['a -> y', 'b conflict', 'c <- y'],
      {
        deciderAt: at({ a: { who: 'alpha', forces: false }, c: { who: 'alpha', forces: false } }),
      },
    ],
    [
      'force there, what is no conflict too',
      ...both,
      ['a conflict', 'b conflict', 'c -> x'],
      {
        deciderAt: at({ c: { who: 'alpha', forces: true } }),
      },
    ],
    [
      'what is said there goes before prefer',
      ...both,
      ['a -> y', 'b <- z', 'c <- y'],
      {
        prefer: 'beta',
        deciderAt: at({ a: { who: 'alpha', forces: false } }),
      },
    ],
    [
      'what is preferred there goes before what is forced',
      ...both,
      ['a -> y', 'b -> y', 'c <- y'],
      {
        force: 'alpha',
        deciderAt: at({ c: { who: 'alpha', forces: false } }),
      },
    ],
    [
      'a directory is decided at its own path',
      { d: { a: 'y' } },
      {},
      ['d -> directory', 'd/a -> y'],
      {
        deciderAt: at({ 'd/a': { who: 'beta', forces: true } }),
      },
    ],
    ['force goes before prefer', ...both, ['a -> y', 'b -> y', 'c -> x'], { force: 'alpha', prefer: 'beta' }],
  ]
  test.each(rows)('%s', (_, alpha, beta, decisions, rules) => {
    expect(decide({ a: 'x', b: 'x', c: 'x' }, alpha, beta, rules).filter((line) => !line.includes('nothing'))).toEqual(
      decisions,
    )
  })
})

describe('links left alone', () => {
  type LinkRow = [what: string, archive: Drawn, alpha: Drawn, beta: Drawn, decisions: string[]]
  const rows: LinkRow[] = [
    ['a new one', {}, { l: '->t' }, {}, []],
    ['a changed one', { l: '->t' }, { l: '->u' }, { l: '->t' }, ['l = nothing']],
    ['one that was deleted', { l: '->t' }, {}, { l: '->t' }, ['l = nothing']],
    ['different ones', {}, { l: '->t' }, { l: '->u' }, []],
    ['one in place of a file', { l: 'x' }, { l: '->t' }, { l: 'x' }, ['l conflict']],
    ['one against a directory', {}, { l: '->t' }, { l: { a: 'x' } }, ['l conflict']],
    ['one in a new directory', {}, { d: { a: 'x', l: '->t' } }, {}, ['d -> directory', 'd/a -> x']],
    [
      'one in a directory that goes',
      { d: { a: 'x', l: '->t' } },
      {},
      { d: { a: 'x', l: '->t' } },
      ['d -> nothing', 'd/a -> nothing'],
    ],
    ['what is beside it travels', {}, { l: '->t', a: 'x' }, {}, ['a -> x']],
  ]
  test.each(rows)('%s', (_, archive, alpha, beta, decisions) => {
    for (const force of ['nobody', 'newer'] as const)
      expect(decide(archive, alpha, beta, { links: false, force })).toEqual(decisions)
  })
})

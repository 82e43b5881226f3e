import { describe, expect, test } from 'vitest'
import { reconcile } from '../../src/core/reconcile.js'
import type { Rules } from '../../src/core/rules.js'
import { wholeTouched } from '../../src/core/tree.js'
import { type Copy, copiesOf } from '../../src/engine/keep-aside.js'
import { agreed, Dir, type Drawn, file, plainRules, skipping, tree } from '../core/fixtures.js'

const day = 1_773_000_000_000_000_000n // 2026-03-08

function copies(archive: Drawn, alpha: Drawn, beta: Drawn, some: Partial<Rules>): Copy[] {
  const rules = { ...plainRules, ...some }
  const trees = { alpha: tree(alpha), beta: tree(beta) }
  return copiesOf(reconcile(agreed(archive), trees.alpha, trees.beta, wholeTouched, rules), trees, rules, day)
}

function spokenCopies(all: readonly Copy[]): string[] {
  return all.map(({ side, path, copy }) => `${side}: ${path} as ${copy}`)
}

describe('what is kept', () => {
  type Row = [what: string, archive: Drawn, alpha: Drawn, beta: Drawn, rules: Partial<Rules>, kept: string[]]
  const rows: Row[] = [
    // what                         archive     alpha       beta        rules                 kept
    [
      'the version that loses',
      { 'a.b': 'x' },
      { 'a.b': 'y' },
      { 'a.b': 'z' },
      { prefer: 'alpha' },
      ['beta: a.b as a (conflict_on_2026-03-08).b'],
    ],
    [
      'on the side that loses',
      { a: 'x' },
      { a: 'y' },
      { a: 'z' },
      { prefer: 'beta' },
      ['alpha: a as a (conflict_on_2026-03-08)'],
    ],
    ['not what travels anyway', { a: 'x' }, { a: 'y' }, { a: 'x' }, { prefer: 'alpha', force: 'alpha' }, []],
    [
      'an edit that is undone',
      { a: 'x' },
      { a: 'x' },
      { a: 'y' },
      { force: 'alpha' },
      ['beta: a as a (conflict_on_2026-03-08)'],
    ],
    ['not a deletion that is undone', { a: 'x' }, { a: 'x' }, {}, { force: 'alpha' }, []],
    ['not what a losing deletion left', { a: 'x' }, { a: 'y' }, {}, { prefer: 'alpha' }, []],
    [
      'what a winning deletion removes',
      { a: 'x' },
      {},
      { a: 'y' },
      { prefer: 'alpha' },
      ['beta: a as a (conflict_on_2026-03-08)'],
    ],
    ['not a mode that is undone', { a: 'x' }, { a: 'x' }, { a: file('x', 0o600) }, { force: 'alpha' }, []],
    [
      'a directory as one',
      { d: { a: 'x' } },
      {},
      { d: { a: 'y' } },
      { prefer: 'alpha' },
      ['beta: d as d (conflict_on_2026-03-08)'],
    ],
    ['not a directory that goes unopposed', { d: { a: 'x' } }, {}, { d: { a: 'x' } }, { force: 'alpha' }, []],
    [
      'under a number, when either side has the name',
      { a: 'x' },
      { a: 'y', 'a (conflict_on_2026-03-08)': 'o' },
      { a: 'z' },
      { prefer: 'alpha' },
      ['beta: a as a (conflict_on_2026-03-08 2)'],
    ],
  ]
  test.each(rows)('%s', (_, archive, alpha, beta, rules, kept) => {
    expect(spokenCopies(copies(archive, alpha, beta, rules))).toEqual(kept)
  })

  test('with its members, its properties and its links, but without what is skipped', () => {
    const lost: Drawn = { d: new Dir(0o500, { a: file('yy', 0o600, 7n), e: { l: '->t' }, skip: 'z' }) }
    const [copy] = copies({}, { d: 'f' }, lost, { prefer: 'alpha', skips: skipping('skip') })
    const name = 'd (conflict_on_2026-03-08)'
    expect(copy?.operations).toEqual([
      { op: 'create-directory', path: name, expect: { kind: 'absent' }, props: { mode: 0o700, mtimeNs: undefined } },
      {
        op: 'write-file',
        path: `${name}/a`,
        expect: { kind: 'absent' },
        want: 0,
        sizeBytes: 2,
        props: { mode: 0o600, mtimeNs: 7n },
      },
      {
        op: 'create-directory',
        path: `${name}/e`,
        expect: { kind: 'absent' },
        props: { mode: 0o755, mtimeNs: undefined },
      },
      { op: 'write-symlink', path: `${name}/e/l`, expect: { kind: 'absent' }, target: 't' },
    ])
    expect([...(copy?.sources ?? [])].map(([to, { path }]) => [to, path])).toEqual([[`${name}/a`, 'd/a']])
  })
})

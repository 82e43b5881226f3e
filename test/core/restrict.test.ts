import { describe, expect, test } from 'vitest'
import { partialOf } from '../../src/core/partial.js'
import { relPath } from '../../src/core/path.js'
import { planOf } from '../../src/core/plan.js'
import { reconcile } from '../../src/core/reconcile.js'
import type { Restriction, Rules } from '../../src/core/rules.js'
import { wholeTouched } from '../../src/core/tree.js'
import { agreed, Dir, type Drawn, file, plainRules, tree } from './fixtures.js'

/** What is done to beta, and what waits with its reason. */
function decide(archive: Drawn, alpha: Drawn, beta: Drawn, some: Partial<Rules>) {
  const rules: Rules = { ...plainRules, ...some }
  const decisions = reconcile(agreed(archive), tree(alpha), tree(beta), wholeTouched, rules)
  return {
    done: planOf(decisions, rules).beta.map(({ op, path }) => `${op} ${path}`),
    waiting: decisions.flatMap((one) =>
      one.kind === 'conflict' ? [`${one.path === '' ? '.' : one.path}: ${one.why ?? 'changed on both sides'}`] : [],
    ),
    decisions,
  }
}

function sparing(...ways: readonly [Restriction, string?][]): Partial<Rules> {
  return {
    spares: (side, restriction, path) =>
      side === 'beta' && ways.some(([one, at]) => one === restriction && (at === undefined || at === path)),
  }
}

const kept = (by: Restriction): string => `beta is kept as it is (${by})`

type Row = [
  what: string,
  rules: Partial<Rules>,
  archive: Drawn,
  alpha: Drawn,
  beta: Drawn,
  done: string[],
  waiting: string[],
]

describe('a side is spared', () => {
  const both: Drawn = { a: 'x', d: { b: 'y', c: 'z' } }
  const rows: Row[] = [
    // what                        rules                     archive  alpha   beta   done   waiting
    ['a deletion', sparing(['nodeletion']), { a: 'x' }, {}, { a: 'x' }, [], [`a: ${kept('nodeletion')}`]],
    ['a deletion, by noupdate', sparing(['noupdate']), { a: 'x' }, {}, { a: 'x' }, [], [`a: ${kept('noupdate')}`]],
    ['no deletion, by nocreation', sparing(['nocreation']), { a: 'x' }, {}, { a: 'x' }, ['remove a'], []],
    ['a creation', sparing(['nocreation']), {}, { a: 'x' }, {}, [], [`a: ${kept('nocreation')}`]],
    ['no creation, by noupdate', sparing(['noupdate'], ['nodeletion']), {}, { a: 'x' }, {}, ['write-file a'], []],
    ['an update', sparing(['noupdate']), { a: 'x' }, { a: 'y' }, { a: 'x' }, [], [`a: ${kept('noupdate')}`]],
    [
      'no update, by nodeletion',
      sparing(['nodeletion'], ['nocreation']),
      { a: 'x' },
      { a: 'y' },
      { a: 'x' },
      ['write-file a'],
      [],
    ],
    [
      'a change of mode',
      sparing(['noupdate']),
      { a: file('x', 0o644) },
      { a: file('x', 0o600) },
      { a: file('x', 0o644) },
      [],
      [`a: ${kept('noupdate')}`],
    ],
    [
      'a link in place of a file, as a deletion',
      sparing(['nodeletion']),
      { a: 'x' },
      { a: '->t' },
      { a: 'x' },
      [],
      [`a: ${kept('nodeletion')}`],
    ],
    [
      'a link in place of a file, as a creation',
      sparing(['nocreation']),
      { a: 'x' },
      { a: '->t' },
      { a: 'x' },
      [],
      [`a: ${kept('nocreation')}`],
    ],
    [
      'a directory that goes, as one',
      sparing(['nodeletion']),
      both,
      { a: 'x' },
      both,
      [],
      [`d: ${kept('nodeletion')}`],
    ],
    [
      'a directory that comes, as one',
      sparing(['nocreation']),
      {},
      both,
      {},
      [],
      [`a: ${kept('nocreation')}`, `d: ${kept('nocreation')}`],
    ],
    [
      'a member of a directory that goes: it stays whole',
      sparing(['nodeletion', 'd/b']),
      both,
      { a: 'x' },
      both,
      [],
      [`d: b: ${kept('nodeletion')}`],
    ],
    [
      'a member of a directory that makes way',
      sparing(['nodeletion', 'd/b']),
      both,
      { a: 'x', d: 'f' },
      both,
      [],
      [`d: b: ${kept('nodeletion')}`],
    ],
    [
      'a directory that goes, without its members being named',
      sparing(['nodeletion', 'd']),
      both,
      { a: 'x' },
      both,
      [],
      [`d: ${kept('nodeletion')}`],
    ],
    [
      'a member of a new directory: the rest comes',
      sparing(['nocreation', 'd/b']),
      {},
      { d: { b: 'y', c: 'z' } },
      {},
      ['create-directory d', 'write-file d/c'],
      [`d/b: ${kept('nocreation')}`],
    ],
    [
      'a mode of a directory, not what is in it',
      sparing(['noupdate', 'd']),
      { d: new Dir(0o755, {}) },
      { d: new Dir(0o700, { a: 'x' }) },
      { d: new Dir(0o755, {}) },
      ['write-file d/a'],
      [`d: ${kept('noupdate')}`],
    ],
    [
      'what the other side wins',
      { ...sparing(['noupdate']), prefer: 'alpha' },
      { a: 'x' },
      { a: 'y' },
      { a: 'z' },
      [],
      [`a: ${kept('noupdate')}`],
    ],
    [
      'what the other side is forced to win',
      { ...sparing(['nodeletion']), force: 'alpha' },
      {},
      { b: 'x' },
      { a: 'x' },
      ['write-file b'],
      [`a: ${kept('nodeletion')}`],
    ],
    [
      'a conflict stays what it is',
      sparing(['noupdate']),
      { a: 'x' },
      { a: 'y' },
      { a: 'z' },
      [],
      ['a: changed on both sides'],
    ],
    ['another side is not', sparing(['noupdate']), { a: 'x' }, { a: 'x' }, { a: 'y' }, [], []],
  ]
  test.each(rows)('%s', (_, rules, archive, alpha, beta, done, waiting) => {
    expect(decide(archive, alpha, beta, rules)).toMatchObject({ done, waiting })
  })

  test('directories that meet with other modes are agreed, so that their members can be', () => {
    const { decisions } = decide(
      undefined,
      { d: new Dir(0o700, { a: 'x' }) },
      { d: new Dir(0o755, { a: 'x' }) },
      {
        ...sparing(['noupdate']),
        prefer: 'alpha',
      },
    )
    expect(decisions.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'settle ',
      'settle d',
      'conflict d',
      'settle d/a',
    ])
    expect(decisions[1]).toMatchObject({ goal: { kind: 'directory', props: { mode: undefined } } })
  })
})

describe('a file that is too large', () => {
  const rules: Partial<Rules> = { tooLargeBytes: 3_000 }
  const large = { ...file('large'), sizeBytes: 3_000 } as Drawn
  const fits = { ...file('fits'), sizeBytes: 2_999 } as Drawn
  const why = 'too large: 3000 bytes (maxsizethreshold = 3)'
  const rows: Row[] = [
    ['does not come', rules, {}, { a: large, b: fits }, {}, ['write-file b'], [`a: ${why}`]],
    ['does not replace another', rules, { a: fits }, { a: large }, { a: fits }, [], [`a: ${why}`]],
    ['does not come by force', { ...rules, force: 'alpha' }, {}, { a: large }, {}, [], [`a: ${why}`]],
    [
      'does not come in a new directory',
      rules,
      {},
      { d: { a: large, b: fits } },
      {},
      ['create-directory d', 'write-file d/b'],
      [`d/a: ${why}`],
    ],
    [
      'does not take the place of a directory',
      rules,
      { d: { a: 'x' } },
      { d: large },
      { d: { a: 'x' } },
      [],
      [`d: ${why}`],
    ],
    ['goes', rules, { a: large }, {}, { a: large }, ['remove a'], []],
  ]
  test.each(rows)('%s', (_, some, archive, alpha, beta, done, waiting) => {
    expect(decide(archive, alpha, beta, some)).toMatchObject({ done, waiting })
  })
})

test('of partial preferences the last one given that matches counts, its arrow left aside', () => {
  const at = partialOf([
    { pattern: 'BelowPath a -> x', value: 1 },
    { pattern: 'Name *.txt -> y', value: 2 },
    { pattern: 'Path a -> b -> z', value: 3 },
  ])
  expect(['a', 'a/b', 'a/b.txt', 'b', 'a -> b'].map((path) => at(relPath(path)))).toEqual([1, 1, 2, undefined, 3])
  expect(partialOf([])(relPath('a'))).toBeUndefined()
})

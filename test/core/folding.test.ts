import { describe, expect, test } from 'vitest'
import { holdApart } from '../../src/core/folding.js'
import { planOf } from '../../src/core/plan.js'
import { reconcile } from '../../src/core/reconcile.js'
import { wholeTouched } from '../../src/core/tree.js'
import { agreed, type Drawn, plainRules, tree } from './fixtures.js'

/** What is done to beta, which folds names, and what is told instead. */
function decide(archive: Drawn, alpha: Drawn, beta: Drawn) {
  const decisions = reconcile(agreed(archive), tree(alpha), tree(beta), wholeTouched, plainRules)
  const apart = holdApart(decisions, 'beta', tree(beta))
  return {
    done: planOf(apart, plainRules).beta.map(({ op, path }) => `${op} ${path}`),
    told: apart.flatMap((one) => (one.kind === 'problem' ? [`${one.side} ${one.path}: ${one.problem.code}`] : [])),
  }
}

type Row = [what: string, archive: Drawn, alpha: Drawn, beta: Drawn, done: string[], told: string[]]

describe('on a side that folds names', () => {
  const rows: Row[] = [
    // what                               archive      alpha                 beta        done        told
    ['a new name', {}, { a: 'x' }, {}, ['write-file a'], []],
    ['a name beside its like', { a: 'x' }, { a: 'x', A: 'y' }, { a: 'x' }, [], ['beta A: name']],
    [
      'two new names that are alike',
      {},
      { a: 'x', A: 'y', b: 'z' },
      {},
      ['write-file b'],
      ['beta A: name', 'beta a: name'],
    ],
    [
      'another form of the same letter',
      { '\u00e9': 'x' },
      { '\u00e9': 'x', 'e\u0301': 'y' },
      { '\u00e9': 'x' },
      [],
      ['beta e\u0301: name'],
    ],
    [
      'letters that become two',
      { strasse: 'x' },
      { strasse: 'x', straße: 'y' },
      { strasse: 'x' },
      [],
      ['beta straße: name'],
    ],
    [
      'a directory beside its like: nothing in it is made',
      { d: {} },
      { d: {}, D: { f: 'x' } },
      { d: {} },
      [],
      ['beta D: name'],
    ],
    [
      'likes in different directories',
      {},
      { d: { a: 'x' }, e: { A: 'y' } },
      {},
      ['create-directory d', 'write-file d/a', 'create-directory e', 'write-file e/A'],
      [],
    ],
    [
      'likes below a new directory',
      {},
      { d: { a: 'x', A: 'y' } },
      {},
      ['create-directory d'],
      ['beta d/A: name', 'beta d/a: name'],
    ],
    [
      'a name that changes its case: the old one makes way',
      { File: 'x' },
      { file: 'x' },
      { File: 'x' },
      ['remove File', 'write-file file'],
      [],
    ],
    [
      'a directory that changes its case',
      { Dir: { f: 'x' } },
      { dir: { f: 'x' } },
      { Dir: { f: 'x' } },
      ['remove Dir/f', 'remove Dir', 'create-directory dir', 'write-file dir/f'],
      [],
    ],
    [
      'a change of case against an edit there',
      { File: 'x' },
      { file: 'x' },
      { File: 'edited' },
      [],
      ['beta file: name'],
    ],
    ['an edit of what has a like', { a: 'x' }, { a: 'y' }, { a: 'x' }, ['write-file a'], []],
  ]
  test.each(rows)('%s', (_, archive, alpha, beta, done, told) => {
    const decided = decide(archive, alpha, beta)
    expect(decided.done).toEqual(done)
    expect(decided.told.sort()).toEqual(told)
  })
})

test('the other side is left alone, whatever its names are', () => {
  const decisions = reconcile(agreed({}), tree({ a: 'x', A: 'y' }), tree({}), wholeTouched, plainRules)
  expect(holdApart(decisions, 'alpha', tree({ a: 'x', A: 'y' }))).toEqual(decisions)
})

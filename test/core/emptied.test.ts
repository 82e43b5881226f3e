import { expect, test } from 'vitest'
import { emptiedScopes } from '../../src/core/emptied.js'
import { relPath, rootPath } from '../../src/core/path.js'
import { agreed, type Drawn, skipping, tree } from './fixtures.js'

type Row = [what: string, archive: Drawn, alpha: Drawn, beta: Drawn, scopes: string[], emptied: string[]]
const rows: Row[] = [
  // what happened                archive     alpha          beta       scopes    emptied
  ['nothing', { a: 'x' }, { a: 'x' }, { a: 'x' }, [''], []],
  ['alpha lost its root', { a: 'x' }, undefined, { a: 'x' }, [''], ['alpha at .']],
  ['alpha lost every member', { a: 'x' }, {}, { a: 'x' }, [''], ['alpha at .']],
  ['beta lost every member', { a: 'x' }, { a: 'x' }, {}, [''], ['beta at .']],
  ['one member is left', { a: 'x', b: 'y' }, { b: 'y' }, { a: 'x', b: 'y' }, [''], []],
  ['only what is skipped is left', { a: 'x' }, { skip: 'y' }, { a: 'x' }, [''], ['alpha at .']],
  ['only what is skipped was agreed', { skip: 'x' }, {}, { skip: 'x' }, [''], []],
  ['both were emptied: nothing is at risk', { a: 'x' }, {}, undefined, [''], []],
  ['it was empty before', {}, undefined, { a: 'x' }, [''], []],
  ['nothing was known', undefined, undefined, { a: 'x' }, [''], []],
  ['a problem is not empty', { a: 'x' }, '!', { a: 'x' }, [''], []],
  [
    'a path was emptied',
    { d: { a: 'x' }, b: 'y' },
    { d: {}, b: 'y' },
    { d: { a: 'x' }, b: 'y' },
    ['d'],
    ['alpha at d'],
  ],
  ['a path is gone with its parent', { d: { e: { a: 'x' } } }, {}, { d: { e: { a: 'x' } } }, ['d/e'], ['alpha at d/e']],
  ['a path under a problem is not empty', { d: { e: { a: 'x' } } }, { d: '!' }, { d: { e: { a: 'x' } } }, ['d/e'], []],
  ['all members of a directory', { d: { a: 'x' } }, { d: {} }, { d: { a: 'x' } }, ['d/*', 'b'], ['alpha at d']],
  ['all members of the root', { a: 'x' }, {}, { a: 'x' }, ['*'], ['alpha at .']],
]
const forced: [string, Drawn, Drawn, Drawn, string[]][] = [
  // alpha is forced           archive     alpha      beta       emptied
  ['it was emptied', { a: 'x' }, {}, { a: 'x' }, ['alpha at .']],
  ['it is empty when both meet', undefined, {}, { a: 'x' }, ['alpha at .']],
  ['it is not there when both meet', undefined, undefined, { a: 'x' }, ['alpha at .']],
  ['both are empty', undefined, {}, {}, []],
  ['only what is skipped would go', undefined, {}, { skip: 'x' }, []],
  ['it has something', undefined, { b: 'y' }, { a: 'x' }, []],
  ['the other one was emptied, and is filled again', { a: 'x' }, { a: 'x' }, {}, []],
  ['the other one is a file', undefined, undefined, 'x', []],
]
test.each(forced)('with alpha forced: %s', (_, archive, alpha, beta, emptied) => {
  const mirrored = emptied.map((line) => line.replace('alpha', 'beta'))
  const say = (one: Drawn, other: Drawn, force: 'alpha' | 'beta') =>
    emptiedScopes(agreed(archive), tree(one), tree(other), [rootPath], skipping('skip'), force).map(
      ({ path, side }) => `${side} at ${path === '' ? '.' : path}`,
    )
  expect(say(alpha, beta, 'alpha')).toEqual(emptied)
  expect(say(beta, alpha, 'beta')).toEqual(mirrored)
})

test.each(rows)('%s', (_, archive, alpha, beta, scopes, emptied) => {
  const found = emptiedScopes(agreed(archive), tree(alpha), tree(beta), scopes.map(relPath), skipping('skip'))
  expect(found.map(({ path, side }) => `${side} at ${path === '' ? '.' : path}`)).toEqual(emptied)
})

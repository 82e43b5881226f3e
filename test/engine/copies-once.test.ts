import { expect, test } from 'vitest'
import { FakePair } from './fake-pair.js'

test('copyonconflict: what cannot be replaced is kept once, however often it is tried', async () => {
  const pair = new FakePair().prefer({ prefer: 'alpha', copyonconflict: true })
  pair.alpha.write('f', 'v0')
  await pair.pass()
  pair.alpha.write('f', 'alpha')
  pair.beta.write('f', "beta's own")
  pair.beta.refuses = ({ path }) =>
    path === 'f' ? { kind: 'failed', path, code: 'busy', detail: 'in use', transient: true } : undefined
  for (let tries = 0; tries < 5; tries++) await pair.pass()
  expect(Object.keys(pair.beta.tree())).toEqual(['f', 'f (conflict_on_1970-01-01)'])
})

test('copyonconflict: a directory that cannot go is kept once', async () => {
  const pair = new FakePair().prefer({
    force: 'alpha',
    copyonconflict: true,
    ignore: ['Name *.o'],
    confirmbigdel: false,
  })
  pair.alpha.write('f', 'v0')
  await pair.pass()
  pair.beta.write('build/main.c', 'source')
  pair.beta.write('build/main.o', 'object')
  for (let tries = 0; tries < 5; tries++) await pair.pass()
  expect(Object.keys(pair.alpha.tree())).toEqual([
    'build (conflict_on_1970-01-01)/',
    'build (conflict_on_1970-01-01)/main.c',
    'f',
  ])
})

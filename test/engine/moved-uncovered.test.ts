import { expect, test } from 'vitest'
import type { Preferences } from '../../src/config/preferences.js'
import { relPath } from '../../src/core/path.js'
import { FakePair } from './fake-pair.js'

const views: readonly [what: string, Partial<Preferences>, from: string, to: string][] = [
  ['ignore by path', { ignore: ['Path p/x/build'] }, 'p/x', 'p/y'],
  ['ignore by two names', { ignore: ['Name x/build'] }, 'p/x', 'p/y'],
]

test.each(views)('%s: what a move brings into view on the other side is seen', async (_, preferences, from, to) => {
  const pair = new FakePair().prefer(preferences)
  for (const root of [pair.alpha, pair.beta]) root.write(`${from}/f`, 'f', 7n)
  pair.alpha.write(`${from}/build/o`, 'left out there')
  await pair.pass()
  expect(pair.beta.at(`${from}/build`).kind).toBe('absent')
  pair.beta.rename(from, to)
  await pair.pass()
  expect(pair.alpha.tree()).toMatchObject({ [`${to}/build/o`]: 'left out there' })
  await pair.pass()
  expect(pair.beta.tree()).toEqual(pair.alpha.tree())
})

test('path: what was out of it and was moved into it on the other side is seen', async () => {
  const pair = new FakePair().prefer({ path: [relPath('d'), relPath('a/b')] })
  for (const root of [pair.alpha, pair.beta]) root.directory('a')
  pair.alpha.write('a/out', 'o')
  await pair.pass()
  expect(pair.beta.at('a/out').kind).toBe('absent')
  pair.beta.rename('a', 'd')
  await pair.pass()
  await pair.pass()
  expect(pair.beta.tree()).toEqual(pair.alpha.tree())
})

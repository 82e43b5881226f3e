import { expect, test } from 'vitest'
import { absent, type Content } from '../../src/core/content.js'
import { relPath } from '../../src/core/path.js'
import { FakePair } from './fake-pair.js'

const link: Content = { kind: 'symlink', target: '/big/d' } as Content

async function met(preferences: { links: boolean }): Promise<FakePair> {
  const pair = new FakePair().prefer(preferences)
  for (const root of [pair.alpha, pair.beta]) {
    root.directory('d')
    root.write('d/x', 'v1', 7n)
    root.write('f', 'v1', 7n)
  }
  await pair.pass()
  return pair
}

test('links = false: what stood behind a link and was removed on the other side meanwhile is told when it is back', async () => {
  const pair = await met({ links: false })
  pair.alpha.remove('d')
  pair.alpha.set(relPath('d'), link, undefined)
  expect(await pair.pass()).toMatchObject({ skipped: 1 })
  pair.beta.remove('d')
  expect(await pair.pass()).toMatchObject({ skipped: 0 })
  pair.alpha.set(relPath('d'), absent, undefined)
  pair.alpha.directory('d')
  pair.alpha.write('d/x', 'v1', 7n)
  await pair.pass()
  await pair.pass()
  expect(pair.beta.tree()).toEqual(pair.alpha.tree())
  expect(pair.alpha.tree()).toMatchObject({ 'd/x': 'v1' })
})

test('links = false: a link on both sides, one of which is a file again', async () => {
  const pair = await met({ links: false })
  for (const root of [pair.alpha, pair.beta]) root.set(relPath('f'), link, undefined)
  await pair.pass()
  pair.alpha.write('f', 'v1', 7n)
  await pair.pass()
  const last = await pair.pass()
  expect(last).toMatchObject({ skipped: 1 })
})

test('links = false: a link that had been agreed and is gone from both sides stands in the way of nothing', async () => {
  const pair = await met({ links: true })
  for (const root of [pair.alpha, pair.beta]) root.set(relPath('l'), link, undefined)
  await pair.pass()
  pair.prefer({ links: false })
  await pair.pass()
  pair.beta.set(relPath('l'), absent, undefined)
  await pair.pass()
  pair.alpha.set(relPath('l'), absent, undefined)
  await pair.pass()
  pair.alpha.write('l', 'new')
  expect(await pair.pass()).toMatchObject({ skipped: 0 })
  expect(pair.beta.tree()).toMatchObject({ l: 'new' })
})

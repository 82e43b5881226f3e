import { expect, test } from 'vitest'
import { KindsDiffer } from '../../src/engine/one-file.js'
import type { RootState } from '../../src/wire/message.js'
import { FakePair } from './fake-pair.js'

const rows: [string, RootState, RootState, 'files' | 'directories' | 'refused'][] = [
  // what stands there                        alpha           beta            what the pair keeps equal
  ['two directories', 'ready', 'ready', 'directories'],
  ['two files', 'file', 'file', 'files'],
  ['a file, and nothing yet', 'file', 'missing', 'files'],
  ['nothing anywhere', 'missing', 'missing', 'directories'],
  ['a directory, and nothing yet', 'ready', 'missing', 'directories'],
  ['a file and a directory', 'file', 'ready', 'refused'],
  // Whoever opens them says what is wrong with the other one.
  ['a file, and what cannot be told', 'file', 'unreadable', 'files'],
  ['a file, and a device', 'file', 'not-directory', 'files'],
]

for (const [what, one, other, keeps] of rows)
  test.each([
    ['alpha', 'beta'],
    ['beta', 'alpha'],
  ] as const)(`${what}: ${keeps} (%s first)`, async (first, second) => {
    const pair = new FakePair()
    pair[first].state = one
    pair[second].state = other
    if (keeps === 'refused') {
      await expect(pair.pass()).rejects.toThrow(KindsDiffer)
      expect(pair.alpha.calls.concat(pair.beta.calls)).toEqual([])
      return
    }
    await pair.pass()
    // It goes by the name of alpha's file, or of the one that is there.
    const file = keeps === 'files' ? (pair.alpha.state === 'file' ? 'alpha' : 'beta') : undefined
    expect([pair.alpha.openedAs, pair.beta.openedAs]).toEqual([file, file])
  })

test('what it keeps equal is written down, and asked of nobody again', async () => {
  const pair = new FakePair()
  pair.alpha.state = pair.beta.state = 'file'
  pair.alpha.write('alpha', 'v1')
  await pair.pass()
  expect(pair.beta.tree()).toEqual({ alpha: 'v1' })
  // Gone, as any content of a root goes.
  pair.alpha.remove('alpha')
  pair.alpha.state = 'missing'
  expect(await pair.pass()).toMatchObject({
    halted: expect.stringMatching(/is gone on one side \(alpha\): 1 path would/),
  })
  pair.swap()
  pair.alpha.state = pair.beta.state = 'ready'
  await pair.prefer({ confirmbigdel: false }).pass()
  expect([pair.alpha.openedAs, pair.beta.openedAs]).toEqual(['alpha', 'alpha'])
  expect(pair.beta.tree()).toEqual({})
})

test('what leaves out names leaves out no root', async () => {
  const pair = new FakePair().prefer({ ignore: ['Name alpha'] })
  pair.alpha.state = pair.beta.state = 'file'
  pair.alpha.write('alpha', 'v1')
  await pair.pass()
  expect(pair.beta.tree()).toEqual({ alpha: 'v1' })
})

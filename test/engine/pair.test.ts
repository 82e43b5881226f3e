import { describe, expect, test } from 'vitest'
import type { Preferences } from '../../src/config/preferences.js'
import { absent } from '../../src/core/content.js'
import { LinkFailure } from '../../src/host/sockets.js'
import { FakePair } from './fake-pair.js'
import type { FakeRoot } from './fake-root.js'

const cut = () => {
  throw new LinkFailure('lost', 'cut')
}

/** Both sides hold this, and it is agreed. */
async function met(files: Record<string, string>, preferences: Partial<Preferences> = {}): Promise<FakePair> {
  const pair = new FakePair().prefer(preferences)
  for (const [path, text] of Object.entries(files)) {
    pair.alpha.write(path, text, 7n)
    pair.beta.write(path, text, 7n)
  }
  const { items } = await pair.pass()
  expect(items).toEqual([])
  pair.alpha.calls.length = 0
  pair.beta.calls.length = 0
  return pair
}

function equal(pair: FakePair): void {
  expect(pair.alpha.tree()).toEqual(pair.beta.tree())
}

test('a new file, an edit and a removal travel, each to the other side', async () => {
  const pair = await met({ 'd/edited': 'v1', removed: 'v1', kept: 'v1' })
  pair.alpha.write('d/edited', 'v2')
  pair.alpha.write('new/deep', 'n')
  pair.beta.remove('removed')
  expect(await pair.pass()).toMatchObject({ applied: 4, skipped: 0, failed: 0 })
  equal(pair)
  expect(pair.beta.tree()).toEqual({ 'd/': '', 'd/edited': 'v2', kept: 'v1', 'new/': '', 'new/deep': 'n' })
  expect(pair.agreed('removed')).toBeUndefined()
  expect(await pair.pass()).toMatchObject({ applied: 0, items: [] })
})

test('S1-1 the archive takes nothing before both roots have synced it', async () => {
  const pair = await met({ f: 'v1' })
  pair.alpha.write('f', 'v2')
  let synced = 0
  for (const root of [pair.alpha, pair.beta])
    root.before = (call) => {
      if (call === 'sync' && ++synced === 2)
        expect(pair.agreed('f')?.content).toMatchObject({ sizeBytes: 2, props: { mtimeNs: 7n } })
    }
  await pair.pass()
  expect(synced).toBeGreaterThanOrEqual(2)
  expect(pair.agreed('f')?.content).toEqual(pair.beta.at('f'))
})

const retries: [retry: number, failures: number, tries: number, failed: number][] = [
  [0, 1, 1, 1],
  [1, 1, 2, 0],
  [3, 3, 4, 0],
  [3, 9, 4, 1],
]
test.each(retries)(
  'retry = %i: what fails %i times is tried %i times in one pass',
  async (retry, failures, tries, failed) => {
    const pair = await met({ f: 'v1', g: 'v1' }, { retry })
    let tried = 0
    pair.beta.refuses = ({ path }) =>
      path === 'f' && ++tried <= failures
        ? { kind: 'failed', path, code: 'busy', detail: 'in use', transient: true }
        : undefined
    pair.alpha.write('f', 'v2')
    pair.alpha.write('g', 'v2')
    expect(await pair.pass()).toMatchObject({ failed, applied: 2 - failed })
    expect(tried).toBe(tries)
    expect(pair.beta.tree()).toEqual({ f: failed === 0 ? 'v2' : 'v1', g: 'v2' })
  },
)

const halves = [
  // who cuts         when            what is asked of whom
  ['the bytes', 'beta', 'stage'],
  ['the apply, before it begins', 'beta', 'apply'],
  ['the outcomes, after it was done', 'beta', 'applied'],
  ['the sync of the receiver', 'beta', 'sync'],
  ['the sync of the supplier', 'alpha', 'sync'],
  ['the acknowledgement', 'beta', 'acknowledge'],
] as const

test.each(halves)('a link cut in %s (%s, %s): the next pass ends as if nothing had been', async (_, side, call) => {
  const pair = await met({ f: 'v1', g: 'v1' })
  pair.alpha.write('f', 'v2')
  pair.beta.remove('g')
  pair[side].before = (asked) => {
    if (asked === call) cut()
  }
  await expect(pair.pass()).rejects.toThrow(LinkFailure)
  pair[side].before = () => {}
  expect(await pair.pass()).toMatchObject({ skipped: 0, failed: 0 })
  equal(pair)
  expect(pair.alpha.tree()).toEqual({ f: 'v2' })
  expect(pair.opens()).toEqual([])
})

test('S2-18 what was done before a cut is known after it: a removal on the receiver is a removal', async () => {
  const pair = await met({ kept: 'v1' })
  pair.alpha.write('f', 'v1')
  pair.beta.before = (call) => {
    if (call === 'applied') cut()
  }
  await expect(pair.pass()).rejects.toThrow(LinkFailure)
  pair.beta.before = () => {}
  pair.beta.remove('f')
  await pair.pass()
  expect(pair.alpha.tree()).toEqual({ kept: 'v1' })
  expect(pair.beta.past).toEqual([])
})

test('S2-15 a removal that a power loss took back where its user made it does not come back as one of the other side', async () => {
  const pair = await met({ f: 'v1', kept: 'v1' })
  pair.alpha.remove('f')
  pair.alpha.before = (call) => {
    if (call === 'sync') cut()
  }
  await expect(pair.pass()).rejects.toThrow(LinkFailure)
  expect(pair.beta.tree()).toEqual({ kept: 'v1' })
  pair.alpha.before = () => {}
  pair.alpha.boot = 'boot-2'
  pair.alpha.write('f', 'v1', 7n)
  await pair.pass()
  equal(pair)
  expect(pair.beta.tree()).toEqual({ f: 'v1', kept: 'v1' })
})

test('S2-18 an outcome is no agreement while the other side still waits for its part', async () => {
  const pair = await met({ f: 'v1' })
  // Edited here, touched there: the bytes go to beta, the later time to alpha.
  pair.alpha.write('f', 'v2', 50n)
  pair.beta.touch('f', 90n)
  pair.beta.before = (call) => {
    if (call === 'stage') cut()
  }
  pair.alpha.before = (call) => {
    if (call === 'acknowledge') cut()
  }
  await expect(pair.pass()).rejects.toThrow(LinkFailure)
  expect(pair.alpha.at('f')).toMatchObject({ props: { mtimeNs: 90n } })
  expect(pair.alpha.past).toHaveLength(1)
  pair.alpha.before = () => {}
  pair.beta.before = () => {}
  await pair.pass()
  equal(pair)
  expect(pair.alpha.tree()).toEqual({ f: 'v2' })
})

test('S1-13 an outcome that is told only after later cycles is left alone', async () => {
  const pair = await met({ f: 'v1', kept: 'v1' })
  pair.alpha.write('f', 'v2')
  let late = pair.beta.past
  pair.beta.before = (call) => {
    if (call === 'applied') late = [...pair.beta.past]
  }
  await pair.pass()
  pair.beta.before = () => {}
  expect(late).toHaveLength(1)
  pair.alpha.remove('f')
  await pair.pass()
  // An intent of long ago comes to light, and somebody makes the same file again.
  pair.beta.past = late
  await pair.pass()
  expect(pair.agreed('f')).toBeUndefined()
  pair.alpha.write('f', 'v2')
  await pair.pass()
  expect(pair.beta.tree()).toEqual({ f: 'v2', kept: 'v1' })
  equal(pair)
})

test('S1-13 an archive put back from a backup is moved aside, and nothing is removed for it', async () => {
  const pair = await met({ f: 'v1', kept: 'v1' })
  const putBack = pair.backUp()
  pair.alpha.remove('f')
  await pair.pass()
  expect(pair.beta.tree()).toEqual({ kept: 'v1' })
  putBack()
  pair.alpha.write('f', 'v1', 7n)
  await pair.pass()
  expect(pair.movedAside).toHaveLength(1)
  equal(pair)
  expect(pair.beta.tree()).toEqual({ f: 'v1', kept: 'v1' })
})

test('the roots may be given in the other order: it is the same pair, and what was agreed holds', async () => {
  const pair = await met({ f: 'v1', g: 'v1' })
  pair.swap()
  pair.alpha.remove('f')
  pair.beta.write('g', 'v2')
  expect(await pair.pass()).toMatchObject({ applied: 2, skipped: 0 })
  expect(pair.alpha.tree()).toEqual({ g: 'v2' })
  equal(pair)
  pair.swap()
  expect(await pair.pass()).toMatchObject({ applied: 0, items: [] })
})

test('S1-6 members of a new directory that its owner may not write are agreed, in however many batches they come', async () => {
  const pair = new FakePair()
  pair.alpha.directory('d', 0o555)
  for (let at = 0; at < 450; at++) pair.alpha.write(`d/${at}`, `${at}`)
  expect(await pair.pass()).toMatchObject({ failed: 0, skipped: 0 })
  expect(pair.beta.at('d')).toMatchObject({ props: { mode: 0o555 } })
  expect(pair.agreed('d')?.content).toMatchObject({ props: { mode: 0o555 } })
  expect(pair.agreed('d/0')?.content).toEqual(pair.beta.at('d/0'))
  pair.alpha.remove('d/0')
  await pair.pass()
  equal(pair)
})

test('S1-6 a conflict stays open and is judged afresh when one side comes round', async () => {
  const pair = await met({ f: 'v1' })
  pair.alpha.write('f', 'of alpha')
  pair.beta.write('f', 'of beta')
  expect(await pair.pass()).toMatchObject({ applied: 0, skipped: 1 })
  expect(pair.opens()).toMatchObject([{ path: 'f', why: 'conflict' }])
  // Nothing new is reported of it: it is still told.
  expect(await pair.pass()).toMatchObject({ skipped: 1 })
  pair.beta.write('f', 'v1', 7n)
  expect(await pair.pass()).toMatchObject({ applied: 1, skipped: 0 })
  expect(pair.beta.tree()).toEqual({ f: 'of alpha' })
  expect(pair.opens()).toEqual([])
})

test('S1-6 an open path is read from both sides when something above it changes', async () => {
  const pair = await met({ 'd/f': 'v1', 'd/g': 'v1' })
  pair.alpha.write('d/f', 'of alpha')
  pair.beta.write('d/f', 'of beta')
  await pair.pass()
  pair.alpha.remove('d')
  await pair.pass()
  // What beta changed is still there, whatever became of the rest.
  expect(pair.beta.tree()).toMatchObject({ 'd/f': 'of beta' })
  expect(pair.opens().map(({ why }) => why)).toEqual(['conflict'])
})

test('a user who is faster than an operation keeps his version; the path is a conflict, not a loss', async () => {
  const pair = await met({ f: 'v1' })
  pair.alpha.write('f', 'v2')
  pair.beta.beforeOperation = ({ path }) => {
    pair.beta.beforeOperation = () => {}
    if (path === 'f') pair.beta.write('f', 'faster')
  }
  expect(await pair.pass()).toMatchObject({ applied: 0, skipped: 1 })
  expect(pair.alpha.tree()).toEqual({ f: 'v2' })
  expect(pair.beta.tree()).toEqual({ f: 'faster' })
})

test('a dry run changes neither root and moves no cursor', async () => {
  const pair = await met({ f: 'v1' })
  pair.alpha.write('f', 'v2')
  expect(await pair.pass({ dryRun: true })).toMatchObject({ applied: 0, items: [{ path: 'f', direction: 'to-beta' }] })
  expect(pair.beta.tree()).toEqual({ f: 'v1' })
  expect(await pair.pass()).toMatchObject({ applied: 1 })
  equal(pair)
})

const emptied = [
  // what is said                              expected of beta
  ['by default nothing is done', {}, { f: 'v1', g: 'v1' }],
  ['with confirmbigdel=false it is carried out', { confirmbigdel: false }, {}],
] as const

test.each(emptied)('an emptied root: %s', async (_, preferences, expected) => {
  const pair = (await met({ f: 'v1', g: 'v1' })).prefer(preferences)
  pair.alpha.remove('f')
  pair.alpha.remove('g')
  const { halted } = await pair.pass()
  if ('confirmbigdel' in preferences) expect(halted).toBeUndefined()
  else
    expect(halted).toMatch(
      /is empty on one side \(alpha\): 2 paths would be removed .* -confirmbigdel=false; .*back and run again/,
    )
  expect(pair.beta.tree()).toEqual(expected)
})

const choices = [
  // choice       alpha           beta            opens
  ['default', 'v2', 'v2', []],
  ['to-alpha', 'v1', 'v1', []],
  ['skip', 'v2', 'v1', ['skipped']],
] as const

test.each(choices)('a person who says %s gets it', async (choice, alpha, beta, opens) => {
  const pair = await met({ f: 'v1' })
  pair.alpha.write('f', 'v2')
  await pair.pass({ dryRun: false, decide: async (items) => items.map(() => choice) })
  expect(pair.alpha.tree()).toEqual({ f: alpha })
  expect(pair.beta.tree()).toEqual({ f: beta })
  expect(pair.opens().map(({ why }) => why)).toEqual(opens)
})

test('a conflict goes the way a person says', async () => {
  const pair = await met({ f: 'v1', kept: 'v1' })
  pair.alpha.write('f', 'of alpha')
  pair.beta.remove('f')
  await pair.pass({ dryRun: false, decide: async (items) => items.map(() => 'to-alpha') })
  expect(pair.alpha.tree()).toEqual({ kept: 'v1' })
  equal(pair)
})

test('to skip what happened to a directory itself does not skip what is in it', async () => {
  const pair = await met({ 'd/f': 'v1' })
  pair.alpha.chmod('d', 0o700)
  pair.alpha.write('d/f', 'v2')
  const decide = async (items: readonly { path: string }[]) =>
    items.map(({ path }) => (path === 'd' ? ('skip' as const) : ('default' as const)))
  await pair.pass({ dryRun: false, decide })
  expect(pair.beta.tree()).toEqual({ 'd/': '', 'd/f': 'v2' })
  expect(pair.beta.at('d')).toMatchObject({ props: { mode: 0o755 } })
})

test('after a person has quit nothing travels, whatever is still open', async () => {
  const pair = await met({ f: 'v1' })
  pair.alpha.write('f', 'v2')
  // Superseded each time: open, to be tried again.
  let mtimeNs = 100_000n
  pair.beta.beforeOperation = () => pair.beta.touch('f', ++mtimeNs)
  await pair.pass()
  expect(pair.opens()).toMatchObject([{ path: 'f', why: 'superseded' }])
  pair.beta.beforeOperation = () => {}
  const before = pair.beta.tree()
  expect(before).toEqual({ f: 'v1' })
  await pair.pass({ dryRun: false, decide: async () => 'quit' })
  expect(pair.beta.tree()).toEqual(before)
})

test('times off: a time is not agreed, and a later pass that compares times has no common state', async () => {
  const pair = new FakePair().prefer({ times: false })
  pair.alpha.write('f', 'v1', 10n)
  pair.beta.write('f', 'v1', 20n)
  await pair.pass()
  expect(pair.beta.at('f')).toMatchObject({ props: { mtimeNs: 20n } })
  expect(pair.agreed('f')?.content).toMatchObject({ props: { mtimeNs: undefined } })
  pair.prefer({ times: true })
  await pair.pass()
  expect(pair.alpha.at('f')).toMatchObject({ props: { mtimeNs: 20n } })
})

test('S2-16 mode bits that are not compared are kept, and expected to the bit', async () => {
  const pair = await met({ f: 'v1' })
  pair.beta.chmod('f', 0o4755)
  pair.alpha.chmod('f', 0o755)
  await pair.pass()
  pair.alpha.write('f', 'v2', 50n, 0o755)
  expect(await pair.pass()).toMatchObject({ applied: 1, failed: 0 })
  expect(pair.beta.at('f')).toMatchObject({ props: { mode: 0o4755 } })
})

test('a name that changes its case is one file on a side that folds names, whichever side changed it', async () => {
  const pair = new FakePair()
  const { alpha, beta } = pair
  beta.folding = true
  alpha.write('d/File', 'x')
  await pair.pass()
  alpha.remove('d/File')
  alpha.write('d/file', 'x')
  expect(await pair.pass()).toMatchObject({ skipped: 0, failed: 0 })
  expect(beta.tree()).toEqual({ 'd/': '', 'd/file': 'x' })
  beta.remove('d/file')
  beta.write('d/FILE', 'x')
  expect(await pair.pass()).toMatchObject({ skipped: 0, failed: 0 })
  expect(alpha.tree()).toEqual({ 'd/': '', 'd/FILE': 'x' })
})

test('two names that a side cannot hold apart are told, and the rest travels; one that goes lets the other come', async () => {
  const pair = new FakePair()
  const { alpha, beta } = pair
  beta.folding = true
  alpha.write('a', 'x')
  alpha.write('A', 'y')
  alpha.write('b', 'z')
  expect(await pair.pass()).toMatchObject({ skipped: 2, failed: 0 })
  expect(beta.tree()).toEqual({ b: 'z' })
  expect(pair.opens()).toMatchObject([{ why: 'problem' }, { why: 'problem' }])
  alpha.remove('A')
  expect(await pair.pass()).toMatchObject({ skipped: 0, failed: 0 })
  expect(beta.tree()).toEqual({ a: 'x', b: 'z' })
  expect(pair.opens()).toEqual([])
})

describe('what is not compared changes alone', () => {
  const rows: [what: string, preferences: Partial<Preferences>, change: (root: FakeRoot) => void, kept: object][] = [
    ['a set-uid bit', {}, (root) => root.chmod('f', 0o4644), { mode: 0o4644 }],
    ['a mode with perms 0', { perms: 0 }, (root) => root.chmod('f', 0o600), { mode: 0o600 }],
    ['a time with times off', { times: false }, (root) => root.touch('f', 77n), {}],
  ]
  test.each(rows)('%s: nothing is done, and the next edit from the other side goes through', async (_, ...row) => {
    const [preferences, change, kept] = row
    for (const swapped of [false, true]) {
      const pair = await met({ f: 'v1' }, preferences)
      change(pair.beta)
      if (swapped) pair.swap()
      expect(await pair.pass()).toMatchObject({ applied: 0, skipped: 0, failed: 0 })
      pair.alpha.write('f', 'v2', 90n)
      expect(await pair.pass()).toMatchObject({ applied: 1, skipped: 0, failed: 0 })
      expect(pair.beta.at('f')).toMatchObject({ sizeBytes: 2, props: kept })
      expect(pair.opens()).toEqual([])
    }
  })

  test('below what is removed on the other side it writes nothing down', async () => {
    const pair = new FakePair()
    for (const root of [pair.alpha, pair.beta]) {
      root.directory('d')
      root.write('d/f', 'v1', 7n)
      root.write('g', 'v1', 7n)
    }
    await pair.pass()
    pair.beta.chmod('d/f', 0o4644)
    pair.alpha.remove('d/f')
    pair.alpha.remove('d')
    await pair.pass()
    expect(pair.agreed('d/f')).toBeUndefined()
    expect(pair.beta.at('d')).toEqual(absent)
  })
})

test('a directory moved to where the other side has made one of the same name: they become one, and the old place goes', async () => {
  const pair = await met({ 'n/a': 'what is moved', kept: 'it stays' })
  pair.alpha.write('c/e', 'new there')
  pair.beta.rename('n', 'c')
  expect(await pair.pass()).toMatchObject({ skipped: 0, failed: 0 })
  equal(pair)
  expect(pair.alpha.tree()).toEqual({ 'c/': '', 'c/a': 'what is moved', 'c/e': 'new there', kept: 'it stays' })
  expect(pair.agreed('n/a')).toBeUndefined()
  expect(await pair.pass()).toMatchObject({ applied: 0, items: [] })
})

test('a directory moved into one that both sides have just made: an edit in it on the other side travels', async () => {
  const pair = await met({ 'n/d/a': 'what is moved', 'n/b': 'and this', kept: 'it stays' })
  pair.alpha.write('c/e', 'new there')
  pair.alpha.write('n/b', 'edited at the old place')
  pair.beta.directory('c')
  pair.beta.rename('n', 'c/n')
  expect(await pair.pass()).toMatchObject({ skipped: 0, failed: 0 })
  equal(pair)
  expect(pair.alpha.tree()).toEqual({
    'c/': '',
    'c/e': 'new there',
    'c/n/': '',
    'c/n/b': 'edited at the old place',
    'c/n/d/': '',
    'c/n/d/a': 'what is moved',
    kept: 'it stays',
  })
  expect(await pair.pass()).toMatchObject({ applied: 0, items: [] })
})

test('a directory moved into one that both sides have just made: what was removed from it does not come back', async () => {
  const pair = await met({ 'n/a': 'what goes', 'n/b': 'what is moved' })
  pair.alpha.directory('c')
  pair.beta.directory('c')
  pair.beta.rename('n', 'c/n')
  pair.beta.remove('c/n/a')
  expect(await pair.pass()).toMatchObject({ skipped: 0, failed: 0 })
  equal(pair)
  expect(pair.alpha.tree()).toEqual({ 'c/': '', 'c/n/': '', 'c/n/b': 'what is moved' })
  expect(await pair.pass()).toMatchObject({ applied: 0, items: [] })
})

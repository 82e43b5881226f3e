import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absent } from '../../../src/core/content.js'
import type { Operation, Outcome } from '../../../src/core/operation.js'
import { FileFailure } from '../../../src/host/files.js'
import { letGoJob, removingJob } from '../../../src/replica/jobs/budget.js'
import { type Fixture, freshRoot, makeDirectory, pair, remove, writeFile } from './fixture.js'
import { Crash } from './stepping.js'

const everything = { ignore: [], ignorenot: [], paths: [] }

/** A root of so many files, of which five may go in a day. */
function rootOf(files: number, count = 5): Fixture {
  const root = freshRoot()
  for (let at = 0; at < files; at++) root.write(`d/${at}`, `text ${at}`)
  root.write('stays', 'here')
  root.scan(['stays', ...Array.from({ length: files }, (_, at) => `d/${at}`)])
  root.budget = { limit: { kind: 'count', count }, view: everything }
  return root
}

const removals = (root: Fixture, from: number, to: number): Operation[] =>
  Array.from({ length: to - from }, (_, at) => remove(`d/${from + at}`, root.content(`d/${from + at}`)))

/** 'done', or the code of what was not. */
const spoken = (outcomes: readonly Outcome[]) =>
  outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.code : outcome.kind))

const left = (root: Fixture) => fs.readdirSync(root.abs('d')).length

test('S2-20: who executes counts: removals over the budget are held, whole batches of them, and the rest is done', () => {
  const root = rootOf(10)
  expect(spoken(root.apply(removals(root, 0, 3)).outcomes)).toEqual(['done', 'done', 'done'])
  const operations = [writeFile('n', absent, 0, 'new'), ...removals(root, 3, 7)]
  // Three are gone; four less the one that comes would be six.
  const { outcomes } = root.apply(operations, ['new'])
  expect(spoken(outcomes)).toEqual(['done', 'held', 'held', 'held', 'held'])
  expect(outcomes[1]).toMatchObject({
    transient: false,
    detail: 'it would remove 3 paths, after 3 in the last 24 hours',
  })
  expect(left(root)).toBe(7)
  expect(root.read('n')).toBe('new')
})

test('S2-20: it counts over restarts, however slowly they arrive, and forgets after a day', () => {
  const root = rootOf(10)
  for (let at = 0; at < 5; at++) {
    expect(spoken(root.apply(removals(root, at, at + 1)).outcomes)).toEqual(['done'])
    root.restart()
    root.aheadNs += 3_600_000_000_000n
  }
  expect(spoken(root.apply(removals(root, 5, 6)).outcomes)).toEqual(['held'])
  root.aheadNs += 24n * 3_600_000_000_000n
  expect(spoken(root.apply(removals(root, 5, 6)).outcomes)).toEqual(['done'])
})

test('S2-20: what comes again does not count', () => {
  const root = rootOf(10)
  for (let round = 0; round < 4; round++) {
    expect(spoken(root.apply(removals(root, 0, 4)).outcomes)).toEqual(Array(4).fill('done'))
    const again = Array.from({ length: 4 }, (_, at) => writeFile(`d/${at}`, absent, at, 'again'))
    expect(spoken(root.apply(again, Array(4).fill('again')).outcomes)).toEqual(Array(4).fill('done'))
  }
})

test('the last members of a root, or of a path, are held', () => {
  const root = rootOf(2, 1_000)
  const all = (): Operation[] => [
    ...removals(root, 0, 2),
    remove('d', root.content('d')),
    remove('stays', root.content('stays')),
  ]
  expect(spoken(root.apply(all()).outcomes)).toEqual(Array(4).fill('held'))
  root.budget = { limit: { kind: 'count', count: 1_000 }, view: { ...everything, paths: ['d'] } }
  const { outcomes } = root.apply(removals(root, 0, 2))
  expect(outcomes[0]).toMatchObject({ code: 'held', detail: 'it would remove everything in d' })
  // What takes their place is no end of everything.
  const replaced = [makeDirectory('d/new'), ...removals(root, 0, 2)]
  expect(spoken(root.apply(replaced).outcomes)).toEqual(['done', 'done', 'done'])
  // What is ignored is nobody's.
  root.budget = { limit: { kind: 'count', count: 1_000 }, view: { ...everything, ignore: ['Name stays'] } }
  expect(spoken(root.apply([remove('d/new', root.content('d/new')), remove('d', root.content('d'))]).outcomes)).toEqual(
    ['held', 'held'],
  )
})

test('what is held may go once somebody said so: so many paths, and no more', () => {
  const root = rootOf(20)
  const ask = (count: number) => {
    const { budget } = root
    if (budget === undefined) throw new Error('no budget')
    return removingJob.run(root.world, { place: root.place, pair, budget, count, confirmed: false })
  }
  expect(ask(5)).toBeUndefined()
  expect(ask(12)).toEqual({ detail: 'it would remove 12 paths' })
  expect(spoken(root.apply(removals(root, 0, 12)).outcomes)).toEqual(Array(12).fill('held'))
  root.restart()
  expect(letGoJob.run(root.world, { place: root.place })).toBe(12)
  expect(ask(12)).toBeUndefined()
  expect(spoken(root.apply(removals(root, 0, 6)).outcomes)).toEqual(Array(6).fill('done'))
  expect(spoken(root.apply(removals(root, 6, 12)).outcomes)).toEqual(Array(6).fill('done'))
  expect(ask(6)).toBeDefined()
  expect(letGoJob.run(root.world, { place: root.place })).toBe(6)
})

test('a word that is given while the account is written is not lost', () => {
  const root = rootOf(20)
  const { budget } = root
  if (budget === undefined) throw new Error('no budget')
  const ask = () => removingJob.run(root.world, { place: root.place, pair, budget, count: 12, confirmed: false })
  expect(ask()).toBeDefined()
  root.trap.before('replace', 1, () => letGoJob.run(root.world, { place: root.place }))
  expect(ask()).toBeDefined()
  expect(ask()).toBeUndefined()
  expect(spoken(root.apply(removals(root, 0, 12)).outcomes)).toEqual(Array(12).fill('done'))
})

test('what was let go and could not be removed may go at the next attempt', () => {
  const root = rootOf(20)
  const { budget } = root
  if (budget === undefined) throw new Error('no budget')
  removingJob.run(root.world, { place: root.place, pair, budget, count: 12, confirmed: true })
  const batch = removals(root, 0, 12)
  for (let at = 0; at < 7; at++) root.write(`d/${at}`, 'edited meanwhile, by its user')
  expect(spoken(root.apply(batch).outcomes)).toEqual([...Array(7).fill('superseded'), ...Array(5).fill('done')])
  root.scan(Array.from({ length: 7 }, (_, at) => `d/${at}`))
  expect(spoken(root.apply(removals(root, 0, 7)).outcomes)).toEqual(Array(7).fill('done'))
  expect(spoken(root.apply(removals(root, 12, 18)).outcomes)).toEqual(Array(6).fill('held'))
})

test('without a budget anything may go', () => {
  const root = rootOf(10)
  root.budget = undefined
  expect(
    spoken(
      root.apply([...removals(root, 0, 10), remove('d', root.content('d')), remove('stays', root.content('stays'))])
        .outcomes,
    ),
  ).toEqual(Array(12).fill('done'))
})

test('a crash at any call forgets no removal', () => {
  for (let n = 0; ; n++) {
    const root = rootOf(10)
    root.apply(removals(root, 0, 4))
    root.trap.crash(n)
    let crashed = false
    try {
      root.apply(removals(root, 4, 5))
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      crashed = true
    }
    root.restart()
    const gone = 10 - left(root)
    const tooMany = 5 - gone + 1
    expect(spoken(root.apply(removals(root, 6, 6 + tooMany)).outcomes)).toEqual(Array(tooMany).fill('held'))
    root.dispose()
    if (!crashed) break
  }
})

test('the disk is full when it is written down what is held: nothing is removed, and what is created is told', () => {
  const root = rootOf(9, 2)
  root.trap.fail((call, path) =>
    call === 'createFile' && path.includes('budget') ? new FileFailure('disk-full', path, 'open', 'ENOSPC') : undefined,
  )
  const { outcomes } = root.apply([writeFile('d/new', absent, 0, 'new'), ...removals(root, 0, 5)], ['new'])
  expect(spoken(outcomes)).toEqual(['done', ...Array(5).fill('disk-full')])
  expect(root.slots('in')).toEqual([])
})

test('a batch that was refused counts nothing, however often it is tried', () => {
  const root = rootOf(10)
  for (let attempt = 0; attempt < 4; attempt++) {
    root.trap.fail((call, path) =>
      call === 'createFile' && path.includes('intents')
        ? new FileFailure('disk-full', path, 'open', 'ENOSPC')
        : undefined,
    )
    expect(spoken(root.apply(removals(root, 0, 4)).outcomes)).toEqual(Array(4).fill('disk-full'))
    root.trap.release()
  }
  expect(spoken(root.apply(removals(root, 0, 5)).outcomes)).toEqual(Array(5).fill('done'))
})

test.each([
  ['nothing can be counted: nothing is removed, and what is created is told', 0, ['disk-full', 'done']],
  ['only what was counted too much cannot be noted: what was done is told', 1, ['superseded', 'done']],
])('the disk is full when the account is written: %s', (_, counted, told) => {
  const root = rootOf(9)
  root.apply([remove('d/0', root.content('d/0')), ...removals(root, 1, 2)])
  const [removal] = removals(root, 2, 3)
  if (removal === undefined) throw new Error('no removal')
  root.trap.after('replace', 1, () => root.write('d/2', 'edited meanwhile, by its user'))
  let writes = 0
  root.trap.fail((call, path) =>
    call === 'replace' && path.includes('budget') && writes++ >= counted
      ? new FileFailure('disk-full', path, 'rename', 'ENOSPC')
      : undefined,
  )
  const { outcomes } = root.apply([removal, writeFile('d/new', absent, 0, 'new')], ['new'])
  root.trap.release()
  expect(spoken(outcomes)).toEqual(told)
  expect(left(root)).toBe(8)
})

test('T19: pairs of one peer have one account, and of another peer its own', () => {
  const root = rootOf(20)
  const as = (id: string, from: number, to: number) => {
    root.pair = id
    return spoken(root.apply(removals(root, from, to)).outcomes)
  }
  expect(as(`${'b'.repeat(8)}${'1'.repeat(24)}`, 0, 4)).toEqual(Array(4).fill('done'))
  expect(as(`${'b'.repeat(8)}${'2'.repeat(24)}`, 4, 6)).toEqual(Array(2).fill('held'))
  expect(as(`${'c'.repeat(8)}${'1'.repeat(24)}`, 4, 8)).toEqual(Array(4).fill('done'))
  expect(fs.readdirSync(root.abs('.tandem/budget')).sort()).toEqual(['bbbbbbbb', 'cccccccc'])
})

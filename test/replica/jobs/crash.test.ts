import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absent } from '../../../src/core/content.js'
import type { Operation, Outcome } from '../../../src/core/operation.js'
import { relPath } from '../../../src/core/path.js'
import { type FileCode, FileFailure } from '../../../src/host/files.js'
import { acknowledgeJob } from '../../../src/replica/jobs/acknowledge.js'
import { readJournal } from '../../../src/replica/jobs/journal.js'
import { sweepJob } from '../../../src/replica/jobs/sweep.js'
import { unacknowledgedJob } from '../../../src/replica/jobs/unacknowledged.js'
import {
  type Fixture,
  freshRoot,
  makeDirectory,
  oldNs,
  pair,
  recoverWith,
  remove,
  type Told,
  writeFile,
} from './fixture.js'
import { crashes, everyCall } from './stepping.js'

const second = 1_100_000_000n

/** One of each operation. */
const before = { a: 'old a', b: 'old b', 'd/c': 'old c', e: 'old e', l: '-> one' }
const after = {
  a: 'new a',
  'd/c': 'old c',
  d: '/',
  e: 'old e',
  l: '-> two',
  m: '/',
  'm/n': 'new n',
  s: '-> somewhere',
} as const
const texts = ['new a', 'new n']

function prepared(): { root: Fixture; operations: Operation[] } {
  const root = freshRoot()
  for (const path of ['a', 'b', 'd/c', 'e']) root.write(path, `old ${path.slice(-1)}`)
  fs.symlinkSync('one', root.abs('l'))
  root.scan(['a', 'b', 'd/c', 'e', 'l'])
  const operations: Operation[] = [
    makeDirectory('m', 0o777),
    writeFile('m/n', absent, 1, 'new n'),
    writeFile('a', root.content('a'), 0, 'new a'),
    { op: 'write-symlink', path: relPath('l'), expect: root.content('l'), target: 'two' },
    { op: 'write-symlink', path: relPath('s'), expect: absent, target: 'somewhere' },
    { op: 'set-props', path: relPath('e'), expect: root.content('e'), props: { mode: 0o600, mtimeNs: oldNs + 9n } },
    remove('b', root.content('b')),
  ]
  return { root, operations }
}

/** Each path holds its old content or its new one, whole; staging is as empty as it can be. */
function expectWhole(root: Fixture): Record<string, string> {
  const tree = root.tree()
  expect(['old a', 'new a']).toContain(tree.a)
  expect(['old b', undefined]).toContain(tree.b)
  expect(tree['d/c']).toBe('old c')
  expect(tree.e).toBe('old e')
  expect(['-> one', '-> two']).toContain(tree.l)
  expect([undefined, 'new n']).toContain(tree['m/n'])
  expect([undefined, '-> somewhere']).toContain(tree.s)
  for (const path of Object.keys(tree)) expect([...Object.keys(before), ...Object.keys(after)]).toContain(path)
  if (root.has('m')) expect(root.stat('m').mode).toBe(0o777)
  const { mode, mtimeNs } = root.stat('e')
  expect([`${0o644} ${oldNs}`, `${0o600} ${oldNs + 9n}`]).toContain(`${mode} ${mtimeNs}`)
  expect(fs.readdirSync(root.abs('.tandem/stage'))).toEqual([root.place.folder])
  expect(root.slots('in')).toEqual([])
  expect(fs.readdirSync(root.abs('.tandem/versions'))).toEqual([])
  return tree
}

/** What is told as done is done, and nothing else is: an outcome that is missing is a path that holds the old content. */
function expectTold(tree: Record<string, string>, recovered: Told): void {
  const told = new Map(
    recovered.unacknowledged
      .filter((past) => past.pair === pair)
      .flatMap((past) => past.outcomes)
      .map(({ outcome }) => [outcome.path as string, outcome]),
  )
  expect(told.has('a')).toBe(tree.a === 'new a')
  expect(told.has('b')).toBe(tree.b === undefined)
  expect(told.has('l')).toBe(tree.l === '-> two')
  expect(told.has('m/n')).toBe(tree['m/n'] === 'new n')
  expect(told.has('s')).toBe(tree.s === '-> somewhere')
  for (const outcome of told.values()) expect(outcome.kind).toBe('done')
}

/** The journal knows of what was done, and of nothing else, once. */
function expectNoted(root: Fixture, tree: Record<string, string>): void {
  const opened = root.world.files.openDirectory(root.root)
  const entries = readJournal(opened, () => true)
  const noted = entries.map(({ did, path }) => `${did} ${path}`)
  opened.close()
  expect(noted.includes('replaced a')).toBe(tree.a === 'new a')
  expect(noted.includes('removed b')).toBe(tree.b === undefined)
  expect(noted.includes('created m/n')).toBe(tree['m/n'] === 'new n')
  expect(new Set(noted).size).toBe(noted.length)
  for (const { from, why } of entries) {
    expect(from).toBe('//other//root')
    expect(['changed', 'recovered']).toContain(why)
  }
}

test('S1-2, S2-18: a crash at any call of a batch leaves every path whole, and what was done is told', {
  timeout: 300_000,
}, () => {
  let runs = 0
  for (const n of everyCall()) {
    const { root, operations } = prepared()
    root.trap.crash(n)
    const crashed = crashes(() => root.apply(operations, texts))
    root.restart()
    const recovered = root.recover()
    const tree = expectWhole(root)
    expectTold(tree, recovered)
    expectNoted(root, tree)
    // Recovering again says the same and changes nothing.
    expect(root.recover().unacknowledged).toEqual(recovered.unacknowledged)
    expect(root.tree()).toEqual(tree)
    root.aheadNs += second
    expect(sweepJob.run(root.world, { place: root.place })).toMatchObject({ pending: 0, dirty: [] })
    expect(root.tree()).toEqual(tree)
    acknowledgeJob.run(root.world, { place: root.place, pair, batches: [root.batch] })
    expect([...root.slots('in'), ...root.slots('out'), ...root.slots('intents')]).toEqual([])
    root.dispose()
    runs++
    if (!crashed) {
      expect(tree).toEqual(after)
      break
    }
  }
  expect(runs).toBeGreaterThan(60)
})

test('S1-2: a crash at any call of recovering is recovered from', { timeout: 300_000 }, () => {
  // Where the batch is cut off: before, between and after its publications.
  for (const cut of publications()) {
    for (const n of everyCall()) {
      const { root, operations } = prepared()
      root.trap.crash(cut)
      crashes(() => root.apply(operations, texts))
      root.restart()
      root.trap.crash(n)
      const crashed = crashes(() => root.recover())
      root.restart()
      const recovered = root.recover()
      expectTold(expectWhole(root), recovered)
      root.dispose()
      if (!crashed) break
    }
  }
})

/** Calls of the batch just after a publication, two of them: one in the middle, the last. */
function publications(): number[] {
  const { root, operations } = prepared()
  root.trap.crash(Number.POSITIVE_INFINITY)
  root.apply(operations, texts)
  const calls = root.trap.calls.flatMap(({ call, path }, at) =>
    call.startsWith('rename') && !path.includes('/in/') ? [at + 1] : [],
  )
  root.dispose()
  expect(calls.length).toBeGreaterThan(2)
  return [calls[1] ?? 0, calls[calls.length - 1] ?? 0]
}

const users: [history: string, save: (root: Fixture) => void, trap: string][] = [
  ['saves atomically before the exchange', (root) => root.saveAtomically('a', 'user'), 'rename:exchange'],
  ['saves in place before the exchange', (root) => fs.writeFileSync(root.abs('a'), 'user'), 'rename:exchange'],
]

test.each(users)('S1-2: the user %s and the agent dies at any call after it: his version is there', (_, save, call) => {
  for (const n of everyCall()) {
    const root = freshRoot()
    root.write('a', 'old')
    root.scan(['a'])
    const operations = [writeFile('a', root.content('a'), 0, 'new')]
    root.trap.before(call, 1, () => {
      save(root)
      root.trap.crash(n)
    })
    const crashed = crashes(() => root.apply(operations, ['new']))
    root.restart()
    root.recover()
    expect(root.tree()).toEqual({ a: 'user' })
    root.aheadNs += second
    expect(sweepJob.run(root.world, { place: root.place }).pending).toBe(0)
    expect(root.tree()).toEqual({ a: 'user' })
    root.dispose()
    if (!crashed) break
  }
})

test('S1-2: the user saves before a removal and the agent dies at any call after it: his version is there', () => {
  for (const n of everyCall()) {
    const root = freshRoot()
    root.write('a', 'old')
    root.scan(['a'])
    const operations = [remove('a', root.content('a'))]
    root.trap.before('rename:no-replace', 1, () => {
      root.saveAtomically('a', 'user')
      root.trap.crash(n)
    })
    const crashed = crashes(() => root.apply(operations))
    root.restart()
    root.recover()
    expect(root.tree()).toEqual({ a: 'user' })
    root.dispose()
    if (!crashed) break
  }
})

test('S1-2: his version is in staging and he goes on meanwhile: the latest stays, the other goes beside', () => {
  const root = freshRoot()
  root.write('a', 'old')
  root.scan(['a'])
  root.trap.before('rename:exchange', 1, () => {
    root.saveAtomically('a', 'user 1')
    root.trap.crash(1)
  })
  const operations = [writeFile('a', root.content('a'), 0, 'new')]
  expect(crashes(() => root.apply(operations, ['new']))).toBe(true)
  expect(root.read('a')).toBe('new')
  root.saveAtomically('a', 'user 2')
  root.restart()
  const recovered = root.recover()
  const copies = Object.entries(root.tree()).filter(([path]) => path !== 'a')
  expect(root.read('a')).toBe('user 2')
  expect(copies).toEqual([[expect.stringMatching(/^a \(conflict_on_\d{4}-\d\d-\d\d\)$/), 'user 1']])
  expect(recovered.dirty).toContain(copies[0]?.[0])
})

test('S1-2: the directory of the path is gone as well: his version goes to the nearest one that is there', () => {
  const root = freshRoot()
  root.write('d/e/a', 'old')
  root.scan(['d/e/a'])
  root.trap.before('rename:no-replace', 1, () => {
    root.saveAtomically('d/e/a', 'user')
    root.trap.crash(1)
  })
  expect(crashes(() => root.apply([remove('d/e/a', root.content('d/e/a'))]))).toBe(true)
  fs.rmdirSync(root.abs('d/e'))
  root.restart()
  root.recover()
  expect(Object.entries(root.tree())).toContainEqual([expect.stringMatching(/^d\/a \(conflict_on_/), 'user'])
})

test('S1-10: a crash at any call without exchange leaves the old content or the new one', { timeout: 60_000 }, () => {
  for (const n of everyCall()) {
    const root = freshRoot()
    root.write('a', 'old')
    root.scan(['a'])
    const operations = [writeFile('a', root.content('a'), 0, 'new')]
    const unsupported = () =>
      root.trap.fail((call) =>
        call === 'rename:exchange' ? new FileFailure('unsupported', 'a', 'rename', 'EINVAL') : undefined,
      )
    unsupported()
    root.trap.crash(n)
    const crashed = crashes(() => root.apply(operations, ['new']))
    root.restart()
    unsupported()
    const recovered = root.recover()
    expect(['old', 'new']).toContain(root.tree().a)
    expect(recovered.unacknowledged.flatMap((past) => past.outcomes)).toHaveLength(root.read('a') === 'new' ? 1 : 0)
    root.aheadNs += second
    sweepJob.run(root.world, { place: root.place })
    expect(Object.keys(root.tree())).toEqual(['a'])
    expect(root.slots('out')).toEqual([])
    root.dispose()
    if (!crashed) break
  }
})

test('S2-24: a crash at any call of a batch that stages beside its target loses nothing and leaves nothing', {
  timeout: 60_000,
}, () => {
  for (const n of everyCall()) {
    const root = freshRoot()
    for (const name of ['a', 'b']) root.write(`mount/${name}`, 'old')
    root.scan(['mount/a', 'mount/b'])
    const operations = [
      writeFile('mount/a', root.content('mount/a'), 0, 'new'),
      writeFile('mount/n', absent, 1, 'new n'),
      remove('mount/b', root.content('mount/b')),
    ]
    const crosses = () =>
      root.trap.fail((call, path) => {
        const inside = path.split(' -> ').filter((one) => one.startsWith(root.abs('mount/'))).length
        return call.startsWith('rename') && inside === 1
          ? new FileFailure('crosses', 'a', 'rename', 'EXDEV')
          : undefined
      })
    crosses()
    root.trap.crash(n)
    const crashed = crashes(() => root.apply(operations, ['new', 'new n']))
    root.restart()
    crosses()
    const recovered = root.recover()
    const tree = root.tree()
    const told = recovered.unacknowledged.flatMap((past) => past.outcomes).map(({ outcome }) => outcome.path as string)
    expect(['old', 'new']).toContain(tree['mount/a'])
    expect(told.includes('mount/a')).toBe(tree['mount/a'] === 'new')
    expect(told.includes('mount/n')).toBe(tree['mount/n'] === 'new n')
    expect(told.includes('mount/b')).toBe(tree['mount/b'] === undefined)
    root.aheadNs += second
    sweepJob.run(root.world, { place: root.place })
    expect(root.tree()).toEqual(tree)
    root.dispose()
    if (!crashed) break
  }
})

test('S2-24: a temporary mode does not become the user\u2019s chmod by a crash, nor is his own undone', () => {
  for (const [chmod, mode] of [
    [undefined, 0o555],
    [0o777, 0o777],
  ] as const) {
    const root = freshRoot()
    root.write('d/a', 'old')
    fs.chmodSync(root.abs('d'), 0o555)
    root.scan(['d/a'])
    root.trap.fail((call, path) =>
      call.startsWith('rename') && path.includes('/root/d/') && (fs.statSync(root.abs('d')).mode & 0o200) === 0
        ? new FileFailure('denied', 'd', 'rename', 'EACCES')
        : undefined,
    )
    root.trap.after('setMode', 1, () => root.trap.crash(0))
    expect(crashes(() => root.apply([remove('d/a', root.content('d/a'))]))).toBe(true)
    expect(root.stat('d').mode).toBe(0o755)
    if (chmod !== undefined) fs.chmodSync(root.abs('d'), chmod)
    root.restart()
    root.recover()
    expect(root.stat('d').mode).toBe(mode)
  }
})

test('S1-12: the folder of a process that lives is left alone', () => {
  const { root, operations } = prepared()
  root.apply(operations, texts)
  const mine = root.place
  const other = root.secondProcess()
  expect(recoverWith(other.world, other.place, root.locks)).toMatchObject({
    unacknowledged: [],
    dirty: [],
  })
  expect(fs.readdirSync(root.abs(`.tandem/stage/${mine.folder}/intents`))).toHaveLength(1)
  expect(unacknowledgedJob.run(root.world, { place: mine, pair }).outcomes).toHaveLength(operations.length)
})

test('a batch of which nothing was done leaves no intent when nobody acknowledges it', () => {
  const { root } = prepared()
  root.apply([writeFile('new', absent, 0, 'new')], ['new'])
  root.trap.before('rename:no-replace', 1, () => root.write('other', 'its user was faster'))
  expect(root.apply([writeFile('other', absent, 0, 'new')], ['new']).outcomes).toMatchObject([{ kind: 'superseded' }])
  expect(root.slots('intents')).toHaveLength(2)
  expect(unacknowledgedJob.run(root.world, { place: root.place, pair }).outcomes).toHaveLength(1)
  expect(root.slots('intents')).toHaveLength(1)
})

test('what a batch did not do is not told as done, though that could not be written down', () => {
  const { root } = prepared()
  root.trap.before('rename:no-replace', 1, () => root.write('new', 'its user was faster'))
  root.trap.fail((call, path) =>
    call === 'reopenFile' && path.includes('/intents')
      ? new FileFailure('disk-full', path, 'write', 'ENOSPC')
      : undefined,
  )
  expect(root.apply([writeFile('new', absent, 0, 'new')], ['new']).outcomes).toMatchObject([{ kind: 'superseded' }])
  root.trap.release()
  expect(unacknowledgedJob.run(root.world, { place: root.place, pair }).outcomes).toEqual([])
})

test('what a batch did is told to the next lead, though it could not be written down when it was done', () => {
  const { root, operations } = prepared()
  root.trap.fail((call, path) =>
    call === 'reopenFile' && path.includes('/intents')
      ? new FileFailure('disk-full', path, 'write', 'ENOSPC')
      : undefined,
  )
  const done = root.apply(operations, texts).outcomes
  root.trap.release()
  const told = unacknowledgedJob.run(root.world, { place: root.place, pair })
  const spoken = ({ kind, path }: Outcome) => `${kind} ${path}`
  expect(told.outcomes.map(({ outcome }) => spoken(outcome))).toEqual(done.map(spoken))
  expect([...told.dirty].sort()).toEqual(operations.map(({ path }) => path).sort())
})

test('S2-18: outcomes are told again by each new process until they are acknowledged', () => {
  const { root, operations } = prepared()
  const done = root.apply(operations, texts).outcomes
  for (let round = 0; round < 2; round++) {
    root.restart()
    const [past] = root.recover().unacknowledged
    expect(past?.pair).toBe(pair)
    expect(past?.outcomes.map(({ outcome }) => outcome)).toEqual(done)
    expect(past?.outcomes[0]).toMatchObject({ batch: root.batch, supplier: 'boot-of-supplier' })
  }
  acknowledgeJob.run(root.world, { place: root.place, pair: 'b'.repeat(32), batches: [root.batch] })
  expect(root.recover().unacknowledged).toHaveLength(1)
  acknowledgeJob.run(root.world, { place: root.place, pair, batches: [root.batch] })
  expect(root.recover().unacknowledged).toEqual([])
  root.aheadNs += second
  sweepJob.run(root.world, { place: root.place })
  expect([...root.slots('out'), ...root.slots('intents')]).toEqual([])
})

test.each([
  ['replaced', (root: Fixture) => writeFile('a', root.content('a'), 0, 'new'), 'rename:exchange', { a: 'new' }],
  ['removed', (root: Fixture) => remove('a', root.content('a')), 'rename:no-replace', {}],
] as const)(
  'S1-1: what was %s lost its last chmod with the power: it is no version of the user',
  (_, operation, call, tree) => {
    const root = freshRoot()
    root.write('a', 'old')
    root.scan(['a'])
    root.trap.after(call, 1, () => root.trap.crash(0))
    expect(crashes(() => root.apply([operation(root)], ['new']))).toBe(true)
    const out = root.abs(`.tandem/stage/${root.place.folder}/out`)
    for (const slot of fs.readdirSync(out)) fs.chmodSync(`${out}/${slot}`, 0o600)
    root.restart('boot-2')
    expect(root.recover().unacknowledged.flatMap((past) => past.outcomes)).toHaveLength(1)
    root.aheadNs += second
    expect(sweepJob.run(root.world, { place: root.place })).toMatchObject({ pending: 0, dirty: [] })
    expect(root.tree()).toEqual(tree)
  },
)

test('S2-15: a sync fails and the agent dies at any call after it: what was not published is not told as done', () => {
  for (const n of everyCall()) {
    const root = freshRoot()
    root.scan([''])
    let failed = false
    root.trap.fail((call) => {
      if (call !== 'syncFile' || failed) return undefined
      failed = true
      root.trap.crash(n)
      return new FileFailure('io', 'a', 'fsync', 'EIO')
    })
    const crashed = crashes(() => root.apply([writeFile('a', absent, 0, 'new')], ['new']))
    root.restart()
    const told = root.recover().unacknowledged.flatMap((past) => past.outcomes)
    expect({ n, told }).toEqual({ n, told: [] })
    expect(root.tree()).toEqual({})
    root.dispose()
    if (!crashed) break
  }
})

test('S1-1: after the machine went down only what the path shows is told as done', () => {
  const root = freshRoot()
  root.write('a', 'old')
  root.scan([''])
  root.scan(['a'])
  root.apply([writeFile('a', root.content('a'), 0, 'new'), writeFile('n', absent, 1, 'new n')], ['new', 'new n'])
  // The renames had not reached the disk: the old file is back, the new name is not there.
  const out = root.abs(`.tandem/stage/${root.place.folder}/out`)
  fs.rmSync(root.abs('n'))
  for (const slot of fs.readdirSync(out)) fs.renameSync(`${out}/${slot}`, root.abs('a'))
  root.restart('boot-2')
  expect(root.recover().unacknowledged.flatMap((past) => past.outcomes)).toEqual([])
  expect(root.tree()).toEqual({ a: 'old' })
})

test('S1-1: a directory that the power loss took back was not made, a mode that it took back was not set', () => {
  const root = freshRoot()
  root.write('a', 'as it was')
  root.scan([''])
  root.scan(['a'])
  const before = root.content('a')
  if (before.kind !== 'file') throw new Error('no file')
  const { mtimeNs } = before.props
  const operations = [
    makeDirectory('m'),
    { op: 'set-props', path: relPath('a'), expect: before, props: { mode: 0o600, mtimeNs } } as const,
  ]
  expect(root.apply(operations).outcomes.map(({ kind }) => kind)).toEqual(['done', 'done'])
  fs.rmdirSync(root.abs('m'))
  fs.chmodSync(root.abs('a'), before.props.mode ?? 0)
  root.restart('boot-2')
  expect(root.recover().unacknowledged.flatMap((past) => past.outcomes)).toEqual([])
})

/** A batch was done and its user went on in what it published; then the power failed, and the renames are undone, not his bytes. */
function writtenAndTakenBack(
  old: string | undefined,
  when: (beganNs: bigint) => bigint,
  restarted: (root: Fixture) => void = () => {},
  isTold = false,
): Fixture {
  const root = freshRoot()
  if (old !== undefined) root.write('a', old)
  root.scan([''])
  if (old !== undefined) root.scan(['a'])
  if (!isTold) root.trap.before('rename:no-replace', 1, () => root.trap.crash(0))
  const expected = old === undefined ? absent : root.content('a')
  expect(crashes(() => root.apply([writeFile('a', expected, 0, 'new')], ['new']))).toBe(!isTold)
  const folder = root.abs(`.tandem/stage/${root.place.folder}`)
  const [intent] = fs.readdirSync(`${folder}/intents`)
  const text = fs.readFileSync(`${folder}/intents/${intent}`, 'utf8')
  const staged = /"staged":"([^"]+)"/.exec(text)?.[1]
  const beganNs = BigInt(/"beganNs":"?(\d+)/.exec(text)?.[1] ?? '')
  const [displaced] = fs.readdirSync(`${folder}/out`)
  const from = old === undefined || isTold ? root.abs('a') : `${folder}/out/${displaced}`
  fs.renameSync(from, `${folder}/in/${staged}`)
  if (isTold && displaced !== undefined) fs.renameSync(`${folder}/out/${displaced}`, root.abs('a'))
  fs.writeFileSync(`${folder}/in/${staged}`, 'written by its user')
  root.retime(`.tandem/stage/${root.place.folder}/in/${staged}`, when(beganNs))
  root.restart('boot-2')
  restarted(root)
  root.recover()
  return root
}

test.each([
  ['a new file', undefined],
  ['one in the place of another', 'old'],
])('S1-1: also where the batch had told that it was done: what its user wrote into %s', (_, old) => {
  const root = writtenAndTakenBack(
    old,
    (beganNs) => beganNs + 1n,
    () => {},
    true,
  )
  expect(Object.values(root.tree()).sort()).toEqual([...(old === undefined ? [] : [old]), 'written by its user'])
  expect(root.recover().unacknowledged.flatMap((past) => past.outcomes)).toEqual([])
})

test('what its user wrote waits, where it finds no place yet, and finds one with a later sweep', () => {
  const root = writtenAndTakenBack(
    undefined,
    (beganNs) => beganNs + 1n,
    ({ trap }) =>
      trap.fail((call, path) =>
        call === 'rename:no-replace' && /\/root\/a[^/]*$/.test(path)
          ? new FileFailure('disk-full', path, call, 'ENOSPC')
          : undefined,
      ),
  )
  expect(root.tree()).toEqual({})
  root.trap.release()
  root.aheadNs += second
  expect(sweepJob.run(root.world, { place: root.place })).toMatchObject({ pending: 0 })
  expect(Object.values(root.tree())).toEqual(['written by its user'])
})

test.each([
  ['a new file', undefined],
  ['one in the place of another', 'old'],
])('what its user wrote into %s is his, though the power loss took it back to the staged ones', (_, old) => {
  const root = writtenAndTakenBack(old, (beganNs) => beganNs + 1n)
  expect(Object.values(root.tree()).sort()).toEqual([...(old === undefined ? [] : [old]), 'written by its user'])
})

test('what may be his or ours, by a clock that ticks slowly, is kept as a version of the path', () => {
  const root = writtenAndTakenBack(undefined, (beganNs) => beganNs - 3_000_000n)
  expect(root.tree()).toEqual({})
  const kept = keptVersions(root)
  expect(kept).toEqual(['written by its user'])
  root.restart('boot-3')
  root.recover()
  expect(keptVersions(root)).toEqual(kept)
})

test('what a power loss left of what was being received is no version', () => {
  const root = writtenAndTakenBack(undefined, (beganNs) => beganNs - 2_100_000_000n)
  expect(root.tree()).toEqual({})
  expect(keptVersions(root)).toEqual([])
})

function keptVersions(root: Fixture): string[] {
  const names = fs.readdirSync(root.abs('.tandem/versions'), { recursive: true, withFileTypes: true })
  return names.filter((one) => one.isFile()).map((one) => fs.readFileSync(`${one.parentPath}/${one.name}`, 'utf8'))
}

test('S1-2: received bytes go at the start, and what belongs to no intent is kept', () => {
  const root = freshRoot()
  root.stage(['half'], 3)
  const folder = root.abs(`.tandem/stage/${root.place.folder}`)
  fs.writeFileSync(`${folder}/out/unknown.7`, 'somebody\u2019s')
  fs.writeFileSync(`${folder}/intents/torn`, '{"version":1,"pa')
  root.restart()
  root.recover()
  expect(fs.readdirSync(root.abs('.tandem/stage'))).toEqual([root.place.folder])
  expect(fs.readFileSync(root.abs('.tandem/versions/stray-unknown.7'), 'utf8')).toBe('somebody\u2019s')
})

test.each<[what: string, code: FileCode, errno: string]>([
  ['the disk is full', 'disk-full', 'ENOSPC'],
  ['nor from beside its place', 'crosses', 'EXDEV'],
])('S2-18: what could not be published, %s, is not told as done, wherever the crash comes', (_, code, errno) => {
  for (const n of everyCall()) {
    const root = freshRoot()
    fs.mkdirSync(root.abs('d'))
    root.scan(['d'])
    root.trap.fail((call, path) =>
      call.startsWith('rename') && path.endsWith('/root/d/n') ? new FileFailure(code, 'n', 'rename', errno) : undefined,
    )
    root.trap.crash(n)
    const crashed = crashes(() => root.apply([writeFile('d/n', absent, 0, 'new')], ['new']))
    root.restart()
    expect(root.recover().unacknowledged.flatMap((past) => past.outcomes)).toEqual([])
    expect(root.tree()).toEqual({ d: '/' })
    root.dispose()
    if (!crashed) break
  }
})

test('an acknowledgement that comes while a sweep is reading disturbs neither', () => {
  const { root, operations } = prepared()
  root.apply(operations, texts)
  root.aheadNs += second
  root.trap.after('names', 2, () => {
    acknowledgeJob.run(root.world, { place: root.place, pair, batches: [root.batch] })
  })
  expect(sweepJob.run(root.world, { place: root.place })).toMatchObject({ pending: 0, dirty: [] })
  expect([...root.slots('out'), ...root.slots('intents')]).toEqual([])
})

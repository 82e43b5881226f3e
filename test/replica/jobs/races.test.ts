import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absent } from '../../../src/core/content.js'
import type { Operation } from '../../../src/core/operation.js'
import { relPath } from '../../../src/core/path.js'
import { FileFailure } from '../../../src/host/files.js'
import { sweepJob } from '../../../src/replica/jobs/sweep.js'
import { type Fixture, freshRoot, oldNs, remove, writeFile } from './fixture.js'

const second = 1_100_000_000n
const copyOf = (name: string, extension = '') =>
  `${name} (conflict_on_${new Date().toISOString().slice(0, 10)})${extension}`

/** One file `a.txt` that holds 'old', known to the index; the operation is to write 'new' over it, or to remove it. */
interface Race {
  readonly root: Fixture
  /** In place: truncates and writes, as `echo >` does. */
  save(text: string): void
  /** Aside, then renamed over. */
  saveAtomically(text: string): void
}

type Row = [history: string, operation: 'replace' | 'remove', user: (race: Race) => void, tree: Record<string, string>]

const rows: Row[] = [
  [
    'he saves in place between check and exchange',
    'replace',
    ({ root, save }) => root.trap.before('rename:exchange', 1, () => save('user')),
    { 'a.txt': 'user' },
  ],
  [
    'he saves atomically between check and exchange',
    'replace',
    ({ root, saveAtomically }) => root.trap.before('rename:exchange', 1, () => saveAtomically('user')),
    { 'a.txt': 'user' },
  ],
  [
    'he saves the same size and time, atomically, between check and exchange',
    'replace',
    ({ root, saveAtomically }) =>
      root.trap.before('rename:exchange', 1, () => {
        saveAtomically('OLD')
        fs.chmodSync(root.abs('a.txt'), 0o644)
        root.retime('a.txt', oldNs)
      }),
    { 'a.txt': 'OLD' },
  ],
  [
    'he changes only the mode between check and exchange',
    'replace',
    ({ root }) => root.trap.before('rename:exchange', 1, () => fs.chmodSync(root.abs('a.txt'), 0o600)),
    { 'a.txt': 'old' },
  ],
  [
    'he puts a directory there between check and exchange',
    'replace',
    ({ root }) =>
      root.trap.before('rename:exchange', 1, () => {
        fs.rmSync(root.abs('a.txt'))
        fs.mkdirSync(root.abs('a.txt'))
        fs.writeFileSync(root.abs('a.txt/inner'), 'user')
      }),
    { 'a.txt': '/', 'a.txt/inner': 'user' },
  ],
  [
    'he removes it between check and exchange',
    'replace',
    ({ root }) => root.trap.before('rename:exchange', 1, () => fs.rmSync(root.abs('a.txt'))),
    {},
  ],
  [
    'he saves before and again after the exchange, before the compare: the latest stays',
    'replace',
    ({ root, saveAtomically }) => {
      root.trap.before('rename:exchange', 1, () => saveAtomically('user 1'))
      root.trap.after('rename:exchange', 1, () => saveAtomically('user 2'))
    },
    { 'a.txt': 'user 2', [copyOf('a', '.txt')]: 'user 1' },
  ],
  [
    'S1-9: he saves before the exchange, and on what he reads there before the way back',
    'replace',
    ({ root, saveAtomically }) => {
      root.trap.before('rename:exchange', 1, () => saveAtomically('user 1'))
      root.trap.before('rename:exchange', 2, () => saveAtomically('user 2, based on new'))
    },
    { 'a.txt': 'user 1', [copyOf('a', '.txt')]: 'user 2, based on new' },
  ],
  [
    'S1-9: he writes in place into what he finds before the way back',
    'replace',
    ({ root, saveAtomically, save }) => {
      root.trap.before('rename:exchange', 1, () => saveAtomically('user 1'))
      root.trap.before('rename:exchange', 2, () => save('user 2, in place'))
    },
    { 'a.txt': 'user 1', [copyOf('a', '.txt')]: 'user 2, in place' },
  ],
  [
    'he saves before the exchange and removes what he finds before the way back',
    'replace',
    ({ root, saveAtomically }) => {
      root.trap.before('rename:exchange', 1, () => saveAtomically('user'))
      root.trap.before('rename:exchange', 2, () => fs.rmSync(root.abs('a.txt')))
    },
    { 'a.txt': 'user' },
  ],
  [
    'he saves atomically between check and removal',
    'remove',
    ({ root, saveAtomically }) => root.trap.before('rename:no-replace', 1, () => saveAtomically('user')),
    { 'a.txt': 'user' },
  ],
  [
    'he saves in place between check and removal',
    'remove',
    ({ root, save }) => root.trap.before('rename:no-replace', 1, () => save('user')),
    { 'a.txt': 'user' },
  ],
  [
    'he saves before the removal and makes the file again before it is put back',
    'remove',
    ({ root, saveAtomically }) => {
      root.trap.before('rename:no-replace', 1, () => saveAtomically('user 1'))
      root.trap.before('rename:no-replace', 2, () => saveAtomically('user 2'))
    },
    { 'a.txt': 'user 2', [copyOf('a', '.txt')]: 'user 1' },
  ],
  [
    'he removes it himself first',
    'remove',
    ({ root }) => root.trap.before('rename:no-replace', 1, () => fs.rmSync(root.abs('a.txt'))),
    {},
  ],
]

test.each(rows)('the user is faster: %s', (_, what, user, tree) => {
  const root = withFile('old')
  const file = raceOf(root)
  const operation = operationOf(root, what)
  root.stage(['new'], 7)
  user(file)
  const applied = root.apply([operation], [], 7)
  expect(applied.outcomes).toMatchObject([{ kind: 'superseded', path: 'a.txt' }])
  expect(root.tree()).toEqual(tree)
  for (const path of Object.keys(tree).filter((path) => !path.includes('/'))) expect(applied.dirty).toContain(path)
  // What is left in staging is ours alone, and goes.
  root.aheadNs += second
  expect(sweepJob.run(root.world, { place: root.place })).toMatchObject({ pending: 0, dirty: [] })
  expect(root.slots('out')).toEqual([])
  expect(root.tree()).toEqual(tree)
})

test('the user makes the file between check and publication of a new one', () => {
  const root = freshRoot()
  root.scan([''])
  root.stage(['new'], 7)
  root.trap.before('rename:no-replace', 1, () => fs.writeFileSync(root.abs('a'), 'user'))
  expect(root.apply([writeFile('a', absent, 0, 'new')], [], 7).outcomes).toMatchObject([{ kind: 'superseded' }])
  expect(root.tree()).toEqual({ a: 'user' })
})

test('the user links elsewhere while a link is replaced', () => {
  const root = freshRoot()
  fs.symlinkSync('one', root.abs('l'))
  root.scan(['l'])
  root.trap.before('rename:exchange', 1, () => {
    fs.rmSync(root.abs('l'))
    fs.symlinkSync('user', root.abs('l'))
  })
  const operation: Operation = { op: 'write-symlink', path: relPath('l'), expect: root.content('l'), target: 'two' }
  expect(root.apply([operation]).outcomes).toMatchObject([{ kind: 'superseded' }])
  expect(root.tree()).toEqual({ l: '-> user' })
})

test.runIf(process.platform === 'linux')('S1-7: a file that somebody holds open for writing is not touched', () => {
  for (const what of ['replace', 'remove'] as const) {
    const root = withFile('old')
    const writer = fs.openSync(root.abs('a.txt'), 'r+')
    try {
      const applied = root.apply([operationOf(root, what)], ['new'])
      expect(applied.outcomes).toMatchObject([{ kind: 'failed', code: 'busy', transient: true }])
      expect(root.tree()).toEqual({ 'a.txt': 'old' })
    } finally {
      fs.closeSync(writer)
    }
  }
})

test.runIf(process.platform === 'linux')(
  'S1-7: who opened it just before the exchange finds his file in its place',
  () => {
    for (const [what, call] of [
      ['replace', 'rename:exchange'],
      ['remove', 'rename:no-replace'],
    ] as const) {
      const root = withFile('old')
      root.stage(['new'], 7)
      let writer = -1
      root.trap.before(call, what === 'remove' ? 1 : 1, () => {
        writer = fs.openSync(root.abs('a.txt'), 'r+')
      })
      const applied = root.apply([operationOf(root, what)], [], 7)
      expect(applied.outcomes).toMatchObject([{ kind: 'superseded' }])
      fs.writeSync(writer, 'written late')
      fs.closeSync(writer)
      expect(root.tree()).toEqual({ 'a.txt': 'written late' })
    }
  },
)

test('S1-7: what is written into the displaced file after the first look becomes a conflict copy, not nothing', () => {
  const root = withFile('old')
  const applied = root.apply([operationOf(root, 'replace')], ['new'])
  expect(applied.outcomes).toMatchObject([{ kind: 'done' }])
  const [slot] = root.slots('out')
  fs.appendFileSync(root.abs(`.tandem/stage/${root.place.folder}/out/${slot}`), ' written late')
  expect(sweepJob.run(root.world, { place: root.place }).pending).toBe(1)
  root.aheadNs += second
  const swept = sweepJob.run(root.world, { place: root.place })
  expect(swept).toMatchObject({ pending: 0, dirty: ['a.txt', copyOf('a', '.txt')] })
  expect(root.tree()).toEqual({ 'a.txt': 'new', [copyOf('a', '.txt')]: 'old written late' })
})

test.runIf(process.platform === 'linux')(
  'S1-7: a displaced file with a writer is kept for as long as he writes',
  () => {
    const root = withFile('old')
    root.apply([operationOf(root, 'replace')], ['new'])
    const [slot] = root.slots('out')
    const writer = fs.openSync(root.abs(`.tandem/stage/${root.place.folder}/out/${slot}`), 'r+')
    root.aheadNs += second
    expect(sweepJob.run(root.world, { place: root.place }).pending).toBe(1)
    fs.closeSync(writer)
    expect(sweepJob.run(root.world, { place: root.place }).pending).toBe(0)
    expect(root.slots('out')).toEqual([])
  },
)

test('S2-26: a new file that its user removes at once is known as published, so that its absence is a change', () => {
  const root = freshRoot()
  root.scan([''])
  root.trap.after('rename:no-replace', 1, () => fs.rmSync(root.abs('n.txt')))
  const { outcomes, dirty } = root.apply([writeFile('n.txt', absent, 0, 'new')], ['new'])
  expect(outcomes).toMatchObject([{ kind: 'done' }])
  expect(dirty).toContain('n.txt')
  expect(root.record('n.txt')).toMatchObject({ kind: 'file', sizeBytes: 3, racy: true })
})

test('S1-7: where there are no leases the displaced file is kept for a minute', () => {
  const root = withFile('old')
  root.trap.after('probe', 1, () => {})
  const unleased = leaseless(root)
  root.apply([operationOf(root, 'replace')], ['new'])
  root.aheadNs += second
  expect(sweepJob.run(unleased, { place: root.place }).pending).toBe(1)
  root.aheadNs += 60n * second
  expect(sweepJob.run(unleased, { place: root.place }).pending).toBe(0)
})

test('S1-8: a racy stamp does not vouch for the bytes: they are read, before and after', () => {
  const root = withFile('old')
  const was = root.content('a.txt')
  root.scan(['a.txt'], true)
  const inode = root.stat('a.txt').inode
  // Same inode, size, times: as a store into a mapped page, or a write within one tick.
  fs.writeFileSync(root.abs('a.txt'), 'OLD')
  root.retime('a.txt', oldNs)
  expect(root.stat('a.txt').inode).toBe(inode)
  rescanStampOnly(root)
  const applied = root.apply([writeFile('a.txt', was, 0, 'new')], ['new'])
  expect(applied.outcomes).toMatchObject([{ kind: 'superseded' }])
  expect(root.tree()).toEqual({ 'a.txt': 'OLD' })
})

test('S1-8: a racy file that is as expected is replaced', () => {
  const root = withFile('old')
  root.scan(['a.txt'], true)
  expect(root.apply([operationOf(root, 'replace')], ['new']).outcomes).toMatchObject([{ kind: 'done' }])
})

const withoutExchange: [history: string, user: (race: Race) => void, outcome: string, tree: Record<string, string>][] =
  [
    ['nobody comes in between', () => {}, 'done', { 'a.txt': 'new' }],
    [
      'he saves atomically before it is taken out',
      ({ root, saveAtomically }) => root.trap.before('rename:no-replace', 2, () => saveAtomically('user')),
      'superseded',
      { 'a.txt': 'user' },
    ],
    [
      'he saves while the path is absent',
      ({ root }) => root.trap.before('rename:no-replace', 3, () => fs.writeFileSync(root.abs('a.txt'), 'user')),
      'superseded',
      { 'a.txt': 'user' },
    ],
  ]

test.each(withoutExchange)('S1-10: without exchange, %s', (_, user, outcome, tree) => {
  const root = withFile('old')
  root.trap.fail((call) =>
    call === 'rename:exchange' ? new FileFailure('unsupported', 'a', 'rename', 'EINVAL') : undefined,
  )
  root.stage(['new'], 7)
  user(raceOf(root))
  const applied = root.apply([operationOf(root, 'replace')], [], 7)
  expect(applied.outcomes).toMatchObject([{ kind: outcome }])
  expect(root.tree()).toEqual(tree)
  root.aheadNs += second
  expect(sweepJob.run(root.world, { place: root.place }).pending).toBe(0)
  expect(root.tree()).toEqual(tree)
})

/** d with d/one, d/sub/two; d goes from the leaves up. Whatever he makes there meanwhile stays at its path, and so does what holds it. */
const whileItGoes: [
  history: string,
  user: (root: Fixture) => void,
  outcomes: string[],
  tree: Record<string, string>,
][] = [
  [
    'before the first file goes',
    (root) => root.trap.before('rename:no-replace', 1, () => root.write('d/new', 'user')),
    ['done', 'done', 'done', 'not-empty'],
    { d: '/', 'd/new': 'user' },
  ],
  [
    'in a directory in it, when its files are gone',
    (root) => root.trap.after('rename:no-replace', 1, () => root.write('d/sub/new', 'user')),
    ['done', 'not-empty', 'done', 'not-empty'],
    { d: '/', 'd/sub': '/', 'd/sub/new': 'user' },
  ],
  [
    'when it is empty, just before it goes itself',
    (root) => root.trap.before('removeDirectory', 2, () => root.write('d/new', 'user')),
    ['done', 'done', 'done', 'not-empty'],
    { d: '/', 'd/new': 'user' },
  ],
  [
    'where it was, as it is gone: mkdir -p d, and works in it',
    (root) => root.trap.after('removeDirectory', 2, () => root.write('d/new', 'user')),
    ['done', 'done', 'done', 'done'],
    { d: '/', 'd/new': 'user' },
  ],
  [
    'with an edit of what is to go: it comes back beside what is new',
    (root) =>
      root.trap.before('rename:no-replace', 1, () => {
        root.write('d/sub/two', 'user, edited')
        root.write('d/new', 'user')
      }),
    ['superseded', 'not-empty', 'done', 'not-empty'],
    { d: '/', 'd/sub': '/', 'd/sub/two': 'user, edited', 'd/new': 'user' },
  ],
]

test.each(whileItGoes)(
  'S1-11: a user makes d/new in a directory that is being removed: %s',
  (_, user, outcomes, tree) => {
    const root = freshRoot()
    root.write('d/one', '1')
    root.write('d/sub/two', '2')
    root.scan(['d/one', 'd/sub/two'])
    user(root)
    const paths = ['d/sub/two', 'd/sub', 'd/one', 'd']
    const applied = root.apply(paths.map((path) => remove(path, root.content(path))))
    expect(applied.outcomes.map((one) => (one.kind === 'failed' ? one.code : one.kind))).toEqual(outcomes)
    expect(root.tree()).toEqual(tree)
    // No directory is ever put aside with what its user has in it.
    for (const { call, path } of root.trap.calls) if (call.startsWith('rename:')) expect(path).not.toMatch(/\/(d|sub)$/)
    root.aheadNs += second
    expect(sweepJob.run(root.world, { place: root.place }).pending).toBe(0)
    expect(root.tree()).toEqual(tree)
  },
)

test('S1-11: a directory that is to become a file stays one when its user makes d/new in it', () => {
  const root = freshRoot()
  root.write('d/one', '1')
  root.scan(['d/one'])
  const [one, d] = [root.content('d/one'), root.content('d')]
  root.trap.before('removeDirectory', 1, () => root.write('d/new', 'user'))
  const applied = root.apply([remove('d/one', one), remove('d', d), writeFile('d', absent, 0, 'a file')], ['a file'])
  expect(applied.outcomes).toMatchObject([{ kind: 'done' }, { kind: 'failed', code: 'not-empty' }, { path: 'd' }])
  expect(applied.outcomes[2]?.kind).not.toBe('done')
  expect(root.tree()).toEqual({ d: '/', 'd/new': 'user' })
})

test.runIf(process.platform === 'linux')(
  'S1-11: a program whose working directory is being removed never writes into what is put aside',
  () => {
    const root = freshRoot()
    root.write('d/one', '1')
    root.scan(['d/one'])
    const working = fs.openSync(root.abs('d'), fs.constants.O_RDONLY)
    try {
      root.trap.after('rename:no-replace', 1, () => fs.writeFileSync(`/proc/self/fd/${working}/new`, 'user'))
      const applied = root.apply(['d/one', 'd'].map((path) => remove(path, root.content(path))))
      expect(applied.outcomes).toMatchObject([{ kind: 'done' }, { kind: 'failed', code: 'not-empty' }])
      expect(root.tree()).toEqual({ d: '/', 'd/new': 'user' })
    } finally {
      fs.closeSync(working)
    }
  },
)

test('conflict copies of one day are numbered, and none replaces another', () => {
  const root = freshRoot()
  for (const text of ['1', '2']) {
    root.write('a.txt', `old ${text}`)
    root.scan(['a.txt'])
    root.stage(['new'], Number(text))
    root.trap.release()
    root.trap.before('rename:exchange', 1, () => root.saveAtomically('a.txt', `user ${text}`))
    root.trap.after('rename:exchange', 1, () => root.saveAtomically('a.txt', `latest ${text}`))
    root.apply([operationOf(root, 'replace')], [], Number(text))
  }
  const first = copyOf('a', '.txt')
  expect(root.tree()).toEqual({
    'a.txt': 'latest 2',
    [first]: 'user 1',
    [first.replace(').txt', ' 2).txt')]: 'user 2',
  })
})

function withFile(text: string): Fixture {
  const root = freshRoot()
  root.write('a.txt', text)
  root.scan(['a.txt'])
  return root
}

function raceOf(root: Fixture): Race {
  return {
    root,
    save: (text) => fs.writeFileSync(root.abs('a.txt'), text),
    saveAtomically: (text) => root.saveAtomically('a.txt', text),
  }
}

function operationOf(root: Fixture, what: 'replace' | 'remove'): Operation {
  return what === 'remove'
    ? remove('a.txt', root.content('a.txt'))
    : writeFile('a.txt', root.content('a.txt'), 0, 'new')
}

/** The index as if its record had been taken after the change that left no trace. */
function rescanStampOnly(root: Fixture): void {
  root.amend('a.txt', { ctimeNs: root.stat('a.txt').ctimeNs })
}

/** The same world on a file system without leases. */
function leaseless(root: Fixture) {
  root.trap.probes = 'unknown'
  return root.world
}

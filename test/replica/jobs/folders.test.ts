import * as fs from 'node:fs'
import { describe, expect, test } from 'vitest'
import { absent } from '../../../src/core/content.js'
import type { Operation } from '../../../src/core/operation.js'
import { relPath } from '../../../src/core/path.js'
import { type FileCode, FileFailure } from '../../../src/host/files.js'
import { dropBatchJob } from '../../../src/replica/jobs/stage.js'
import { sweepJob } from '../../../src/replica/jobs/sweep.js'
import { BytesWriter } from '../../../src/wire/bytes.js'
import { writeWantPlace, writeWantProps } from '../../../src/wire/pack.js'
import { type Fixture, freshRoot, makeDirectory, newProps, oldNs, pair, writeFile } from './fixture.js'
import { crashes } from './stepping.js'

const second = 1_100_000_000n

/** Stages texts; `names` puts each into folder 7 under this name, undefined into a slot of its own. */
function stage(root: Fixture, texts: readonly string[], names: readonly (string | undefined)[], folder = 7): void {
  const beside = new BytesWriter()
  for (const [want, name] of names.entries()) {
    writeWantProps(beside, want, newProps)
    if (name !== undefined) writeWantPlace(beside, want, { folder, name })
  }
  root.stage(texts, root.nextBatch(), beside.finish())
}

/** A directory with two files, and what is in it: a link, and a directory with a file. */
const operations: readonly Operation[] = [
  makeDirectory('d'),
  writeFile('d/a', absent, 0, 'of a'),
  writeFile('d/b', absent, 1, 'of b'),
  { op: 'write-symlink', path: relPath('d/l'), expect: absent, target: 'a' },
  makeDirectory('d/e', 0o700),
  writeFile('d/e/c', absent, 2, 'of c'),
]
const texts = ['of a', 'of b', 'of c']
const all = { d: '/', 'd/a': 'of a', 'd/b': 'of b', 'd/l': '-> a', 'd/e': '/', 'd/e/c': 'of c' }

function staged(): Fixture {
  const root = freshRoot()
  root.scan([''])
  stage(root, texts, ['a', 'b', undefined])
  return root
}

const renames = (root: Fixture) =>
  root.trap.calls.filter(({ call, path }) => call === 'rename:no-replace' && !path.endsWith('.acknowledged')).length

test('a new directory comes with its files, by one rename', () => {
  const root = staged()
  let seen: Record<string, string> = {}
  root.trap.after('rename:no-replace', 1, () => {
    seen = root.tree()
  })
  const applied = root.apply(operations, [], root.batch)
  expect(seen).toEqual({ d: '/', 'd/a': 'of a', 'd/b': 'of b' })
  expect(applied.outcomes.map(({ kind }) => kind)).toEqual(operations.map(() => 'done'))
  expect(applied.dirty).toEqual([])
  expect(renames(root)).toBe(3)
  expect(root.tree()).toEqual(all)
  expect(root.slots('in')).toEqual([])
})

test('what is recorded is what is there', () => {
  const root = staged()
  root.apply(operations, [], root.batch)
  for (const path of ['d/a', 'd/b', 'd/e/c']) {
    const { kind, mode, inode, birthNs, sizeBytes, mtimeNs, ctimeNs } = root.stat(path)
    expect(root.record(path), path).toMatchObject({
      kind,
      mode,
      inode,
      birthNs,
      sizeBytes,
      mtimeNs,
      ctimeNs,
      racy: false,
    })
  }
  for (const path of ['d', 'd/e']) expect(root.record(path)?.inode).toBe(root.stat(path).inode)
  expect(root.stat('d').mode).toBe(0o755)
  expect(root.stat('d/a')).toMatchObject(newProps)
})

interface Odd {
  readonly operations?: readonly Operation[]
  readonly before?: (root: Fixture) => void
  readonly names?: readonly (string | undefined)[]
  readonly tree: Record<string, string>
  /** Whether it comes, or would, by one rename. */
  readonly whole: boolean
  readonly kinds: readonly string[]
}

const file = (path: string, want: number) => writeFile(path, absent, want, want === 0 ? 'of a' : 'of b')
const both = { d: '/', 'd/a': 'of a', 'd/b': 'of b' }
const failsTo = (call: string, ending: RegExp, code: FileCode) => (root: Fixture) =>
  root.trap.fail((at, path) => (at === call && ending.test(path) ? new FileFailure(code, path, at, code) : undefined))

const odd: [what: string, odd: Odd][] = [
  [
    'its owner may not read it',
    {
      operations: [makeDirectory('d', 0o300), file('d/a', 0), file('d/b', 1)],
      tree: both,
      whole: false,
      kinds: ['done', 'done', 'done'],
    },
  ],
  [
    'its owner may not write it',
    {
      operations: [makeDirectory('d', 0o500), file('d/a', 0), file('d/b', 1)],
      tree: both,
      whole: false,
      kinds: ['done', 'done', 'done'],
    },
  ],
  [
    'its time is told',
    {
      operations: [
        { op: 'create-directory', path: relPath('d'), expect: absent, props: { mode: 0o755, mtimeNs: oldNs } },
        file('d/a', 0),
        file('d/b', 1),
      ],
      tree: both,
      whole: false,
      kinds: ['done', 'done', 'done'],
    },
  ],
  [
    'one of its files is not told of again',
    {
      operations: [makeDirectory('d'), file('d/b', 1)],
      tree: { d: '/', 'd/b': 'of b' },
      whole: true,
      kinds: ['done', 'done'],
    },
  ],
  [
    'one of its files is told with another size',
    {
      operations: [makeDirectory('d'), writeFile('d/a', absent, 0, 'longer'), file('d/b', 1)],
      tree: { d: '/', 'd/b': 'of b' },
      whole: true,
      kinds: ['done', 'failed', 'done'],
    },
  ],
  [
    'a file in it is to have another name',
    {
      operations: [makeDirectory('d'), file('d/x', 0), file('d/b', 1)],
      tree: { d: '/', 'd/x': 'of a', 'd/b': 'of b' },
      whole: false,
      kinds: ['done', 'done', 'done'],
    },
  ],
  [
    'a file in it is to be in another directory',
    {
      operations: [makeDirectory('d'), makeDirectory('e'), file('d/a', 0), file('e/b', 1)],
      tree: { d: '/', 'd/a': 'of a', e: '/', 'e/b': 'of b' },
      whole: false,
      kinds: ['done', 'done', 'done', 'done'],
    },
  ],
  [
    'a file in it is to be where another is',
    {
      before: (root) => {
        root.write('f', 'old')
        root.scan(['f'])
      },
      operations: [makeDirectory('d'), file('d/a', 0), writeFile('f', absent, 1, 'of b')],
      tree: { d: '/', 'd/a': 'of a', f: 'old' },
      whole: false,
      kinds: ['done', 'done', 'superseded'],
    },
  ],
  [
    'two files have one name',
    {
      names: ['a', 'a'],
      operations: [makeDirectory('d'), file('d/a', 0), file('d/b', 1)],
      tree: both,
      whole: true,
      kinds: ['done', 'done', 'done'],
    },
  ],
  [
    'nobody makes it',
    { operations: [file('a', 0), file('b', 1)], tree: { a: 'of a', b: 'of b' }, whole: false, kinds: ['done', 'done'] },
  ],
  [
    'something is there',
    {
      before: (root) => root.write('d', 'a file'),
      operations: [makeDirectory('d'), file('d/a', 0), file('d/b', 1)],
      tree: { d: 'a file' },
      whole: true,
      kinds: ['superseded', 'superseded', 'superseded'],
    },
  ],
  [
    'a directory is there',
    {
      before: (root) => root.write('d/own', 'own'),
      operations: [makeDirectory('d'), file('d/a', 0), file('d/b', 1)],
      tree: { d: '/', 'd/own': 'own' },
      whole: true,
      kinds: ['superseded', 'superseded', 'superseded'],
    },
  ],
  [
    'it cannot be moved there',
    {
      before: failsTo('rename:no-replace', /\/root\/d$/, 'crosses'),
      operations: [makeDirectory('d'), file('d/a', 0), file('d/b', 1)],
      tree: both,
      whole: true,
      kinds: ['done', 'done', 'done'],
    },
  ],
  [
    'its mode cannot be set',
    {
      before: failsTo('setMode', /d$/, 'not-permitted'),
      operations: [makeDirectory('d'), file('d/a', 0), file('d/b', 1)],
      tree: both,
      whole: false,
      kinds: ['done', 'done', 'done'],
    },
  ],
]

test.each(odd)(
  'where %s, nothing comes that is not asked for, and nothing stays',
  (_, { operations: asked, before, names, tree, whole, kinds }) => {
    const root = freshRoot()
    root.scan([''])
    before?.(root)
    stage(root, ['of a', 'of b'], names ?? ['a', 'b'])
    const applied = root.apply(asked ?? [], [], root.batch)
    expect(applied.outcomes.map(({ kind }) => kind)).toEqual(kinds)
    expect(root.tree()).toEqual(tree)
    expect(root.slots('in')).toEqual([])
    expect(applied.isLeft).toBe(false)
    const isMoved = ({ call, path }: { call: string; path: string }) =>
      call === 'rename:no-replace' && /-7d -> /.test(path)
    expect(root.trap.calls.some(isMoved)).toBe(whole)
  },
)

test('what was received for a new directory replaces nothing', () => {
  const root = freshRoot()
  root.write('f', 'old')
  root.scan(['f'])
  stage(root, ['of a', 'of b'], ['a', 'b'])
  const asked = [makeDirectory('d'), file('d/a', 0), writeFile('f', root.content('f'), 1, 'of b')]
  const applied = root.apply(asked, [], root.batch)
  expect(applied.outcomes).toMatchObject([
    { kind: 'done' },
    { kind: 'done' },
    { kind: 'failed', code: 'changing', transient: true },
  ])
  expect(root.tree()).toEqual({ d: '/', 'd/a': 'of a', f: 'old' })
  expect(root.slots('in')).toEqual([])
})

test('where a folder cannot be made, files come one by one', () => {
  const root = freshRoot()
  root.scan([''])
  failsTo('makeDirectory', /d$/, 'disk-full')(root)
  stage(root, texts, ['a', 'b', undefined])
  root.trap.release()
  root.apply(operations, [], root.batch)
  expect(root.tree()).toEqual(all)
  expect(root.slots('in')).toEqual([])
})

test('a file that comes once more has a slot of its own, and the first goes', () => {
  const root = staged()
  const beside = new BytesWriter()
  writeWantProps(beside, 0, newProps)
  writeWantPlace(beside, 0, { folder: 7, name: 'a' })
  root.stage(['of a'], root.batch, beside.finish())
  root.apply(operations, [], root.batch)
  expect(root.tree()).toEqual(all)
  expect(root.slots('in')).toEqual([])
})

test('a batch that is dropped leaves no folder', () => {
  const root = staged()
  dropBatchJob.run(root.world, { place: root.place, pair, batch: root.batch })
  expect(root.slots('in')).toEqual([])
})

test('a folder of which no batch knows goes with a sweep, and at the start', () => {
  const root = staged()
  const strays = sweepJob.run(root.world, { place: root.place }).received?.strays ?? []
  expect(strays.length).toBe(2)
  sweepJob.run(root.world, { place: root.place, strays })
  expect(root.slots('in')).toEqual([])
  stage(root, texts, ['a', 'b', undefined])
  root.restart()
  root.recover()
  expect(fs.readdirSync(root.abs('.tandem/stage'))).toEqual([root.place.folder])
})

describe.skipIf(process.getuid?.() !== 0)('S2-23: where the group is handed down', () => {
  const group = 4242
  test.each([
    ['the one above, to what comes whole', ''],
    ['a directory, and staging does not', 'p/'],
  ])('by %s', (_, above) => {
    const root = freshRoot()
    fs.mkdirSync(root.abs('p'))
    const holder = above === '' ? root.root : root.abs('p')
    fs.chownSync(holder, 0, group)
    fs.chmodSync(holder, 0o2775)
    root.scan(['', 'p'])
    stage(root, ['of a', 'of b'], ['a', 'b'])
    root.apply([makeDirectory(`${above}d`), file(`${above}d/a`, 0), file(`${above}d/b`, 1)], [], root.batch)
    expect(root.stat(`${above}d`)).toMatchObject({ gid: group, mode: 0o2755 })
    expect(root.stat(`${above}d/a`)).toMatchObject({ gid: group, mode: newProps.mode })
  })
})

describe('its user is at work', () => {
  test('in it as soon as it is there: what is recorded is what came, and he is seen', () => {
    const root = staged()
    root.trap.after('rename:no-replace', 1, () => fs.appendFileSync(root.abs('d/a'), ' and more'))
    root.apply(operations, [], root.batch)
    expect(root.read('d/a')).toBe('of a and more')
    const { mtimeNs, sizeBytes } = root.stat('d/a')
    expect(root.record('d/a')).toMatchObject({ sizeBytes: 4, mtimeNs: newProps.mtimeNs, racy: false })
    expect([mtimeNs, sizeBytes]).not.toEqual([newProps.mtimeNs, 4])
  })

  test('and moves it away at once: nothing is told as done where it was to be', () => {
    const root = staged()
    root.trap.after('rename:no-replace', 1, () => fs.renameSync(root.abs('d'), root.abs('his')))
    const applied = root.apply(operations, [], root.batch)
    expect(applied.dirty).toContain('d')
    expect(root.tree()).toMatchObject({ his: '/', 'his/a': 'of a', 'his/b': 'of b' })
    expect(root.slots('in')).toEqual([])
  })

  test('S3-33: and moves away the one that it is made in: it was not done there', () => {
    const root = freshRoot()
    fs.mkdirSync(root.abs('p'))
    root.scan(['p'])
    stage(root, ['of a', 'of b'], ['a', 'b'])
    root.trap.after('rename:no-replace', 1, () => fs.renameSync(root.abs('p'), root.abs('his')))
    const asked = [makeDirectory('p/d'), file('p/d/a', 0), file('p/d/b', 1)]
    const applied = root.apply(asked, [], root.batch)
    expect(applied.outcomes.map(({ kind }) => kind)).toEqual(['superseded', 'superseded', 'superseded'])
    expect(root.tree()).toMatchObject({ 'his/d/a': 'of a', 'his/d/b': 'of b' })
  })
})

const told = (root: Fixture) =>
  root.recover().unacknowledged.flatMap(({ outcomes }) => outcomes.map(({ outcome }) => outcome.path as string))

test.each([
  ['whole', 'crosses never'],
  ['one by one', 'crosses'],
])(
  'S1-2: a crash at any call of a batch whose directory comes %s: what is told as done is there, and nothing else',
  (_, how) => {
    for (let n = 0; ; n++) {
      const root = staged()
      if (how === 'crosses') failsTo('rename:no-replace', /\/root\/d$/, 'crosses')(root)
      root.trap.crash(n)
      const crashed = crashes(() => root.apply(operations, [], root.batch))
      root.restart()
      const done = told(root)
      const tree = root.tree()
      expect(done.sort(), `call ${n}`).toEqual(Object.keys(tree).sort())
      expect(all).toMatchObject(tree)
      if (how !== 'crosses') expect('d/a' in tree && 'd/b' in tree).toBe('d' in tree)
      expect(root.slots('in')).toEqual([])
      expect(fs.readdirSync(root.abs('.tandem/stage'))).toEqual([root.place.folder])
      root.dispose()
      if (!crashed) break
    }
  },
  120_000,
)

test('S1-2: a crash at any call of the recovery after one is as good', () => {
  const whole = staged()
  whole.trap.crash(Number.POSITIVE_INFINITY)
  whole.apply(operations, [], whole.batch)
  const published = whole.trap.calls.findIndex(({ call, path }) => call === 'rename:no-replace' && path.endsWith('/d'))
  for (let n = 0; ; n++) {
    const root = staged()
    root.trap.crash(published)
    expect(crashes(() => root.apply(operations, [], root.batch))).toBe(true)
    root.restart()
    root.trap.crash(n)
    const crashed = crashes(() => root.recover())
    root.restart()
    expect(told(root)).toEqual([])
    expect(root.tree()).toEqual({})
    expect(fs.readdirSync(root.abs('.tandem/stage'))).toEqual([root.place.folder])
    root.dispose()
    if (!crashed) break
  }
}, 120_000)

describe('S1-1: a power loss takes the rename back', () => {
  /** A batch came whole, its user went on in the directory, and the directory is back in staging. `isTold`: the batch had ended. */
  function takenBack(isTold: boolean, user: (folder: string, beganNs: bigint) => void): Fixture {
    const root = staged()
    if (!isTold) root.trap.after('rename:no-replace', 1, () => root.trap.crash(0))
    const asked = operations.slice(0, 3)
    expect(crashes(() => root.apply(asked, [], root.batch))).toBe(!isTold)
    const own = root.abs(`.tandem/stage/${root.place.folder}`)
    const [intent] = fs.readdirSync(`${own}/intents`)
    const text = fs.readFileSync(`${own}/intents/${intent}`, 'utf8')
    const folder = /"op":"make","path":"d","staged":"([^"]+)"/.exec(text)?.[1]
    const beganNs = BigInt(/"beganNs":"?(\d+)/.exec(text)?.[1] ?? '')
    fs.renameSync(root.abs('d'), `${own}/in/${folder}`)
    user(`${own}/in/${folder}`, beganNs)
    root.restart('boot-2')
    return root
  }

  const retime = (path: string, timeNs: bigint) => {
    const at = Number(timeNs) / 1e9
    fs.utimesSync(path, at, at)
  }

  const histories: [what: string, user: (folder: string, beganNs: bigint) => void, tree: Record<string, string>][] = [
    ['nobody had touched it', () => {}, {}],
    ['a file was new in it', (folder) => fs.writeFileSync(`${folder}/own`, 'own'), { d: '/', 'd/own': 'own' }],
    [
      'a directory was new in it',
      (folder) => {
        fs.mkdirSync(`${folder}/s`)
        fs.writeFileSync(`${folder}/s/own`, 'own')
      },
      { d: '/', 'd/s': '/', 'd/s/own': 'own' },
    ],
    [
      'one of its files was written',
      (folder, beganNs) => {
        fs.writeFileSync(`${folder}/a`, 'his')
        retime(`${folder}/a`, beganNs + second)
      },
      { d: '/', 'd/a': 'his' },
    ],
    [
      'an old file took the place of one',
      (folder) => {
        fs.writeFileSync(`${folder}/old`, 'old')
        retime(`${folder}/old`, oldNs)
        fs.renameSync(`${folder}/old`, `${folder}/a`)
      },
      { d: '/', 'd/a': 'old' },
    ],
    [
      'a directory took the place of one',
      (folder) => {
        fs.rmSync(`${folder}/a`)
        fs.mkdirSync(`${folder}/a`)
      },
      { d: '/', 'd/a': '/' },
    ],
    [
      'our bytes were torn',
      (folder) => {
        fs.writeFileSync(`${folder}/a`, 'of')
        retime(`${folder}/a`, oldNs)
      },
      {},
    ],
  ]

  test.each(
    [true, false].flatMap((isTold) =>
      histories.map((row) => [row[0], isTold ? 'had ended' : 'had not', ...row.slice(1), isTold] as const),
    ),
  )('%s, and the batch %s: what is his is at its path, and no file is told as done', (_, __, user, tree, isTold) => {
    const root = takenBack(Boolean(isTold), user as (folder: string, beganNs: bigint) => void)
    expect(wronglyTold(root)).toEqual([])
    expect(root.tree()).toEqual(tree)
    expect(fs.readdirSync(root.abs('.tandem/stage'))).toEqual([root.place.folder])
    expect([...root.slots('in'), ...root.slots('out')]).toEqual([])
  })

  /** The directory itself may be told as made, where it is. */
  function wronglyTold(root: Fixture): string[] {
    const paths = told(root)
    return paths.filter((path) => path !== 'd' || !root.has('d'))
  }

  const hisOwn = (folder: string) => fs.writeFileSync(`${folder}/own`, 'own')

  test('a crash at any call while it is given back', () => {
    for (let n = 0; ; n++) {
      const root = takenBack(false, hisOwn)
      root.trap.crash(n)
      const crashed = crashes(() => root.recover())
      root.restart('boot-2')
      expect(wronglyTold(root), `call ${n}`).toEqual([])
      expect(root.tree()).toEqual({ d: '/', 'd/own': 'own' })
      root.dispose()
      if (!crashed) break
    }
  }, 120_000)

  test('its path is taken: it goes beside', () => {
    const root = takenBack(false, hisOwn)
    root.write('d/new', 'new')
    root.recover()
    const tree = root.tree()
    expect(tree['d/new']).toBe('new')
    expect(Object.entries(tree).find(([path]) => path.endsWith('/own'))?.[1]).toBe('own')
  })

  test('it finds no place yet, and finds one with a later sweep', () => {
    const root = takenBack(false, hisOwn)
    failsTo('rename:no-replace', /\/root\/d[^/]*$/, 'disk-full')(root)
    root.recover()
    expect(root.tree()).toEqual({})
    root.trap.release()
    root.aheadNs += second
    expect(sweepJob.run(root.world, { place: root.place })).toMatchObject({ pending: 0 })
    expect(Object.values(root.tree())).toContain('own')
  })

  test('what may be his or ours is kept as a version', () => {
    const root = takenBack(false, (folder, beganNs) => {
      fs.writeFileSync(`${folder}/a`, 'whose')
      retime(`${folder}/a`, beganNs - 3_000_000n)
    })
    root.recover()
    expect(root.tree()).toEqual({})
    const names = fs.readdirSync(root.abs('.tandem/versions'), { recursive: true, withFileTypes: true })
    const kept = names
      .filter((one) => one.isFile())
      .map((one) => fs.readFileSync(`${one.parentPath}/${one.name}`, 'utf8'))
    expect(kept).toEqual(['whose'])
  })
})

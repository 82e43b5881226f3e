import * as fs from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { absent, type Content } from '../../src/core/content.js'
import type { Operation } from '../../src/core/operation.js'
import { type RelPath, relPath, rootPath } from '../../src/core/path.js'
import type { ReachedRoot } from '../../src/replica/replica.js'
import { LocalRootFixture } from './local-root.js'
import { Reader, supplier } from './replica.suite.js'

const shown = relPath('as the lead calls it')
const audited = { paths: [rootPath], perms: 0o1777, times: true, except: [] }

let root: LocalRootFixture
beforeEach(() => {
  root = new LocalRootFixture()
  root.write('notes.txt', 'four')
  root.write('other', 'a neighbour')
  root.write('sub/deep', 'a neighbour')
})
afterEach(() => root.dispose())

const open = (file = 'notes.txt', more: Parameters<typeof Reader.open>[1] = {}): Promise<Reader> =>
  Reader.open(root.replica(file), { file: shown, ...more })

const content = (reader: Reader): Content => {
  const found = reader.known.get(shown)
  return found === undefined || found.kind === 'problem' ? absent : found
}

async function caught(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'nothing',
    (error: unknown) => error,
  )
}

/** Sends the whole of the file from one replica to the other, in place of what the latter has. */
async function travel(from: Reader, to: Reader, batch: number) {
  const source = content(from)
  if (source.kind !== 'file') throw new Error('no file')
  const { sizeBytes, fingerprint, props } = source
  const want = { want: 0, path: shown, sizeBytes, mtimeNs: props.mtimeNs ?? 0n, fingerprint }
  for await (const pack of from.replica.supply([want], new AbortController().signal))
    await to.replica.stage(batch, { bytes: pack.bytes, props: new Uint8Array(0) })
  const operation: Operation = { op: 'write-file', path: shown, expect: content(to), want: 0, sizeBytes, props }
  return to.replica.apply(batch, [operation], supplier)
}

describe('a root that is a file', () => {
  test('is told as the one member of a directory, under the name that the lead has chosen', async () => {
    fs.chmodSync(root.root, 0o700)
    const reader = await open()
    expect(reader.tree()).toEqual({ [shown]: 'file of 4' })
    // What the directory has is none of the lead's.
    expect(reader.known.get(rootPath)).toEqual({ kind: 'directory', props: { mode: 0o755, mtimeNs: undefined } })
    expect(reader.opened).toMatchObject({ created: false, fresh: true, hardLink: undefined })
    expect(JSON.stringify(reader.reports, (_, value) => (typeof value === 'bigint' ? `${value}` : value))).not.toMatch(
      /other|sub|deep|notes/,
    )
  })

  test('looks at nothing else, however it is asked or told to', async () => {
    const reader = await open()
    const looked = () =>
      root.events.flatMap((event) => (event.event === 'scan-finished' ? [[event.root, event.paths]] : []))
    // The directory itself, and the file.
    expect(looked()).toEqual([[root.abs('notes.txt'), 2]])
    const before = reader.reports.length
    root.write('other', 'edited')
    root.write('sub/deep', 'edited')
    await root.tell('other', 'sub', { path: relPath('sub'), depth: 'subtree', closed: true }, 'sub/deep')
    root.lose('lost')
    await reader.replica.rescan([rootPath, relPath('other'), relPath('sub')])
    await reader.replica.flush()
    expect(reader.reports.slice(before)).toEqual([])
    for (const [, paths] of looked()) expect(paths).toBeLessThanOrEqual(2)
  })

  test('tells edits, a save by renaming, a removal and that it is back', async () => {
    const reader = await open()
    const seen = async (step: () => void) => {
      step()
      await root.tell('notes.txt')
      await reader.replica.rescan([shown])
      return reader.tree()
    }
    expect(await seen(() => root.append('notes.txt', '!'))).toEqual({ [shown]: 'file of 5' })
    const saved = () => {
      root.write('notes.txt~', 'saved anew')
      root.rename('notes.txt~', 'notes.txt')
    }
    expect(await seen(saved)).toEqual({ [shown]: 'file of 10' })
    expect(await seen(() => root.remove('notes.txt'))).toEqual({})
    expect(await seen(() => root.write('notes.txt', 'back'))).toEqual({ [shown]: 'file of 4' })
  })

  test('a reader that comes back is told only what changed', async () => {
    const first = await open()
    const { cursor } = first
    await first.replica.close()
    const second = await open('notes.txt', { cursor })
    expect(second.reports.filter(({ path }) => path === shown)).toEqual([])
    root.append('notes.txt', '!')
    await second.replica.rescan([rootPath])
    expect(second.tree()).toEqual({ [shown]: 'file of 5' })
  })

  test('takes in a file, keeps what it replaces, and tells others of it', async () => {
    root.write('there/backup', 'something longer')
    const [here, there, witness] = [
      await open(),
      await open('there/backup'),
      await open('notes.txt', { pair: 'b2'.repeat(16) }),
    ]
    expect(await travel(there, here, 1)).toMatchObject([{ kind: 'done', path: shown, content: { sizeBytes: 16 } }])
    expect(root.read('notes.txt')).toBe('something longer')
    await root.until(() => content(witness).kind === 'file' && witness.tree()[shown] === 'file of 16', 'told')
    expect(here.tree()).toEqual({ [shown]: 'file of 4' })
    expect(fs.readdirSync(root.root).sort()).toEqual(['.tandem', 'notes.txt', 'other', 'sub', 'there'])
  })

  test('is made where it is not, in a directory that is there', async () => {
    fs.mkdirSync(root.abs('there'))
    const [here, there] = [await open(), await open('there/backup')]
    expect(there.opened).toMatchObject({ created: false })
    expect(await travel(here, there, 1)).toMatchObject([{ kind: 'done', path: shown }])
    expect(root.read('there/backup')).toBe('four')
    expect(await caught(open('nowhere/backup'))).toMatchObject({ code: 'missing' })
    expect(fs.existsSync(root.abs('nowhere'))).toBe(false)
  })

  test('two files with two names have one digest', async () => {
    root.write('there/backup', '')
    const [here, there] = [await open(), await open('there/backup')]
    await travel(here, there, 1)
    await there.replica.rescan([rootPath])
    const digests = async (members: boolean) =>
      Promise.all(
        [here, there].map(async ({ replica }) => {
          const rows = await replica.audit({ ...audited, members })
          return rows.map(({ directory, name, digest }) => [directory, name, digest])
        }),
      )
    const [one, other] = await digests(false)
    expect(one).toEqual([['', '', expect.stringMatching(/^[0-9a-f]{32}$/)]])
    expect(one).toEqual(other)
    const [members] = await digests(true)
    expect(members).toEqual([
      ['', '', ''],
      ['', shown, ''],
    ])
    root.append('there/backup', 'x')
    await there.replica.rescan([rootPath])
    const [as, changed] = await digests(false)
    expect(as).toEqual(one)
    expect(changed).not.toEqual(one)
    expect(await here.replica.audit({ ...audited, members: false, paths: [relPath('sub')] })).toEqual([])
  })

  test('both files of a pair may lie in one directory: outcomes, generations and budget are each their own', async () => {
    root.write('copy', '')
    const [here, there] = [await open(), await open('copy')]
    await travel(here, there, 7)
    await there.replica.setGeneration('a1'.repeat(16), 3)
    for (const { replica } of [here, there]) await replica.close()
    const [again, thereAgain] = [await open(), await open('copy')]
    expect(again.opened).toMatchObject({ unacknowledged: [], generation: 0 })
    expect(thereAgain.opened).toMatchObject({
      generation: 3,
      unacknowledged: [{ batch: 7, outcome: { kind: 'done', path: shown } }],
    })
    await again.replica.acknowledge([7])
    await thereAgain.replica.acknowledge([7])
    await thereAgain.replica.close()
    expect((await open('copy')).opened.unacknowledged).toEqual([])
  })

  test('its removal is that of everything in it: a budget holds it', async () => {
    root.care = { maxDelete: { kind: 'share', share: 0.9 } }
    const reader = await open()
    const operation: Operation = { op: 'remove', path: shown, expect: content(reader) }
    expect(await reader.replica.apply(1, [operation], supplier)).toMatchObject([
      { kind: 'failed', path: shown, code: 'held' },
    ])
    expect(root.read('notes.txt')).toBe('four')
  })

  test.each([
    ['a directory', () => fs.mkdirSync(root.abs('notes.txt'))],
    ['a link', () => root.link('notes.txt', 'other')],
  ])('%s in its place ends it, and it cannot be used until the file is back', async (_, stands) => {
    const reader = await open()
    root.remove('notes.txt')
    stands()
    await caught(reader.replica.rescan([rootPath]))
    await root.until(() => reader.failure !== undefined, 'ended')
    expect(reader.failure).toMatchObject({ code: 'not-directory', message: expect.stringMatching(/was a file/) })
    await reader.replica.close()
    // Whether its agent keeps the directory open meanwhile, or opens it anew.
    const again = await open()
    expect(again.failure).toMatchObject({ code: 'not-directory' })
    await again.replica.close()
    await root.roots.closeUnused([])
    expect(await caught(open())).toMatchObject({ code: 'not-directory' })
    root.remove('notes.txt')
    root.write('notes.txt', 'back')
    root.heard('notes.txt')
    expect((await open()).tree()).toEqual({ [shown]: 'file of 4' })
  })

  test('the directory that holds it may be a root too, at the same time', async () => {
    const [all, one] = [await Reader.open(root.replica()), await open()]
    expect(Object.keys(all.tree())).toEqual(['notes.txt', 'other', 'sub', 'sub/deep'])
    const operation: Operation = { op: 'remove', path: shown, expect: content(one) }
    expect(await one.replica.apply(1, [operation], supplier)).toMatchObject([{ kind: 'done' }])
    await all.replica.rescan([rootPath])
    expect(Object.keys(all.tree())).toEqual(['other', 'sub', 'sub/deep'])
    expect(one.opened.rootId).toBe(all.opened.rootId)
  })
})

describe('what stands at a path', () => {
  test.each<[string, () => ReachedRoot, string]>([
    ['a directory', () => root.replica('sub'), 'ready'],
    ['a file', () => root.replica('other'), 'file'],
    ['nothing', () => root.replica('none'), 'missing'],
    ['nothing in a file', () => root.replica('other/none'), 'not-directory'],
  ])('%s', async (_, at, state) => {
    const replica = at()
    expect(await replica.look()).toBe(state)
    await replica.close()
  })

  const wrong: [string, string, RelPath | undefined][] = [
    ['a file as a directory', 'other', undefined],
    ['a directory as a file', 'sub', shown],
    ['the private folder as a file', '.tandem', shown],
  ]
  test.each(wrong)('%s is refused, and nothing is made', async (_, path, file) => {
    expect(await caught(Reader.open(root.replica(path), { file }))).toMatchObject({ code: 'not-directory' })
    expect(fs.readdirSync(root.root).sort()).toEqual(['notes.txt', 'other', 'sub'])
  })
})

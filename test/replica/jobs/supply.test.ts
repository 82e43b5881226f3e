import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import type { Fingerprint } from '../../../src/core/content.js'
import { relPath } from '../../../src/core/path.js'
import { FileFailure } from '../../../src/host/files.js'
import { frameBytesMax } from '../../../src/host/sockets.js'
import type { IndexRecord } from '../../../src/index/record.js'
import { digestOf } from '../../../src/replica/jobs/digest.js'
import { type Supply, supplyCloseJob, supplyNextJob, supplyOpenJob } from '../../../src/replica/jobs/supply.js'
import type { Supplied, Want } from '../../../src/replica/replica.js'
import { BytesWriter } from '../../../src/wire/bytes.js'
import { suppliedList, wantList } from '../../../src/wire/list.js'
import { encode } from '../../../src/wire/message.js'
import { packBytesMax, readItems, writeWantProps } from '../../../src/wire/pack.js'
import { splitPack } from '../../../src/wire/split.js'
import { type Fixture, freshRoot } from './fixture.js'

test('small files travel together, in the order wanted, and the index learns their fingerprints', () => {
  const root = freshRoot()
  const paths = ['d/a', 'd/b', 'empty', 'z']
  for (const path of paths) root.write(path, path === 'empty' ? '' : `text of ${path}`)
  root.scan(paths)
  for (const path of paths) root.amend(path, { fingerprint: undefined })
  root.aheadNs += second
  const supplied = supplyAll(
    root,
    paths.map((path, at) => wantOf(root, path, at)),
  )
  expect(supplied.packs).toHaveLength(1)
  expect(supplied.packs[0]?.ended).toBe(true)
  expect(supplied.finished.map((one) => one.kind)).toEqual(['whole', 'whole', 'whole', 'whole'])
  expect(supplied.texts).toEqual(
    new Map([
      [0, 'text of d/a'],
      [1, 'text of d/b'],
      [2, ''],
      [3, 'text of z'],
    ]),
  )
  for (const path of paths)
    expect(root.record(path)).toMatchObject({ fingerprint: root.fingerprint(path), racy: false })
})

test('a directory is opened once for the files in it', () => {
  const root = freshRoot()
  for (const name of ['a', 'b', 'c']) root.write(`d/${name}`, name)
  root.trap.release()
  supplyAll(
    root,
    ['a', 'b', 'c'].map((name, at) => wantOf(root, `d/${name}`, at)),
  )
  expect(root.trap.calls.filter(({ call, path }) => call === 'openDirectory' && path.endsWith('/d'))).toHaveLength(1)
})

test('a large file travels in slices between small ones, each pack within its bound', () => {
  const root = freshRoot()
  const large = `${'0123456789abcdef'.repeat(50_000)}!`
  root.write('a', 'small')
  root.write('big', large)
  root.write('z', 'small too')
  const supplied = supplyAll(
    root,
    ['a', 'big', 'z'].map((path, at) => wantOf(root, path, at)),
  )
  expect(supplied.packs.length).toBe(4)
  for (const pack of supplied.packs) expect(pack.bytes.length).toBeLessThanOrEqual(packBytesMax)
  expect(supplied.texts.get(1)).toBe(large)
  expect(supplied.texts.get(2)).toBe('small too')
  expect(supplied.finished).toContainEqual({ want: 1, kind: 'whole', fingerprint: digestOf(Buffer.from(large)) })
})

test('very many small files: each pack fits a frame, with what is said of its files beside it', () => {
  const root = freshRoot()
  const paths = Array.from({ length: 1_500 }, (_, at) => `d/${at}`)
  for (const path of paths) root.write(path, 'x'.repeat(path.length * 150))
  const wants = paths.map((path, at) => wantOf(root, path, at))
  const { packs, finished } = supplyAll(root, wants)
  expect(finished).toHaveLength(1_500)
  expect(packs.length).toBe(2)
  for (const { bytes, finished } of packs) {
    const ended = suppliedList.fromBytes(finished)
    const props = new BytesWriter(1024)
    for (const { want } of ended) writeWantProps(props, want, { mode: 0o644, mtimeNs: 1n << 60n })
    const frames = [...splitPack({ bytes, finished: ended })].map((pack) => encode({ kind: 'pack', id: 1, ...pack }))
    frames.push(encode({ kind: 'stage', batch: 1, bytes, props: props.finish() }))
    for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(frameBytesMax)
  }
})

test('very many files that are not as wanted: what is said of them fits frames', () => {
  const root = freshRoot()
  fs.mkdirSync(root.abs('d'))
  const wants = Array.from({ length: 9_000 }, (_, want) => ({
    want,
    path: relPath(`d/${want}`),
    sizeBytes: 1,
    mtimeNs: 1n,
    fingerprint: undefined,
  }))
  const { packs, finished } = supplyAll(root, wants)
  expect(finished).toHaveLength(9_000)
  expect(finished.every(({ kind }) => kind === 'superseded')).toBe(true)
  expect(packs.length).toBe(3)
})

const second = 1_100_000_000n

type Row = [what: string, change: (root: Fixture) => void]

const superseded: Row[] = [
  ['it is gone', (root) => fs.rmSync(root.abs('d/a'))],
  ['it has another size', (root) => root.write('d/a', 'longer than before')],
  ['it has another time', (root) => root.retime('d/a', 5n)],
  [
    'it is another inode than the index knows',
    (root) => root.saveAtomically('d/a', 'text') ?? root.write('d/a', 'text'),
  ],
  [
    'T16: it is a link to something else',
    (root) => fs.rmSync(root.abs('d/a')) ?? fs.symlinkSync('/etc/hostname', root.abs('d/a')),
  ],
  [
    'T16: its directory is a link',
    (root) => fs.renameSync(root.abs('d'), root.abs('e')) ?? fs.symlinkSync('e', root.abs('d')),
  ],
  ['it is a directory', (root) => fs.rmSync(root.abs('d/a')) ?? fs.mkdirSync(root.abs('d/a'))],
  [
    'its bytes are not those of the fingerprint',
    (root) => fs.writeFileSync(root.abs('d/a'), 'TEXT') ?? root.write('d/a', 'TEXT'),
  ],
  [
    'it is written while it is read',
    (root) => root.trap.after('read', 1, () => fs.appendFileSync(root.abs('d/a'), '!')),
  ],
  ['it is replaced while it is read', (root) => root.trap.after('read', 1, () => root.saveAtomically('d/a', 'text'))],
  ['it is cut while it is read', (root) => root.trap.before('read', 1, () => fs.truncateSync(root.abs('d/a'), 1))],
]

test.each(superseded)('superseded, and its path dirty: %s', (_, change) => {
  const root = freshRoot()
  root.write('d/a', 'text')
  root.write('d/b', 'other')
  root.scan(['d/a', 'd/b'])
  const wants = [wantOf(root, 'd/a', 0, digestOf(Buffer.from('text'))), wantOf(root, 'd/b', 1)]
  change(root)
  const supplied = supplyAll(root, wants)
  expect(supplied.finished[0]).toEqual({ want: 0, kind: 'superseded' })
  expect(supplied.packs.flatMap((pack) => pack.dirty)).toContain('d/a')
  expect(supplied.texts.has(0)).toBe(false)
})

test('a file of which only the stamp moved since it was seen is supplied', () => {
  const root = freshRoot()
  root.write('a', 'text')
  root.scan(['a'])
  const want = wantOf(root, 'a', 0)
  fs.chmodSync(root.abs('a'), 0o600)
  expect(supplyAll(root, [want])).toMatchObject({
    finished: [{ want: 0, kind: 'whole' }],
    texts: new Map([[0, 'text']]),
  })
})

test('T15: a fifo in the place of a file is not read and does not hang', () => {
  const root = freshRoot()
  root.write('a', 'text')
  root.scan(['a'])
  const want = wantOf(root, 'a', 0)
  fs.rmSync(root.abs('a'))
  execFileSync('mkfifo', [root.abs('a')])
  expect(supplyAll(root, [want]).finished).toEqual([{ want: 0, kind: 'superseded' }])
})

test('T15: a device in the place of a file is not opened', (context) => {
  const root = freshRoot()
  root.write('a', 'text')
  root.scan(['a'])
  const want = wantOf(root, 'a', 0)
  fs.rmSync(root.abs('a'))
  // That of full(4): whoever reads it reads zeros without an end.
  const { status } = spawnSync('mknod', [root.abs('a'), 'c', '1', '7'])
  context.skip(status !== 0, 'only who may make devices can show it')
  expect(supplyAll(root, [want]).finished).toEqual([{ want: 0, kind: 'superseded' }])
})

test('a large file that changes half way is given up, and the next one is whole', () => {
  const root = freshRoot()
  root.write('big', 'x'.repeat(600_000))
  root.write('z', 'small')
  const wants = [wantOf(root, 'big', 0), wantOf(root, 'z', 1)]
  root.trap.before('read', 2, () => fs.appendFileSync(root.abs('big'), '!'))
  const supplied = supplyAll(root, wants)
  expect(supplied.finished).toMatchObject([
    { want: 0, kind: 'superseded' },
    { want: 1, kind: 'whole' },
  ])
  expect(supplied.texts).toEqual(new Map([[1, 'small']]))
})

test('what cannot be read is a problem of its own', () => {
  const root = freshRoot()
  root.write('a', 'text')
  root.write('b', 'text')
  root.trap.fail((call, path) =>
    call === 'openFile' && path.endsWith('/a') ? new FileFailure('denied', path, 'open', 'EACCES') : undefined,
  )
  const supplied = supplyAll(root, [wantOf(root, 'a', 0), wantOf(root, 'b', 1)])
  expect(supplied.finished).toMatchObject([
    { want: 0, kind: 'problem', code: 'denied' },
    { want: 1, kind: 'whole' },
  ])
})

test.runIf(process.platform === 'linux')('S1-8: a fingerprint taken while a writer is there is not trusted', () => {
  const root = freshRoot()
  root.write('a', 'text')
  root.scan(['a'])
  root.aheadNs += second
  const writer = fs.openSync(root.abs('a'), 'r+')
  expect(supplyAll(root, [wantOf(root, 'a', 0)]).finished).toMatchObject([{ kind: 'whole' }])
  expect(root.record('a')).toMatchObject({ racy: true })
  fs.closeSync(writer)
})

test('S1-8: a file that changed within the tick before it was read is racy', () => {
  const root = freshRoot()
  root.write('a', 'text')
  root.scan(['a'])
  // The clock stands where the file was changed.
  root.aheadNs = root.stat('a').ctimeNs - root.world.clock.wallNs()
  supplyAll(root, [wantOf(root, 'a', 0)])
  expect(root.record('a')).toMatchObject({ racy: true })
})

const heldUp: [where: string, hold: (root: Fixture, hold: () => void) => void][] = [
  ['before the last look', (root, hold) => root.trap.after('read', 1, hold)],
  ['after it', (root, hold) => root.trap.after('read', 1, () => root.trap.after('fstat', 1, hold))],
]
test.each(heldUp)('S1-8: a file that is young when it is read is racy, held up for long %s', (_, hold) => {
  const root = freshRoot()
  root.write('a', 'text')
  root.scan(['a'])
  root.aheadNs = root.stat('a').ctimeNs - root.world.clock.wallNs()
  hold(root, () => (root.aheadNs += second))
  supplyAll(root, [wantOf(root, 'a', 0)])
  expect(root.record('a')).toMatchObject({ racy: true })
})

test('S1-3: a record that is newer than what was read is not overwritten', () => {
  const root = freshRoot()
  root.write('a', 'text')
  root.scan(['a'])
  root.amend('a', { fingerprint: undefined })
  root.trap.after('probe', 1, () => root.amend('a', { sizeBytes: 77 }))
  supplyAll(root, [wantOf(root, 'a', 0)])
  expect(root.record('a')).toMatchObject({ sizeBytes: 77, fingerprint: undefined })
})

/** Two packs: small ones, and a large file that ends in the second. */
function begunStream(unread: Partial<IndexRecord>): Fixture {
  const root = freshRoot()
  root.write('a', 'text')
  root.write('big', 'x'.repeat(packBytesMax))
  root.scan(['a', 'big'])
  root.amend('a', unread)
  root.aheadNs += second
  const wants = wantList.toBytes([wantOf(root, 'a', 0), wantOf(root, 'big', 1)])
  expect(supplyOpenJob.run(root.world, { place: root.place, stream: 's', wants }).ended).toBe(false)
  return root
}

test('the index learns what was read at the end of the stream', () => {
  const root = begunStream({ fingerprint: undefined })
  expect(root.record('a')).toMatchObject({ fingerprint: undefined })
  expect(supplyNextJob.run(root.world, { stream: 's' }).ended).toBe(true)
  expect(root.record('a')).toMatchObject({ fingerprint: root.fingerprint('a'), racy: false })
})

test('the index learns at once of bytes that are not what its record says, and gives them a sequence', () => {
  const root = begunStream({ fingerprint: digestOf(Buffer.from('TEXT')), sequence: 0 })
  expect(root.record('a')).toMatchObject({ fingerprint: root.fingerprint('a') })
  expect(root.record('a')?.sequence).toBeGreaterThan(0)
})

test('S1-3: what a scan learnt of a file between the packs of a stream is newer than what the first one read', () => {
  const doubted = begunStream({ fingerprint: undefined })
  doubted.amend('a', { racy: true })
  expect(supplyNextJob.run(doubted.world, { stream: 's' }).ended).toBe(true)
  expect(doubted.record('a')).toMatchObject({ fingerprint: undefined, racy: true })
  const read = begunStream({ fingerprint: undefined })
  const other = digestOf(Buffer.from('TEXT'))
  read.amend('a', { fingerprint: other })
  expect(supplyNextJob.run(read.world, { stream: 's' }).ended).toBe(true)
  expect(read.record('a')).toMatchObject({ fingerprint: other })
})

test('a stream that was closed has ended, and no handle stays', () => {
  const root = freshRoot()
  root.write('big', 'x'.repeat(600_000))
  const wants = wantList.toBytes([wantOf(root, 'big', 0)])
  expect(supplyOpenJob.run(root.world, { place: root.place, stream: 's', wants }).ended).toBe(false)
  const open = fs.readdirSync('/proc/self/fd').length
  supplyCloseJob.run(root.world, { stream: 's' })
  expect(fs.readdirSync('/proc/self/fd').length).toBe(open - 1)
  expect(supplyNextJob.run(root.world, { stream: 's' })).toMatchObject({ ended: true, finished: none })
})

const none = new Uint8Array(0)

function wantOf(root: Fixture, path: string, want: number, fingerprint?: Fingerprint): Want {
  const { sizeBytes, mtimeNs } = root.stat(path)
  return { want, path: relPath(path), sizeBytes, mtimeNs, fingerprint }
}

function supplyAll(root: Fixture, wants: readonly Want[]) {
  let next = supplyOpenJob.run(root.world, { place: root.place, stream: 's', wants: wantList.toBytes(wants) })
  const packs: Supply[] = []
  const finished: Supplied[] = []
  const parts = new Map<number, Buffer[]>()
  const texts = new Map<number, string>()
  for (;;) {
    const pack = next
    packs.push(pack)
    finished.push(...suppliedList.fromBytes(pack.finished))
    for (const item of readItems(pack.bytes)) {
      const list = item.position === 0 ? [] : (parts.get(item.want) ?? [])
      parts.set(item.want, [...list, Buffer.from(item.data)])
      if (item.fingerprint === undefined) continue
      const whole = Buffer.concat(parts.get(item.want) ?? [])
      expect(item.fingerprint).toBe(digestOf(whole))
      texts.set(item.want, whole.toString('utf8'))
    }
    if (pack.ended) return { packs, finished, texts }
    next = supplyNextJob.run(root.world, { stream: 's' })
  }
}

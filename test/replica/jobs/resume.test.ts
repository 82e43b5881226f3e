import * as fs from 'node:fs'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { absent } from '../../../src/core/content.js'
import { type RelPath, relPath } from '../../../src/core/path.js'
import { FileFailure } from '../../../src/host/files.js'
import { partName, prunePartsJob } from '../../../src/replica/jobs/part.js'
import { prefixEnds } from '../../../src/replica/jobs/prefix.js'
import { recoverJob } from '../../../src/replica/jobs/recover.js'
import { measurePartsJob, resumeJob } from '../../../src/replica/jobs/resume.js'
import { dropBatchJob, stageJob } from '../../../src/replica/jobs/stage.js'
import { supplyCloseJob, supplyNextJob, supplyOpenJob } from '../../../src/replica/jobs/supply.js'
import type { Part, Prefix, Want } from '../../../src/replica/replica.js'
import { BytesWriter } from '../../../src/wire/bytes.js'
import { suppliedList, wantList } from '../../../src/wire/list.js'
import { prefixesMax } from '../../../src/wire/operation.js'
import { readItems, writeItem } from '../../../src/wire/pack.js'
import { dayNs, type Fixture, freshRoot, newProps, pair, writeFile } from './fixture.js'

const path: RelPath = relPath('d/large')
/** Every eight bytes of it differ. */
const text = Array.from({ length: 120_000 }, (_, at) => String(at).padStart(8, '.')).join('')
const sizeBytes = text.length

let source: Fixture
let target: Fixture
beforeEach(() => {
  source = freshRoot()
  target = freshRoot()
  source.write(path, text)
  fs.mkdirSync(target.abs('d'))
  target.scan(['d'])
})

function wanted(): Want {
  const stat = source.stat(path)
  return { want: 0, path, sizeBytes: stat.sizeBytes, mtimeNs: stat.mtimeNs, fingerprint: undefined }
}

/** What the target has of a file that is said to be so long, told for a new batch. */
function offered(batch: number, said = source.stat(path).sizeBytes): readonly Prefix[] {
  const at = { place: target.place, pair, batch }
  resumeJob.run(target.world, { ...at, files: [{ want: 0, path, sizeBytes: said }] })
  let parts: readonly Part[] | undefined
  for (let steps = 0; parts === undefined && steps < 100; steps++) parts = measurePartsJob.run(target.world, at)
  return parts?.find(({ want }) => want === 0)?.prefixes ?? []
}

interface Sent {
  readonly bytes: number
  /** Where the first item began. */
  readonly from: number | undefined
  readonly ends: readonly string[]
}

/** Sends so many packs to the batch. */
function send(batch: number, prefixes: readonly Prefix[], packsMax = 100, change = () => {}): Sent {
  const want = prefixes.length === 0 ? wanted() : { ...wanted(), prefixes }
  let step = supplyOpenJob.run(source.world, { place: source.place, stream: 's', wants: wantList.toBytes([want]) })
  let bytes = 0
  let from: number | undefined
  const ends: string[] = []
  for (let packs = 0; packs < packsMax; ) {
    for (const item of readItems(step.bytes)) {
      from ??= item.position
      bytes += item.data.length
    }
    ends.push(...suppliedList.fromBytes(step.finished).map(({ kind }) => kind))
    if (step.bytes.length > 0) {
      const props = new Uint8Array(0)
      stageJob.run(target.world, { place: target.place, pair, batch, pack: step.bytes, props })
      packs++
      change()
    }
    if (step.ended) break
    step = supplyNextJob.run(source.world, { stream: 's' })
  }
  supplyCloseJob.run(source.world, { stream: 's' })
  return { bytes, from, ends }
}

const drop = (batch: number) => dropBatchJob.run(target.world, { place: target.place, pair, batch })

/** The target was cut off in this way: by the link, by the end of its process. */
const cuts: readonly [string, (batch: number) => void][] = [
  ['the link', drop],
  [
    'a kill of the target',
    () => {
      target.restart()
      recoverJob.run(target.world, { place: target.place, locks: target.locks })
    },
  ],
  [
    'a power loss of the target',
    () => {
      target.restart('another boot')
      recoverJob.run(target.world, { place: target.place, locks: target.locks })
    },
  ],
]

const partFile = () => `.tandem/parts/${partName(pair, path)}`
const partsThere = () => (target.has('.tandem/parts') ? fs.readdirSync(target.abs('.tandem/parts')) : [])

function apply(batch: number): void {
  const operation = writeFile(path, absent, 0, text)
  expect(target.apply([operation], [], batch).outcomes).toMatchObject([{ kind: 'done' }])
  expect(target.read(path)).toBe(text)
  expect(target.stat(path)).toMatchObject(newProps)
  expect(target.slots('in')).toEqual([])
  expect(partsThere()).toEqual([])
}

describe.each(cuts)('cut off by %s', (_, cut) => {
  test.each([1, 2, 3, 4])('after %i packs, the transfer goes on there', (packs) => {
    expect(offered(1)).toEqual([])
    const first = send(1, [], packs)
    cut(1)
    const rest = send(2, offered(2))
    // A file that was there whole is sent its last byte.
    const due = Math.max(1, sizeBytes - first.bytes)
    expect(rest).toEqual({ bytes: due, from: sizeBytes - due, ends: ['whole'] })
    apply(2)
  })

  test('again and again: nothing is sent twice', () => {
    let bytes = 0
    for (let batch = 1; batch < 4; batch++) {
      bytes += send(batch, offered(batch), 1).bytes
      cut(batch)
    }
    bytes += send(4, offered(4)).bytes
    expect(bytes).toBe(sizeBytes)
    apply(4)
  })

  test('before the first pack of the second attempt: nothing is lost', () => {
    offered(1)
    const first = send(1, [], 2)
    cut(1)
    expect(offered(2)).not.toEqual([])
    cut(2)
    expect(send(3, offered(3)).bytes).toBe(sizeBytes - first.bytes)
    apply(3)
  })
})

/** What became of the two pack's worth of bytes that are there, and from where on it is sent. */
const damages: readonly [what: string, damage: (file: string) => void, from: (partBytes: number) => number][] = [
  ['garbled in its first byte', (file) => patch(file, 0, 'X'), () => 0],
  ['garbled behind 200,000 bytes', (file) => patch(file, 200_000, 'X'), () => 128 * 1024],
  ['with a torn tail: zeros', (file) => patch(file, 300_000, '\0'.repeat(100_000)), () => 256 * 1024],
  ['cut short', (file) => fs.truncateSync(file, 150_000), () => 150_000],
  ['longer than the file is', (file) => fs.truncateSync(file, sizeBytes + 1), () => 0],
  ['padded with what was not sent', (file) => fs.appendFileSync(file, 'x'.repeat(200_000)), () => 384 * 1024],
  ['empty', (file) => fs.truncateSync(file, 0), () => 0],
  ['gone', (file) => fs.rmSync(file), () => 0],
  ['unreadable to itself', (file) => fs.chmodSync(file, 0), (partBytes) => partBytes],
  [
    'a directory',
    (file) => {
      fs.rmSync(file)
      fs.mkdirSync(file)
    },
    () => 0,
  ],
  [
    'a link to a file of somebody',
    (file) => {
      fs.rmSync(file)
      fs.symlinkSync(source.abs(path), file)
    },
    () => 0,
  ],
]
test.each(damages)('what was there is %s: as far as both agree', (_, damage, from) => {
  offered(1)
  const { bytes } = send(1, [], 2)
  drop(1)
  damage(target.abs(partFile()))
  const sent = send(2, offered(2))
  expect(sent).toEqual({ bytes: sizeBytes - from(bytes), from: from(bytes), ends: ['whole'] })
  expect(target.apply([writeFile(path, absent, 0, text)], [], 2).outcomes).toMatchObject([{ kind: 'done' }])
  expect(target.read(path)).toBe(text)
})

function patch(file: string, position: number, bytes: string): void {
  const fd = fs.openSync(file, 'r+')
  fs.writeSync(fd, bytes, position)
  fs.closeSync(fd)
}

test('zeros that are left out where other bytes were show as zeros', () => {
  offered(1)
  send(1, [], 3)
  drop(1)
  const sparse = `${text.slice(0, 200_000)}${'\0'.repeat(400_000)}${text.slice(600_000)}`
  source.write(path, sparse, 77n)
  expect(send(2, offered(2))).toMatchObject({ from: 128 * 1024, ends: ['whole'] })
  expect(target.apply([writeFile(path, absent, 0, sparse)], [], 2).outcomes).toMatchObject([{ kind: 'done' }])
  expect(target.read(path) === sparse).toBe(true)
})

test('law: of a file of which any part of any other is here, all that is sent and what both agree on make the file', () => {
  fc.assert(
    fc.property(fc.nat(sizeBytes), fc.nat(sizeBytes - 1), fc.nat(3), (partBytes, differsAt, seed) => {
      source = freshRoot()
      target = freshRoot()
      source.write(path, text)
      fs.mkdirSync(target.abs('d'))
      target.scan(['d'])
      fs.mkdirSync(target.abs('.tandem/parts'))
      const other = `${text.slice(0, differsAt)}${seed}${text.slice(differsAt + 1)}`
      fs.writeFileSync(target.abs(partFile()), other.slice(0, partBytes))
      const sent = send(1, offered(1))
      expect(sent.bytes + (sent.from ?? 0)).toBe(sizeBytes)
      apply(1)
    }),
    { numRuns: 25 },
  )
})

test.each([
  ['changes while its beginning is compared, and goes on as it is now', 0],
  ['changes while its rest is sent', 1],
])('a source that %s: nothing is taken that was never there', (_, packs) => {
  offered(1)
  send(1, [], 2)
  drop(1)
  const prefixes = offered(2)
  const change = () => patch(source.abs(path), 10, 'changed')
  if (packs === 0) {
    const stale = wanted()
    change()
    source.retime(path, stale.mtimeNs)
    expect(send(2, prefixes)).toEqual({ bytes: sizeBytes, from: 0, ends: ['whole'] })
    return
  }
  expect(send(2, prefixes, 100, change).ends).toEqual(['superseded'])
  expect(target.apply([writeFile(path, absent, 0, text)], [], 2).outcomes).toMatchObject([{ kind: 'failed' }])
  expect(target.tree()).toEqual({ d: '/' })
})

test('a source that goes on where it was not asked to is refused, and the part goes', () => {
  offered(1)
  send(1, [], 2)
  drop(1)
  offered(2)
  const pack = new BytesWriter()
  const data = Buffer.from(text.slice(4_096))
  writeItem(pack, {
    want: 0,
    position: 4_096,
    data,
    fingerprint: source.content(path).kind === 'file' ? source.fingerprint(path) : undefined,
  })
  const props = new Uint8Array(0)
  stageJob.run(target.world, { place: target.place, pair, batch: 2, pack: pack.finish(), props })
  expect(target.apply([writeFile(path, absent, 0, text)], [], 2).outcomes).toMatchObject([
    { kind: 'failed', code: 'changing', transient: true },
  ])
  expect(offered(3)).toEqual([])
})

test('a rest that is not the one of the fingerprint takes the part with it: the next attempt begins from the start', () => {
  offered(1)
  send(1, [], 2)
  drop(1)
  const [last] = offered(2).slice(-1)
  const pack = new BytesWriter()
  const data = Buffer.from('x'.repeat(sizeBytes - (last?.sizeBytes ?? 0)))
  writeItem(pack, { want: 0, position: last?.sizeBytes ?? 0, data, fingerprint: source.fingerprint(path) })
  stageJob.run(target.world, { place: target.place, pair, batch: 2, pack: pack.finish(), props: new Uint8Array(0) })
  drop(2)
  expect(partsThere()).toEqual([])
  expect(send(3, offered(3)).from).toBe(0)
  apply(3)
})

test.each([
  ['is the whole file', sizeBytes],
  ['is longer than the file', sizeBytes + 1],
])('a beginning that %s is none: there is always something left to send', (_, told) => {
  const prefixes = [{ sizeBytes: told, fingerprint: source.fingerprint(path) }]
  expect(send(1, prefixes)).toEqual({ bytes: sizeBytes, from: 0, ends: ['whole'] })
})

test('what was there never makes the file longer than it is said to be', () => {
  source.write(path, text.slice(0, 600_000))
  fs.mkdirSync(target.abs('.tandem/parts'))
  fs.writeFileSync(target.abs(partFile()), text.slice(0, 700_000))
  expect(send(1, offered(1, sizeBytes))).toMatchObject({ from: 512 * 1024, ends: ['whole'] })
  const operation = writeFile(path, absent, 0, text.slice(0, 600_000))
  expect(target.apply([operation], [], 1).outcomes).toMatchObject([
    { kind: 'failed', code: 'changing', transient: true },
  ])
  expect(target.tree()).toEqual({ d: '/' })
})

test('parts belong to a pair: another one is told of none', () => {
  offered(1)
  send(1, [], 2)
  drop(1)
  const files = [{ want: 0, path, sizeBytes }]
  const { taken, others } = resumeJob.run(target.world, { place: target.place, pair: 'b'.repeat(32), batch: 2, files })
  expect({ taken, others }).toEqual({ taken: 0, others: false })
  expect(offered(3)).not.toEqual([])
})

test('of two processes on a root one has the part', () => {
  offered(1)
  send(1, [], 2)
  drop(1)
  const other = target.secondProcess()
  resumeJob.run(other.world, { place: other.place, pair, batch: 1, files: [{ want: 0, path, sizeBytes }] })
  expect(offered(2)).toEqual([])
})

describe('parts do not pile up', () => {
  /** So many parts, the last one the newest. */
  function pile(count: number): string[] {
    fs.mkdirSync(target.abs('.tandem/parts'))
    const names = Array.from({ length: count }, (_, at) => partName(pair, relPath(`f${at}`)))
    for (const name of names) {
      fs.writeFileSync(target.abs(`.tandem/parts/${name}`), 'x')
      // ctime counts in ticks of the kernel's clock.
      const made = target.stat(`.tandem/parts/${name}`).ctimeNs
      while (target.stat(`.tandem/parts/${name}`).ctimeNs === made)
        fs.chmodSync(target.abs(`.tandem/parts/${name}`), 0o600)
    }
    return names
  }
  const prune = () => prunePartsJob.run(target.world, { place: target.place })

  test('the newest sixteen stay', () => {
    const names = pile(20)
    prune()
    expect(partsThere().sort()).toEqual(names.slice(4).sort())
  })

  test('what nobody came back for in a week goes, at the next start or in time', () => {
    pile(2)
    target.aheadNs = 6n * dayNs
    prune()
    expect(partsThere()).toHaveLength(2)
    target.aheadNs = 8n * dayNs
    prune()
    expect(partsThere()).toEqual([])
  })

  test('what has another name than a part is not ours to remove', () => {
    pile(1)
    fs.writeFileSync(target.abs('.tandem/parts/a note of the user'), 'x')
    target.aheadNs = 8n * dayNs
    prune()
    expect(partsThere()).toEqual(['a note of the user'])
  })

  test('together they take no more than is free beside them', () => {
    const names = pile(3)
    target.trap.room = () => ({ freeBytes: 2, totalBytes: 100 })
    prune()
    expect(partsThere().sort()).toEqual(names.slice(1).sort())
  })

  test('a full disk takes all of them', () => {
    pile(3)
    offered(1)
    target.trap.fail((call, file) =>
      call === 'write' ? new FileFailure('disk-full', file, call, 'ENOSPC') : undefined,
    )
    send(1, [])
    expect(partsThere()).toEqual([])
  })

  test('too little is not kept', () => {
    offered(1)
    const props = new Uint8Array(0)
    const pack = new BytesWriter()
    writeItem(pack, { want: 0, position: 0, data: Buffer.from(text.slice(0, 60_000)), fingerprint: undefined })
    stageJob.run(target.world, { place: target.place, pair, batch: 1, pack: pack.finish(), props })
    drop(1)
    expect(partsThere()).toEqual([])
  })

  test('one that cannot be taken up goes: its file comes anew', () => {
    offered(1)
    send(1, [], 2)
    drop(1)
    target.trap.fail((call, file) =>
      call.startsWith('rename') && file.includes('/parts/') ? new FileFailure('io', file, call, 'EIO') : undefined,
    )
    expect(offered(2)).toEqual([])
    target.trap.release()
    expect(partsThere()).toEqual([])
    send(2, [])
    apply(2)
  })

  test('one whose bytes the disk does not take is not kept', () => {
    offered(1)
    send(1, [], 2)
    target.trap.fail((call, file) => (call === 'syncFile' ? new FileFailure('io', file, call, 'EIO') : undefined))
    drop(1)
    expect(partsThere()).toEqual([])
    expect(target.slots('in')).toEqual([])
  })
})

test.each([
  [0, 600_000],
  [1, 600_000],
  [262_144, 600_000],
  [600_000, 600_000],
  [5_000_000_000, 6_000_000_000],
  [1, 1],
])('the places for %i bytes of %i are few, ascend, and leave something to send', (presentBytes, size) => {
  const ends = prefixEnds(presentBytes, size)
  expect(ends.length).toBeLessThanOrEqual(prefixesMax)
  expect([...new Set(ends)].sort((one, other) => one - other)).toEqual(ends)
  expect(ends.at(-1) ?? 0).toBe(Math.max(0, Math.min(presentBytes, size - 1)))
})

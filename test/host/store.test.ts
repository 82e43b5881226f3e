import { execFileSync, spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AbsPath, absPath } from '../../src/core/path.js'
import { nodeStores } from '../../src/host/node/store.js'
import { storeFault, storePagesFault } from '../../src/host/node/store-pages.js'
import { type Store, StoreFailure } from '../../src/host/store.js'
import { describeStore } from './store.suite.js'

const storeThread = new URL('./fixtures/store-thread.mjs', import.meta.url)

describeStore('lmdb', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-store-'))
  return {
    stores: nodeStores(),
    path: absPath(join(folder, 'records')),
    release: () => rmSync(folder, { recursive: true, force: true }),
  }
})

describe('store: files that are no stores', () => {
  let folder: string
  let path: AbsPath

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tandem-store-'))
    path = absPath(join(folder, 'records'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const rows: [what: string, damage: () => void][] = [
    ['random bytes', () => writeFileSync(path, noise(100_000))],
    ['a few random bytes', () => writeFileSync(path, noise(17))],
    ['a text', () => writeFileSync(path, 'archive of alpha and beta\n'.repeat(1_000))],
    ['zeros', () => writeFileSync(path, Buffer.alloc(65_536))],
    ['a directory in the way', () => mkdirSync(path)],
    ['a fifo in the way', () => void execFileSync('mkfifo', [path])],
    ['a store without its second meta page', () => truncateSync(filled(path, 2_000), 4_096)],
    ['a store cut to its meta pages', () => truncateSync(filled(path, 2_000), 8_192)],
    [
      'a store cut in the middle',
      () => truncateSync(filled(path, 20_000), Math.floor(statSync(path).size / 2 / 4_096) * 4_096),
    ],
    [
      'a store cut in the middle of a page',
      () => truncateSync(filled(path, 20_000), Math.floor(statSync(path).size / 2) + 1_000),
    ],
    ['a store whose meta pages are overwritten', () => overwrite(filled(path, 2_000), 0, noise(8_192))],
    ['a store of another page layout', () => overwrite(filled(path, 2_000), 28, Buffer.from([1, 0, 0, 0]))],
  ]
  test.each(rows)('%s is corrupt, and the process lives', (_, damage) => {
    damage()
    expect(codeOfOpening(path)).toBe('corrupt')
  })

  test('an empty file is a store that was never written', () => {
    writeFileSync(path, '')
    const store = nodeStores().open(path)
    store.write((transaction) => transaction.put(Uint8Array.of(1), Uint8Array.of(2)))
    expect(store.get(Uint8Array.of(1))).toEqual(Uint8Array.of(2))
    store.close()
  })

  test('a directory that does not exist is a failure of the world, and is not made', () => {
    expect(codeOfOpening(absPath(join(folder, 'absent', 'records')))).toBe('io')
    expect(statSync(join(folder, 'absent'), { throwIfNoEntry: false })).toBeUndefined()
  })

  test('a lock file that cannot be opened is a failure of the world, and the process lives', () => {
    filled(path, 10)
    rmSync(`${path}-lock`)
    mkdirSync(`${path}-lock`)
    expect(codeOfOpening(path)).toBe('io')
  })

  test('a corrupt store can be moved aside and made anew', () => {
    writeFileSync(path, noise(50_000))
    expect(codeOfOpening(path)).toBe('corrupt')
    rmSync(path)
    const store = nodeStores().open(path)
    expect(store.get(Uint8Array.of(1))).toBeUndefined()
    store.close()
  })

  test('the walk follows every page of a whole store, and a store that lacks only free pages is whole', () => {
    filled(path, 20_000)
    // Claims that the file once had a thousand pages more: as LMDB leaves it when a transaction gave pages back.
    const meta = readFileSync(path).subarray(0, 8_192)
    for (const at of [144, 4_096 + 144]) meta.writeBigUInt64LE(meta.readBigUInt64LE(at) + 1_000n, at)
    overwrite(path, 0, meta)
    expect(storeFault(path)).toBeUndefined()
    truncateSync(path, statSync(path).size - 200 * 4_096)
    expect(storeFault(path)).toMatch(/cut off/)
  })
})

describe('store: noise in its pages', () => {
  let folder: string
  let path: AbsPath

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tandem-store-'))
    path = absPath(join(folder, 'records'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const places = 100
  const damaged = (...more: string[]) =>
    spawnSync(process.execPath, [script, path, String(places), ...more], { encoding: 'utf8' })
  const script = fileURLToPath(new URL('./fixtures/store-noise.mjs', import.meta.url))

  test('at a hundred places, it is refused or can be used: the process lives', () => {
    rewritten(path, 5_000)
    const { status, signal, stdout, stderr } = damaged()
    expect([status, signal, stderr]).toEqual([0, null, ''])
    const told = JSON.parse(stdout)
    expect(told.refused + told.used).toBe(places)
    expect(told.refused).toBeGreaterThan(places / 4)
  })

  test('without the check the same noise ends the process', () => {
    rewritten(path, 5_000)
    expect(damaged('unchecked').signal).toMatch(/^SIG(SEGV|BUS|ABRT)$/)
  })

  test('a store that was written, emptied and filled again and again is whole', () => {
    for (const records of [1, 30, 3_000, 6_000]) {
      rewritten(path, records)
      expect(() => nodeStores().check(path)).not.toThrow()
    }
  })

  test('a store that is not there has no fault', () => {
    expect(() => nodeStores().check(path)).not.toThrow()
    writeFileSync(path, '')
    expect(() => nodeStores().check(path)).not.toThrow()
  })

  const rows: [what: string, damage: () => void, why: RegExp][] = [
    // what is wrong with one page                 done                                            found
    ['its own number', () => overwrite(path, page(path, leaf) * 4_096, noise(8)), /damaged/],
    ['a transaction to come', () => overwrite(path, page(path, leaf) * 4_096 + 8, u16(60_000)), /damaged/],
    ['its kind', () => overwrite(path, page(path, leaf) * 4_096 + 18, u16(branch)), /not part of a tree/],
    ['how many nodes it has', () => overwrite(path, page(path, leaf) * 4_096 + 20, u16(60_000)), /damaged/],
    ['where its nodes begin', () => overwrite(path, page(path, leaf) * 4_096 + 22, u16(0)), /damaged/],
    ['where one node lies', () => overwrite(path, page(path, leaf) * 4_096 + 24, u16(4_090)), /damaged/],
    ['where a member lies', () => overwrite(path, node(path, branch), u16(60_000)), /cut off/],
    ['which page is below it', () => overwrite(path, node(path, branch), u16(0)), /in use twice/],
    ['how long a value is', () => overwrite(path, node(path, leaf), u16(60_000)), /damaged/],
    ['how long a key is', () => overwrite(path, node(path, leaf) + 6, u16(3_000)), /damaged/],
    ['a key', () => overwrite(path, node(path, leaf) + 8, Uint8Array.of(255)), /out of order/],
  ]
  test.each(rows)('%s is noise: corrupt', (_, damage, why) => {
    rewritten(path, 5_000)
    damage()
    expect(storePagesFault(path)).toMatch(why)
  })
})

describe('store: threads and full disks', () => {
  let folder: string
  let path: AbsPath

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tandem-store-'))
    path = absPath(join(folder, 'records'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('what a worker committed is seen in the same turn, and the other way round', () => {
    const mine = nodeStores().open(path)
    const turn = new Int32Array(new SharedArrayBuffer(4))
    const worker = new Worker(storeThread, { workerData: { path, turn, rounds: 300 } })
    // The whole exchange is one turn of this thread: no timer of lmdb runs in between.
    for (let round = 1; round <= 300; round++) {
      mine.write((transaction) => transaction.put(Uint8Array.of(1), number(round)))
      Atomics.store(turn, 0, round * 2 - 1)
      Atomics.notify(turn, 0)
      if (Atomics.wait(turn, 0, round * 2 - 1, 10_000) === 'timed-out') throw new Error(`no answer in round ${round}`)
      expect(mine.get(Uint8Array.of(2))).toEqual(number(round))
      expect([...mine.range(Uint8Array.of(2), Uint8Array.of(3))].map((record) => record.value)).toEqual([number(round)])
    }
    mine.close()
    return new Promise<void>((resolve, reject) => {
      worker.on('error', reject)
      worker.on('exit', () => resolve())
    })
  })

  test.skipIf(spawnSync('unshare', ['-Urm', 'true']).status !== 0)(
    'a full disk is a transient failure of the transaction, and what was there stays readable',
    () => {
      const script = fileURLToPath(new URL('./fixtures/store-full-disk.mjs', import.meta.url))
      const shell = 'mount -t tmpfs -o size=2m none "$1" && exec "$2" "$3" "$1"'
      const said = execFileSync('unshare', ['-Urm', 'sh', '-c', shell, 'sh', folder, process.execPath, script], {
        encoding: 'utf8',
      })
      expect(JSON.parse(said)).toEqual({
        failure: 'disk-full',
        transient: true,
        readable: true,
        afterRoom: true,
        secondStore: 'disk-full',
      })
    },
  )
})

function filled(path: AbsPath, records: number): AbsPath {
  const store: Store = nodeStores().open(path)
  for (let from = 0; from < records; from += 5_000) {
    store.write((transaction) => {
      for (let at = from; at < Math.min(records, from + 5_000); at++) {
        transaction.put(number((at * 7_919) % records), Buffer.alloc(at % 500 === 0 ? 9_000 : 90, 1))
      }
    })
  }
  store.close()
  return path
}

/** A store whose pages were freed and taken again, whose list of free pages is long, and some of whose values are. */
function rewritten(path: AbsPath, records: number): AbsPath {
  for (let round = 0; round < 5; round++) {
    filled(path, records)
    const store = nodeStores().open(path)
    store.write((transaction) => {
      for (let at = round; at < records; at += 3) transaction.remove(number(at))
      for (let at = round; at < records; at += 400) transaction.put(number(at), Buffer.alloc(5_000, 1))
    })
    store.close()
  }
  return filled(path, records)
}

const branch = 1
const leaf = 2

/** A page of this kind that the newest transaction wrote: one of its tree. */
function page(path: string, kind: number): number {
  const bytes = readFileSync(path)
  const transactionAt = 24 + 128
  const newest = [0, 4_096].map((at) => bytes.readBigUInt64LE(at + transactionAt)).sort()[1]
  const mainRoot = [0, 4_096].filter((at) => bytes.readBigUInt64LE(at + transactionAt) === newest)[0] ?? 0
  let found = Number(bytes.readBigUInt64LE(mainRoot + 24 + 72 + 40))
  while (bytes.readUInt16LE(found * 4_096 + 18) !== kind) found = bytes.readUIntLE(nodeAt(bytes, found), 6)
  return found
}

/** Where the second node of such a page lies in the file. */
function node(path: string, kind: number): number {
  return nodeAt(readFileSync(path), page(path, kind))
}

function nodeAt(bytes: Buffer, page: number): number {
  return page * 4_096 + 24 + bytes.readUInt16LE(page * 4_096 + 24 + 2)
}

function u16(value: number): Uint8Array {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function codeOfOpening(path: AbsPath): string {
  try {
    const store = nodeStores().open(path)
    store.close()
    return 'opened'
  } catch (error) {
    if (error instanceof StoreFailure) return error.code
    throw error
  }
}

function overwrite(path: string, position: number, bytes: Uint8Array): void {
  const fd = openSync(path, 'r+')
  writeSync(fd, bytes, 0, bytes.length, position)
  closeSync(fd)
}

function number(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

/** Bytes without a pattern, the same in every run. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = 12_345
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[at] = state >>> 16
  }
  return bytes
}

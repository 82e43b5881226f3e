import { expect, test } from 'vitest'
import { decodeBulk, decodeDirents } from '../../../src/host/node/names.js'

/** An entry of getdents64 with `name`, padded to eight bytes. */
function dirent(name: Buffer): Buffer {
  const length = Math.ceil((19 + name.length + 1) / 8) * 8
  const entry = Buffer.alloc(length, 0)
  entry.writeBigUInt64LE(42n, 0)
  entry.writeUInt16LE(length, 16)
  entry.writeUInt8(8, 18)
  name.copy(entry, 19)
  return entry
}

/** An entry of getattrlistbulk with `name` after an optional error; undefined stands for an entry without a name. */
function bulkEntry(name: Buffer | undefined, error?: number): Buffer {
  const head = Buffer.alloc(24)
  head.writeUInt32LE((0x8000_0000 | (name === undefined ? 0 : 1) | (error === undefined ? 0 : 0x2000_0000)) >>> 0, 4)
  const parts: Buffer[] = [head]
  if (error !== undefined) parts.push(u32(error))
  if (name !== undefined) parts.push(u32(8), u32(name.length + 1), name, Buffer.alloc(4 - (name.length % 4)))
  const entry = Buffer.concat(parts)
  entry.writeUInt32LE(entry.length, 0)
  return entry
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

const names = [Buffer.from('plain'), Buffer.from('\u00e9t\u00e9'), Buffer.from([0x61, 0xff]), Buffer.alloc(255, 0x6e)]
const decoded = ['plain', '\u00e9t\u00e9', 'a\udcff', 'n'.repeat(255)]

test('a listing of Linux: names as bytes, without the two that stand for directories', () => {
  const bytes = Buffer.concat([
    dirent(Buffer.from('.')),
    ...names.map((name) => dirent(name)),
    dirent(Buffer.from('..')),
  ])
  const into: string[] = ['before']
  decodeDirents(Buffer.concat([bytes, dirent(Buffer.from('left over'))]), bytes.length, into)
  expect(into).toEqual(['before', ...decoded])
})

test('a listing of macOS: names wherever their reference points, with and without an error before', () => {
  const entries = [...names.map((name) => bulkEntry(name)), bulkEntry(Buffer.from('broken'), 5)]
  const into: string[] = []
  expect(decodeBulk(Buffer.concat(entries), entries.length, into)).toBe(true)
  expect(into).toEqual([...decoded, 'broken'])
})

test('a listing of macOS with a nameless entry is no listing', () => {
  expect(decodeBulk(bulkEntry(undefined), 1, [])).toBe(false)
})

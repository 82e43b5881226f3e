import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FileHandle } from '../../../src/host/files.js'
import { blockBytes, writeSparsely } from '../../../src/replica/jobs/sparse.js'

/** A file that counts what is written to it, and reads as zeros where nothing was. */
function paper(sizeBytes: number) {
  const bytes = Buffer.alloc(sizeBytes)
  const seen = { end: 0, written: 0, calls: 0 }
  const file: Pick<FileHandle, 'write'> = {
    write(data, position) {
      bytes.set(data, position)
      seen.end = Math.max(seen.end, position + data.length)
      seen.written += data.length
      seen.calls++
    },
  }
  return { bytes, seen, file }
}

function written(content: Buffer, itemBytes: number) {
  const { bytes, seen, file } = paper(content.length)
  for (let at = 0; at < content.length; at += itemBytes)
    writeSparsely(file, content.subarray(at, at + itemBytes), at, at + itemBytes >= content.length)
  return { bytes, ...seen }
}

const zeros = (blocks: number) => Buffer.alloc(blocks * blockBytes)
const data = (blocks: number) => Buffer.alloc(blocks * blockBytes, 7)

test.each([
  // what                                   content                                               item    blocks written
  ['nothing', [], 1_000, 0],
  ['less than a block of zeros', [Buffer.alloc(100)], 1_000, 100 / blockBytes],
  ['data alone', [data(5)], 1_000_000, 5],
  ['a hole in the middle', [data(1), zeros(3), data(2)], 1_000_000, 3],
  ['a hole at the beginning', [zeros(3), data(1)], 1_000_000, 1],
  ['a hole at the end: its last block gives the size', [data(1), zeros(3)], 1_000_000, 2],
  ['a hole at the end, which ends within a block', [data(1), zeros(3), Buffer.alloc(9)], 1_000_000, 1 + 9 / blockBytes],
  ['zeros alone', [zeros(100)], 1_000_000, 1],
  [
    'items that do not end with a block',
    [zeros(16), data(1), zeros(16)],
    6_000,
    1 + (((33 * 4096) % 6_000) % 4096) / blockBytes,
  ],
] as const)('%s', (_, parts, itemBytes, blocks) => {
  const content = Buffer.concat(parts)
  const { bytes, end, written: count } = written(content, itemBytes)
  expect(bytes.equals(content)).toBe(true)
  expect(end).toBe(content.length)
  if (blocks !== undefined) expect(count).toBe(blocks * blockBytes)
})

test('law: whatever the items, the file holds its bytes and has its size', () => {
  const part = fc.oneof(
    fc.integer({ min: 1, max: 20_000 }).map((length) => Buffer.alloc(length)),
    fc.uint8Array({ minLength: 1, maxLength: 9_000 }).map((bytes) => Buffer.from(bytes)),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.integer({ min: 1, max: 30_000 }), (parts, itemBytes) => {
      const content = Buffer.concat(parts)
      const { bytes, end } = written(content, itemBytes)
      expect(bytes.equals(content)).toBe(true)
      expect(end).toBe(content.length)
    }),
  )
})

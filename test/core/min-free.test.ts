import { expect, test } from 'vitest'
import { bytesFreeLeast, type MinFree } from '../../src/core/min-free.js'

const mib = 1024 ** 2
const share = (of: number, bytesMax?: number): MinFree => ({ kind: 'share', share: of, bytesMax })

const rows: [what: string, minFree: MinFree, totalBytes: number, leastBytes: number][] = [
  ['a size is one on any disk', { kind: 'size', bytes: 5 * mib }, 2 * mib, 5 * mib],
  ['a share grows with the disk', share(0.05), 1000 * mib, 50 * mib],
  ['it grows as far as it may', share(0.05, 20 * mib), 1000 * mib, 20 * mib],
  ['on a small disk it is small', share(0.01, 256 * mib), 100 * mib, mib],
  ['part of a byte is one', share(0.01), 150, 2],
  ['nothing of nothing', share(0.01), 0, 0],
]
test.each(rows)('%s', (_, minFree, totalBytes, leastBytes) => {
  expect(bytesFreeLeast(minFree, totalBytes)).toBe(leastBytes)
})

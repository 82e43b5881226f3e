import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { getHeapStatistics } from 'node:v8'
import { expect, test } from 'vitest'
import { tuneV8 } from '../../../src/host/node/v8-flags.js'

const mebibyte = 1 << 20

/** The kinds of collection while 300 MiB of bulk go by, 70 MiB of them at a time: more than V8 lets pass by itself. */
async function kindsDuringBulk(): Promise<Set<number>> {
  const kinds = new Set<number>()
  const take = (entries: readonly object[]): void => {
    for (const entry of entries) {
      const detail = 'detail' in entry ? entry.detail : undefined
      if (detail instanceof Object && 'kind' in detail) kinds.add(Number(detail.kind))
    }
  }
  const observer = new PerformanceObserver((list) => take(list.getEntries()))
  observer.observe({ entryTypes: ['gc'] })
  const inFlight: Buffer[] = []
  for (let n = 0; n < 300; n++) {
    inFlight.push(Buffer.alloc(mebibyte, n))
    if (inFlight.length > 70) inFlight.shift()
    await setImmediate()
  }
  take(observer.takeRecords())
  observer.disconnect()
  return kinds
}

test('bulk has the heap marked in one go, not bit by bit at each buffer', async () => {
  expect(await kindsDuringBulk()).toContain(constants.NODE_PERFORMANCE_GC_INCREMENTAL)
  tuneV8(false)
  // What was being marked bit by bit is marked to its end.
  await kindsDuringBulk()
  const kinds = await kindsDuringBulk()
  expect(kinds).toContain(constants.NODE_PERFORMANCE_GC_MAJOR)
  expect(kinds).not.toContain(constants.NODE_PERFORMANCE_GC_INCREMENTAL)
})

/** The most of the heap that is in use, in bytes, while 6,000,000 arrays come and go, of which 500,000 live at a time. */
function peakOfChurnBytes(): number {
  const living: number[][] = []
  let peak = 0
  for (let n = 0; n < 6_000_000; n++) {
    living[n % 500_000] = [n, n, n, n, n, n, n, n]
    if (n % 10_000 === 0) peak = Math.max(peak, getHeapStatistics().used_heap_size)
  }
  return peak
}

test('what lives for a while, and no longer, is collected before there is twice as much', () => {
  tuneV8(false)
  // 70 MiB of them live, 32 MiB are new. Without, the heap comes to 290 MiB.
  expect(peakOfChurnBytes()).toBeLessThan(200 * mebibyte)
})

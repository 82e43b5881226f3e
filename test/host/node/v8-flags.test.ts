import { execFileSync } from 'node:child_process'
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
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

/** In processes of their own: how far a heap may grow is said by its last mark, and this one has a past. */
function peaksOfChurnBytes(life: 'resident' | 'pass'): number[] {
  const script = fileURLToPath(new URL('../fixtures/churn.mjs', import.meta.url))
  return [1, 2, 3].map(() => Number(execFileSync(process.execPath, [script, life], { encoding: 'utf8' })))
}

test('what lives for a while, and no longer, is collected sooner in an agent that stays', () => {
  const [residents, passes] = [peaksOfChurnBytes('resident'), peaksOfChurnBytes('pass')]
  // 70 MiB of them live, 32 MiB are new. Node 20: 106 MiB and 258; Node 24: 155 and 310, and one process in 40 looks at 500 for the first time.
  expect(Math.min(...residents)).toBeLessThan(200 * mebibyte)
  expect(Math.min(...residents)).toBeLessThan(0.7 * Math.min(...passes))
  if (process.versions.node.startsWith('20.')) expect(Math.max(...residents)).toBeLessThan(150 * mebibyte)
})

// Frames as they may come from anybody: so many for the decoder, and as many for the two ends of a link, a quarter
// each from the first frame on and half deep in a conversation, as the tests of T7 and T8 send them. No crash, no growth, nothing outside the root; each finding is told with its seed and its frames.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { tsImport } from 'tsx/esm/api'

/** Frames between two looks at the memory. */
const partFrames = 50_000
/** What the heap, and what it holds outside, may grow by from the first look to the last. */
const growthBytesMax = 64 << 20

export async function soakFrames(count, seed) {
  const { fuzzDecoder, fuzzLeading, fuzzServing } = await tsImport('../test/threats/fuzz.ts', import.meta.url)
  const { converse } = await tsImport('../test/threats/conversations.ts', import.meta.url)
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  const started = performance.now()
  const sums = { messages: 0, served: 0, led: 0, conversed: 0 }
  let first
  let heap = 0
  for (let done = 0; done < count; done += partFrames) {
    const part = Math.min(partFrames, count - done)
    sums.messages += await fuzzDecoder(part, seed + done)
    sums.served += await fuzzServing(Math.ceil(part / 4), seed + done)
    sums.led += await fuzzLeading(Math.ceil(part / 4), seed + done)
    sums.conversed += (await converse(Math.ceil(part / 2), seed + done)).links
    collect()
    const { heapUsed, external } = process.memoryUsage()
    heap = heapUsed + external
    first ??= heap
    if (heap - first > growthBytesMax) throw new Error(`the heap grew from ${first} to ${heap} bytes, seed ${seed}`)
  }
  const minutes = ((performance.now() - started) / 60_000).toFixed(1)
  console.log(
    `frames: ${minutes} min, seed ${seed}: ${count} to the decoder, of which ${sums.messages} were messages; ${count} to links, ` +
      `${sums.served} of a served root, ${sums.led} of a lead and ${sums.conversed} of both at once: no crash, nothing outside the root, ` +
      `the heap grew by ${((heap - (first ?? 0)) / 1_048_576).toFixed(1)} MiB`,
  )
}

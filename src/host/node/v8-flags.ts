import { setFlagsFromString } from 'node:v8'

/**
 * Fits V8 to what an agent does, for this thread and those that are started afterwards. May be called again. `onePass`: the process ends
 * when it has done one thing, and what it has used goes with it.
 *
 * A job makes much that does not outlive it: while the room for new objects grows from V8's own start of 1 MiB by doubling, a first sync
 * of 100,000 files collects garbage a tenth of its time. It grows at once, and not from the start, which V8 never goes below
 * when it gives back.
 *
 * Bulk goes through buffers outside of the heap. From 64 MiB of them on V8 marks the heap bit by bit, 5 to 10 ms at each further
 * buffer, and whatever else was asked for waits. The heap itself is small: marked in one go it takes less than one such step.
 *
 * Being small it is also marked sooner: V8 would let it grow to four times what lived at the last mark. A lead that is told of 70,000
 * files again and again takes 250 MiB so and not 340, and what a hostile peer sends adds nothing. A first sync takes 4 % longer by it, so
 * one pass may grow to five times.
 *
 * Work comes in bursts of seconds, and each thread compiles its code for itself: a sixth of a first sync is V8's compiler. What it needs to know
 * of a function is noted from the first call on, so that the compiler comes sooner, and it puts less of other functions into one, so that it
 * is done sooner: together a twentieth of the processor time.
 */
export function tuneV8(onePass: boolean): void {
  setFlagsFromString(`--max-semi-space-size=${semiSpaceMiB}`)
  setFlagsFromString(`--semi-space-growth-factor=${semiSpaceMiB}`)
  setFlagsFromString('--no-incremental-marking')
  setFlagsFromString(`--heap-growing-percent=${onePass ? passGrowthPercent : residentGrowthPercent}`)
  setFlagsFromString('--no-lazy-feedback-allocation')
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${inlinedBytesMax}`)
}

/** A first sync takes a twelfth less processor time than with 8; a thread at work takes up to three times as much, one at rest little. */
const semiSpaceMiB = 32
const residentGrowthPercent = 50
const passGrowthPercent = 400
const inlinedBytesMax = 300

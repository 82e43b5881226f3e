import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Job } from '../workers.js'
import { mallocTrim } from './libc.js'

/**
 * Collects the garbage of this thread, and lets the C library give free memory back to the system. Both keep what much work
 * has needed in case it comes again: of an agent that has sent 100,000 files that is half of its memory. Answers whether V8 keeps the room for
 * new objects all the same, which it does while much was allocated in the seconds before.
 */
export function giveBack(): boolean {
  collect ??= collector()
  collect()
  mallocTrim(0)
  const room = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
  return (room?.physical_space_size ?? 0) > roomAtRestMax
}

/** In bytes. At rest it is 1 or 2 MiB, at work 64. */
const roomAtRestMax = 8 * 1024 * 1024

/** The same in a worker thread. */
export const giveBackJob: Job<null, boolean> = {
  name: 'give-back',
  run: () => giveBack(),
}

let collect: (() => void) | undefined

/** Node has no call for it. The flag holds for contexts that are made after it was set: nobody else gets a `gc`. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return typeof gc === 'function' ? () => gc() : () => undefined
}

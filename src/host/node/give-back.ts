import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Job } from '../workers.js'
import { mallocTrim } from './libc.js'

/**
 * Collects the garbage of this thread, and lets the C library give free memory back to the system. Both keep what much work
 * has needed in case it comes again: of an agent that has sent 100,000 files that is half of its memory.
 */
export function giveBack(): void {
  collect ??= collector()
  collect()
  mallocTrim(0)
}

/** The same in a worker thread. */
export const giveBackJob: Job<null, null> = {
  name: 'give-back',
  run() {
    giveBack()
    return null
  },
}

let collect: (() => void) | undefined

/** Node has no call for it. The flag holds for contexts that are made after it was set: nobody else gets a `gc`. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return typeof gc === 'function' ? () => gc() : () => undefined
}

import type { PassOptions, PassResult } from '../engine/pass.js'
import type { Endpoint } from '../host/sockets.js'

export type { Choice, Item, PassOptions, PassResult, SideState } from '../engine/pass.js'

/**
 * The house, built from a Config and a Host by openAgent. The order of its life: open; any number of `pass`, or one `run`;
 * close. `stop` may come at any time.
 */
export interface Agent {
  /**
   * One pass over every pair: scan, reconcile, propagate, commit. `decide` is asked before anything is propagated; without it
   * every item takes its default. With `dryRun` nothing is changed and `decide` is not asked.
   */
  pass(options: PassOptions): Promise<PassResult>
  /** Keeps the pairs equal and serves the roots until stopped. Resolves with the result of the last pass. */
  run(): Promise<PassResult>
  /** finish: the cycle in progress is completed. now: operations in hand are finished and committed, nothing new begins. */
  stop(how: 'finish' | 'now'): void
  /** Ends every activity. After it the process has nothing left to wait for but the host itself. */
  close(): Promise<void>
  /** Where it listens, once it does; with port 0 in the configuration this is the port that was found. */
  readonly listening: Endpoint | undefined
}

import type { Config } from '../config/config.js'
import type { AbsPath } from '../core/path.js'
import type { AcceptedPath } from '../engine/accept.js'
import type { OpenItem } from '../engine/opens.js'
import type { PassOptions, PassResult } from '../engine/pass.js'
import type { PairState } from '../engine/state.js'
import type { Endpoint, Place, Socket } from '../host/sockets.js'
import type { NotListening } from './listeners.js'
import type { UnwatchedRoot } from './unwatched.js'

export type { OpenItem } from '../engine/opens.js'
export type { Choice, Item, PassOptions, PassResult, SideState } from '../engine/pass.js'
export { NotReady, type PairState, type StateWord } from '../engine/state.js'

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
  /**
   * Keeps the pairs equal and serves the roots until stopped. Resolves with the result of the last pass. A resident agent keeps
   * each pair for itself: none of them ends it.
   */
  run(): Promise<PassResult>
  /** finish: the cycle in progress is completed. now: operations in hand are finished and committed, nothing new begins. */
  stop(how: 'finish' | 'now'): void
  /** Ends every activity. After it the process has nothing left to wait for but the host itself. */
  close(): Promise<void>
  /** Serves this user at a place beside those of the configuration, until it closes. @throws LinkFailure */
  offer(place: Place): Promise<void>
  /** Serves the far end of a connection that is there already, this user, until it ends. */
  join(socket: Socket): Promise<void>
  /** Where peers connect to, once they can; with port 0 in the configuration this is the port that was found. In the order of the configuration. */
  readonly addresses: readonly Endpoint[]
  /** Where nobody can connect yet; it is tried again. */
  readonly notListening: readonly NotListening[]
  /** The pairs that are kept, in the order of the configuration. */
  readonly pairs: readonly SteeredPair[]
  readonly served: readonly ServedRoot[]
  /** Removals that are held in a root that is served under the name may be made; false: there is none. */
  letGoServed(name: string): Promise<boolean>
  /**
   * Goes over to another configuration while it runs: what is new starts, what is gone stops, what changed is started again, and
   * the rest goes on undisturbed. The state directory stays.
   * @throws Failure when it cannot; then nothing has changed
   */
  reread(config: Config): Promise<Reread>
}

/** A pair as it is seen and steered from outside while it is kept. */
export interface SteeredPair {
  readonly name: string
  /** As configured. */
  readonly roots: { readonly alpha: string; readonly beta: string }
  state(): PairState
  /** Paths that were reported and are not equal. */
  open(): readonly OpenItem[]
  /** Of its roots of this machine. */
  unwatched(): readonly UnwatchedRoot[]
  /** Paused, it completes the cycle in progress and begins no other, until it is resumed or the agent ends. */
  pause(on: boolean): void
  /** Removals that are held, by the pair or by a root of this machine, may be made. @throws NotReady */
  letGo(): Promise<void>
  /** Looks at both roots as a whole. @throws NotReady */
  rescan(signal: AbortSignal): Promise<void>
  /** A step of taking what stands at a path for what is there: see engine/accept.ts. Answers the id of the pair. @throws NotReady */
  accept(accepted: AcceptedPath): Promise<string>
  /**
   * Resolves when everything that was written to either root before the call has been tried once; the paths that stayed open.
   * @throws NotReady 'timed-out' or 'disconnected' when the signal aborts
   */
  flush(signal: AbortSignal): Promise<readonly OpenItem[]>
}

export interface ServedRoot {
  readonly name: string
  readonly path: AbsPath
  /** The peers that use it now. */
  readonly peers: readonly string[]
  readonly unwatched: readonly UnwatchedRoot[]
  /** Why nobody can use it, as long as the configuration says so. */
  readonly trouble: { readonly code: string; readonly detail: string } | undefined
}

/** What became of pairs and served roots, by name. */
export interface Reread {
  readonly started: readonly string[]
  readonly stopped: readonly string[]
  readonly restarted: readonly string[]
}

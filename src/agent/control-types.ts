import type { OpenWhy } from '../archive/archive.js'
import type { StateWord } from '../engine/state.js'
import type { Version } from '../status/version.js'

/**
 * The control socket: HTTP over a Unix socket in the state directory, for its owner only. Every answer is one JSON object with
 * `version`; one that is no success has `error` and a status of 400 or more. Within a version fields and paths are added, never
 * changed or taken away.
 *
 *     GET  /v1/status
 *     GET  /v1/conflicts   ?pair=NAME
 *     POST /v1/flush       {pair?, timeoutSeconds?}
 *     POST /v1/pause       {pair?}
 *     POST /v1/resume      {pair?, confirm?}    with confirm, removals that are held go; also for the name of a served root
 *     POST /v1/rescan      {pair?}
 *     POST /v1/reread      {}          the configuration, as SIGHUP does
 *     POST /v1/stop        {}
 *
 * Without `pair` all pairs are meant.
 */
export const controlVersion = 1

export interface StatusAnswer {
  readonly version: typeof controlVersion
  readonly agent: {
    readonly pid: number
    readonly program: string
    /** The command that it was started with. */
    readonly command: string
    readonly uptimeMs: number
    /** Where peers connect to: the first of the addresses. */
    readonly listening: string | null
    readonly addresses: readonly string[]
    /** Where it should listen and cannot yet; it is tried again. */
    readonly notListening: readonly { readonly address: string; readonly code: string; readonly detail: string }[]
    /** The configuration file that it follows. */
    readonly config: string | null
  }
  readonly pairs: readonly PairAnswer[]
  readonly served: readonly ServedAnswer[]
}

export interface ServedAnswer {
  readonly name: string
  readonly path: string
  /** Who uses it now. */
  readonly peers: readonly string[]
  readonly unwatched: readonly UnwatchedAnswer[]
  /** Why nobody can use it, as the configuration is. */
  readonly code: string | null
  readonly detail: string | null
}

export interface PairAnswer {
  readonly name: string
  readonly alpha: string
  readonly beta: string
  readonly state: StateWord
  /** Why it is halted or disconnected. */
  readonly code: string | null
  readonly detail: string | null
  readonly conflicts: number
  readonly problems: number
  /** Since both roots were last looked at as a whole. */
  readonly scanAgeMs: number | null
  /** Since what is written down was last checked against both roots, and how much these checks found and repaired. */
  readonly auditAgeMs: number | null
  readonly auditDifferences: number
  /** Of its roots of this machine; a peer's agent tells of its own. */
  readonly unwatched: readonly UnwatchedAnswer[]
}

/** What of a root cannot be watched, since the limit of watches is reached: it is looked at every few seconds. */
export interface UnwatchedAnswer {
  readonly root: string
  /** How many subtrees, and the first ten of them. */
  readonly subtrees: number
  readonly paths: readonly string[]
  /** With the line that raises the limit. */
  readonly detail: string
}

export interface ConflictsAnswer {
  readonly version: typeof controlVersion
  readonly pairs: readonly {
    readonly name: string
    readonly alpha: string
    readonly beta: string
    readonly open: readonly OpenAnswer[]
  }[]
}

/** A path that is not equal on both sides, and why. Bytes of its name that are not UTF-8 stand as \udc80 to \udcff. */
export interface OpenAnswer {
  readonly path: string
  readonly why: OpenWhy
  readonly detail: string
  /** What each side holds, of a conflict; null for the rest, and until the agent has looked at it. */
  readonly alpha: Version | null
  readonly beta: Version | null
}

export interface FlushAnswer {
  readonly version: typeof controlVersion
  /** Everything else that was written before the call is the same on both sides, and on disk. */
  readonly pairs: readonly { readonly name: string; readonly open: readonly OpenAnswer[] }[]
}

/** The names of the pairs that it was done to. */
export interface DoneAnswer {
  readonly version: typeof controlVersion
  readonly pid: number
  readonly pairs: readonly string[]
}

export interface ErrorAnswer {
  readonly version: typeof controlVersion
  readonly error: { readonly code: string; readonly message: string }
}

import type { RelPath } from '../core/path.js'
import type { ProblemCode } from '../core/report.js'
import type { Side } from '../core/side.js'
import type { Version } from './version.js'

export type { Side }

/**
 * Facts, past tense; log, terminal and metrics are folds over this one stream. `pair` is the pair's name. The fields are plain
 * JSON, and docs/events.md tells of every one of them.
 */
export type AgentEvent =
  | { readonly event: 'pair-opened'; readonly pair: string; readonly alpha: string; readonly beta: string }
  | { readonly event: 'pair-halted'; readonly pair: string; readonly code: string; readonly detail: string }
  | { readonly event: 'pair-resumed'; readonly pair: string }
  /** Somebody asked for it. */
  | { readonly event: 'pair-paused'; readonly pair: string }
  | { readonly event: 'scan-started'; readonly root: string }
  | { readonly event: 'scan-finished'; readonly root: string; readonly paths: number; readonly durationMs: number }
  | {
      readonly event: 'watch-degraded'
      readonly root: string
      readonly paths: readonly RelPath[]
      readonly detail: string
    }
  | {
      readonly event: 'cycle-started'
      readonly pair: string
      readonly cycle: number
      readonly operations: number
      readonly bytes: number
    }
  /** One path was changed on `to`. */
  | {
      readonly event: 'path-applied'
      readonly pair: string
      readonly path: RelPath
      readonly to: Side
      readonly what: 'created' | 'replaced' | 'removed' | 'properties' | 'moved'
      readonly bytes: number
      /** Of what was moved: its old path. */
      readonly from?: RelPath
    }
  /** File content on its way to `to` in this cycle so far, about; at most ten times a second. */
  | { readonly event: 'transfer-progressed'; readonly pair: string; readonly to: Side; readonly bytes: number }
  | {
      readonly event: 'conflict-found'
      readonly pair: string
      readonly path: RelPath
      readonly detail: string
      /** What each side holds. */
      readonly alphaVersion?: Version
      readonly betaVersion?: Version
    }
  | {
      readonly event: 'problem-found'
      readonly pair: string
      readonly path: RelPath
      readonly side: Side
      readonly code: ProblemCode | 'superseded' | 'held'
      readonly detail: string
    }
  | {
      readonly event: 'cycle-committed'
      readonly pair: string
      readonly cycle: number
      readonly applied: number
      readonly conflicts: number
      readonly problems: number
      readonly bytes: number
      readonly durationMs: number
    }
  | { readonly event: 'pair-current'; readonly pair: string }
  /** A side did not hold what the archive says of it, and nobody had reported it: a mistake of tandem's own, repaired now. */
  | {
      readonly event: 'audit-differed'
      readonly pair: string
      readonly path: RelPath
      readonly side: Side
      readonly detail: string
    }
  | {
      readonly event: 'audit-finished'
      readonly pair: string
      readonly differences: number
      readonly durationMs: number
    }
  /** What a dry run would do at a path; bytes that would travel. */
  | {
      readonly event: 'change-planned'
      readonly pair: string
      readonly path: RelPath
      readonly to: Side | 'both'
      /** What happened on each side since they last agreed: 'new file', 'changed', 'deleted', 'props', 'moved' ...; '' for nothing. */
      readonly alpha: string
      readonly beta: string
      readonly bytes: number
      /** Where it was before it was moved. */
      readonly from?: RelPath
    }
  /** The end of one pass, or of a resident pair: what was done in it, and what is left for somebody to look at. */
  | {
      readonly event: 'pass-finished'
      readonly pair: string
      readonly copied: number
      readonly deleted: number
      readonly moved: number
      readonly properties: number
      readonly conflicts: number
      readonly problems: number
      readonly bytes: number
      readonly durationMs: number
      readonly exitCode: number
    }
  /** Some files of the root have several names, `path` for one; each name is kept equal as a file of its own. */
  | { readonly event: 'hard-links-found'; readonly root: string; readonly path: RelPath }
  | { readonly event: 'not-taken-over'; readonly root: string; readonly path: RelPath; readonly detail: string }
  | { readonly event: 'link-opened'; readonly peer: string }
  | {
      readonly event: 'link-lost'
      readonly peer: string
      readonly code: string
      readonly detail: string
      readonly retryInMs: number
    }
  | { readonly event: 'peer-accepted'; readonly peer: string; readonly remote: string; readonly root: string }
  /** It used its invitation, and has a key of its own from now on. */
  | { readonly event: 'peer-joined'; readonly peer: string; readonly remote: string; readonly root: string }
  | { readonly event: 'peer-left'; readonly peer: string; readonly remote: string; readonly code: string }
  | {
      readonly event: 'peer-refused'
      readonly remote: string
      readonly code: string
      readonly detail: string
      /** So many of the same code from there in the last minute, of which this is the last; one if it is not said. */
      readonly times?: number
    }
  | { readonly event: 'store-moved-aside'; readonly path: string; readonly movedTo: string; readonly why: string }
  /** Of another process that uses the root it cannot be told whether it lives: what it may have left in staging is left alone. */
  | { readonly event: 'process-unclear'; readonly root: string; readonly folder: string; readonly detail: string }
  | { readonly event: 'listening'; readonly address: string }
  /** It is tried again; said once of each reason. */
  | {
      readonly event: 'listening-failed'
      readonly address: string
      readonly code: string
      readonly detail: string
    }
  /** A served root, by its name, that cannot be served as the configuration is. */
  | { readonly event: 'root-refused'; readonly root: string; readonly code: string; readonly detail: string }
  /** The configuration was read again; names of pairs and of served roots. */
  | {
      readonly event: 'configuration-reread'
      readonly file: string
      readonly started: readonly string[]
      readonly stopped: readonly string[]
      readonly restarted: readonly string[]
    }
  /** It cannot be followed: everything goes on as before. */
  | { readonly event: 'configuration-refused'; readonly file: string; readonly code: string; readonly detail: string }
  /** It cannot be opened again by its name: it goes on in the file that was open. */
  | { readonly event: 'log-refused'; readonly code: string; readonly detail: string }
  /** `tandem status` and its like do not reach this agent. */
  | { readonly event: 'control-refused'; readonly path: string; readonly code: string; readonly detail: string }
  /** `signal`: or the command that asked for it. */
  | { readonly event: 'stopping'; readonly signal: string }

export type Emit = (event: AgentEvent) => void

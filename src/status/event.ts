import type { RelPath } from '../core/path.js'
import type { ProblemCode } from '../core/report.js'
import type { Side } from '../core/side.js'

export type { Side }

/** Facts, past tense; log, terminal and metrics are folds over this one stream. `pair` is the pair's name. */
export type AgentEvent =
  | { readonly event: 'pair-opened'; readonly pair: string; readonly alpha: string; readonly beta: string }
  | { readonly event: 'pair-halted'; readonly pair: string; readonly code: string; readonly detail: string }
  | { readonly event: 'pair-resumed'; readonly pair: string }
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
      readonly what: 'created' | 'replaced' | 'removed' | 'properties'
      readonly bytes: number
    }
  | { readonly event: 'conflict-found'; readonly pair: string; readonly path: RelPath; readonly detail: string }
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
  | { readonly event: 'link-opened'; readonly peer: string }
  | {
      readonly event: 'link-lost'
      readonly peer: string
      readonly code: string
      readonly detail: string
      readonly retryInMs: number
    }
  | { readonly event: 'peer-accepted'; readonly peer: string; readonly remote: string; readonly root: string }
  | { readonly event: 'peer-left'; readonly peer: string; readonly remote: string; readonly code: string }
  | { readonly event: 'peer-refused'; readonly remote: string; readonly code: string; readonly detail: string }
  | { readonly event: 'store-moved-aside'; readonly path: string; readonly movedTo: string; readonly why: string }
  | { readonly event: 'listening'; readonly address: string }
  | { readonly event: 'stopping'; readonly signal: string }

export type Emit = (event: AgentEvent) => void

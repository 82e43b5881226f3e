import type { RelPath } from '../core/path.js'
import type { Found } from '../core/report.js'

/** What one pass over a pair came to. */
export interface PassResult {
  /** Operations that were done. */
  readonly applied: number
  /** What waits for somebody to look: conflicts, held removals, special files, what cannot be read. */
  readonly skipped: number
  readonly failed: number
  /** Content that travelled. */
  readonly bytes: number
  /** What differed or could not be told, by path. */
  readonly items: readonly Item[]
  /** Why a pair did nothing, in words. */
  readonly halted: string | undefined
}

/** One line of the plan: a path that differs, or that could not be told. */
export interface Item {
  readonly path: RelPath
  /** It is the same thing that was there, with all that is in it: one item for both places. */
  readonly from?: RelPath
  readonly kind: 'change' | 'conflict' | 'problem'
  /** What happened on this side since the roots last agreed; '' for nothing. */
  readonly alpha: SideState
  readonly beta: SideState
  /** Where the change goes by default; 'none' for conflicts and problems. */
  readonly direction: 'to-alpha' | 'to-beta' | 'both' | 'none'
  /** One line for a person. Not escaped. */
  readonly detail: string
  /** Content that would travel. */
  readonly bytes: number
  readonly alphaContent: Found
  readonly betaContent: Found
}

/** In the words of Unison's text interface: 'new file', 'changed', 'deleted', 'props', 'new dir', 'new link', ''; and 'moved'. */
export type SideState = string

/** What should become of an item. 'default' is its direction. */
export type Choice = 'default' | 'to-alpha' | 'to-beta' | 'skip'

export interface PassOptions {
  readonly dryRun: boolean
  /** Paths at which a file system came or went, and what stands there now is to stay. */
  readonly accept?: readonly RelPath[]
  /** What other pairs of the root will make of it is known, and meant. */
  readonly confirmed?: boolean
  /** One choice per item, in the order of the items; 'quit' leaves everything as it is. */
  decide?(items: readonly Item[]): Promise<readonly Choice[] | 'quit'>
}

/** Of a pass that had nothing to do, or did not begin. */
export const nothing: PassResult = { applied: 0, skipped: 0, failed: 0, bytes: 0, items: [], halted: undefined }

import type { RelPath } from './path.js'

/** Who wins a conflict. */
export type Prefer = 'nobody' | 'newer' | 'older' | 'alpha' | 'beta'

/** The preferences that decide what counts as a difference, and what becomes of it. */
export interface Rules {
  /** Mode bits that are compared and set. */
  readonly perms: number
  /** Compare and set the modification times of files. */
  readonly times: boolean
  readonly prefer: Prefer
  /** Ignored, or out of `path`: neither looked at nor counted, with all below. */
  readonly skips: (path: RelPath) => boolean
}

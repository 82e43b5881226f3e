import type { RelPath } from '../core/path.js'

/** Checked preferences of one pair, as the engine uses them. Semantics: Unison's manual, where DESIGN does not say otherwise. */
export interface Preferences {
  /** Path specifications as given: `Name *.o`, `Path a/b`, `BelowPath a`, `Regex a.*`. */
  readonly ignore: readonly string[]
  readonly ignorenot: readonly string[]
  /** Only these paths; empty means the whole root. Literal, nested ones reduced to the outermost; a final `/*` stays. */
  readonly path: readonly RelPath[]
  /** Who wins a conflict. */
  readonly prefer: 'nobody' | 'newer' | 'older' | 'alpha' | 'beta'
  readonly batch: boolean
  /** Compare and set modification times of files. Default true. */
  readonly times: boolean
  /** Mode bits that are compared and set. Default 0o1777; -1 is given as 0o7777. */
  readonly perms: number
  readonly confirmbigdel: boolean
  /** Operations under way at once; 0 lets tandem choose. */
  readonly maxthreads: number
  /** Go on in spite of another process's lock on the pair. */
  readonly ignorelocks: boolean
  /** How often a pass is made: once, every n seconds, or on events with a full scan every n seconds. */
  readonly repeat: Repeat
}

export type Repeat =
  | { readonly kind: 'once' }
  | { readonly kind: 'every'; readonly seconds: number }
  | { readonly kind: 'watch'; readonly fullScanSeconds: number }

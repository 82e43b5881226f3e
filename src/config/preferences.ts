import type { MaxDelete } from '../core/budget.js'
import type { Durability } from '../core/durability.js'
import type { Keep } from '../core/keep.js'
import type { MinFree } from '../core/min-free.js'
import type { RelPath } from '../core/path.js'
import type { Prefer } from '../core/rules.js'
import type { Side } from '../core/side.js'
import type { WatcherChoice } from '../host/watcher.js'

/** Checked preferences of one pair, as the engine uses them. Semantics: Unison's manual, where DESIGN does not say otherwise. */
export interface Preferences {
  /** Path specifications as given: `Name *.o`, `Path a/b`, `BelowPath a`, `Regex a.*`. */
  readonly ignore: readonly string[]
  readonly ignorenot: readonly string[]
  /** Only these paths; empty means the whole root. Literal, nested ones reduced to the outermost; a final `/*` stays. */
  readonly path: readonly RelPath[]
  /** Who wins a conflict. */
  readonly prefer: Prefer
  /** Who wins every difference; goes before `prefer`. */
  readonly force: Prefer
  /** The same for single paths. They go before the general ones, `forcepartial` first; of several the last one given. */
  readonly preferpartial: readonly ForPaths<Prefer>[]
  readonly forcepartial: readonly ForPaths<Prefer>[]
  /** Sides on which nothing is created, changed or removed, or removed. */
  readonly nocreation: readonly Side[]
  readonly noupdate: readonly Side[]
  readonly nodeletion: readonly Side[]
  readonly nocreationpartial: readonly ForPaths<Side>[]
  readonly noupdatepartial: readonly ForPaths<Side>[]
  readonly nodeletionpartial: readonly ForPaths<Side>[]
  /** Keep a version that is overridden beside it, under a conflict name, on the side that had it. Default false. */
  readonly copyonconflict: boolean
  /** Paths without which nothing is done: each must exist on both sides. */
  readonly mountpoint: readonly RelPath[]
  /** Synchronize symbolic links; else they are left alone. Default true. */
  readonly links: boolean
  /** Files of so many times 1,000 bytes or more do not travel; negative: all do. Default -1. */
  readonly maxsizethreshold: number
  /** How often a pass tries a path again that failed. Default 0. */
  readonly retry: number
  readonly batch: boolean
  /** Compare and set modification times of files. Default true. */
  readonly times: boolean
  /** Mode bits that are compared and set. Default 0o1777; -1 is given as 0o7777. */
  readonly perms: number
  /** What a change of the local roots outlives. Default power-loss. */
  readonly durability: Durability
  /** What the local roots keep of what is replaced or removed in them; undefined: nothing. The first who uses a root decides for all. */
  readonly keep: Keep | undefined
  /** What the disks of the local roots are to keep free; undefined: nothing. The first who uses a root decides for all. */
  readonly minFree: MinFree | undefined
  readonly confirmbigdel: boolean
  /** What may be removed from the local roots in a day; undefined, with confirmbigdel off: anything. */
  readonly maxDelete: MaxDelete | undefined
  /** Operations under way at once; 0 lets tandem choose. */
  readonly maxthreads: number
  /** Go on in spite of another process's lock on the pair. */
  readonly ignorelocks: boolean
  /** How often a pass is made: once, every n seconds, or on events with a full scan every n seconds. */
  readonly repeat: Repeat
  /** How the local roots are watched. Default auto. The first who uses a root decides for all. */
  readonly watcher: WatcherChoice
}

/** What holds for the paths that a path specification matches; an arrow at its end does not count. */
export interface ForPaths<T> {
  readonly pattern: string
  readonly value: T
}

export type Repeat =
  | { readonly kind: 'once' }
  | { readonly kind: 'every'; readonly seconds: number }
  | { readonly kind: 'watch'; readonly fullScanSeconds: number }

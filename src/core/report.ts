import type { Content } from './content.js'
import type { RelPath } from './path.js'

/**
 * Why a path cannot be told or changed. Never counts as absence.
 *
 *     denied        no permission to read, list or change it, or an immutable file
 *     io            the disk or the file system answered with an error
 *     special       a device, socket or fifo: never synchronized
 *     name          a name or path longer than the file system takes, or one that is reserved
 *     boundary      another file system begins here, or no longer does
 *     changing      changed each time it was read
 *     loop          a symbolic link in the way
 *     disk-full     no room or quota
 *     read-only     a read-only file system
 *     busy          somebody is writing the file, or it is a mount point
 *     not-empty     a directory that should go holds what is not synchronized
 *     held          too many removals at once, or of everything: they wait for somebody's word
 *     unsupported   the file system cannot do what the operation needs
 */
export type ProblemCode =
  | 'denied'
  | 'io'
  | 'special'
  | 'name'
  | 'boundary'
  | 'changing'
  | 'loop'
  | 'disk-full'
  | 'read-only'
  | 'busy'
  | 'not-empty'
  | 'unsupported'
  | 'held'

export interface Problem {
  readonly kind: 'problem'
  readonly code: ProblemCode
  /** One line for a person: what happened, in which call. Bounded; escaped only where it is shown. */
  readonly detail: string
}

/** What was found at a path. A problem keeps all that was known at the path and below it. */
export type Found = Content | Problem

export interface Member {
  readonly name: string
  readonly found: Found
}

/**
 * What one root holds, as its index last saw it, before any preference.
 *
 * entry: the truth at the path itself. Absent, a file or a symlink: nothing is below. A directory: nothing is said of its members.
 * listing: the members of a directory, complete: a name that it lacks is absent there. `more` says that the next listing
 * of the same path continues it; nothing may be concluded before the last one has arrived.
 * moved: a hint, never a fact: the directory that is at `path` now was at `from` before, and nothing of it is there any
 * more. What is in it is told elsewhere, or is what it was.
 */
export type Report =
  | { readonly kind: 'entry'; readonly path: RelPath; readonly found: Found }
  | { readonly kind: 'listing'; readonly path: RelPath; readonly members: readonly Member[]; readonly more: boolean }
  | { readonly kind: 'moved'; readonly path: RelPath; readonly from: RelPath }

import type { Content } from './content.js'
import type { RelPath } from './path.js'
import type { Problem } from './report.js'
import type { Side } from './side.js'

/** What reconcile says of one path. A path of which it says nothing is as agreed. */
export type Decision = Settle | Conflict | Trouble | Unread

/**
 * Both sides shall hold `goal`, and then it is the agreement. `alpha` and `beta` are what was reported, `agreement` what was
 * agreed before. Where neither side needs an operation it is agreed already.
 *
 * Properties in `goal` are those that are compared: masked modes, times of files. One that is unknown is left as it is. A
 * mode in conflict is the archive's, and each side keeps its own: the same path has a conflict about properties too.
 */
export interface Settle {
  readonly kind: 'settle'
  readonly path: RelPath
  readonly goal: Content
  readonly alpha: Content
  readonly beta: Content
  readonly agreement: Content
  /** A property goes back to what was agreed: it is set although the agreement has it already. */
  readonly resets?: true
  /** A removal that makes way for a name that the file system takes for the same. */
  readonly first?: true
  /** A preference or a person decided otherwise than the change itself does: this side's version, with all below, is lost. */
  readonly overridden?: Side
}

/**
 * Both sides changed, differently; or, with `why`, what was decided must not be done. About content: nothing is decided at
 * the path and below.
 */
export interface Conflict {
  readonly kind: 'conflict'
  readonly path: RelPath
  readonly about: 'content' | 'properties'
  readonly agreement: Content
  readonly alpha: Content
  readonly beta: Content
  /** The preference that forbids it, in words for a person; none where both sides changed. */
  readonly why?: string
}

/** The path cannot be told, or could not be changed without losing what cannot be told. Nothing is decided at it and below. */
export interface Trouble {
  readonly kind: 'problem'
  readonly path: RelPath
  readonly side: Side
  readonly problem: Problem
}

/** Nothing can be decided before these sides have been read. */
export interface Unread {
  readonly kind: 'unread'
  readonly path: RelPath
  /** Where nothing can be decided before: the path itself, or a directory above it that would go with it. */
  readonly undecided: RelPath
  readonly sides: readonly Side[]
}

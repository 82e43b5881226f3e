import type { RelPath } from './path.js'
import type { Side } from './side.js'

/** Who wins. */
export type Prefer = 'nobody' | 'newer' | 'older' | 'alpha' | 'beta'

/** Who wins at some paths: only where there is a conflict, or whatever differs. */
export interface Decider {
  readonly who: Prefer
  readonly forces: boolean
}

/** What a root may be spared. `noupdate` spares it deletions too. */
export type Restriction = 'nocreation' | 'noupdate' | 'nodeletion'

/** The preferences that decide what counts as a difference, and what becomes of it. */
export interface Rules {
  /** Mode bits that are compared and set. */
  readonly perms: number
  /** Compare and set the modification times of files. */
  readonly times: boolean
  /** Symbolic links are synchronized; else they are left alone. */
  readonly links: boolean
  /** Who wins a conflict. */
  readonly prefer: Prefer
  /** Who wins every difference; goes before `prefer`. */
  readonly force: Prefer
  /** What goes before both at this path. */
  readonly deciderAt: (path: RelPath) => Decider | undefined
  /** Whether a side is spared at a path; undefined: no side is, anywhere. */
  readonly spares: ((side: Side, restriction: Restriction, path: RelPath) => boolean) | undefined
  /** Files of so many bytes or more do not travel. */
  readonly tooLargeBytes: number
  /** Ignored, or out of `path`: neither looked at nor counted, with all below. */
  readonly skips: (path: RelPath) => boolean
}

/**
 * The rules with `prefer` and `force` as they are at one path. A partial preference goes before a general one, of whichever
 * kind; who is forced to win wins conflicts too.
 */
export function rulesAt(rules: Rules, path: RelPath): Rules {
  const { who, forces } = rules.deciderAt(path) ?? generalDecider(rules)
  const force = forces ? who : 'nobody'
  return rules.prefer === who && rules.force === force ? rules : { ...rules, prefer: who, force }
}

function generalDecider({ prefer, force }: Rules): Decider {
  return force === 'nobody' ? { who: prefer, forces: false } : { who: force, forces: true }
}

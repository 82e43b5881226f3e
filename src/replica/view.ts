import { join, parentOf, type RelPath, rootPath } from '../core/path.js'
import { patternsSizeMax, TooManyPatterns } from '../core/pattern.js'
import type { Report } from '../core/report.js'
import { seenPredicate } from '../core/seen.js'
import type { Clock } from '../host/clock.js'
import type { View } from './replica.js'

/**
 * Leaves out of reports what a lead does not want to see: ignored paths with all below, and what its `path` leaves out.
 * It saves the wire, nothing depends on it: the lead looks away from these paths anyway. So it is given up, for good, where the
 * lead's patterns are too many or cost too much: no peer makes this thread stand still with a pattern.
 */
export function viewFilter(view: View, clock: Clock): (reports: readonly Report[]) => readonly Report[] {
  if (view.ignore.length === 0 && view.paths.length === 0) return (reports) => reports
  const own = ownIn(view, clock)
  const known = new Map<RelPath, boolean>()
  const seen = (directory: RelPath): boolean => {
    const answer = known.get(directory)
    if (answer !== undefined) return answer
    const sees: boolean = own(directory) && (directory === rootPath || seen(parentOf(directory)))
    if (known.size > knownMax) known.clear()
    known.set(directory, sees)
    return sees
  }
  return (reports) => {
    const kept: Report[] = []
    for (const report of reports) {
      if (report.kind !== 'listing') {
        if (report.path === rootPath ? own(rootPath) : seen(parentOf(report.path)) && own(report.path))
          kept.push(report)
      } else if (seen(report.path)) {
        const members = report.members.filter(({ name }) => own(join(report.path, name)))
        kept.push(members.length === report.members.length ? report : { ...report, members })
      }
    }
    return kept
  }
}

/** As seenIn, for the thread that nothing may keep: what is long, large or made in more than a moment is told instead. */
function ownIn(view: View, clock: Clock): (path: RelPath) => boolean {
  const inScope = scopePredicate(view)
  if (charsOf(view.ignore) + charsOf(view.ignorenot) > patternCharsMax) return inScope
  const seen = seenIn(view, clock, patternsSizeHere)
  return (path) => (path.length > pathCharsMax ? inScope(path) : seen(path))
}

/**
 * Whether a path itself is in the view, as long as the patterns do not cost too much, to make or to ask; then as if there were none. The
 * owner of such patterns is refused with them, so that no lead that keeps the rules has any. @throws BadPattern
 */
export function seenIn(view: View, clock: Clock, sizeMax = patternsSizeMax): (path: RelPath) => boolean {
  const inScope = scopePredicate(view)
  const cost = new Cost(clock)
  let seen: (path: RelPath) => boolean
  try {
    seen = seenPredicate({ ...view, paths: view.paths as readonly RelPath[] }, sizeMax)
  } catch (error) {
    if (!(error instanceof TooManyPatterns)) throw error
    return inScope
  }
  return (path) => (cost.isTooHigh ? inScope(path) : cost.of(() => seen(path)))
}

function scopePredicate({ paths }: View): (path: RelPath) => boolean {
  return seenPredicate({ ignore: [], ignorenot: [], paths: paths as readonly RelPath[] })
}

/** What the patterns of one view cost so far. */
class Cost {
  isTooHigh = false
  private spentMs = 0
  private paths = 0

  constructor(private readonly clock: Clock) {}

  of<T>(work: () => T): T {
    const before = this.clock.now()
    const result = work()
    this.spentMs += this.clock.now() - before
    this.paths++
    if (this.spentMs > patternsMs && this.spentMs > this.paths * pathMs) this.isTooHigh = true
    return result
  }
}

/** Patterns of a view in characters: a person's are far fewer. */
const patternCharsMax = 16_384
/** What they may take here: made twice, as expressions are, that is a tenth of a second at most. */
const patternsSizeHere = 5_000
/** A longer path is told whatever they say: one path for a large expression takes so many steps, all at once. */
const pathCharsMax = 1_024
/** Patterns may take this long in all, or this long a path. */
const patternsMs = 200
const pathMs = 0.1

function charsOf(patterns: readonly string[]): number {
  return patterns.reduce((chars, pattern) => chars + pattern.length, 0)
}

/** Directories whose answer is kept. */
const knownMax = 50_000

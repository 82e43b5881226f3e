import { join, parentOf, type RelPath, rootPath } from '../core/path.js'
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
  const own = seenIn(view, clock)
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

/** Whether a path itself is in the view, as long as the patterns do not cost too much; then as if there were none. */
export function seenIn(view: View, clock: Clock): (path: RelPath) => boolean {
  const paths = view.paths as readonly RelPath[]
  const inScope = seenPredicate({ ignore: [], ignorenot: [], paths })
  if (charsOf(view.ignore) + charsOf(view.ignorenot) > patternCharsMax) return inScope
  const cost = new Cost(clock)
  const seen = seenPredicate({ ...view, paths })
  return (path) => (cost.isTooHigh ? inScope(path) : cost.of(() => seen(path)))
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
/** Patterns may take this long in all, or this long a path. */
const patternsMs = 200
const pathMs = 0.1

function charsOf(patterns: readonly string[]): number {
  return patterns.reduce((chars, pattern) => chars + pattern.length, 0)
}

/** Directories whose answer is kept. */
const knownMax = 50_000

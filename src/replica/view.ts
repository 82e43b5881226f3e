import { join, parentOf, type RelPath, rootPath } from '../core/path.js'
import { scopeOf } from '../core/paths.js'
import { ignorePredicate } from '../core/pattern.js'
import type { Report } from '../core/report.js'
import type { View } from './replica.js'

/**
 * Leaves out of reports what a lead does not want to see: ignored paths with all below, and what its `path` leaves out.
 * It saves the wire, nothing depends on it: the lead looks away from these paths anyway.
 */
export function viewFilter(view: View): (reports: readonly Report[]) => readonly Report[] {
  if (view.ignore.length === 0 && view.paths.length === 0) return (reports) => reports
  const ignored = ignorePredicate(view.ignore, view.ignorenot)
  const scope = scopeOf(view.paths as readonly RelPath[])
  const own = (path: RelPath): boolean =>
    !ignored(path) && (path === rootPath || scope.inScope(path) || scope.leadsToScope(path))
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
      if (report.kind === 'entry') {
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

/** Directories whose answer is kept. */
const knownMax = 50_000

import { nameOf, parentOf, type RelPath, rootPath } from './path.js'

/** What the preference `path` leaves in view. */
export interface PathScope {
  /** The outermost of the given paths, in the order given; a final `/*` is kept. Empty: everything. */
  readonly paths: readonly RelPath[]
  /** Whether a path is one of these or lies below one. */
  inScope(path: RelPath): boolean
  /** Whether a path of the scope lies below this one, which is not itself in scope. */
  leadsToScope(path: RelPath): boolean
}

/**
 * `paths` are literal but for a final `*`, alone or after a slash: all members of that directory, not the directory.
 * None at all, or the root among them: everything.
 */
export function scopeOf(paths: readonly RelPath[]): PathScope {
  if (paths.length === 0 || paths.includes(rootPath)) return everything
  const whole = new Set<RelPath>()
  const membersOf = new Set<RelPath>()
  for (const path of paths) {
    if (nameOf(path) === '*') membersOf.add(parentOf(path))
    else whole.add(path)
  }
  const covered = (path: RelPath): boolean => {
    for (let at = path; at !== rootPath; at = parentOf(at))
      if (whole.has(at) || membersOf.has(parentOf(at))) return true
    return false
  }
  const outermost = [...new Set(paths)].filter((path) => {
    if (nameOf(path) !== '*') return !covered(parentOf(path)) && !membersOf.has(parentOf(path))
    return !covered(parentOf(path))
  })
  const ways = new Set<RelPath>()
  for (const path of outermost) {
    let at = path
    while (at !== rootPath) {
      at = parentOf(at)
      ways.add(at)
    }
  }
  return {
    paths: outermost,
    inScope: covered,
    leadsToScope: (path) => ways.has(path) && !covered(path),
  }
}

const everything: PathScope = { paths: [], inScope: () => true, leadsToScope: () => false }

import { type RelPath, rootPath } from './path.js'
import { scopeOf } from './paths.js'
import { ignorePredicate } from './pattern.js'

/**
 * Whether a path itself is in view: not ignored, and in the scope of `paths` or on the way to it. What is above it is another
 * question: below what is not seen nothing is.
 */
export function seenPredicate(view: {
  readonly ignore: readonly string[]
  readonly ignorenot: readonly string[]
  readonly paths: readonly RelPath[]
}): (path: RelPath) => boolean {
  const ignored = ignorePredicate(view.ignore, view.ignorenot)
  const scope = scopeOf(view.paths)
  return (path) => !ignored(path) && (path === rootPath || scope.inScope(path) || scope.leadsToScope(path))
}

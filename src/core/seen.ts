import { type RelPath, rootPath } from './path.js'
import { scopeOf } from './paths.js'
import { ignorePredicate, patternsSizeMax } from './pattern.js'

/**
 * Whether a path itself is in view: not ignored, and in the scope of `paths` or on the way to it. What is above it is another
 * question: below what is not seen nothing is. @throws BadPattern, TooManyPatterns when the patterns are larger than `sizeMax`
 */
export function seenPredicate(
  view: {
    readonly ignore: readonly string[]
    readonly ignorenot: readonly string[]
    readonly paths: readonly RelPath[]
  },
  sizeMax = patternsSizeMax,
): (path: RelPath) => boolean {
  const ignored = ignorePredicate(view.ignore, view.ignorenot, sizeMax)
  const scope = scopeOf(view.paths)
  return (path) => !ignored(path) && (path === rootPath || scope.inScope(path) || scope.leadsToScope(path))
}

import type { RelPath } from './path.js'
import { matcherOf, parsePattern } from './pattern.js'

/**
 * What is said of single paths, each with a path specification: the last one given that matches a path counts. An arrow in
 * a pattern, and what stands after it, is left aside. @throws BadPattern
 */
export function partialOf<T>(
  given: readonly { readonly pattern: string; readonly value: T }[],
): (path: RelPath) => T | undefined {
  if (given.length === 0) return () => undefined
  const rules = given.map(({ pattern, value }) => ({ matches: matcherOf([parsePattern(pattern)]), value })).reverse()
  return (path) => rules.find(({ matches }) => matches(path))?.value
}

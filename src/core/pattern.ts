import { RE2JS, RE2JSException } from 're2js'
import { Automaton, type Rule } from './automaton.js'
import { Failure } from './failure.js'
import { type Glob, GlobFault, literalOf, mayCross, parseGlob } from './glob.js'
import type { RelPath } from './path.js'

/**
 * A path specification of Unison: a keyword, a blank, and what it matches.
 *
 *     Name GLOB        the last components of the path, at any depth
 *     Path GLOB        the whole path
 *     BelowPath GLOB   the whole path, and every path below it
 *     Regex REGEX      the whole path; a dot matches '/' too
 *
 * An optional ` -> string` ends it; the last one counts. Every pattern matches every path in bounded time.
 */
export interface Pattern {
  /** As it was given. */
  readonly text: string
  readonly matcher: GlobMatcher | RegexMatcher
  /** What stands after the arrow. */
  readonly associated: string | undefined
}

export interface GlobMatcher {
  readonly kind: 'name' | 'path' | 'below'
  readonly glob: Glob
}

export interface RegexMatcher {
  readonly kind: 'regex'
  readonly source: string
}

export class BadPattern extends Failure {
  override readonly name = 'BadPattern'
  readonly code = 'bad-pattern'
  constructor(
    readonly text: string,
    readonly why: string,
  ) {
    super(`${JSON.stringify(text)}: ${why}`)
  }
}

/** Longest pattern in characters. */
export const patternLengthMax = 4_096
/** Largest compiled expression, in instructions: a path costs at most this many steps for each of its characters. */
const regexSizeMax = 10_000

const keywords = new Map([
  ['Name', 'name'],
  ['Path', 'path'],
  ['BelowPath', 'below'],
  ['Regex', 'regex'],
] as const)

/** @throws BadPattern */
export function parsePattern(text: string): Pattern {
  if (text.length > patternLengthMax) throw new BadPattern(text, `longer than ${patternLengthMax} characters`)
  // The blank that an arrow at the very end may have lost to trimming.
  const arrow = `${text} `.lastIndexOf(' -> ')
  const clause = (arrow < 0 ? text : text.slice(0, arrow)).trim()
  const associated = arrow < 0 ? undefined : text.slice(arrow + 4).trim()
  const blank = clause.search(/\s/)
  const kind = [...keywords].find(([word]) => word === clause.slice(0, blank < 0 ? undefined : blank))?.[1]
  if (kind === undefined) throw new BadPattern(text, 'a pattern begins with Name, Path, BelowPath or Regex')
  const body = blank < 0 ? '' : clause.slice(blank).trim()
  if (body === '') throw new BadPattern(text, 'nothing after the keyword')
  if (body.startsWith('/')) throw new BadPattern(text, 'a path is relative to the root and begins with no slash')
  if (kind === 'regex') {
    compileRegex(text, body)
    return { text, matcher: { kind, source: body }, associated }
  }
  try {
    return { text, matcher: { kind, glob: parseGlob(body) }, associated }
  } catch (error) {
    if (!(error instanceof GlobFault)) throw error
    throw new BadPattern(text, error.message)
  }
}

/**
 * Whether a path is ignored itself, not through its parents: some pattern of `ignore` and none of `ignorenot` matches it.
 * Quick enough to be asked for every path of every pass. @throws BadPattern
 */
export function ignorePredicate(ignore: readonly string[], ignorenot: readonly string[]): (path: RelPath) => boolean {
  const ignored = matcherOf(ignore.map(parsePattern))
  const spared = matcherOf(ignorenot.map(parsePattern))
  return (path) => ignored(path) && !spared(path)
}

/** Whether any of the patterns matches a path. */
export function matcherOf(patterns: readonly Pattern[]): (path: RelPath) => boolean {
  const paths = new Set<string>()
  const nameRules: Rule[] = []
  const pathRules: Rule[] = []
  const sources: string[] = []
  for (const { matcher } of patterns) {
    if (matcher.kind === 'regex') {
      sources.push(matcher.source)
      continue
    }
    const { kind, glob } = matcher
    const literal = literalOf(glob)
    // A name without a slash asks for the last component alone, which is short.
    if (kind === 'name' && !mayCross(glob)) nameRules.push({ glob, reach: 'exact' })
    else if (kind === 'path' && literal !== undefined) paths.add(literal)
    else pathRules.push({ glob, reach: kind === 'name' ? 'tail' : kind === 'below' ? 'below' : 'exact' })
  }
  const byName = nameRules.length > 0 ? new Automaton(nameRules) : undefined
  const byPath = pathRules.length > 0 ? new Automaton(pathRules) : undefined
  const regexes = joined(sources)
  return (path) => {
    if (byName?.matches(path, startOfName(path))) return true
    if (byPath?.matches(path)) return true
    if (paths.size > 0 && paths.has(path)) return true
    for (const regex of regexes) if (regex.testExact(path)) return true
    return false
  }
}

/** Names are short, so this is quicker than lastIndexOf. */
function startOfName(path: string): number {
  let at = path.length
  while (at > 0 && path.charCodeAt(at - 1) !== 47) at--
  return at
}

/** One expression instead of many, where that has the same meaning: an open \Q would swallow what follows. */
function joined(sources: readonly string[]): RE2JS[] {
  const whole = sources.map((source) => `(?:${source})`).join('|')
  if (sources.length > 1 && !whole.includes('\\Q')) {
    try {
      const regex = RE2JS.compile(whole, RE2JS.DOTALL)
      if (regex.programSize() <= regexSizeMax) return [regex]
    } catch (error) {
      // Two groups of one name, for example.
      if (!(error instanceof RE2JSException)) throw error
    }
  }
  return sources.map((source) => compileRegex(source, source))
}

function compileRegex(text: string, source: string): RE2JS {
  try {
    const regex = RE2JS.compile(source, RE2JS.DOTALL)
    if (regex.programSize() <= regexSizeMax) return regex
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    throw new BadPattern(text, error.message.replace('(?s)', ''))
  }
  throw new BadPattern(text, 'the expression is too large')
}

import { RE2JS, RE2JSException } from 're2js'
import { Automaton, type Rule } from './automaton.js'
import { Failure } from './failure.js'
import { type Glob, GlobFault, literalOf, mayCross, parseGlob } from './glob.js'
import type { RelPath } from './path.js'
import { regexSize } from './regex-size.js'

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
  /** What it takes in time and memory: at least 1. */
  readonly size: number
  /** What stands after the arrow. */
  readonly associated: string | undefined
}

export interface GlobMatcher {
  readonly kind: 'name' | 'path' | 'below'
  readonly glob: Glob
}

export interface RegexMatcher {
  readonly kind: 'regex'
  readonly regex: RE2JS
  /** The same as text, to be put beside others in one expression. */
  readonly plain: string
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

/** A set of patterns is too large with this one: it would cost too much to make and to ask. */
export class TooManyPatterns extends Failure {
  override readonly name = 'TooManyPatterns'
  readonly code = 'too-many-patterns'
  constructor(readonly text: string) {
    super(`${JSON.stringify(text)}: with the ones before it these are too many patterns, or too large ones`)
  }
}

/** Longest pattern in characters. */
export const patternLengthMax = 4_096
/** Largest compiled expression, in instructions: a path costs at most this many steps for each of its characters. */
const regexSizeMax = 10_000
/**
 * All patterns of a set: one that is a mere name or path counts 1, of a glob its parts count, of an expression its instructions, which take
 * 6 microseconds and 600 bytes each. There is room for 20,000 names, for 3,000 globs of a dozen characters, for 250 expressions as people
 * write them.
 */
export const patternsSizeMax = 20_000
const instructionSize = 4
const globPartSize = 0.5

const keywords = new Map([
  ['Name', 'name'],
  ['Path', 'path'],
  ['BelowPath', 'below'],
  ['Regex', 'regex'],
] as const)

/** @throws BadPattern */
export function parsePattern(text: string): Pattern {
  return made(readPattern(text))
}

/** One that is no larger than there is room. @throws BadPattern, TooManyPatterns */
export function parsePatternWithin(text: string, room: number): Pattern {
  return made(readWithin(text, room))
}

/** What is known of a pattern before an expression is compiled. */
interface Read extends Pick<Pattern, 'text' | 'size' | 'associated'> {
  readonly matcher: GlobMatcher | { readonly kind: 'regex'; readonly source: string; readonly plain: string }
}

function readWithin(text: string, room: number): Read {
  const read = readPattern(text)
  if (read.size > room) throw new TooManyPatterns(text)
  return read
}

function readPattern(text: string): Read {
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
    const { size, plain } = regexSize(body)
    if (size > regexSizeMax) throw new BadPattern(text, 'the expression is too large')
    return { text, matcher: { kind, source: body, plain }, size: size * instructionSize, associated }
  }
  try {
    const glob = parseGlob(body)
    const size = literalOf(glob) === undefined ? Math.ceil(partsOf(glob) * globPartSize) : 1
    return { text, matcher: { kind, glob }, size, associated }
  } catch (error) {
    if (!(error instanceof GlobFault)) throw error
    throw new BadPattern(text, error.message)
  }
}

function made({ text, matcher, size, associated }: Read): Pattern {
  if (matcher.kind !== 'regex') return { text, matcher, size, associated }
  const { kind, source, plain } = matcher
  return { text, matcher: { kind, regex: compileRegex(text, source), plain }, size, associated }
}

/**
 * Whether a path is ignored itself, not through its parents: some pattern of `ignore` and none of `ignorenot` matches it.
 * Quick enough to be asked for every path of every pass. @throws BadPattern, TooManyPatterns when all are larger than `sizeMax`
 */
export function ignorePredicate(
  ignore: readonly string[],
  ignorenot: readonly string[],
  sizeMax = patternsSizeMax,
): (path: RelPath) => boolean {
  let room = sizeMax
  const read = (text: string): Read => {
    const one = readWithin(text, room)
    room -= one.size
    return one
  }
  // All of them before the first is made.
  const [ignoring, sparing] = [ignore.map(read), ignorenot.map(read)]
  const ignored = matcherOf(ignoring.map(made))
  const spared = matcherOf(sparing.map(made))
  return (path) => ignored(path) && !spared(path)
}

/** Whether it asks for names alone: what it says of a thing holds wherever that is moved to. @throws BadPattern */
export function isOfNames(text: string): boolean {
  const { matcher } = readPattern(text)
  return matcher.kind === 'name' && !mayCross(matcher.glob)
}

/** Whether any of the patterns matches a path. */
export function matcherOf(patterns: readonly Pattern[]): (path: RelPath) => boolean {
  const names = new Set<string>()
  const paths = new Set<string>()
  const nameRules: Rule[] = []
  const pathRules: Rule[] = []
  const expressions: Expression[] = []
  for (const { matcher, size } of patterns) {
    if (matcher.kind === 'regex') {
      expressions.push({ ...matcher, size })
      continue
    }
    const { kind, glob } = matcher
    const literal = literalOf(glob)
    // A name without a slash asks for the last component alone, which is short.
    if (kind === 'name' && !mayCross(glob)) {
      if (literal === undefined) nameRules.push({ glob, reach: 'exact' })
      else names.add(literal)
    } else if (kind === 'path' && literal !== undefined) paths.add(literal)
    else pathRules.push({ glob, reach: kind === 'name' ? 'tail' : kind === 'below' ? 'below' : 'exact' })
  }
  const byName = nameRules.length > 0 ? new Automaton(nameRules) : undefined
  const byPath = pathRules.length > 0 ? new Automaton(pathRules) : undefined
  const regexes = joined(expressions)
  return (path) => {
    if (byName?.matches(path, startOfName(path))) return true
    if (byPath?.matches(path)) return true
    if (paths.size > 0 && paths.has(path)) return true
    if (names.size > 0 && names.has(path.slice(startOfName(path)))) return true
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

function partsOf(glob: Glob): number {
  let parts = 0
  for (const part of glob) {
    parts++
    if (part.kind === 'choice') for (const other of part.of) parts += 1 + partsOf(other)
    else if (part.kind === 'set') parts += 2 * part.ranges.length
  }
  return parts
}

type Expression = RegexMatcher & Pick<Pattern, 'size'>

/** One expression instead of many, as far as there is room in one: a path is read once for all of them. */
function joined(expressions: readonly Expression[]): RE2JS[] {
  const regexes: RE2JS[] = []
  let together: Expression[] = []
  let size = 0
  const close = (): void => {
    regexes.push(...compiledOf(together))
    together = []
    size = 0
  }
  for (const expression of expressions) {
    if (size + expression.size > regexSizeMax * instructionSize) close()
    together.push(expression)
    size += expression.size
  }
  close()
  return regexes
}

function compiledOf(expressions: readonly Expression[]): RE2JS[] {
  if (expressions.length > 1) {
    try {
      return [RE2JS.compile(expressions.map(({ plain }) => `(?:${plain})`).join('|'), RE2JS.DOTALL)]
    } catch (error) {
      // Nested too deep together, for example.
      if (!(error instanceof RE2JSException)) throw error
    }
  }
  return expressions.map(({ regex }) => regex)
}

function compileRegex(text: string, source: string): RE2JS {
  try {
    return RE2JS.compile(source, RE2JS.DOTALL)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    throw new BadPattern(text, error.message.replace('(?s)', ''))
  }
}

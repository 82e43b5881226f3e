/**
 * Unison's globs as a tree.
 *
 *     *        any characters but '/'            [set]   one of the set; ranges a-z, a leading ']' is a member
 *     ?        one character but '/'             [!set]  one not of the set, nor '/'; also [^set]
 *     {a,b}    either; nested, empty too         \c      c itself
 *
 * `*`, `?` and sets do not match a dot at the start of a component. Inside [ ] braces and commas are ordinary characters.
 * A character is a code point; a lone surrogate is one too.
 */
export type Glob = readonly Part[]

export type Part =
  | { readonly kind: 'char'; readonly code: number }
  | { readonly kind: 'set'; readonly ranges: readonly Range[]; readonly negated: boolean }
  | { readonly kind: 'one' }
  | { readonly kind: 'many' }
  | { readonly kind: 'choice'; readonly of: readonly Glob[] }

/** First and last code point. */
export type Range = readonly [number, number]

/** Deepest nesting of braces. */
const braceDepthMax = 64

/** Why a text is not a glob. Caught by parsePattern alone. */
export class GlobFault extends Error {}

export function parseGlob(text: string): Glob {
  return new GlobParser(Array.from(text, (point) => point.codePointAt(0) ?? 0)).whole()
}

/** The only text that a glob matches, or undefined if there may be several. */
export function literalOf(glob: Glob): string | undefined {
  let text = ''
  for (const part of glob) {
    if (part.kind !== 'char') return undefined
    text += String.fromCodePoint(part.code)
  }
  return text
}

/** Whether a match may hold a '/'. */
export function mayCross(glob: Glob): boolean {
  return glob.some((part) =>
    part.kind === 'char' ? part.code === slash : part.kind === 'choice' && part.of.some(mayCross),
  )
}

const star = 42
const comma = 44
const dash = 45
const slash = 47
const question = 63
const bracket = 91
const backslash = 92
const bracketEnd = 93
const brace = 123
const braceEnd = 125
/** '!' and '^'. */
const negations = [33, 94]

class GlobParser {
  private at = 0

  constructor(private readonly codes: readonly number[]) {}

  whole(): Glob {
    return this.parts(0)
  }

  /** Parts up to the end, or inside braces up to a comma or the closing brace, which are left to the caller. */
  private parts(depth: number): Glob {
    const parts: Part[] = []
    for (;;) {
      const code = this.codes[this.at]
      if (code === undefined) return parts
      if (depth > 0 && (code === comma || code === braceEnd)) return parts
      parts.push(this.part(depth))
    }
  }

  private part(depth: number): Part {
    const code = this.codes[this.at]
    switch (code) {
      case star:
        this.at++
        return { kind: 'many' }
      case question:
        this.at++
        return { kind: 'one' }
      case bracket:
        this.at++
        return this.set()
      case brace:
        this.at++
        return this.choice(depth + 1)
      default:
        return { kind: 'char', code: this.char() }
    }
  }

  private choice(depth: number): Part {
    if (depth > braceDepthMax) throw new GlobFault(`braces nested deeper than ${braceDepthMax}`)
    const of: Glob[] = []
    for (;;) {
      of.push(this.parts(depth))
      const code = this.codes[this.at++]
      if (code === undefined) throw new GlobFault('a { without its }')
      if (code === braceEnd) return { kind: 'choice', of }
    }
  }

  private set(): Part {
    const negated = negations.includes(this.codes[this.at] ?? 0)
    if (negated) this.at++
    const ranges: Range[] = []
    // A ']' that comes first is a member, since an empty set would match nothing.
    while (ranges.length === 0 || this.codes[this.at] !== bracketEnd) {
      const from = this.member()
      if (this.codes[this.at] !== dash) {
        ranges.push([from, from])
      } else if (this.codes[this.at + 1] === bracketEnd) {
        this.at++
        ranges.push([from, from], [dash, dash])
      } else {
        this.at++
        const to = this.member()
        ranges.push([Math.min(from, to), Math.max(from, to)])
      }
    }
    this.at++
    return { kind: 'set', ranges, negated }
  }

  private member(): number {
    if (this.at >= this.codes.length) throw new GlobFault('a [ without its ]')
    return this.char()
  }

  private char(): number {
    if (this.codes[this.at] === backslash) this.at++
    const code = this.codes[this.at++]
    if (code === undefined) throw new GlobFault('a \\ with nothing after it')
    return code
  }
}

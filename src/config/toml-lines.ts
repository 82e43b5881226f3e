/** Where a value stands in a TOML document: keys, and indices of `[[tables]]`. */
export type TomlPath = readonly (string | number)[]

/**
 * The line, from 1, on which the value at `path` is given, or that of the table that should hold it; 1 when neither is found.
 * The document has parsed. Keys inside inline tables and arrays have the line of the key that holds them.
 */
export function lineOf(toml: string, path: TomlPath): number {
  let best = 1
  let bestLength = 0
  for (const place of places(toml)) {
    const length = commonLength(place.path, path)
    // The first line that agrees with the longest part of the path, and claims nothing beyond it.
    if (length > bestLength && length === place.path.length) {
      best = place.line
      bestLength = length
    }
  }
  return best
}

/** The number that stands at `path`, as it is written there; undefined when it is no number or shares its line with others. */
export function numberAt(toml: string, path: TomlPath): string | undefined {
  for (const place of places(toml)) {
    if (place.path.length !== path.length || commonLength(place.path, path) !== path.length) continue
    const line = toml.split('\n')[place.line - 1] ?? ''
    return /=\s*([-+]?[0-9][0-9A-Za-z_]*)\s*(?:#.*)?$/.exec(line.replace(/\r$/, ''))?.[1]
  }
  return undefined
}

/** Every header and key with its line, in order. */
function* places(toml: string): Generator<{ readonly line: number; readonly path: TomlPath }> {
  const counts = new Map<string, number>()
  let table: (string | number)[] = []
  let closing: string | undefined
  for (const [at, line] of toml.split('\n').entries()) {
    if (closing !== undefined) {
      if (line.includes(closing)) closing = undefined
      continue
    }
    const header = /^\s*(\[\[?)([^\]]+)\]/.exec(line)
    if (header !== null) {
      table = keysOf(header[2] ?? '')
      if (header[1] === '[[') {
        const name = table.join('.')
        const count = counts.get(name) ?? 0
        counts.set(name, count + 1)
        // It gives the name, and one more of that name.
        yield { line: at + 1, path: table }
        table = [...table, count]
      }
      yield { line: at + 1, path: table }
      continue
    }
    const key = /^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=(.*)$/.exec(
      line,
    )
    if (key === null) continue
    yield { line: at + 1, path: [...table, ...keysOf(key[1] ?? '')] }
    // A string over several lines may hold what looks like keys.
    const opening = /^\s*("""|''')/.exec(key[2] ?? '')?.[1]
    if (opening !== undefined && !(key[2] ?? '').trimStart().slice(3).includes(opening)) closing = opening
  }
}

function keysOf(text: string): string[] {
  return (text.match(/"[^"]*"|'[^']*'|[A-Za-z0-9_-]+/g) ?? []).map((key) => key.replace(/^["']|["']$/g, ''))
}

function commonLength(a: TomlPath, b: TomlPath): number {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  return length
}

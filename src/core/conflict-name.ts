import { componentsOf, encodeName, nameBytesMax, type RelPath } from './path.js'

/**
 * The name of the `count`-th copy that is kept of a version: `NAME (conflict_on_YYYY-MM-DD).EXT`, then
 * `... (conflict_on_YYYY-MM-DD 2).EXT` and so on. The name before the mark is cut where all together would be too long.
 */
export function conflictName(name: string, wallNs: bigint, count: number): string {
  const day = new Date(Number(wallNs / 1_000_000n)).toISOString().slice(0, 10)
  const mark = ` (conflict_on_${day}${count === 1 ? '' : ` ${count}`})`
  const dot = name.lastIndexOf('.')
  // A leading dot begins a name, and what is long is no extension.
  const cut = dot > 0 && name.length - dot <= 16 ? dot : name.length
  const extension = name.slice(cut)
  const points = [...name.slice(0, cut)]
  while (points.length > 0 && encodeName(points.join('') + mark + extension).length > nameBytesMax) points.pop()
  return points.join('') + mark + extension
}

/** Whether the path is that of a kept version, or lies in one. */
export function isKeptVersion(path: RelPath): boolean {
  return path.includes('conflict_on_') && componentsOf(path).some((name) => mark.test(name))
}

const mark = / \(conflict_on_\d{4}-\d\d-\d\d(?: \d+)?\)/

/** The name of which this one is a kept version, unless it had to be cut; undefined: it is none. */
export function keptVersionOf(name: string): string | undefined {
  return mark.test(name) ? name.replace(mark, '') : undefined
}

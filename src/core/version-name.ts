import { encodeName, nameBytesMax, nameOf, parentOf, type RelPath } from './path.js'

/** Where a version is kept, seen from the folder of versions. */
export interface VersionPlace {
  readonly directory: RelPath
  readonly name: string
}

/**
 * The place of the `count`-th version of a path that was replaced or removed at one time: `2026-11-22/notes/` and
 * `todo~20261122T143012.345Z.txt`, then `todo~20261122T143012.345Z-2.txt` and so on; times are UTC. What is named too long for
 * that lies in a directory of its name, as `~20261122T143012.345Z.txt`.
 */
export function versionPlace(path: RelPath, wallNs: bigint, count: number): VersionPlace {
  const iso = isoOf(wallNs)
  const name = nameOf(path)
  const cut = extensionAt(name)
  const mark = `~${iso.replace(/[-:]/g, '')}${count === 1 ? '' : `-${count}`}${name.slice(cut)}`
  const parent = parentOf(path)
  const day = dayOf(wallNs)
  const directory = parent === '' ? day : `${day}/${parent}`
  const full = name.slice(0, cut) + mark
  // Both are made of names that have been looked at, and of digits.
  return encodeName(full).length > nameBytesMax
    ? { directory: `${directory}/${name}` as RelPath, name: mark }
    : { directory: directory as RelPath, name: full }
}

/** What a name in the folder of versions says: of which path, and until when it was there. undefined: it is none of ours. */
export function versionAt(place: VersionPlace): { readonly path: RelPath; readonly untilNs: bigint } | undefined {
  const parts = /^([\s\S]*)~(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d\.\d{3}Z)(?:-\d+)?(\.[\s\S]{0,15})?$/.exec(place.name)
  if (parts === null) return undefined
  const [, stem = '', year, month, day, hours, minutes, seconds, extension = ''] = parts
  const date = `${year}-${month}-${day}`
  const untilMs = Date.parse(`${date}T${hours}:${minutes}:${seconds}`)
  const { directory } = place
  if (Number.isNaN(untilMs) || (directory !== date && !directory.startsWith(`${date}/`))) return undefined
  const parent = directory.slice(date.length + 1)
  const path = stem === '' ? parent : parent === '' ? stem + extension : `${parent}/${stem}${extension}`
  return { path: path as RelPath, untilNs: BigInt(untilMs) * 1_000_000n }
}

/** The day of which a folder of versions holds what was replaced, or undefined. */
export function versionDay(name: string): string | undefined {
  return /^\d{4}-\d\d-\d\d$/.test(name) ? name : undefined
}

/** The day of a moment, as the folder of its versions is named. */
export function dayOf(wallNs: bigint): string {
  return isoOf(wallNs).slice(0, 10)
}

function isoOf(wallNs: bigint): string {
  return new Date(Number(wallNs / 1_000_000n)).toISOString()
}

/** A leading dot begins a name, and what is long is no extension. */
function extensionAt(name: string): number {
  const dot = name.lastIndexOf('.')
  return dot > 0 && name.length - dot <= 16 ? dot : name.length
}

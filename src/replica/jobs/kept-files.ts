import { join, type RelPath } from '../../core/path.js'
import { versionAt, versionDay } from '../../core/version-name.js'
import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import { goneCodes, versionsPath } from './place.js'

/** One version in `.tandem/versions`. */
export interface KeptFile {
  /** From the root. */
  readonly directory: RelPath
  readonly name: string
  /** Of what, and until when it was there. */
  readonly path: RelPath
  readonly untilNs: bigint
  readonly stat: Stat
}

/** The days of which there are versions, the oldest first. */
export function daysOf(root: Directory): string[] {
  return namesAt(root, versionsPath)
    .filter((name) => versionDay(name) !== undefined)
    .sort()
}

/**
 * Every version of a day, or of what was below a directory on it, in no order; `visited` is told each directory, the upper ones
 * first. `below`: the day, or a path that begins with it.
 */
export function* versionsOfDay(
  root: Directory,
  below: string,
  visited: (directory: RelPath) => void = () => {},
): Iterable<KeptFile> {
  const top = join(versionsPath, below)
  const waiting = [top]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    visited(directory)
    const { files, directories } = look(root, directory)
    waiting.push(...directories)
    yield* files
  }
}

/** The versions of one directory's members, and the directories in it. */
export function look(
  root: Directory,
  directory: RelPath,
): { readonly files: readonly KeptFile[]; readonly directories: readonly RelPath[] } {
  const files: KeptFile[] = []
  const directories: RelPath[] = []
  const opened = openIfThere(root, directory)
  if (opened === undefined) return { files, directories }
  try {
    const place = directory.slice(versionsPath.length + 1) as RelPath
    for (const name of opened.names()) {
      const stat = opened.statAt(name)
      if (stat?.kind === 'directory') directories.push(join(directory, name))
      const version = stat === undefined ? undefined : versionAt({ directory: place, name })
      if (stat === undefined || stat.kind === 'directory' || version === undefined) continue
      files.push({ directory, name, ...version, stat })
    }
  } finally {
    opened.close()
  }
  return { files, directories }
}

/**
 * What was at some path that nobody can tell any more, or whose version cannot have its name: `stray-SLOT`, beside the days. It lies
 * there since its inode was last changed, by the rename that put it there.
 */
export function straysOf(root: Directory): readonly KeptFile[] {
  const versions = openIfThere(root, versionsPath)
  if (versions === undefined) return []
  try {
    return versions.names().flatMap((name) => {
      const stat = name.startsWith(strayPrefix) ? versions.statAt(name) : undefined
      if (stat === undefined) return []
      return [{ directory: versionsPath, name, path: join(versionsPath, name), untilNs: stat.ctimeNs, stat }]
    })
  } finally {
    versions.close()
  }
}

const strayPrefix = 'stray-'
/** The name in `versions` of what was at some path that nobody can tell any more. */
export const strayName = (slot: string) => `${strayPrefix}${slot}`

function namesAt(root: Directory, path: RelPath): string[] {
  const opened = openIfThere(root, path)
  if (opened === undefined) return []
  try {
    return opened.names()
  } finally {
    opened.close()
  }
}

export function openIfThere(root: Directory, path: RelPath): Directory | undefined {
  try {
    return root.openDirectory(path)
  } catch (error) {
    if (!(error instanceof FileFailure) || !goneCodes.has(error.code)) throw error
    return undefined
  }
}

import { type AbsPath, isWithin, join, nameOf, parentOf, type RelPath, rootPath } from '../../core/path.js'
import type { Directory } from '../../host/files.js'
import type { Job } from '../../host/workers.js'
import { daysOf, type KeptFile, look, openIfThere, straysOf, versionsOfDay } from './kept-files.js'
import { openRoot, versionsPath } from './place.js'

export interface ListVersions {
  readonly root: AbsPath
  readonly path: RelPath
}

/** A version that is kept. */
export interface Version {
  readonly path: RelPath
  /** Where it is, from the root. */
  readonly kept: RelPath
  /** Until when it was there. */
  readonly untilNs: bigint
  readonly kind: 'file' | 'symlink'
  readonly sizeBytes: number
  readonly mtimeNs: bigint
}

export interface ListedVersions {
  /** Of the path itself, the newest first. */
  readonly own: readonly Version[]
  /** Of what was below it, the newest first; not asked for where there are some of its own. */
  readonly below: readonly Version[]
  /** Which of `below`, and whether the path itself, hold something now. */
  readonly present: readonly RelPath[]
  /** Of the root: what is kept of paths that nobody can tell any more; their `path` is where they are kept. */
  readonly strays: readonly Version[]
}

/** The versions that are kept of a path, else of everything that was below it. */
export const listVersionsJob: Job<ListVersions, ListedVersions> = {
  name: 'list-versions',
  run(world, { root: path, path: of }) {
    const root = openRoot(world.files, path)
    try {
      const own: Version[] = []
      const below: Version[] = []
      for (const day of daysOf(root)) {
        for (const file of near(root, day, of)) if (file.path === of) add(own, file)
        for (const file of versionsOfDay(root, of === rootPath ? day : `${day}/${of}`))
          if (isWithin(file.path, of) && file.path !== of) add(below, file)
      }
      const strays: Version[] = []
      for (const stray of straysOf(root)) {
        if (stray.path === of) add(own, stray)
        else if (of === rootPath) add(strays, stray)
      }
      const listed = own.length > 0 ? [...own] : [...below]
      const present = new Set([of, ...listed.map((version) => version.path)])
      return {
        own: newestFirst(own),
        below: own.length > 0 ? [] : newestFirst(below),
        strays: newestFirst(strays),
        present: [...present].filter((each) => isPresent(root, each)),
      }
    } finally {
      root.close()
    }
  },
}

/** Where versions of the path may lie: beside its place, or in a directory of its name. */
function near(root: Directory, day: string, of: RelPath): readonly KeptFile[] {
  if (of === rootPath) return []
  const directory = join(versionsPath, day)
  const parent = parentOf(of)
  const beside = parent === rootPath ? directory : join(directory, parent)
  return [...look(root, beside).files, ...look(root, join(beside, nameOf(of))).files]
}

function add(versions: Version[], { path, directory, name, untilNs, stat }: KeptFile): void {
  const { kind, sizeBytes, mtimeNs } = stat
  if (kind === 'file' || kind === 'symlink')
    versions.push({ path, kept: join(directory, name), untilNs, kind, sizeBytes, mtimeNs })
}

function newestFirst(versions: Version[]): Version[] {
  return versions.sort((one, other) => (one.untilNs > other.untilNs ? -1 : one.untilNs < other.untilNs ? 1 : 0))
}

function isPresent(root: Directory, path: RelPath): boolean {
  if (path === rootPath) return true
  const parent = openIfThere(root, parentOf(path))
  if (parent === undefined) return false
  try {
    return parent.statAt(nameOf(path)) !== undefined
  } finally {
    parent.close()
  }
}

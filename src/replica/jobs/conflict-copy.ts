import { conflictName } from '../../core/conflict-name.js'
import { join, nameOf, parentOf, type RelPath, rootPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import { goneCodes } from './place.js'

/** Copies of one name on one day; past that the slot stays in staging. */
const copiesMax = 1_000

/**
 * Gives a user's version that has lost its path a visible place beside it: `NAME (conflict_on_YYYY-MM-DD).EXT`, then
 * `... (conflict_on_YYYY-MM-DD 2).EXT` and so on; where its directory is gone, in the nearest one above that is there.
 * Answers the path of the copy, or undefined when there is none to be had now: then the slot stays as it is.
 */
export function keepBeside(
  root: Directory,
  path: RelPath,
  from: Directory,
  slot: string,
  wallNs: bigint,
): RelPath | undefined {
  for (let parent = parentOf(path); ; parent = parentOf(parent)) {
    try {
      const directory = root.openDirectory(parent)
      try {
        return join(parent, moveIn(directory, nameOf(path), from, slot, wallNs))
      } finally {
        directory.close()
      }
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      if (parent === rootPath || !goneCodes.has(error.code)) return undefined
    }
  }
}

function moveIn(directory: Directory, name: string, from: Directory, slot: string, wallNs: bigint): string {
  for (let count = 1; ; count++) {
    const copy = conflictName(name, wallNs, count)
    try {
      from.rename(slot, directory, copy, 'no-replace')
      return copy
    } catch (error) {
      if (!(error instanceof FileFailure) || error.code !== 'exists' || count >= copiesMax) throw error
    }
  }
}

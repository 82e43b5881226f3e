import type { Archive } from '../archive/archive.js'
import type { ArchiveEdit } from '../archive/commit.js'
import type { Agreement } from '../core/agreement.js'
import type { Content } from '../core/content.js'
import { parentOf, type RelPath, rootPath } from '../core/path.js'

/**
 * A directory that both sides have, before its mode is settled: as the side has it that is to be changed, so that after a
 * crash the other one's mode is still the news.
 */
export function passing(path: RelPath, content: Content): ArchiveEdit {
  return { path, agreement: { content, alphaHolds: undefined, betaHolds: undefined }, passing: true }
}

export const unknownDirectory: Agreement = {
  content: { kind: 'directory', props: { mode: undefined, mtimeNs: undefined } },
  alphaHolds: undefined,
  betaHolds: undefined,
}

/** A directory that both sides have on the way to something that is agreed; of its mode nothing is said. */
export function onTheWay(path: RelPath): ArchiveEdit {
  return { path, agreement: unknownDirectory, passing: true }
}

/** The directories above `path` that are not agreed and not in `known`, from the root down. */
export function unagreedAbove(archive: Archive, path: RelPath, known: ReadonlySet<RelPath>): RelPath[] {
  const above: RelPath[] = []
  for (let at = path; at !== rootPath; ) {
    at = parentOf(at)
    if (known.has(at) || archive.find(at)?.agreement.content.kind === 'directory') break
    above.unshift(at)
  }
  return above
}

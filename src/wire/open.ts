import { componentsOf, isReserved, type RelPath, relPath } from '../core/path.js'
import type { Cursor, Opened, OpenRequest, View } from '../replica/replica.js'
import { type BytesReader, type BytesWriter, Malformed } from './bytes.js'
import { pathBytesMax } from './report.js'
import {
  idBytesMax,
  readCounted,
  readFlag,
  readOpenPath,
  readTexts,
  writeFlag,
  writeNumber,
  writeTexts,
} from './text.js'

/** Names of served roots, in bytes. */
const rootNameBytesMax = 255
/** Paths that the kernel takes have 4,095; '~/' comes before one. */
const rootPathBytesMax = 4_097

/** How a lead calls a root: the name that it is served under, or a path, which begins with '/' or '~/'. @throws Malformed */
export function readRootText(from: BytesReader): string {
  const text = from.text(rootPathBytesMax)
  const isPath = text.startsWith('/') || text.startsWith('~/')
  if (!isPath && Buffer.byteLength(text) > rootNameBytesMax) throw new Malformed('the name of a root is too long')
  return text
}
/** The name of the lead's other root, in bytes. */
const fromBytesMax = 4_096
/** Patterns of one list of a view, and the bytes of one. */
export const patternsMax = 10_000
export const patternBytesMax = 4_096

/**
 *     | pair text | from text | create u8 | watch u8 | cursor u8 | index, run text, sequence u64, view text if cursor | view | file text |
 *     file: only of a root that is a file, to an agent of the feature 'file'
 *     view: | ignore texts | ignorenot texts | paths texts |
 */
export function writeOpenRequest(
  to: BytesWriter,
  { pair, from, cursor, view, create, watch, file }: OpenRequest,
): void {
  to.text(pair)
  to.text(from)
  writeFlag(to, create)
  writeFlag(to, watch)
  writeFlag(to, cursor !== undefined)
  if (cursor !== undefined) {
    to.text(cursor.index)
    to.text(cursor.run)
    writeNumber(to, cursor.sequence)
    to.text(cursor.view)
  }
  writeTexts(to, view.ignore)
  writeTexts(to, view.ignorenot)
  writeTexts(to, view.paths)
  if (file !== undefined) to.text(file)
}

/** The last thing in its message. @throws Malformed, BadPath */
export function readOpenRequest(from: BytesReader): OpenRequest {
  const pair = from.text(idBytesMax)
  const other = from.text(fromBytesMax)
  const create = readFlag(from)
  const watch = readFlag(from)
  const cursor = readFlag(from) ? readCursor(from) : undefined
  const view = readView(from)
  return { pair, from: other, cursor, view, create, watch, file: from.atEnd() ? undefined : readName(from) }
}

/** One name, and no way to another place. */
function readName(from: BytesReader): RelPath {
  const path = readOpenPath(from)
  if (componentsOf(path).length !== 1) throw new Malformed('a file in a directory where there is none')
  return path
}

function readCursor(from: BytesReader): Cursor {
  const index = from.text(idBytesMax)
  const run = from.text(idBytesMax)
  const sequence = readCounted(from)
  return { index, run, sequence, view: from.text(idBytesMax) }
}

function readView(from: BytesReader): View {
  const ignore = readTexts(from, patternsMax, patternBytesMax)
  const ignorenot = readTexts(from, patternsMax, patternBytesMax)
  const paths = readTexts(from, patternsMax, pathBytesMax)
  for (const path of paths) if (isReserved(relPath(path))) throw new Malformed('a path in the private folder')
  return { ignore, ignorenot, paths }
}

/** Unacknowledged outcomes travel before it, in messages of their own. */
export type OpenedFacts = Omit<Opened, 'unacknowledged'>

/**     | rootId text | created u8 | fresh u8 | generation u64 | boot, index, run text | folding u8 | hardLink u8, path text if 1 | */
export function writeOpened(to: BytesWriter, opened: OpenedFacts): void {
  to.text(opened.rootId)
  writeFlag(to, opened.created)
  writeFlag(to, opened.fresh)
  writeNumber(to, opened.generation)
  to.text(opened.boot)
  to.text(opened.index)
  to.text(opened.run)
  writeFlag(to, opened.folding)
  writeFlag(to, opened.hardLink !== undefined)
  if (opened.hardLink !== undefined) to.text(opened.hardLink)
}

export function readOpened(from: BytesReader): OpenedFacts {
  const rootId = from.text(idBytesMax)
  const created = readFlag(from)
  const fresh = readFlag(from)
  const generation = readCounted(from)
  const boot = from.text(idBytesMax)
  const index = from.text(idBytesMax)
  const run = from.text(idBytesMax)
  const folding = readFlag(from)
  const hardLink = readFlag(from) ? readOpenPath(from) : undefined
  return { rootId, created, fresh, generation, boot, index, run, folding, hardLink }
}

import { nameFault, type RelPath } from '../core/path.js'
import type { AuditRow } from '../replica/replica.js'
import { type BytesReader, type BytesWriter, Malformed } from './bytes.js'
import { readFound, writeFound } from './content.js'
import { checkReport, readCounted, readFlag, readOpenPath, writeFlag, writeNumber } from './text.js'

/** A path of an audit: one that is asked for, or an open one that is left out. */
export interface AuditedPath {
  readonly path: RelPath
  readonly isLeftOut: boolean
}

/** | left out u8 | path text | */
export function writeAuditedPath(to: BytesWriter, { path, isLeftOut }: AuditedPath): void {
  writeFlag(to, isLeftOut)
  to.text(path)
}

/** @throws Malformed, BadPath */
export function readAuditedPath(from: BytesReader): AuditedPath {
  const isLeftOut = readFlag(from)
  return { path: readOpenPath(from), isLeftOut }
}

/** | directory text | name text | found | sequence u64 | digest text | */
export function writeAuditRow(to: BytesWriter, { directory, name, found, sequence, digest }: AuditRow): void {
  to.text(directory)
  to.text(name)
  writeFound(to, found)
  writeNumber(to, sequence)
  to.text(digest)
}

/** @throws Malformed, BadPath */
export function readAuditRow(from: BytesReader): AuditRow {
  const directory = readOpenPath(from)
  const name = from.text(nameBytesMax)
  const why = name === '' ? undefined : nameFault(name)
  if (why !== undefined) throw new Malformed(`an audit of a name that is none: ${why}`)
  const found = readFound(from)
  if (name !== '') checkReport({ kind: 'listing', path: directory, members: [{ name, found }], more: false })
  return { directory, name, found, sequence: readCounted(from), digest: from.text(digestBytesMax) }
}

/** Never less than a row takes. */
export const auditRowBytesMin = 21
/** Names of 255 bytes, each perhaps three in the text. */
const nameBytesMax = 1_024
const digestBytesMax = 32

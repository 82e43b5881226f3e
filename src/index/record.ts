import { absent, type Fingerprint } from '../core/content.js'
import type { Found, Problem } from '../core/report.js'
import type { Kind } from '../host/files.js'
import { BytesReader, BytesWriter, Malformed } from '../wire/bytes.js'
import { readProblemCode, targetBytesMax, writeProblemCode } from '../wire/content.js'

/**
 * What a root holds at one path as last seen: what lstat and reading said, before any preference.
 * Kind 'unknown': a name whose lstat never succeeded. A problem keeps the fields as they were before it came.
 */
export interface RecordFields {
  readonly kind: Kind | 'unknown'
  readonly mode: number
  readonly inode: bigint
  readonly birthNs: bigint
  readonly sizeBytes: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  /** Of a file that was read; of no other. */
  readonly fingerprint: Fingerprint | undefined
  /** Of a symlink. */
  readonly target: string | undefined
  /** An equal stamp does not mean that the bytes are those of the fingerprint: read again when in doubt. */
  readonly racy: boolean
  /** A directory on which another file system begins. */
  readonly boundary: boolean
  readonly problem: Problem | undefined
}

export interface IndexRecord extends RecordFields {
  /** Of a directory: names its members' keys; stays through a rename. 0 for all others. */
  readonly directoryId: number
  /** The count at which this content was first seen. */
  readonly sequence: number
}

/** Field by field: of so many fields, that is several times faster than spreading them. */
export function recordOf(fields: RecordFields, directoryId: number, sequence: number): IndexRecord {
  const { kind, mode, inode, birthNs, sizeBytes, mtimeNs, ctimeNs, fingerprint, target, racy, boundary, problem } =
    fields
  return {
    kind,
    mode,
    inode,
    birthNs,
    sizeBytes,
    mtimeNs,
    ctimeNs,
    fingerprint,
    target,
    racy,
    boundary,
    problem,
    directoryId,
    sequence,
  }
}

/** What the record tells the outside. */
export function foundOf(record: IndexRecord | undefined): Found {
  if (record === undefined) return absent
  if (record.problem !== undefined) return record.problem
  switch (record.kind) {
    case 'file':
      return {
        kind: 'file',
        fingerprint: record.fingerprint,
        sizeBytes: record.sizeBytes,
        props: { mode: record.mode, mtimeNs: record.mtimeNs },
      }
    case 'directory':
      // The time of a directory moves with its members; it is no property that travels.
      return { kind: 'directory', props: { mode: record.mode, mtimeNs: undefined } }
    case 'symlink':
      return { kind: 'symlink', target: record.target ?? '' }
    case 'special':
      return { kind: 'problem', code: 'special', detail: 'a device, socket or fifo is not synchronized' }
    case 'unknown':
      return { kind: 'problem', code: 'io', detail: 'never read' }
  }
}

/**
 * Record, version 1:
 *
 *     | version u8 | kind u8 | flags u8 | mode u16 | inode u64 | birth i64 | size u48 | mtime i64 | ctime i64 | sequence u48 |
 *     | directory id u48 if directory | fingerprint 33 bytes if flag 2 | target text if symlink | code u8, detail text if flag 4 |
 *
 *     flags: 1 racy, 2 has a fingerprint, 4 has a problem, 8 a file system boundary
 */
export function encodeRecord(record: IndexRecord): Uint8Array {
  const to = scratch
  to.reset()
  to.u8(recordVersion)
  to.u8(kinds.indexOf(record.kind))
  to.u8(
    (record.racy ? 1 : 0) |
      (record.fingerprint === undefined ? 0 : 2) |
      (record.problem === undefined ? 0 : 4) |
      (record.boundary ? 8 : 0),
  )
  to.u16(record.mode)
  to.u64(record.inode)
  to.i64(record.birthNs)
  to.u48(record.sizeBytes)
  to.i64(record.mtimeNs)
  to.i64(record.ctimeNs)
  to.u48(record.sequence)
  if (record.kind === 'directory') to.u48(record.directoryId)
  if (record.fingerprint !== undefined) to.fingerprint(record.fingerprint)
  if (record.kind === 'symlink') to.text(record.target ?? '')
  if (record.problem !== undefined) {
    writeProblemCode(to, record.problem.code)
    to.text(record.problem.detail)
  }
  return to.finishSmall()
}

/** @throws Malformed */
export function decodeRecord(bytes: Uint8Array): IndexRecord {
  const from = new BytesReader(bytes)
  const version = from.u8()
  if (version !== recordVersion) throw new Malformed(`an index record of version ${version}`)
  const kind = kinds[from.u8()]
  if (kind === undefined) throw new Malformed('an index record of an unknown kind')
  const flags = from.u8()
  const mode = from.u16()
  const inode = from.u64()
  const birthNs = from.i64()
  const sizeBytes = from.u48()
  const mtimeNs = from.i64()
  const ctimeNs = from.i64()
  const sequence = from.u48()
  const directoryId = kind === 'directory' ? from.u48() : 0
  const fingerprint = (flags & 2) === 0 ? undefined : from.fingerprint()
  const target = kind === 'symlink' ? from.text(targetBytesMax) : undefined
  const problem: Problem | undefined =
    (flags & 4) === 0
      ? undefined
      : { kind: 'problem', code: readProblemCode(from), detail: from.text(from.remaining()) }
  return {
    kind,
    mode,
    inode,
    birthNs,
    sizeBytes,
    mtimeNs,
    ctimeNs,
    fingerprint,
    target,
    racy: (flags & 1) !== 0,
    boundary: (flags & 8) !== 0,
    problem,
    directoryId,
    sequence,
  }
}

export const recordVersion = 1

/** The order is the encoding: only append. */
const kinds: readonly RecordFields['kind'][] = ['unknown', 'file', 'directory', 'symlink', 'special']

const scratch = new BytesWriter(256)

import { unreachable } from '../core/assert.js'
import type { Operation, Outcome } from '../core/operation.js'
import type { Part, PastOutcome, Prefix, Resumable, Supplied, Want } from '../replica/replica.js'
import { type BytesReader, type BytesWriter, Malformed } from './bytes.js'
import {
  readContent,
  readProblemCode,
  readProps,
  targetBytesMax,
  writeFound,
  writeProblemCode,
  writeProps,
} from './content.js'
import {
  idBytesMax,
  readDetail,
  readFlag,
  readNumber,
  readOpenPath,
  writeDetail,
  writeFlag,
  writeNumber,
} from './text.js'

/**
 *     operation: | op u8 | path text | expect content | fields |      op + 128: it overrules what the root holds; feature 'why'
 *     0 create-directory   props
 *     1 write-file         want u32, size u48, props
 *     2 write-symlink      target text
 *     3 remove             -
 *     4 set-props          props
 *     5 rename             from text
 */
export function writeOperation(to: BytesWriter, operation: Operation): void {
  to.u8(operationKinds.indexOf(operation.op) | (operation.why === undefined ? 0 : overruledFlag))
  to.text(operation.path)
  writeFound(to, operation.expect)
  switch (operation.op) {
    case 'create-directory':
    case 'set-props':
      writeProps(to, operation.props)
      break
    case 'write-file':
      to.u32(operation.want)
      to.u48(operation.sizeBytes)
      writeProps(to, operation.props)
      break
    case 'write-symlink':
      to.text(operation.target)
      break
    case 'remove':
      break
    case 'rename':
      to.text(operation.from)
      break
    default:
      unreachable(operation)
  }
}

const overruledFlag = 128

/** `pathIn`: readPath where it comes from this very process. @throws Malformed, BadPath */
export function readOperation(from: BytesReader, pathIn = readOpenPath): Operation {
  const kind = from.u8()
  const operation = readChange(from, kind & ~overruledFlag, pathIn)
  return (kind & overruledFlag) === 0 ? operation : { ...operation, why: 'overruled' }
}

function readChange(from: BytesReader, kind: number, pathIn: typeof readOpenPath): Operation {
  const op = operationKinds[kind]
  if (op === undefined) throw new Malformed('unknown operation')
  const path = pathIn(from)
  const expect = readContent(from)
  switch (op) {
    case 'create-directory':
    case 'set-props':
      return { op, path, expect, props: readProps(from) }
    case 'write-file': {
      const want = from.u32()
      const sizeBytes = from.u48()
      return { op, path, expect, want, sizeBytes, props: readProps(from) }
    }
    case 'write-symlink':
      return { op, path, expect, target: from.text(targetBytesMax) }
    case 'remove':
      return { op, path, expect }
    case 'rename':
      return { op, path, expect, from: pathIn(from) }
    default:
      return unreachable(op)
  }
}

/** The order is the encoding: only append. */
const operationKinds: readonly Operation['op'][] = [
  'create-directory',
  'write-file',
  'write-symlink',
  'remove',
  'set-props',
  'rename',
]
/** Shortest operation: kind, empty path, absent. */
export const operationBytesMin = 6

/**
 *     outcome: | kind u8 | path text | fields |
 *     0 done         content
 *     1 superseded   detail text
 *     2 failed       code u8, transient u8, detail text
 *     3 done         from text, content: renamed
 */
export function writeOutcome(to: BytesWriter, outcome: Outcome): void {
  to.u8(outcome.kind === 'done' ? (outcome.from === undefined ? 0 : 3) : outcome.kind === 'superseded' ? 1 : 2)
  to.text(outcome.path)
  switch (outcome.kind) {
    case 'done':
      if (outcome.from !== undefined) to.text(outcome.from)
      writeFound(to, outcome.content)
      break
    case 'superseded':
      writeDetail(to, outcome.detail)
      break
    case 'failed':
      writeProblemCode(to, outcome.code)
      writeFlag(to, outcome.transient)
      writeDetail(to, outcome.detail)
      break
    default:
      unreachable(outcome)
  }
}

/** As readOperation. @throws Malformed, BadPath */
export function readOutcome(from: BytesReader, pathIn = readOpenPath): Outcome {
  const kind = from.u8()
  const path = pathIn(from)
  if (kind === 0) return { kind: 'done', path, content: readContent(from) }
  if (kind === 1) return { kind: 'superseded', path, detail: readDetail(from) }
  if (kind === 3) {
    const renamedFrom = pathIn(from)
    return { kind: 'done', path, content: readContent(from), from: renamedFrom }
  }
  if (kind !== 2) throw new Malformed(`unknown kind of outcome ${kind}`)
  const code = readProblemCode(from)
  const transient = readFlag(from)
  return { kind: 'failed', path, code, detail: readDetail(from), transient }
}

/** Shortest outcome: kind, empty path, absent. */
export const outcomeBytesMin = 6

/**     past outcome: | batch u64 | supplier text | outcome | */
export function writePastOutcome(to: BytesWriter, past: PastOutcome): void {
  writeNumber(to, past.batch)
  to.text(past.supplier)
  writeOutcome(to, past.outcome)
}

export function readPastOutcome(from: BytesReader): PastOutcome {
  const batch = readNumber(from)
  const supplier = from.text(idBytesMax)
  return { batch, supplier, outcome: readOutcome(from) }
}

export const pastOutcomeBytesMin = 8 + 4 + outcomeBytesMin

/**
 *     want:   | want u32 | path text | size u48 | mtime i64 ns | flags u8 | fingerprint 33 bytes if 1 | prefixes if 2 |
 *     prefix: | size u48 | fingerprint 33 bytes |
 *
 * Prefixes, ascending, only to who has the feature 'resume'.
 */
export function writeWant(to: BytesWriter, want: Want): void {
  const { fingerprint, prefixes } = want
  to.u32(want.want)
  to.text(want.path)
  to.u48(want.sizeBytes)
  to.i64(want.mtimeNs)
  to.u8((fingerprint === undefined ? 0 : knownFlag) | (prefixes === undefined ? 0 : prefixesFlag))
  if (fingerprint !== undefined) to.fingerprint(fingerprint)
  if (prefixes !== undefined) writePrefixes(to, prefixes)
}

const knownFlag = 1
const prefixesFlag = 2

/** As readOperation. @throws Malformed, BadPath */
export function readWant(from: BytesReader, pathIn = readOpenPath): Want {
  const want = from.u32()
  const path = pathIn(from)
  const sizeBytes = from.u48()
  const mtimeNs = from.i64()
  const flags = from.u8()
  if (flags > (knownFlag | prefixesFlag)) throw new Malformed(`flags ${flags} of a want`)
  const fingerprint = (flags & knownFlag) === 0 ? undefined : from.fingerprint()
  const wanted = { want, path, sizeBytes, mtimeNs, fingerprint }
  return (flags & prefixesFlag) === 0 ? wanted : { ...wanted, prefixes: readPrefixes(from) }
}

export const wantBytesMin = 4 + 4 + 6 + 8 + 1

/**     resumable: | want u32 | path text | size u48 | */
export function writeResumable(to: BytesWriter, { want, path, sizeBytes }: Resumable): void {
  to.u32(want)
  to.text(path)
  to.u48(sizeBytes)
}

/** @throws Malformed, BadPath */
export function readResumable(from: BytesReader): Resumable {
  const want = from.u32()
  const path = readOpenPath(from)
  return { want, path, sizeBytes: from.u48() }
}

export const resumableBytesMin = 4 + 4 + 6

/**     part: | want u32 | prefixes | */
export function writePart(to: BytesWriter, { want, prefixes }: Part): void {
  to.u32(want)
  writePrefixes(to, prefixes)
}

/** @throws Malformed */
export function readPart(from: BytesReader): Part {
  return { want: from.u32(), prefixes: readPrefixes(from) }
}

export const partBytesMin = 4 + 1

/** Beginnings of one file. */
export const prefixesMax = 16

function writePrefixes(to: BytesWriter, prefixes: readonly Prefix[]): void {
  to.u8(prefixes.length)
  for (const { sizeBytes, fingerprint } of prefixes) {
    to.u48(sizeBytes)
    to.fingerprint(fingerprint)
  }
}

function readPrefixes(from: BytesReader): Prefix[] {
  const count = from.u8()
  if (count > prefixesMax) throw new Malformed(`${count} beginnings of one file`)
  const prefixes: Prefix[] = []
  for (let lastBytes = 0; prefixes.length < count; ) {
    const sizeBytes = from.u48()
    if (sizeBytes <= lastBytes) throw new Malformed('beginnings that do not grow')
    prefixes.push({ sizeBytes, fingerprint: from.fingerprint() })
    lastBytes = sizeBytes
  }
  return prefixes
}

/**
 *     supplied: | kind u8 | want u32 | fields |
 *     0 whole        fingerprint
 *     1 superseded   -
 *     2 problem      code u8, detail text
 */
export function writeSupplied(to: BytesWriter, supplied: Supplied): void {
  to.u8(supplied.kind === 'whole' ? 0 : supplied.kind === 'superseded' ? 1 : 2)
  to.u32(supplied.want)
  if (supplied.kind === 'whole') to.fingerprint(supplied.fingerprint)
  if (supplied.kind !== 'problem') return
  writeProblemCode(to, supplied.code)
  writeDetail(to, supplied.detail)
}

/** @throws Malformed */
export function readSupplied(from: BytesReader): Supplied {
  const kind = from.u8()
  const want = from.u32()
  if (kind === 0) return { want, kind: 'whole', fingerprint: from.fingerprint() }
  if (kind === 1) return { want, kind: 'superseded' }
  if (kind !== 2) throw new Malformed(`unknown kind of supply ${kind}`)
  const code = readProblemCode(from)
  return { want, kind: 'problem', code, detail: readDetail(from) }
}

export const suppliedBytesMin = 5

import { isReserved, isReservedName, type RelPath } from '../core/path.js'
import type { Report } from '../core/report.js'
import { type BytesReader, type BytesWriter, Malformed } from './bytes.js'
import { detailCharsMax } from './content.js'
import { readPath } from './report.js'

/** Ids of pairs, indexes, runs, boots, roots and digests, in bytes. */
export const idBytesMax = 128

/** A path that a peer may name: whole, and in no private folder. @throws Malformed, BadPath */
export function readOpenPath(from: BytesReader): RelPath {
  const path = readPath(from)
  if (isReserved(path)) throw new Malformed('a path in the private folder')
  return path
}

/**
 * A report that a peer may make: nothing in the private folder. A problem may stand at a reserved name (it tells that the
 * name cannot travel) for it never leads to a change.
 */
export function checkReport(report: Report): void {
  if (report.kind === 'entry') {
    if (report.found.kind !== 'problem' && isReserved(report.path))
      throw new Malformed('a report of the private folder')
    return
  }
  if (report.kind === 'moved') {
    if (isReserved(report.path) || isReserved(report.from)) throw new Malformed('a move in the private folder')
    return
  }
  if (isReserved(report.path)) throw new Malformed('a listing of the private folder')
  for (const { name, found } of report.members)
    if (found.kind !== 'problem' && isReservedName(name)) throw new Malformed('a listing that holds the private folder')
}

export function writeTexts(to: BytesWriter, texts: readonly string[]): void {
  to.u32(texts.length)
  for (const text of texts) to.text(text)
}

export function readTexts(from: BytesReader, countMax: number, bytesMax: number): string[] {
  const count = from.count(4)
  if (count > countMax) throw new Malformed(`${count} texts where ${countMax} are allowed`)
  return Array.from({ length: count }, () => from.text(bytesMax))
}

export function writePaths(to: BytesWriter, paths: readonly RelPath[]): void {
  to.u32(paths.length)
  for (const path of paths) to.text(path)
}

export function readPaths(from: BytesReader): RelPath[] {
  return Array.from({ length: from.count(4) }, () => readOpenPath(from))
}

/** A line for a person: cut, never refused by the other end. */
export function writeDetail(to: BytesWriter, detail: string): void {
  to.text(detail.slice(0, detailCharsMax))
}

export function readDetail(from: BytesReader): string {
  return from.text(detailCharsMax * 4)
}

export function writeFlag(to: BytesWriter, flag: boolean): void {
  to.u8(flag ? 1 : 0)
}

export function readFlag(from: BytesReader): boolean {
  const flag = from.u8()
  if (flag > 1) throw new Malformed(`a flag of ${flag}`)
  return flag === 1
}

/** Whole numbers that a double holds exactly, in 8 bytes. Batches may be any of them. */
export function writeNumber(to: BytesWriter, value: number): void {
  to.u64(BigInt(value))
}

export function readNumber(from: BytesReader): number {
  const value = from.u64()
  if (value > Number.MAX_SAFE_INTEGER) throw new Malformed(`a number of ${value}`)
  return Number(value)
}

/** Sequences and generations, which the stores of both ends keep in 6 bytes. @throws Malformed */
export function readCounted(from: BytesReader): number {
  const value = readNumber(from)
  if (value > countedMax) throw new Malformed(`a count of ${value}`)
  return value
}

/** Half of what 6 bytes hold: who goes on from there, one more at a time, never comes to the end of them. */
export const countedMax = 2 ** 47

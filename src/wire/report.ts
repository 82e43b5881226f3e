import { BadPath, nameFault, type RelPath, relPath } from '../core/path.js'
import type { Member, Report } from '../core/report.js'
import { type BytesReader, type BytesWriter, Malformed } from './bytes.js'
import { readFound, writeFound } from './content.js'

/**
 * Reports, one after the other.
 *
 *     entry    | 0 u8 | path text | found |
 *     listing  | 1 u8 | path text | more u8 | count u32 | (name text, found)* |
 *     moved    | 2 u8 | path text | from text |
 */
export function writeReport(to: BytesWriter, report: Report): void {
  switch (report.kind) {
    case 'entry':
      to.u8(0)
      to.text(report.path)
      writeFound(to, report.found)
      break
    case 'listing':
      to.u8(1)
      to.text(report.path)
      to.u8(report.more ? 1 : 0)
      to.u32(report.members.length)
      for (const member of report.members) {
        to.text(member.name)
        writeFound(to, member.found)
      }
      break
    case 'moved':
      to.u8(2)
      to.text(report.path)
      to.text(report.from)
  }
}

/** @throws Malformed, BadPath */
export function readReport(from: BytesReader): Report {
  const kind = from.u8()
  const path = readPath(from)
  if (kind === 0) return { kind: 'entry', path, found: readFound(from) }
  if (kind === 2) return { kind: 'moved', path, from: readPath(from) }
  if (kind !== 1) throw new Malformed(`unknown kind of report ${kind}`)
  const more = from.u8() !== 0
  const count = from.count(memberBytesMin)
  const members: Member[] = []
  for (let i = 0; i < count; i++) {
    const name = from.text(nameTextBytesMax)
    const why = nameFault(name)
    if (why !== undefined) throw new BadPath(name, why)
    members.push({ name, found: readFound(from) })
  }
  return { kind: 'listing', path, members, more }
}

/** All reports up to the end of the bytes. */
export function readReports(from: BytesReader): Report[] {
  const reports: Report[] = []
  while (!from.atEnd()) reports.push(readReport(from))
  return reports
}

export function readPath(from: BytesReader): RelPath {
  return relPath(from.text(pathBytesMax))
}

/** Longest path in bytes that is accepted: deeper than any PATH_MAX, bounded all the same. */
export const pathBytesMax = 64 * 1024
const nameTextBytesMax = 1_024
/** Length of an empty name and an absent content. */
const memberBytesMin = 5

import type { Operation, Outcome } from '../core/operation.js'
import type { Found, Member, Report } from '../core/report.js'
import type { AuditRow, Pack, Supplied, View, Want } from '../replica/replica.js'

/** About how long a frame of a list gets: short enough that what waits behind it does not wait long. */
export const listBytes = 256 * 1024

/** Groups of items whose frames are about listBytes long, in order; one empty group for no items. */
export function* split<T>(items: readonly T[], bytesOf: (item: T) => number): Generator<readonly T[]> {
  let group: T[] = []
  let bytes = 0
  for (const item of items) {
    const size = bytesOf(item)
    if (group.length > 0 && bytes + size > listBytes) {
      yield group
      group = []
      bytes = 0
    }
    group.push(item)
    bytes += size
  }
  yield group
}

/** Like split; a long listing is cut into several, all but the last with `more`. */
export function splitReports(reports: readonly Report[]): Generator<readonly Report[]> {
  return split([...cut(reports)], reportBytes)
}

function* cut(reports: readonly Report[]): Generator<Report> {
  for (const report of reports) {
    if (report.kind !== 'listing') {
      yield report
      continue
    }
    let held: readonly Member[] | undefined
    for (const members of split(report.members, memberBytes)) {
      if (held !== undefined) yield { ...report, members: held, more: true }
      held = members
    }
    yield { ...report, members: held ?? [] }
  }
}

/** Listings that were cut, whole again. */
export function joinReports(reports: readonly Report[]): Report[] {
  const joined: Report[] = []
  let members: Member[] | undefined
  for (const [at, report] of reports.entries()) {
    const next = reports[at + 1]
    const goesOn = report.kind === 'listing' && report.more && next?.kind === 'listing' && next.path === report.path
    if (report.kind !== 'listing' || (!goesOn && members === undefined)) {
      joined.push(report)
      continue
    }
    members ??= []
    for (const member of report.members) members.push(member)
    if (goesOn) continue
    joined.push({ ...report, members })
    members = undefined
  }
  return joined
}

/** Pieces of a view, each short enough for a frame; the lists joined are the view. */
export function* splitView({ ignore, ignorenot, paths }: View): Generator<View> {
  const none: View = { ignore: [], ignorenot: [], paths: [] }
  if (textsBytes(ignore) + textsBytes(ignorenot) + textsBytes(paths) <= listBytes) {
    yield { ignore, ignorenot, paths }
    return
  }
  for (const some of split(ignore, textBytes)) yield { ...none, ignore: some }
  for (const some of split(ignorenot, textBytes)) yield { ...none, ignorenot: some }
  for (const some of split(paths, textBytes)) yield { ...none, paths: some }
}

/** Never less than the encoding takes. */
export function textBytes(text: string): number {
  return 4 + Buffer.byteLength(text)
}

function textsBytes(texts: readonly string[]): number {
  return texts.reduce((bytes, text) => bytes + textBytes(text), 0)
}

function foundBytes(found: Found): number {
  if (found.kind === 'problem') return 6 + Buffer.byteLength(found.detail)
  return found.kind === 'symlink' ? 1 + textBytes(found.target) : 51
}

function memberBytes(member: Member): number {
  return textBytes(member.name) + foundBytes(member.found)
}

function reportBytes(report: Report): number {
  const path = 1 + textBytes(report.path)
  if (report.kind === 'entry') return path + foundBytes(report.found)
  if (report.kind === 'moved') return path + textBytes(report.from)
  return report.members.reduce((bytes, member) => bytes + memberBytes(member), path + 5)
}

export function operationBytes(operation: Operation): number {
  const target =
    operation.op === 'write-symlink'
      ? textBytes(operation.target)
      : operation.op === 'rename'
        ? textBytes(operation.from)
        : 21
  return 1 + textBytes(operation.path) + foundBytes(operation.expect) + target
}

export function outcomeBytes(outcome: Outcome): number {
  const rest =
    outcome.kind === 'done'
      ? foundBytes(outcome.content) + (outcome.from === undefined ? 0 : textBytes(outcome.from))
      : 6 + Buffer.byteLength(outcome.detail)
  return 1 + textBytes(outcome.path) + rest
}

export function auditRowBytes({ directory, name, found, digest }: AuditRow): number {
  return 8 + textBytes(directory) + textBytes(name) + foundBytes(found) + textBytes(digest)
}

export function wantBytes(want: Want): number {
  return 53 + textBytes(want.path) + (want.prefixes?.length ?? 0) * 39
}

/** A file that ends whole: its want and fingerprint here, its want and properties on the way to the target. */
export const wholeBytes = 38

export function suppliedBytes(supplied: Supplied): number {
  if (supplied.kind === 'whole') return wholeBytes
  return supplied.kind === 'superseded' ? 5 : 10 + Buffer.byteLength(supplied.detail)
}

/** The pack in messages that fit a frame: its bytes go with the first, for what ended ends when the bytes are there. */
export function* splitPack({ bytes, finished }: Pack): Generator<Pack> {
  let first = true
  for (const some of split(finished, suppliedBytes)) {
    yield { bytes: first ? bytes : new Uint8Array(0), finished: some }
    first = false
  }
}

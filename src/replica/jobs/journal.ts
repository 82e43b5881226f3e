import type { Operation, Outcome } from '../../core/operation.js'
import { BadPath, join, type RelPath, relPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import { pairPrefixChars } from '../peer-pair.js'
import { dropFile, ensureDirectory, goneCodes, privatePath, readWhole } from './place.js'
import { quoted } from './quoted.js'

/**
 * What was done to a root, to be looked up: one file for each pair in `.tandem/journal`, and an older one. JSON, one value a
 * line; a batch is a header and its paths, in one write. It may lack the last lines before a crash, and have some twice.
 *
 *     header   { "version": 1, "at": milliseconds since 1970, "from": the other root, "batch": number, "why": why }
 *     entry    [what was done, path, bytes of a file that was written, where it was before if it was moved, why]
 *
 * Why of an entry is only where it is not that of its batch; lines of before have none, nor have those of a lead that does not say.
 * What `restore` did is in a file of its own. History: 1 the first.
 */
export interface JournalEntry {
  readonly atMs: number
  /** Canonical name of the root whose change it was; '' when it is not known. */
  readonly from: string
  readonly batch: number
  readonly did: Did
  readonly path: RelPath
  readonly sizeBytes: number
  /** Where it was before it was moved. */
  readonly movedFrom?: RelPath
  /** undefined: it is not known. */
  readonly why?: Why
}

/**
 *     changed     the other side changed it
 *     overruled   a preference or a person decided against what was here
 *     recovered   finished, or found done, after a crash
 *     restored    a version that was kept came back
 */
export type Why = 'changed' | 'overruled' | 'recovered' | 'restored'

export type Did = 'created' | 'replaced' | 'removed' | 'properties' | 'moved'

export interface JournalBatch {
  readonly pair: string
  readonly batch: number
  readonly from: string
  readonly why: Why | undefined
  readonly wallNs: bigint
}

const journalVersion = 1
const journalPath = join(privatePath, 'journal')
/** A file that has grown so long becomes the older one. */
const journalBytesMax = 8 << 20
const olderEnding = '.1'
/** Pairs of one peer of which there is a journal. */
const pairsAlikeMax = 64

/** The line of one operation that was done. */
export const entryLine = (operation: Operation): string =>
  operation.op === 'rename'
    ? movedText(operation.path, operation.from, operation.why)
    : entryText(
        didOf(operation),
        operation.path,
        operation.op === 'write-file' ? operation.sizeBytes : 0,
        operation.why,
      )

const entryText = (did: Did, path: RelPath, sizeBytes: number, why?: Why): string =>
  `["${did}",${quoted(path)},${sizeBytes}${why === undefined ? '' : `,null,"${why}"`}]\n`
const movedText = (path: RelPath, from: RelPath, why?: Why): string =>
  `["moved",${quoted(path)},0,${quoted(from)}${why === undefined ? '' : `,"${why}"`}]\n`

/** Notes that a version came back to a path. */
export function noteRestored(
  root: Directory,
  path: RelPath,
  wasThere: boolean,
  sizeBytes: number,
  wallNs: bigint,
): void {
  // Told apart from any other one by its time: a batch that comes twice is told once.
  const batch = { pair: restoresName, batch: Number(wallNs / 1_000n), from: '', why: 'restored', wallNs } as const
  noteBatch(root, batch, entryText(wasThere ? 'replaced' : 'created', path, sizeBytes))
}

/** No pair has this id. */
const restoresName = 'restores'

/** Notes the entries of a batch. It is no one's loss when that fails. */
export function noteBatch(root: Directory, { pair, batch, from, why, wallNs }: JournalBatch, entries: string): void {
  if (entries === '') return
  const header = JSON.stringify({ version: journalVersion, at: Number(wallNs / 1_000_000n), from, batch, why })
  try {
    const journal = openJournal(root)
    try {
      append(journal, pair, `${header}\n${entries}`)
    } finally {
      journal.close()
    }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
  }
}

/** What was done at and below a path by any pair, the oldest first. */
export function readJournal(root: Directory, within: (path: RelPath) => boolean): JournalEntry[] {
  let journal: Directory
  try {
    journal = root.openDirectory(journalPath)
  } catch (error) {
    if (!(error instanceof FileFailure) || !goneCodes.has(error.code)) throw error
    return []
  }
  try {
    const entries: JournalEntry[] = []
    // The older file of a pair comes first.
    for (const name of journal.names().sort().reverse())
      parseInto(entries, readWhole(journal, name, 4 * journalBytesMax).toString('utf8'), within)
    return entries.sort((one, other) => one.atMs - other.atMs)
  } finally {
    journal.close()
  }
}

function openJournal(root: Directory): Directory {
  try {
    return root.openDirectory(journalPath)
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'absent') throw error
  }
  const folder = root.openDirectory(privatePath)
  try {
    ensureDirectory(folder, 'journal')
  } finally {
    folder.close()
  }
  return root.openDirectory(journalPath)
}

function append(journal: Directory, name: string, text: string): void {
  const isNew = journal.statAt(name) === undefined
  if (isNew) forgetAlike(journal, name)
  const file = isNew ? journal.createFile(name, 0o600) : journal.reopenFile(name)
  try {
    const { sizeBytes } = file.stat()
    // It begins on a line of its own, whatever a crash has left.
    file.write(Buffer.from(sizeBytes === 0 ? text : `\n${text}`, 'utf8'), sizeBytes)
    if (sizeBytes < journalBytesMax) return
  } finally {
    file.close()
  }
  journal.replace(name, `${name}${olderEnding}`)
}

/** The one of the pairs whose ids begin alike that has been still for longest goes: a peer that invents pairs forgets its own. */
function forgetAlike(journal: Directory, pair: string): void {
  const alike = journal.names().filter((name) => name.startsWith(pair.slice(0, pairPrefixChars)))
  const current = alike.filter((name) => !name.endsWith(olderEnding) && name !== pair)
  if (current.length < pairsAlikeMax) return
  const timeOf = (name: string) => journal.statAt(name)?.mtimeNs ?? 0n
  const [oldest] = current.map((name) => ({ name, time: timeOf(name) })).sort((a, b) => (a.time < b.time ? -1 : 1))
  if (oldest === undefined) return
  dropFile(journal, oldest.name)
  dropFile(journal, `${oldest.name}${olderEnding}`)
}

function didOf({ op, expect }: Operation): Did {
  if (op === 'remove') return 'removed'
  if (op === 'set-props') return 'properties'
  return expect.kind === 'absent' ? 'created' : 'replaced'
}

type Header = Pick<JournalEntry, 'atMs' | 'from' | 'batch' | 'why'>

function parseInto(entries: JournalEntry[], text: string, within: (path: RelPath) => boolean): void {
  let header: Header | undefined
  let seen = new Set<RelPath>()
  for (const line of text.split('\n')) {
    const value = parsed(line)
    const found = headerIn(value)
    if (found !== undefined) {
      // A batch that was recovered is told once more.
      if (found.batch !== header?.batch) seen = new Set()
      header = found
      continue
    }
    const entry = header === undefined ? undefined : entryIn(value, header)
    if (entry === undefined || seen.has(entry.path)) continue
    if (!within(entry.path) && !(entry.movedFrom !== undefined && within(entry.movedFrom))) continue
    seen.add(entry.path)
    entries.push(entry)
  }
}

function headerIn(value: unknown): Header | undefined {
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version !== journalVersion)
    return undefined
  if (!('at' in value) || !('from' in value) || !('batch' in value)) return undefined
  const { at, from, batch } = value
  if (typeof at !== 'number' || typeof from !== 'string' || typeof batch !== 'number') return undefined
  return { atMs: at, from, batch, ...('why' in value && isWhy(value.why) ? { why: value.why } : {}) }
}

function entryIn(value: unknown, header: Header): JournalEntry | undefined {
  if (!Array.isArray(value)) return undefined
  const [did, path, sizeBytes, from, why]: unknown[] = value
  if (!isDid(did) || typeof path !== 'string' || typeof sizeBytes !== 'number') return undefined
  try {
    const entry = { ...header, ...(isWhy(why) ? { why } : {}), did, path: relPath(path), sizeBytes }
    return typeof from === 'string' ? { ...entry, movedFrom: relPath(from) } : entry
  } catch (error) {
    if (!(error instanceof BadPath)) throw error
    return undefined
  }
}

const dids: readonly unknown[] = ['created', 'replaced', 'removed', 'properties', 'moved'] satisfies Did[]
const whys: readonly unknown[] = ['changed', 'overruled', 'recovered', 'restored'] satisfies Why[]
const isWhy = (value: unknown): value is Why => whys.includes(value)
const isDid = (value: unknown): value is Did => dids.includes(value)

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
}

/** Outcomes that a recovery found done, as the journal tells of them. */
export function recoveredLine(outcome: Outcome, expectedKind: string): string {
  if (outcome.kind !== 'done') return ''
  const { content, path, from } = outcome
  if (from !== undefined) return movedText(path, from)
  const did: Did = content.kind === 'absent' ? 'removed' : expectedKind === 'absent' ? 'created' : 'replaced'
  return entryText(did, path, content.kind === 'file' ? content.sizeBytes : 0)
}

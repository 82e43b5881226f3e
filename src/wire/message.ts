import { unreachable } from '../core/assert.js'
import type { Operation, Outcome } from '../core/operation.js'
import type { RelPath } from '../core/path.js'
import type { Report } from '../core/report.js'
import type { Format } from '../host/compression.js'
import {
  type Acceptance,
  type AuditRow,
  acceptPairsMax,
  type OpenRequest,
  type Part,
  type PastOutcome,
  type Resumable,
  type Supplied,
  type Want,
} from '../replica/replica.js'
import {
  type AuditedPath,
  auditRowBytesMin,
  readAuditedPath,
  readAuditRow,
  writeAuditedPath,
  writeAuditRow,
} from './audit.js'
import { BytesReader, BytesWriter, Malformed } from './bytes.js'
import { type Hello, readHello, readWelcome, type Welcome, writeHello, writeWelcome } from './hello.js'
import { type OpenedFacts, readOpened, readOpenRequest, readRootText, writeOpened, writeOpenRequest } from './open.js'
import * as codec from './operation.js'
import { readReports, writeReport } from './report.js'
import {
  checkReport,
  idBytesMax,
  readCounted,
  readDetail,
  readFlag,
  readNumber,
  readOpenPath,
  readPaths,
  readTexts,
  writeDetail,
  writeFlag,
  writeNumber,
  writePaths,
  writeTexts,
} from './text.js'

/**
 * The versions of the protocol, and what changed:
 *
 *     1   the first
 */
export const protocolVersion = 1

/**
 * What the two ends of a link say. A request has an id, unique among those under way; its answers carry it, and the last of
 * them is `opened`, `done`, `failed`, or `reports`, `outcomes`, `flushed` and `audited` that are the last. Long lists go in several messages:
 * `more` says that the next message of that id goes on, `last` that none does.
 *
 * A peer's answers to requests:
 *
 *     open            past*, opened      set-generation, rescan, sync, acknowledge, close   done
 *     doubt           done               audit     audited+
 *     list, identify  reports+           changes   changed*, done when cancelled
 *     apply           outcomes+          supply    pack*, done
 *     flush           flushed+
 *     removing        done or held       resume    resumed
 *     accept          accepted
 *     any             failed
 *
 * `stage` has no answer but credit under the id 0; what went wrong with it is the answer to the apply of its batch.
 * `credit` gives back room for as many bytes of frames as the receiver has done with: of the id's stream, 0 for stage.
 */
export type Message =
  | Hello
  | Welcome
  /** The link cannot be; the sender closes it. */
  | { readonly kind: 'refuse'; readonly code: string; readonly detail: string }
  | { readonly kind: 'ping' }
  | { readonly kind: 'pong' }
  | {
      readonly kind: 'open'
      readonly id: number
      readonly more: boolean
      readonly root: string
      readonly request: OpenRequest
    }
  | {
      readonly kind: 'list' | 'identify' | 'rescan' | 'sync' | 'doubt'
      readonly id: number
      readonly more: boolean
      readonly paths: readonly RelPath[]
    }
  | { readonly kind: 'sync-all' | 'flush'; readonly id: number }
  | {
      readonly kind: 'audit'
      readonly id: number
      readonly more: boolean
      readonly members: boolean
      readonly perms: number
      readonly times: boolean
      readonly paths: readonly AuditedPath[]
    }
  | { readonly kind: 'supply'; readonly id: number; readonly more: boolean; readonly wants: readonly Want[] }
  | { readonly kind: 'changes'; readonly id: number }
  /** Ends a supply or the changes, which are then answered with done. */
  | { readonly kind: 'cancel'; readonly id: number }
  | {
      readonly kind: 'apply'
      readonly id: number
      readonly more: boolean
      readonly batch: number
      readonly supplier: string
      readonly operations: readonly Operation[]
    }
  | {
      readonly kind: 'acknowledge'
      readonly id: number
      readonly more: boolean
      readonly batches: readonly number[]
    }
  | { readonly kind: 'set-generation'; readonly id: number; readonly pair: string; readonly generation: number }
  | { readonly kind: 'close'; readonly id: number }
  | {
      readonly kind: 'stage'
      readonly batch: number
      readonly props: Uint8Array
      readonly bytes: Uint8Array
    }
  | { readonly kind: 'past'; readonly id: number; readonly outcomes: readonly PastOutcome[] }
  | { readonly kind: 'opened'; readonly id: number; readonly opened: OpenedFacts }
  | { readonly kind: 'reports'; readonly id: number; readonly last: boolean; readonly reports: readonly Report[] }
  | { readonly kind: 'outcomes'; readonly id: number; readonly last: boolean; readonly outcomes: readonly Outcome[] }
  /** Paths that stay open. */
  | { readonly kind: 'flushed'; readonly id: number; readonly last: boolean; readonly paths: readonly RelPath[] }
  | { readonly kind: 'audited'; readonly id: number; readonly last: boolean; readonly rows: readonly AuditRow[] }
  /** Part of one Changes; sequence and current hold once its last part is there. */
  | {
      readonly kind: 'changed'
      readonly id: number
      readonly last: boolean
      readonly sequence: number
      readonly current: boolean
      readonly reports: readonly Report[]
    }
  | {
      readonly kind: 'pack'
      readonly id: number
      readonly finished: readonly Supplied[]
      readonly bytes: Uint8Array
    }
  | { readonly kind: 'done'; readonly id: number }
  | {
      readonly kind: 'failed'
      readonly id: number
      /** Which class of failure it was over there. */
      readonly failure: 'link' | 'replica' | 'other'
      readonly code: string
      readonly transient: boolean
      readonly detail: string
    }
  | { readonly kind: 'credit'; readonly id: number; readonly bytes: number }
  /** What of a root, without opening it. Feature 'inquire'. */
  | { readonly kind: 'inquire'; readonly id: number; readonly root: string }
  | { readonly kind: 'described'; readonly id: number; readonly state: RootState; readonly readOnly: boolean }
  /** Uses an invitation; `key` is that of this pair of agents from now on, 64 hex digits. Feature 'join'. */
  | { readonly kind: 'join'; readonly id: number; readonly key: string }
  /** The name that the key has, and the root that it is for. */
  | {
      readonly kind: 'joined'
      readonly id: number
      readonly peer: string
      readonly root: string
      readonly readOnly: boolean
    }
  /** See Replica.resume; before the first `stage` of the batch. Feature 'resume'. */
  | { readonly kind: 'resume'; readonly id: number; readonly batch: number; readonly files: readonly Resumable[] }
  | { readonly kind: 'resumed'; readonly id: number; readonly others: boolean; readonly parts: readonly Part[] }
  | { readonly kind: 'removing'; readonly id: number; readonly count: number; readonly confirmed: boolean }
  | { readonly kind: 'held'; readonly id: number; readonly detail: string }
  /** See Replica.accept. Feature 'accept'. */
  | {
      readonly kind: 'accept'
      readonly id: number
      readonly path: RelPath
      readonly pairs: readonly string[]
      readonly confirmed: boolean
      readonly asksOnly: boolean
    }
  | { readonly kind: 'accepted'; readonly id: number; readonly answer: Acceptance['kind']; readonly detail: string }
  /** A frame of sizeBytes, shorter for the way: a feature of the format's name. Windows, costs and credit go by what it was. */
  | {
      readonly kind: 'shortened'
      readonly format: Format
      readonly sizeBytes: number
      readonly bytes: Uint8Array
    }

/**
 * A frame: one binary websocket message of at most frameBytesMax bytes.
 *
 *     | kind u8 | fields, in the order of the type | reports, or the raw bytes of a pack, up to the end |
 *
 * ids and counts u32, batches, sequences and generations u64, all little-endian; flags u8, 0 or 1.
 */
export function encode(message: Message): Uint8Array {
  const to = new BytesWriter('bytes' in message && message.kind !== 'credit' ? message.bytes.length + 4_096 : 256)
  to.u8(kinds.indexOf(message.kind))
  if ('id' in message) to.u32(message.id)
  if ('more' in message) writeFlag(to, message.more)
  if ('last' in message) writeFlag(to, message.last)
  writeFields(to, message)
  // The writer has no other use: no copy.
  return to.view()
}

function writeFields(to: BytesWriter, message: Message): void {
  switch (message.kind) {
    case 'hello':
      writeHello(to, message)
      break
    case 'welcome':
      writeWelcome(to, message)
      break
    case 'refuse':
      to.text(message.code)
      writeDetail(to, message.detail)
      break
    case 'ping':
    case 'pong':
    case 'sync-all':
    case 'flush':
    case 'changes':
    case 'cancel':
    case 'close':
    case 'done':
      break
    case 'open':
      to.text(message.root)
      writeOpenRequest(to, message.request)
      break
    case 'list':
    case 'identify':
    case 'rescan':
    case 'sync':
    case 'flushed':
    case 'doubt':
      writePaths(to, message.paths)
      break
    case 'audit':
      writeFlag(to, message.members)
      to.u16(message.perms)
      writeFlag(to, message.times)
      writeAll(to, message.paths, writeAuditedPath)
      break
    case 'audited':
      writeAll(to, message.rows, writeAuditRow)
      break
    case 'supply':
      writeAll(to, message.wants, codec.writeWant)
      break
    case 'apply':
      writeNumber(to, message.batch)
      to.text(message.supplier)
      writeAll(to, message.operations, codec.writeOperation)
      break
    case 'acknowledge':
      writeAll(to, message.batches, writeNumber)
      break
    case 'set-generation':
      to.text(message.pair)
      writeNumber(to, message.generation)
      break
    case 'stage':
      writeNumber(to, message.batch)
      to.u32(message.props.length)
      to.raw(message.props)
      to.raw(message.bytes)
      break
    case 'past':
      writeAll(to, message.outcomes, codec.writePastOutcome)
      break
    case 'opened':
      writeOpened(to, message.opened)
      break
    case 'reports':
      writeReports(to, message.reports)
      break
    case 'outcomes':
      writeAll(to, message.outcomes, codec.writeOutcome)
      break
    case 'changed':
      writeNumber(to, message.sequence)
      writeFlag(to, message.current)
      writeReports(to, message.reports)
      break
    case 'pack':
      writeAll(to, message.finished, codec.writeSupplied)
      to.raw(message.bytes)
      break
    case 'failed':
      to.u8(failures.indexOf(message.failure))
      to.text(message.code)
      writeFlag(to, message.transient)
      writeDetail(to, message.detail)
      break
    case 'credit':
      to.u32(message.bytes)
      break
    case 'inquire':
      to.text(message.root)
      break
    case 'described':
      to.u8(rootStates.indexOf(message.state))
      writeFlag(to, message.readOnly)
      break
    case 'join':
      to.text(message.key)
      break
    case 'joined':
      to.text(message.peer)
      to.text(message.root)
      writeFlag(to, message.readOnly)
      break
    case 'removing':
      to.u32(message.count)
      writeFlag(to, message.confirmed)
      break
    case 'held':
      writeDetail(to, message.detail)
      break
    case 'accept':
      to.text(message.path)
      writeTexts(to, message.pairs)
      writeFlag(to, message.confirmed)
      writeFlag(to, message.asksOnly)
      break
    case 'accepted':
      to.u8(acceptances.indexOf(message.answer))
      writeDetail(to, message.detail)
      break
    case 'shortened':
      to.u8(formats.indexOf(message.format))
      to.u32(message.sizeBytes)
      to.raw(message.bytes)
      break
    case 'resume':
      writeNumber(to, message.batch)
      writeAll(to, message.files, codec.writeResumable)
      break
    case 'resumed':
      writeFlag(to, message.others)
      writeAll(to, message.parts, codec.writePart)
      break
    default:
      unreachable(message)
  }
}

/** The message of a frame; `bytes` of packs are in a buffer of their own. @throws Malformed, BadPath */
export function decode(frame: Uint8Array): Message {
  const from = new BytesReader(frame)
  const kind = kinds[from.u8()]
  if (kind === undefined) throw new Malformed('unknown kind of message')
  const message = readFields(from, kind)
  if (!from.atEnd()) throw new Malformed(`${from.remaining()} bytes after the end of ${kind}`)
  return message
}

function readFields(from: BytesReader, kind: Message['kind']): Message {
  switch (kind) {
    case 'hello':
      return readHello(from)
    case 'welcome':
      return readWelcome(from)
    case 'refuse': {
      const code = from.text(codeBytesMax)
      return { kind, code, detail: readDetail(from) }
    }
    case 'ping':
    case 'pong':
      return { kind }
    case 'stage': {
      const batch = readNumber(from)
      const props = new Uint8Array(from.raw(from.u32()))
      return { kind, batch, props, bytes: readRest(from) }
    }
    case 'shortened': {
      const format = formats[from.u8()]
      if (format === undefined) throw new Malformed('unknown format')
      const sizeBytes = from.u32()
      return { kind, format, sizeBytes, bytes: readRest(from) }
    }
    default:
      return readNumbered(from, kind, from.u32())
  }
}

type Numbered = Extract<Message, { readonly id: number }>

function readNumbered(from: BytesReader, kind: Numbered['kind'], id: number): Message {
  switch (kind) {
    case 'sync-all':
    case 'flush':
    case 'changes':
    case 'cancel':
    case 'close':
    case 'done':
      return { kind, id }
    case 'open': {
      const more = readFlag(from)
      const root = readRootText(from)
      return { kind, id, more, root, request: readOpenRequest(from) }
    }
    case 'list':
    case 'identify':
    case 'rescan':
    case 'sync':
    case 'doubt': {
      const more = readFlag(from)
      return { kind, id, more, paths: readPaths(from) }
    }
    case 'flushed': {
      const last = readFlag(from)
      return { kind, id, last, paths: readPaths(from) }
    }
    case 'audit': {
      const more = readFlag(from)
      const members = readFlag(from)
      const perms = from.u16()
      const times = readFlag(from)
      return { kind, id, more, members, perms, times, paths: readAll(from, 5, readAuditedPath) }
    }
    case 'audited': {
      const last = readFlag(from)
      return { kind, id, last, rows: readAll(from, auditRowBytesMin, readAuditRow) }
    }
    case 'supply': {
      const more = readFlag(from)
      return { kind, id, more, wants: readAll(from, codec.wantBytesMin, codec.readWant) }
    }
    case 'apply': {
      const more = readFlag(from)
      const batch = readNumber(from)
      const supplier = from.text(idBytesMax)
      const operations = readAll(from, codec.operationBytesMin, codec.readOperation)
      return { kind, id, more, batch, supplier, operations }
    }
    case 'acknowledge': {
      const more = readFlag(from)
      return { kind, id, more, batches: readAll(from, 8, readNumber) }
    }
    case 'set-generation': {
      const pair = from.text(idBytesMax)
      return { kind, id, pair, generation: readCounted(from) }
    }
    case 'past':
      return { kind, id, outcomes: readAll(from, codec.pastOutcomeBytesMin, codec.readPastOutcome) }
    case 'opened':
      return { kind, id, opened: readOpened(from) }
    case 'reports': {
      const last = readFlag(from)
      return { kind, id, last, reports: readCheckedReports(from) }
    }
    case 'outcomes': {
      const last = readFlag(from)
      return { kind, id, last, outcomes: readAll(from, codec.outcomeBytesMin, codec.readOutcome) }
    }
    case 'changed': {
      const last = readFlag(from)
      const sequence = readCounted(from)
      const current = readFlag(from)
      return { kind, id, last, sequence, current, reports: readCheckedReports(from) }
    }
    case 'pack': {
      const finished = readAll(from, codec.suppliedBytesMin, codec.readSupplied)
      return { kind, id, finished, bytes: readRest(from) }
    }
    case 'failed': {
      const failure = failures[from.u8()]
      if (failure === undefined) throw new Malformed('unknown class of failure')
      const code = from.text(codeBytesMax)
      const transient = readFlag(from)
      return { kind, id, failure, code, transient, detail: readDetail(from) }
    }
    case 'credit':
      return { kind, id, bytes: from.u32() }
    case 'inquire':
      return { kind, id, root: readRootText(from) }
    case 'described': {
      const state = rootStates[from.u8()]
      if (state === undefined) throw new Malformed('unknown state of a root')
      return { kind, id, state, readOnly: readFlag(from) }
    }
    case 'join': {
      const key = from.text(64)
      if (!/^[0-9a-f]{64}$/.test(key)) throw new Malformed('no key')
      return { kind, id, key }
    }
    case 'joined': {
      const peer = from.text(idBytesMax)
      const root = from.text(idBytesMax)
      return { kind, id, peer, root, readOnly: readFlag(from) }
    }
    case 'removing':
      return { kind, id, count: from.u32(), confirmed: readFlag(from) }
    case 'held':
      return { kind, id, detail: readDetail(from) }
    case 'accept': {
      const path = readOpenPath(from)
      const pairs = readTexts(from, acceptPairsMax, idBytesMax)
      const confirmed = readFlag(from)
      return { kind, id, path, pairs, confirmed, asksOnly: readFlag(from) }
    }
    case 'accepted': {
      const answer = acceptances[from.u8()]
      if (answer === undefined) throw new Malformed('unknown answer to an accept')
      return { kind, id, answer, detail: readDetail(from) }
    }
    case 'resume': {
      const batch = readNumber(from)
      return { kind, id, batch, files: readAll(from, codec.resumableBytesMin, codec.readResumable) }
    }
    case 'resumed': {
      const others = readFlag(from)
      return { kind, id, others, parts: readAll(from, codec.partBytesMin, codec.readPart) }
    }
    default:
      return unreachable(kind)
  }
}

/** The order is the encoding: only append. */
const kinds: readonly Message['kind'][] = [
  'hello',
  'welcome',
  'refuse',
  'ping',
  'pong',
  'open',
  'list',
  'identify',
  'rescan',
  'sync',
  'sync-all',
  'supply',
  'changes',
  'cancel',
  'apply',
  'acknowledge',
  'set-generation',
  'close',
  'stage',
  'past',
  'opened',
  'reports',
  'outcomes',
  'changed',
  'pack',
  'done',
  'failed',
  'credit',
  'flush',
  'flushed',
  'audit',
  'audited',
  'doubt',
  'inquire',
  'described',
  'join',
  'joined',
  'removing',
  'held',
  'shortened',
  'resume',
  'resumed',
  'accept',
  'accepted',
]
/** Likewise. */
const acceptances: readonly Acceptance['kind'][] = ['accepted', 'nothing', 'refused']
/** Likewise. */
const formats: readonly Format[] = ['zstd', 'brotli']
/** Likewise. */
const rootStates = ['ready', 'missing', 'not-directory', 'unreadable', 'file'] as const
/** ready: a directory. file: only to a lead of the feature 'file'. */
export type RootState = (typeof rootStates)[number]
/** Likewise. */
const failures = ['link', 'replica', 'other'] as const
/** Codes of failures, in bytes. */
const codeBytesMax = 64

function writeAll<T>(to: BytesWriter, items: readonly T[], write: (to: BytesWriter, item: T) => void): void {
  to.u32(items.length)
  for (const item of items) write(to, item)
}

function readAll<T>(from: BytesReader, eachBytes: number, read: (from: BytesReader) => T): T[] {
  return Array.from({ length: from.count(eachBytes) }, () => read(from))
}

function writeReports(to: BytesWriter, reports: readonly Report[]): void {
  for (const report of reports) writeReport(to, report)
}

function readCheckedReports(from: BytesReader): Report[] {
  const reports = readReports(from)
  for (const report of reports) checkReport(report)
  return reports
}

function readRest(from: BytesReader): Uint8Array<ArrayBuffer> {
  return new Uint8Array(from.raw(from.remaining()))
}

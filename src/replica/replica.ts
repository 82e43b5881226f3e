import type { Fingerprint } from '../core/content.js'
import { Failure } from '../core/failure.js'
import type { Operation, Outcome } from '../core/operation.js'
import type { RelPath } from '../core/path.js'
import type { Found, ProblemCode, Report } from '../core/report.js'
import type { RootState } from '../wire/message.js'

/**
 * One root as the engine sees it: seen, staged and changed. Local (local.ts) or behind a link (remote.ts), with no
 * difference to the engine but speed and the failures of a link. One engine uses one Replica; calls may overlap.
 *
 * Every method may throw a LinkFailure (remote) or a ReplicaFailure; after a LinkFailure the replica is closed, and the
 * engine opens another.
 *
 * The order of a pair's life: open once, changes once; then any number of list, identify, supply, resume, stage, apply, sync,
 * acknowledge; close.
 */
export interface Replica {
  /** Canonical name of the root: '//host//abs/path' or 'wss://host:port/name'. */
  readonly canonical: string

  /**
   * Makes the root ready: its marker read (made, when the root is new), interrupted work of an earlier run finished, watched,
   * and its index brought up to date by a full scan if it is not known to be.
   * @throws ReplicaFailure 'missing', 'not-directory', 'unreadable', 'in-doubt', 'low-space', 'unwritable', 'unknown-root'
   */
  open(request: OpenRequest): Promise<Opened>

  /** Durably notes `generation` for `pair` in the root's marker. */
  setGeneration(pair: string, generation: number): Promise<void>

  /**
   * Changes since the cursor of `open`, then changes as they become known, each with the watermark it brings the reader to.
   * Listings since a cursor that the index cannot vouch for are complete from the root down. Ends when `signal` aborts.
   * Of a directory that was renamed meanwhile only that is told: a reader that does not know what is in it lists it.
   */
  changes(signal: AbortSignal): AsyncIterable<Changes>

  /** What the index holds at and below each scope: the entry, then complete listings all the way down. */
  list(scopes: readonly RelPath[]): Promise<readonly Report[]>

  /** Reads the files and answers an entry each, with its fingerprint (or what is there instead). */
  identify(paths: readonly RelPath[]): Promise<readonly Report[]>

  /**
   * Brings every path below the scopes up to date by a scan that starts after the call (and, on the whole root, drains the
   * watcher first), whatever it finds being part of `changes` before this resolves.
   */
  rescan(scopes: readonly RelPath[]): Promise<void>

  /**
   * Takes what stands at a path, where a file system came or went, for what is there: its records begin afresh, and what is found
   * is part of `changes` before this resolves. Only after the lead holds nothing at and below the path for agreed; what is agreed
   * there would be taken for removed.
   */
  accept(request: AcceptRequest): Promise<Acceptance>

  /**
   * A barrier: everything that was written before the call is part of `changes` before this resolves, files that are still
   * being written as they are. Where the watcher tells every change, only what it told is looked at; elsewhere everything is.
   * Answers the paths that changed each time they were looked at: of these nothing is said yet.
   */
  flush(): Promise<readonly RelPath[]>

  /**
   * Reads files and packs them, in the order wanted, large ones in several packs. Bounded: at most a few packs are read
   * ahead of the consumer. A file that is not as wanted any more is finished as superseded.
   */
  supply(wants: readonly Want[], signal: AbortSignal): AsyncIterable<Pack>

  /**
   * So many removals, less what will be created, are to come: why they are held, or undefined when they may come. Whatever was
   * asked, `apply` counts for itself, and answers 'held' for removals that are too many. `confirmed`: somebody at the lead has said
   * that they may come; it counts only for a root of the lead's own user, here or over ssh.
   */
  removing(count: number, confirmed: boolean): Promise<RemovalsHeld | undefined>

  /**
   * Large files of a batch that will be staged: what of them is here from a transfer that was cut. What is staged of them from
   * now on outlives the batch, and this process, until it is asked for again or too old. Before the first `stage` of the batch;
   * at most resumableMax.
   */
  resume(batch: number, files: readonly Resumable[]): Promise<Resumption>

  /**
   * Takes a pack of the batch into staging; resolves when there is room for the next one. The bytes are taken over.
   * What cannot be staged (disk full) comes out as the outcome of its operation in `apply`.
   */
  stage(batch: number, delivery: Delivery): Promise<void>

  /**
   * Applies the operations in order: creations from the top down, removals from the leaves up. Every operation has an
   * outcome, in the order given. Visible when it resolves; on disk only after `sync`.
   * `supplier` is the boot of the machine whose content it is; it goes into the intent.
   */
  apply(batch: number, operations: readonly Operation[], supplier: string): Promise<readonly Outcome[]>

  /**
   * Makes sure that everything that was at these paths before the call is on disk: the files, and the directories that
   * name them; nothing for no paths. 'all': everything in the root, with one syncfs a file system.
   */
  sync(paths: readonly RelPath[] | 'all'): Promise<void>

  /**
   * What the index holds, for the lead to check its archive by: a row for each of the paths that is a directory, with the
   * digest of all that lies below it in the pair's view; with `members`, a row for each of its members too, after its own.
   * What changes meanwhile may be in the digests or not.
   */
  audit(request: AuditRequest): Promise<readonly AuditRow[]>

  /** What the index says of these files is not believed: `identify` reads them again, and so does the next full scan. */
  doubt(paths: readonly RelPath[]): Promise<void>

  /** The archive holds the outcomes of these batches: their intents and slots may go. */
  acknowledge(batches: readonly number[]): Promise<void>

  /** Ends every activity. Work in hand is finished first. */
  close(): Promise<void>
}

/** A replica that is not opened yet. */
export interface ReachedRoot extends Replica {
  /**
   * What stands at the root's path, before `open`. A directory is 'ready'; so it is called too where that cannot be told, and `open`
   * finds out.
   */
  look(): Promise<RootState>
}

export interface OpenRequest {
  /** Id of the pair: 32 hex digits, from its unordered canonical roots. */
  readonly pair: string
  readonly cursor: Cursor | undefined
  readonly view: View
  /** Make the root and its marker if they are absent: the pair has no archive yet. Its parent must exist. */
  readonly create: boolean
  /**
   * The root is a file, which the lead knows as the one member, of this name, of a directory; the marker and the rest lie in the
   * directory that really holds it. undefined: it is a directory.
   */
  readonly file?: RelPath | undefined
  /** Canonical name of the other root, for the journal; at most fromCharsMax long. */
  readonly from: string
  /** The lead's version does not say why it does what it does. */
  readonly isSilent?: boolean
  /** Keep watching; without it one scan by `open`, and `changes` goes on only with what rescan and apply find. */
  readonly watch: boolean
}

/** Longest name of another root. */
export const fromCharsMax = 1_024

/** What decides what is seen: its digest is part of the cursor. Not a filter for correctness: the engine applies it too. */
export interface View {
  readonly ignore: readonly string[]
  readonly ignorenot: readonly string[]
  /** Only these paths and what is below; empty: everything. */
  readonly paths: readonly string[]
}

/** How far a lead has taken in a root: a cursor that the index cannot vouch for gets everything. */
export interface Cursor {
  /** Id of the index, 32 hex digits. */
  readonly index: string
  /** Id of the run that gave the sequence. */
  readonly run: string
  readonly sequence: number
  /** Digest of the preferences that decide what is seen or compared. */
  readonly view: string
}

export interface Opened {
  /** The marker's random id, 32 hex digits; stays with the root. */
  readonly rootId: string
  /** The root did not exist and was made now. */
  readonly created: boolean
  /** The marker was made now: no pair knows this root, or somebody removed its private folder. */
  readonly fresh: boolean
  /** What the marker knows of the pair, 0 if nothing. */
  readonly generation: number
  /** Boot id of the machine that holds the root. */
  readonly boot: string
  readonly index: string
  readonly run: string
  /** Outcomes of earlier batches of this pair that were never acknowledged, oldest first. */
  readonly unacknowledged: readonly PastOutcome[]
  /** Case or form is not distinguished by this root's file system. */
  readonly folding: boolean
  /** A file that has other names too, if a scan of this root saw one. */
  readonly hardLink: RelPath | undefined
}

export interface AcceptRequest {
  readonly path: RelPath
  /** Ids of the pairs that hold nothing there for agreed any more; any other pair of the root stands against it. */
  readonly pairs: readonly string[]
  /** What the other pairs will make of it is known, and meant. */
  readonly confirmed: boolean
  /** Nothing is done. */
  readonly asksOnly: boolean
}

/** Pairs that one request may name. */
export const acceptPairsMax = 64

/** `nothing`: no file system came or went there, as far as is known. */
export type Acceptance =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly detail: string }

export interface AuditRequest {
  readonly paths: readonly RelPath[]
  readonly members: boolean
  /** Mode bits that count, and whether the times of files do. */
  readonly perms: number
  readonly times: boolean
  /** Open paths: with all below, they are in no digest. */
  readonly except: readonly RelPath[]
}

export interface AuditRow {
  /** The directory itself, where `name` is '', or the one that holds the member. */
  readonly directory: RelPath
  readonly name: string
  readonly found: Found
  /** When it was first seen so; in a directory's own row, when its membership or a member last changed. */
  readonly sequence: number
  /** Of what is below a directory, 32 hex digits (see wire/fold.ts); '' for all else. */
  readonly digest: string
}

/** An outcome that the lead may not have taken in before it went down. */
export interface PastOutcome {
  readonly batch: number
  /** Boot of the supplier's machine when it was applied: under another boot the supplier may have lost what it supplied. */
  readonly supplier: string
  readonly outcome: Outcome
}

/** Removals wait for the word of somebody at the root. */
export interface RemovalsHeld {
  /** What would be removed, in numbers, in words. */
  readonly detail: string
}

export interface Changes {
  readonly reports: readonly Report[]
  /** All changes up to this sequence have been delivered, by this or earlier. */
  readonly sequence: number
  /** The catch-up is over: from here on the reader knows the whole root. Stays true. */
  readonly current: boolean
}

/** A file whose bytes are wanted as they were reported. */
export interface Want {
  /** Unique within the batch. */
  readonly want: number
  readonly path: RelPath
  readonly sizeBytes: number
  readonly mtimeNs: bigint
  readonly fingerprint: Fingerprint | undefined
  /**
   * Beginnings that the target says it has, ascending, at most prefixesMax, none of them the whole file: sent is what comes after the longest one
   * that this file begins with.
   */
  readonly prefixes?: readonly Prefix[]
}

/** The first bytes of a file, and their fingerprint. */
export interface Prefix {
  readonly sizeBytes: number
  readonly fingerprint: Fingerprint
}

/** A file of at least largeBytesMin that is about to be staged. */
export type Resumable = Pick<Want, 'want' | 'path' | 'sizeBytes'>

/** From here on it pays to go on where a transfer was cut: two packs and more. */
export const largeBytesMin = 512 * 1024
/** Files of one `resume`. */
export const resumableMax = 64

export interface Resumption {
  readonly parts: readonly Part[]
  /** There are parts of other files of the pair. */
  readonly others: boolean
}

/** What is here of a file, from its beginning: for its Want. */
export interface Part {
  readonly want: number
  readonly prefixes: readonly Prefix[]
}

/**
 * Bytes of one or many files, in the layout of wire/pack.ts; only the two ends of a transfer look
 * inside. `finished` tells the engine which wants ended with this pack.
 */
export interface Pack {
  readonly bytes: Uint8Array
  readonly finished: readonly Supplied[]
}

/** A pack on its way to the root that is to hold its files. */
export interface Delivery {
  readonly bytes: Uint8Array
  /**
   * What new files that end in the pack are to have, in the layout of wire/pack.ts: it is set while the file is open. Only a
   * hint: what the operation says is what is applied.
   */
  readonly props: Uint8Array
  /**
   * Which of them belong into directories that the batch makes, in the same layout: they are received there, and come into view
   * with their directory. Only a hint, too.
   */
  readonly places?: Uint8Array
}

export type Supplied =
  | { readonly want: number; readonly kind: 'whole'; readonly fingerprint: Fingerprint }
  /** It is not what was wanted any more; its path is dirty on the supplier's side. */
  | { readonly want: number; readonly kind: 'superseded' }
  | { readonly want: number; readonly kind: 'problem'; readonly code: ProblemCode; readonly detail: string }

export type ReplicaCode =
  | 'missing' // the root is not there
  | 'not-directory' // the root is of another type
  | 'unreadable' // no permission, or an i/o error, at the root itself
  | 'unwritable' // the private folder cannot be made or written
  | 'in-doubt' // the marker is not the one this agent knows: unmounted, exchanged
  | 'low-space' // its disk has less room than minfree asks for, or none at all
  | 'not-answering' // a job on this root did not end in time
  | 'unsupported' // no koffi, or a file system on which a root cannot be kept

const transientCodes: readonly ReplicaCode[] = ['missing', 'in-doubt', 'low-space', 'not-answering']

export class ReplicaFailure extends Failure {
  override readonly name = 'ReplicaFailure'
  constructor(
    readonly code: ReplicaCode,
    /** Canonical name or path of the root. */
    readonly root: string,
    detail: string,
    cause?: unknown,
  ) {
    super(`${root}: ${detail}`, cause === undefined ? undefined : { cause })
  }
  override get transient(): boolean {
    return transientCodes.includes(this.code)
  }
}

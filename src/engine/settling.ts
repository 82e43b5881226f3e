import { type ArchiveEdit, commitJob, encodeEdit, type LastEdits } from '../archive/commit.js'
import type { Content } from '../core/content.js'
import type { Settle } from '../core/decision.js'
import { isCreation, type Operation, type Outcome } from '../core/operation.js'
import { type AbsPath, isWithin, parentOf, type RelPath } from '../core/path.js'
import { otherSide, type Side } from '../core/side.js'
import type { Workers } from '../host/workers.js'
import type { Replica } from '../replica/replica.js'
import type { Emit } from '../status/event.js'
import { BytesWriter } from '../wire/bytes.js'
import type { Acknowledging } from './acknowledging.js'
import { agreementOf, oriented } from './agreed.js'
import type { Changes } from './changes.js'
import { isFirstMeeting } from './items.js'
import type { LeftOpen } from './opens.js'
import { passing } from './passing.js'
import type { Settled } from './propagate.js'
import { heldText } from './removals.js'

/**
 * Carries outcomes into the archive: a path is written down when every operation on it is done and both roots have it on
 * disk. Batches that became visible while the last ones were synced are written down together.
 */
export class Settling {
  readonly opened: LeftOpen[] = []
  /** What we changed ourselves, by side. */
  readonly changed: Record<Side, RelPath[]> = { alpha: [], beta: [] }
  applied = 0
  bytes = 0
  failed = 0
  kept = 0
  private readonly pending = new Map<RelPath, Pending>()
  private readonly queue: Batch[] = []
  private draining: Promise<void> | undefined
  private failure: unknown
  /** Says what is to be written with the last of it. */
  private conclude: (() => LastEdits | undefined) | undefined

  constructor(
    private readonly context: SettlingContext,
    decisions: readonly Settle[],
    /** Paths whose modes are in conflict. */
    private readonly torn: ReadonlySet<RelPath>,
    changes: Changes,
    /** What is to be written down though nothing is decided there. */
    notes: readonly ArchiveEdit[],
  ) {
    if (notes.length > 0) this.queue.push({ edits: notes, sync: { alpha: [], beta: [] }, acknowledge: undefined })
    const agreed: Settle[] = []
    const early: ArchiveEdit[] = []
    for (const settle of decisions) {
      const { path, alpha, beta } = settle
      const change = changes.get(path)
      if (change === undefined) agreed.push(settle)
      else {
        this.pending.set(path, { settle, left: change.operations, alpha, beta, broken: false })
        if (alpha.kind === 'directory' && beta.kind === 'directory')
          early.push(passing(path, change.alpha !== undefined ? alpha : beta))
      }
    }
    if (agreed.length === 0 && early.length === 0) return
    const edits = [...early, ...agreed.map((settle) => this.editOf(settle, settle.alpha, settle.beta))]
    const paths = agreed.map(({ path }) => path)
    this.queue.push({ edits, sync: { alpha: paths, beta: paths }, acknowledge: undefined })
  }

  /** What was decided for a path that is changed. */
  decidedAt(path: RelPath): Settle | undefined {
    return this.pending.get(path)?.settle
  }

  /** A batch of one side is visible. */
  take(side: Side, { batch, operations, outcomes, fingerprints }: Settled): void {
    const edits: ArchiveEdit[] = []
    const written: RelPath[] = []
    const supplied: RelPath[] = []
    let made: ReadonlySet<RelPath> | undefined
    const isMade = (path: RelPath) => {
      made ??= new Set(
        operations.filter((one, at) => isCreation(one) && outcomes[at]?.kind === 'done').map((one) => one.path),
      )
      return made.has(path)
    }
    operations.forEach((operation, at) => {
      const outcome = outcomes[at]
      const pending = this.pending.get(operation.path)
      if (outcome === undefined || pending === undefined) return
      pending.left--
      // Somebody else removed it first: what was to come in its place has come.
      if (operation.op === 'remove' && outcome.kind === 'superseded' && isMade(operation.path)) {
        edits.push({ path: operation.path, agreement: undefined })
        return
      }
      if (outcome.kind !== 'done') {
        this.fail(side, pending, operation, outcome)
        return
      }
      pending[side] = outcome.content
      // The supplier's fingerprint is known only now, if the file was read for the first time while it was sent.
      const fingerprint = fingerprints.get(at)
      const source = pending[otherSide(side)]
      if (fingerprint !== undefined && source.kind === 'file') pending[otherSide(side)] = { ...source, fingerprint }
      written.push(operation.path)
      this.changed[side].push(operation.path)
      if (operation.op !== 'set-props') supplied.push(operation.path)
      if (!isFirstMeeting(pending.settle)) this.count(side, operation)
      // It made way for something else, which may fail: then what was there is gone from both sides, and nobody's change.
      if (operation.op === 'remove' && pending.left > 0 && pending.settle.goal.kind !== 'absent')
        edits.push({ path: operation.path, agreement: undefined })
      // Its last properties come after all its members, perhaps in another batch: these need a directory to hang in.
      if (operation.op === 'create-directory' && pending.left > 0) edits.push(passing(operation.path, outcome.content))
      if (pending.left === 0 && !pending.broken) edits.push(this.editOf(pending.settle, pending.alpha, pending.beta))
    })
    const sync = side === 'alpha' ? { alpha: written, beta: supplied } : { alpha: supplied, beta: written }
    this.queue.push({ edits, sync, acknowledge: { side, batch, operations: operations.length } })
    this.start()
  }

  /**
   * Nothing more is taken. Resolves when all that was is in the archive, and what `conclude` says with it or after it. It is asked
   * when both roots have synced: what they had to tell before that has come.
   * @throws what went wrong on the way
   */
  async finish(conclude?: () => LastEdits | undefined): Promise<void> {
    this.conclude = conclude
    this.start()
    // A batch that came as the last draining ended begins another.
    while (this.draining !== undefined) await this.draining
    if (this.failure !== undefined) throw this.failure
    await this.commit([])
  }

  private editOf(settle: Settle, alpha: Content, beta: Content): ArchiveEdit {
    const agreement = agreementOf(settle, alpha, beta, this.torn.has(settle.path))
    const { swapped } = this.context
    return { path: settle.path, agreement: agreement === undefined ? undefined : oriented(agreement, swapped) }
  }

  private start(): void {
    if (this.draining !== undefined || this.queue.length === 0 || this.failure !== undefined) return
    this.draining = this.drain()
      .catch((error: unknown) => {
        this.failure = error
      })
      .finally(() => {
        this.draining = undefined
        this.start()
      })
  }

  private async drain(): Promise<void> {
    while (this.queue.length > 0) {
      const batches = this.queue.splice(0)
      const { alpha, beta } = this.context.replicas
      await Promise.all([
        alpha.sync(fewOrAll(batches.map(({ sync }) => sync.alpha))),
        beta.sync(fewOrAll(batches.map(({ sync }) => sync.beta))),
      ])
      await this.commit(batches.flatMap(({ edits }) => edits))
      for (const { acknowledge } of batches)
        if (acknowledge !== undefined)
          this.context.acknowledging.add(acknowledge.side, acknowledge.batch, acknowledge.operations)
    }
  }

  private async commit(edits: readonly ArchiveEdit[]): Promise<void> {
    let last: LastEdits | undefined
    if (this.queue.length === 0) {
      last = this.conclude?.()
      this.conclude = undefined
    }
    if (edits.length === 0 && last === undefined) return
    const to = new BytesWriter(64 + edits.length * 128)
    // Parents first: a record hangs in its directory's.
    for (const edit of [...edits].sort(byPath)) encodeEdit(to, edit)
    await this.context.workers.run(commitJob, { archive: this.context.archive, edits: to.finish(), last }, 'edit')
  }

  private count(side: Side, operation: Operation): void {
    this.applied++
    const bytes = operation.op === 'write-file' ? operation.sizeBytes : 0
    this.bytes += bytes
    const what =
      operation.op === 'remove'
        ? 'removed'
        : operation.op === 'set-props'
          ? 'properties'
          : operation.expect.kind === 'absent'
            ? 'created'
            : 'replaced'
    this.context.emit({ event: 'path-applied', pair: this.context.pair, path: operation.path, to: side, what, bytes })
  }

  private fail(side: Side, pending: Pending, { path }: Operation, outcome: Exclude<Outcome, { kind: 'done' }>): void {
    const { pair, emit } = this.context
    // A directory that stays since a member stayed is told by its member.
    const told =
      pending.broken || (outcome.kind === 'failed' && this.opened.some(({ open }) => inside(open.path, path)))
    pending.broken = true
    const why =
      outcome.kind === 'failed' && (outcome.code === 'not-empty' || outcome.code === 'held') ? 'held' : outcome.kind
    const detail =
      outcome.kind === 'failed' && outcome.code === 'held'
        ? heldText(outcome.detail, pair, this.context.replicas[side])
        : outcome.detail
    this.opened.push({ open: { path, why, detail }, retries: true })
    if (told) return
    if (why === 'held') this.kept++
    else this.failed++
    const code = outcome.kind === 'failed' ? outcome.code : 'superseded'
    emit({ event: 'problem-found', pair, path, side, code, detail })
  }
}

export interface SettlingContext {
  readonly pair: string
  readonly archive: AbsPath
  readonly swapped: boolean
  readonly replicas: Readonly<Record<Side, Replica>>
  readonly workers: Workers
  readonly emit: Emit
  readonly acknowledging: Acknowledging
}

interface Pending {
  readonly settle: Settle
  /** Operations that have not come to an end. */
  left: number
  /** What each side holds, as far as is known. */
  alpha: Content
  beta: Content
  /** One of them was not done: nothing is written down. */
  broken: boolean
}

interface Batch {
  readonly edits: readonly ArchiveEdit[]
  readonly sync: Readonly<Record<Side, readonly RelPath[]>>
  readonly acknowledge: { readonly side: Side; readonly batch: number; readonly operations: number } | undefined
}

/** So many paths are synced one by one; more, all at once, and need not be named. */
const syncedAloneMax = 8

/** undefined: nothing to sync. */
function fewOrAll(lists: readonly (readonly RelPath[])[]): readonly RelPath[] | 'all' {
  const count = lists.reduce((sum, { length }) => sum + length, 0)
  return count > syncedAloneMax ? 'all' : lists.flat()
}

function byPath(one: ArchiveEdit, other: ArchiveEdit): number {
  return one.path < other.path ? -1 : one.path > other.path ? 1 : 0
}

function inside(path: RelPath, directory: RelPath): boolean {
  return path !== directory && isWithin(path, directory) && parentOf(path) === directory
}

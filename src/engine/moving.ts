import type { Archive } from '../archive/archive.js'
import { type ArchiveEdit, commitJob, encodeEdit } from '../archive/commit.js'
import type { Preferences } from '../config/preferences.js'
import type { Decision } from '../core/decision.js'
import { findMoves, type Move, type Moves } from '../core/moves.js'
import type { Operation, Outcome } from '../core/operation.js'
import { type AbsPath, isWithin, parentOf, type RelPath } from '../core/path.js'
import { isOfNames } from '../core/pattern.js'
import { planOf } from '../core/plan.js'
import { prunedAgreement, prunedTree } from '../core/pruned.js'
import { reconcile } from '../core/reconcile.js'
import type { Rules } from '../core/rules.js'
import { otherSide, type Side } from '../core/side.js'
import type { Workers } from '../host/workers.js'
import type { Replica } from '../replica/replica.js'
import type { Emit } from '../status/event.js'
import { BytesWriter } from '../wire/bytes.js'
import { agreedTree } from './agreed.js'
import { identify } from './identify.js'
import { type Overlay, outermostOf } from './overlay.js'
import { onTheWay, passing, unagreedAbove } from './passing.js'

export interface MovingContext {
  readonly pair: string
  readonly archive: Archive
  readonly archivePath: AbsPath
  /** The archive knows the roots in the other order. */
  readonly swapped: boolean
  readonly host: { readonly workers: Workers }
  readonly emit: Emit
  readonly replicas: Readonly<Record<Side, Replica>>
  readonly boots: Readonly<Record<Side, string>>
  readonly rules: Rules
  readonly preferences: Pick<Preferences, 'ignore' | 'ignorenot' | 'path'>
  readonly stop: AbortSignal
  nextBatch(): number
}

/** Rounds of moves: what is moved in what was moved is found in the next one. */
const roundsMax = 16

/** The moves of one cycle, before the rest of it. */
export class Moving {
  /** Renames that were done, and directories that were made for them. */
  applied = 0
  private readonly tried = new Set<string>()

  /** `stay`: nothing is moved out of these: what was removed there is held. */
  constructor(
    private readonly context: MovingContext,
    private readonly input: MovingInput,
    private readonly stay: readonly RelPath[],
  ) {}

  /**
   * Directories that a side says it moved, first and alone, whatever is in them: such a move takes no longer for a large one.
   * Where something inside might forbid it, they wait for the rest. What a side has in what it moved is read from it
   * afterwards: of that it reported only what had changed at the old path.
   */
  async hinted(): Promise<void> {
    const { context, input } = this
    const { overlay } = input
    const { rules } = context
    const isFree = rules.spares === undefined && rules.tooLargeBytes === Number.POSITIVE_INFINITY && !input.asks
    for (let round = 0; isFree && round < roundsMax; round++) {
      const paths = new Set<RelPath>()
      for (const side of sides) for (const hint of overlay.hints[side]) for (const path of hint) paths.add(path)
      if (paths.size === 0) return
      const agreement = agreedTree(context.archive, context.swapped)
      const decisions = reconcile(
        prunedAgreement(agreement, paths),
        prunedTree(overlay.tree('alpha', agreement), paths),
        prunedTree(overlay.tree('beta', agreement), paths),
        overlay.touched(agreement),
        rules,
      )
      if (!(await this.carryOut(decisions))) break
    }
    await Promise.all(
      sides.map(async (side) => {
        const unlisted = [...overlay.hints[side].keys()].filter((path) => !overlay.isListed(side, path))
        if (unlisted.length > 0) overlay.note(side, await context.replicas[side].list(outermostOf(unlisted)))
      }),
    )
  }

  /** Carries out the moves among the decisions, and answers what is left to be decided; `again` decides anew. */
  async rest(first: readonly Decision[], again: () => Promise<Decision[]>): Promise<Decision[]> {
    const { context, input } = this
    let decisions = [...first]
    for (let round = 0; round < roundsMax && !context.stop.aborted; round++) {
      let found = this.find(decisions)
      const { unread } = found
      if (unread.alpha.length + unread.beta.length > 0) {
        await Promise.all(sides.map((side) => identify(context, input.overlay, side, unread[side])))
        decisions = await again()
        found = this.find(decisions)
      }
      if (found.moves.length === 0 || context.stop.aborted) break
      await this.carryOutFound(decisions, found)
      decisions = await again()
    }
    return decisions
  }

  /**
   * The moves that a person is asked about, and the decisions that they were found in: what was only moved, and is in conflict
   * nowhere. What may be moved in what was moved goes along as it is.
   */
  async proposed(
    first: readonly Decision[],
    again: () => Promise<Decision[]>,
  ): Promise<{ readonly decisions: Decision[]; readonly moves: readonly Move[] }> {
    const { context, input } = this
    let decisions = [...first]
    const { unread } = this.find(decisions)
    if (unread.alpha.length + unread.beta.length > 0) {
      await Promise.all(sides.map((side) => identify(context, input.overlay, side, unread[side])))
      decisions = await again()
    }
    const settled = new Set(decisions.flatMap(({ kind, path }) => (kind === 'settle' ? [path] : [])))
    const open = decisions.flatMap(({ kind, path }) => (kind === 'settle' ? [] : [path]))
    const isClear = ({ from, path }: Move) =>
      settled.has(from) && settled.has(path) && !open.some((at) => isWithin(at, from) || isWithin(at, path))
    return { decisions, moves: this.find(decisions).moves.filter(isClear) }
  }

  /**
   * Carries out the moves that were accepted, and answers what is left of what was: what was changed in the moved ones is decided
   * anew, and nothing else.
   */
  async accepted(
    accepted: readonly Decision[],
    moves: readonly Move[],
    again: () => Promise<Decision[]>,
  ): Promise<Decision[]> {
    if (moves.length === 0) return [...accepted]
    const keys = new Set(moves.map(keyOf))
    const found = findMoves(accepted, this.input.overlay.hints, this.context.rules, (move) => keys.has(keyOf(move)))
    const { done, made } = await this.carryOutFound(accepted, found)
    const places = done.flatMap(({ from, path }) => [from, path])
    const changed = new Set(made.map(({ path }) => path))
    const isAnew = ({ path }: Decision) => changed.has(path) || places.some((place) => isWithin(path, place))
    return [...accepted.filter((one) => !isAnew(one)), ...(await again()).filter(isAnew)]
  }

  private find(decisions: readonly Decision[]): Moves {
    return findMoves(decisions, this.input.overlay.hints, this.context.rules, (move) => this.allows(move))
  }

  /** Once is enough: what could not be done goes by the plain rules. */
  private allows(move: Move): boolean {
    return !this.tried.has(keyOf(move)) && !this.stay.some((path) => isWithin(move.from, path))
  }

  /** Whether there was anything to do. */
  private async carryOut(decisions: readonly Decision[]): Promise<boolean> {
    const found = this.find(decisions)
    if (found.moves.length === 0 || this.context.stop.aborted) return false
    await this.carryOutFound(decisions, found)
    return true
  }

  private async carryOutFound(decisions: readonly Decision[], found: Moves): Promise<Moved> {
    const { context, input } = this
    for (const move of found.moves) this.tried.add(keyOf(move))
    const moved = await carryOutMoves(context, input.overlay, decisions, found)
    for (const { to, from, path } of moved.done) input.moved(to, from, path)
    for (const { to, path } of moved.made) input.changed(to, [path])
    this.applied += moved.done.length + moved.made.length
    await this.readUncovered(moved)
    return moved
  }

  /** What was left out at the old place, and is not at the new one, nobody has told of: it went along unseen. */
  private async readUncovered({ done }: Moved): Promise<void> {
    const { context, input } = this
    const { ignore, ignorenot, path } = context.preferences
    if (path.length === 0 && [...ignore, ...ignorenot].every(isOfNames)) return
    await Promise.all(
      sides.map(async (side) => {
        const paths = done.flatMap((move) => (move.to === side && move.found.kind === 'directory' ? [move.path] : []))
        if (paths.length > 0) input.overlay.note(side, await context.replicas[side].list(outermostOf(paths)))
      }),
    )
  }
}

export interface MovingInput {
  readonly overlay: Overlay
  /** Nothing is done that nobody was asked about. */
  readonly asks: boolean
  changed(side: Side, paths: readonly RelPath[]): void
  moved(side: Side, from: RelPath, path: RelPath): void
}

function keyOf({ to, from, path }: Move): string {
  return `${to}\n${from}\n${path}`
}

const sides: readonly Side[] = ['alpha', 'beta']

interface Moved {
  readonly done: readonly Move[]
  /** Directories that were made for them. */
  readonly made: readonly { readonly to: Side; readonly path: RelPath }[]
}

/**
 * A step of its own, before anything else is decided: each move is one rename, durable on both sides, and written down as if
 * it had always been there. Afterwards archive and overlay know the new places alone, and what is in them is to be judged
 * again. A move that is not done is left to the plain rules: it is a removal and a creation.
 * @throws LinkFailure, ReplicaFailure, StoreFailure: the archive then lags, and the outcomes are told again
 */
async function carryOutMoves(
  context: MovingContext,
  overlay: Overlay,
  decisions: readonly Decision[],
  { moves, made }: Moves,
): Promise<Moved> {
  const ended = await Promise.allSettled(
    sides.map((to) =>
      renameOn(
        context,
        overlay,
        to,
        madeOn(context, to, decisions, made[to]),
        moves.filter((move) => move.to === to),
      ),
    ),
  )
  const done: Move[] = []
  const makings: { to: Side; path: RelPath }[] = []
  for (const end of ended) {
    if (end.status === 'rejected') throw end.reason
    done.push(...end.value.done)
    makings.push(...end.value.made)
  }
  return { done, made: makings }
}

function madeOn(
  context: MovingContext,
  to: Side,
  decisions: readonly Decision[],
  made: readonly RelPath[],
): readonly Operation[] {
  if (made.length === 0) return []
  const paths = new Set(made)
  return planOf(decisions, context.rules)[to].filter(({ op, path }) => op === 'create-directory' && paths.has(path))
}

async function renameOn(
  context: MovingContext,
  overlay: Overlay,
  to: Side,
  makings: readonly Operation[],
  moves: readonly Move[],
): Promise<Moved> {
  const result = { done: [] as Move[], made: [] as { to: Side; path: RelPath }[] }
  const operations: readonly Operation[] = [
    ...makings,
    ...moves.map(({ from, path, expect }): Operation => ({ op: 'rename', path, from, expect })),
  ]
  for (let at = 0; at < operations.length && !context.stop.aborted; at += batchOperationsMax) {
    const batch = context.nextBatch()
    const part = operations.slice(at, at + batchOperationsMax)
    const outcomes = await context.replicas[to].apply(batch, part, context.boots[otherSide(to)])
    await writeDown(context, to, batch, outcomes)
    outcomes.forEach((outcome, index) => {
      const operation = part[index]
      if (operation === undefined) return
      take(context, overlay, to, operation, outcome)
      if (outcome.kind === 'done' && operation.op !== 'rename') result.made.push({ to, path: outcome.path })
    })
    const renamed = new Set(outcomes.flatMap((outcome) => (outcome.kind === 'done' ? [outcome.path] : [])))
    for (const move of moves) if (renamed.has(move.path)) result.done.push(move)
  }
  return result
}

/** Operations of one batch: one intent, one sync. */
const batchOperationsMax = 2_000

/** What was done is on the disks of both, and then in the archive. */
async function writeDown(context: MovingContext, to: Side, batch: number, outcomes: readonly Outcome[]): Promise<void> {
  const edits: ArchiveEdit[] = []
  const touched: RelPath[] = []
  const known = new Set<RelPath>()
  let isLed = true
  for (const outcome of outcomes) {
    if (outcome.kind !== 'done') continue
    const { path, content, from } = outcome
    touched.push(path, ...(from === undefined ? [] : [from]))
    // Both have made them, and nothing of them was decided yet: what was agreed of what is moved needs them to hang in.
    for (const above of unagreedAbove(context.archive, path, known)) {
      edits.push(onTheWay(above))
      known.add(above)
      isLed = false
    }
    if (from !== undefined) edits.push({ path, agreement: undefined, from })
    else {
      edits.push(passing(path, content))
      known.add(path)
    }
    known.add(parentOf(path))
  }
  if (edits.length > 0) {
    const paths = touched.length > syncedAloneMax || !isLed ? 'all' : touched
    // What was agreed at a path that its user renamed meanwhile was never synced there: the agreement goes along with the move.
    const isDeep = outcomes.some(
      (outcome) => outcome.kind === 'done' && outcome.from !== undefined && outcome.content.kind === 'directory',
    )
    const supplied = isDeep ? 'all' : paths
    await Promise.all([context.replicas[to].sync(paths), context.replicas[otherSide(to)].sync(supplied)])
    const bytes = new BytesWriter(64 * edits.length)
    for (const edit of edits) encodeEdit(bytes, edit)
    const input = { archive: context.archivePath, edits: bytes.finish(), last: undefined }
    await context.host.workers.run(commitJob, input, 'edit')
  }
  await context.replicas[to].acknowledge([batch])
}

/** So many paths are synced one by one. */
const syncedAloneMax = 8

function take(context: MovingContext, overlay: Overlay, to: Side, operation: Operation, outcome: Outcome): void {
  if (outcome.kind !== 'done') return
  const { path, content, from } = outcome
  const { pair, emit } = context
  if (from === undefined) {
    overlay.note(to, [{ kind: 'entry', path, found: content }])
    emit({ event: 'path-applied', pair, path, to, what: 'created', bytes: 0 })
  } else {
    overlay.move(to, from, path, operation.expect)
    // Its properties may have been changed just before, and nobody has told: what is recorded with the rename is not reported.
    if (content.kind === 'directory') overlay.note(to, [{ kind: 'entry', path, found: content }])
    emit({ event: 'path-applied', pair, path, to, what: 'moved', from, bytes: 0 })
  }
}

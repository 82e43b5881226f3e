import type { Archive, ArchiveFacts, OpenPath } from '../archive/archive.js'
import type { ArchiveEdit, LastEdits } from '../archive/commit.js'
import type { Preferences } from '../config/preferences.js'
import type { Conflict, Decision } from '../core/decision.js'
import { emptiedScopes } from '../core/emptied.js'
import { folded, holdApart } from '../core/folding.js'
import type { Move } from '../core/moves.js'
import type { AbsPath } from '../core/path.js'
import { isWithin, type RelPath, rootPath } from '../core/path.js'
import { isWithinAny, type Plan, planOf } from '../core/plan.js'
import { reconcile } from '../core/reconcile.js'
import type { Rules } from '../core/rules.js'
import { otherSide, type Side } from '../core/side.js'
import type { AgreementTree, Tree } from '../core/tree.js'
import type { Host } from '../host/host.js'
import type { Replica } from '../replica/replica.js'
import { countOf } from '../status/amounts.js'
import type { Emit } from '../status/event.js'
import { versionOf } from '../status/version.js'
import type { Acknowledging } from './acknowledging.js'
import { agreedTree, heldAnew, oriented } from './agreed.js'
import { type Changes, changesOf } from './changes.js'
import { identify } from './identify.js'
import { changeOf, itemsOf } from './items.js'
import { copiesOf, type KeptAside, keepAside, withoutFailed } from './keep-aside.js'
import { checkMountpoints } from './mountpoints.js'
import { Moving } from './moving.js'
import type { LeftOpen, Opens, Versions } from './opens.js'
import { type Overlay, outermostOf } from './overlay.js'
import { overrule } from './overrule.js'
import type { Item, PassOptions, PassResult } from './pass.js'
import { type Flow, propagate } from './propagate.js'
import { emptiedText, type HeldRemoval, heldItem, withinBudget } from './removals.js'
import { Settling } from './settling.js'
import { transferred } from './transferred.js'

/** What a cycle works on. */
export interface CycleContext {
  readonly pair: string
  /** The roots are files; undefined: they are directories. */
  readonly file: RelPath | undefined
  readonly host: Host
  readonly emit: Emit
  readonly archive: Archive
  readonly archivePath: AbsPath
  /** The archive knows the roots in the other order. */
  readonly swapped: boolean
  readonly replicas: Readonly<Record<Side, Replica>>
  /** Boot ids of the machines that hold the roots. */
  readonly boots: Readonly<Record<Side, string>>
  /** Sides that do not distinguish the case or the form of names. */
  readonly folding: Readonly<Record<Side, boolean>>
  readonly rules: Rules
  readonly preferences: Preferences
  readonly opens: Opens
  readonly acknowledging: Acknowledging
  /** Stop handing out operations. */
  readonly stop: AbortSignal
  nextBatch(): number
}

/** What the cycle is given: reports since the last one, and how far they reach. */
export interface CycleInput {
  readonly number: number
  readonly overlay: Overlay
  /** Paths that this cycle reads afresh from both sides, whatever was reported of them. */
  readonly recheck: readonly RelPath[]
  /**
   * Paths that the cycle changed itself, on one side. Only after both sides have synced: what they reported before they changed
   * them has come by then.
   */
  changed(side: Side, paths: readonly RelPath[]): void
  /** The same of what it renamed, with all that is in it. */
  moved(side: Side, from: RelPath, path: RelPath): void
  /**
   * The facts to commit at the end: the cursors are what `overlay`, and what was applied since, bring the lead to. undefined:
   * they are written already.
   */
  facts(): ArchiveFacts | undefined
  readonly options: PassOptions
  /**
   * One of many cycles of a resident pair: removals of an emptied root are held and the rest travels, and nobody reads the
   * items. Else a pass: an emptied root ends it before anything is done.
   */
  readonly resident: boolean
  /** What is held of which somebody has said that it may be removed. */
  readonly letGo: readonly OpenPath[]
}

/**
 * reconcile, plan, propagate, settle, commit: from reports to an archive that holds what became of them. What was not settled
 * is open afterwards. The cursors move only in the last transaction, and only when everything was handed out.
 * @throws LinkFailure, ReplicaFailure, StoreFailure, MountpointMissing: the archive then lags, and the next cycle looks again
 */
export async function runCycle(context: CycleContext, input: CycleInput): Promise<PassResult> {
  const { host, emit, pair, opens } = context
  const started = host.clock.now()
  const touched = opens.touchedBy((path) => input.overlay.touches(path), started)
  let examined: readonly RelPath[] = [...touched, ...likesOf(context, input.overlay, touched)]
  await readAfresh(context, input.overlay, [...examined, ...input.recheck])
  const agreed = () => agreedTree(context.archive, context.swapped)
  const trees = () => ({ alpha: input.overlay.tree('alpha', agreed()), beta: input.overlay.tree('beta', agreed()) })
  // With `force` a side that was always empty empties the other; what `path` names goes with a directory above it.
  const mayEmpty =
    input.overlay.tellsOfAbsence || context.rules.force !== 'nobody' || context.preferences.path.length > 0
  const looksFor = context.preferences.confirmbigdel && mayEmpty
  const letGo = new Set(input.letGo.flatMap(({ path, why }) => (why === 'emptied' ? [path] : [])))
  const emptiedNow = () => emptiedOf(context, agreed(), trees()).filter(({ path }) => !letGo.has(path))
  let emptied = looksFor ? emptiedNow() : []
  if (emptied.length > 0) {
    // What is open is neither agreed nor reported now, and may be what is left.
    const unread = opens.but(examined)
    await readAfresh(context, input.overlay, unread)
    examined = [...examined, ...unread]
    emptied = emptiedNow()
  }
  const afresh = [...examined, ...input.recheck]
  const unlisted = afresh.filter((path) => sides.some((side) => input.overlay.isUnlisted(side, path)))
  const holding = [...emptied, ...heldBefore(context, letGo)]
  // Nothing is done that nobody was asked about.
  const asks = input.options.dryRun || input.options.decide !== undefined
  const moving = new Moving(
    context,
    { ...input, asks },
    holding.map(({ path }) => path),
  )
  checkMountpoints(context.preferences.mountpoint, trees())
  const halts = emptied.length > 0 && !input.resident
  if (!halts) await moving.hinted()

  const held: OpenPath[] = []
  /** Held by a root: somebody there may let it go, and tells nobody. */
  const waiting: HeldRemoval[] = []
  const decided = async () => {
    held.length = 0
    let decisions = await decide(context, input.overlay, agreed(), trees)
    for (const side of sides) if (context.folding[side]) decisions = holdApart(decisions, side, trees()[side])
    return halts ? decisions : holdRemovals(decisions, holding, held, context)
  }
  let decisions = await decided()
  if (halts) return haltedAt(context, emptied, decisions)
  let moves: readonly Move[] = []
  if (asks) ({ decisions, moves } = await moving.proposed(decisions, decided))
  else decisions = await moving.rest(decisions, decided)
  let plan = planOf(decisions, context.rules)
  if (!input.options.dryRun) {
    const mayRemove = new Set(context.preferences.confirmbigdel ? input.letGo.map(({ path }) => path) : [rootPath])
    const allowed = await withinBudget(context.pair, context.replicas, decisions, plan, waiting, mayRemove)
    if (allowed !== decisions) plan = planOf(allowed, context.rules)
    decisions = allowed
  }
  let changes = changesOf(plan)
  const items = input.resident ? [] : itemsOf(decisions, changes, movesIn(decisions, moves))
  if (input.options.dryRun) return resultOf(items, decisions, undefined)
  if (input.options.decide !== undefined) {
    const choices = items.length === 0 ? [] : await input.options.decide(items)
    if (choices === 'quit') return { ...resultOf(items, [], undefined), skipped: items.length }
    decisions = chosen(decisions, items, choices, trees(), context.rules, held)
    const left = [...held]
    decisions = await moving.accepted(decisions, movesIn(decisions, moves), decided)
    held.splice(0, held.length, ...left)
    plan = planOf(decisions, context.rules)
    changes = changesOf(plan)
  }

  const aside = await asideOf(context, decisions, trees())
  if (aside.failed.length > 0) {
    decisions = withoutFailed(decisions, aside.failed)
    plan = planOf(decisions, context.rules)
    changes = changesOf(plan)
  }
  const settles = decisions.filter((decision) => decision.kind === 'settle')
  const torn = tornOf(decisions)
  const settling = new Settling(
    {
      pair,
      archive: context.archivePath,
      swapped: context.swapped,
      replicas: context.replicas,
      workers: host.workers,
      emit,
      acknowledging: context.acknowledging,
    },
    settles,
    torn,
    changes,
    notesOf(context, input.overlay, agreed(), decisions),
  )
  for (const { open } of waiting) settling.opened.push({ open, retries: true })
  // What is in it was reported while nothing there could be judged: it stays open until it can be read as a whole.
  for (const path of unlisted)
    settling.opened.push({ open: { path, why: 'superseded', detail: unlistedDetail }, retries: true })
  settling.kept += waiting.length
  settling.applied += moving.applied
  for (const open of [...aside.made, ...aside.failed]) settling.opened.push({ open, retries: open.why !== 'held' })
  for (const { why } of aside.failed) {
    if (why === 'held') settling.kept++
    else settling.failed++
  }
  const operations = plan.alpha.length + plan.beta.length
  if (operations > 0) emit({ event: 'cycle-started', pair, cycle: input.number, operations, bytes: bytesOf(plan) })
  let last: (() => LastEdits | undefined) | undefined
  try {
    await carryOut(context, plan, changes, torn, settling)
    // Told to stop: what was not handed out is neither settled nor open, so the cursors stay where they are.
    if (!context.stop.aborted) last = () => conclude(context, input, decisions, held, examined, settling)
  } finally {
    // However it ended: what is visible is settled.
    await settling.finish(last).finally(() => {
      for (const side of sides) input.changed(side, settling.changed[side])
    })
  }
  const result = resultOf([...items, ...waiting.map(heldItem)], decisions, settling)
  emit({
    event: 'cycle-committed',
    pair,
    cycle: input.number,
    applied: settling.applied,
    conflicts: count(decisions, 'conflict'),
    problems: count(decisions, 'problem') + settling.failed + settling.kept,
    bytes: settling.bytes,
    durationMs: host.clock.now() - started,
  })
  return { ...result, skipped: result.skipped + held.length }
}

const sides: readonly Side[] = ['alpha', 'beta']

/** Versions that are about to be lost are kept first, where `copyonconflict` says so. */
async function asideOf(
  context: CycleContext,
  decisions: readonly Decision[],
  trees: { readonly alpha: Tree; readonly beta: Tree },
): Promise<KeptAside> {
  if (!context.preferences.copyonconflict) return { failed: [], made: [] }
  return await keepAside(context, copiesOf(decisions, trees, context.rules, context.host.clock.wallNs()))
}

/** What a side holds that is not compared changed by itself: nothing to be done, but to be known. */
function notesOf(
  { rules, swapped }: CycleContext,
  overlay: Overlay,
  agreement: AgreementTree,
  decisions: readonly Decision[],
): ArchiveEdit[] {
  const edits: ArchiveEdit[] = []
  // Of a first sync nothing is agreed, and much decided.
  let decided: ReadonlySet<RelPath> | undefined
  for (const { path, agreement: known, alpha, beta } of overlay.reported(agreement)) {
    decided ??= new Set(decisions.map((decision) => decision.path))
    if (isWithinAny(path, decided)) continue
    const anew = heldAnew(known, alpha, beta, rules)
    if (anew !== undefined) edits.push({ path, agreement: oriented(anew, swapped) })
  }
  return edits
}

function tornOf(decisions: readonly Decision[]): Set<RelPath> {
  const torn = new Set<RelPath>()
  for (const decision of decisions)
    if (decision.kind === 'conflict' && decision.about === 'properties') torn.add(decision.path)
  return torn
}

/** Open paths are read from both sides, as subtrees: their reports lie behind the cursors. */
async function readAfresh(context: CycleContext, overlay: Overlay, paths: readonly RelPath[]): Promise<void> {
  if (paths.length === 0) return
  const scopes = outermostOf(paths)
  const [alpha, beta] = await Promise.all([context.replicas.alpha.list(scopes), context.replicas.beta.list(scopes)])
  overlay.note('alpha', alpha)
  overlay.note('beta', beta)
}

const unlistedDetail = 'its members are being looked at'

/** Rounds of reading files whose fingerprint decides; more are needed only when files change meanwhile. */
const readRoundsMax = 3
async function decide(
  context: CycleContext,
  overlay: Overlay,
  agreement: AgreementTree,
  trees: () => { readonly alpha: Tree; readonly beta: Tree },
): Promise<Decision[]> {
  for (let round = 0; ; round++) {
    const { alpha, beta } = trees()
    const decisions = reconcile(agreement, alpha, beta, overlay.touched(agreement), context.rules)
    const unread: Record<Side, RelPath[]> = { alpha: [], beta: [] }
    for (const decision of decisions)
      if (decision.kind === 'unread') for (const side of decision.sides) unread[side].push(decision.path)
    if (round === readRoundsMax || (unread.alpha.length === 0 && unread.beta.length === 0)) return decisions
    await Promise.all((['alpha', 'beta'] as const).map((side) => identify(context, overlay, side, unread[side])))
  }
}

async function carryOut(
  context: CycleContext,
  plan: Plan,
  changes: Changes,
  torn: ReadonlySet<RelPath>,
  settling: Settling,
): Promise<void> {
  const flow = (target: Side): Flow => {
    const source = otherSide(target)
    return {
      target: context.replicas[target],
      source: context.replicas[source],
      sourceBoot: context.boots[source],
      operations: plan[target],
      isWhole: (path) => changes.get(path)?.[source] === undefined && !torn.has(path),
      wantOf: ({ path, sizeBytes }) => {
        const content = settling.decidedAt(path)?.[source]
        const known = content?.kind === 'file' ? content : undefined
        return { path, sizeBytes, mtimeNs: known?.props.mtimeNs ?? 0n, fingerprint: known?.fingerprint }
      },
    }
  }
  const { maxthreads } = context.preferences
  const batchesMax = maxthreads > 0 ? Math.min(maxthreads, batchesUnderWayMax) : batchesUnderWayMax
  const { nextBatch, stop } = context
  const sent = transferred(context.pair, context.emit, context.host.clock)
  const ended = await Promise.allSettled(
    sides.map((side) =>
      propagate(flow(side), { nextBatch, batchesMax, stop, sent: (bytes) => sent(side, bytes) }, async (settled) => {
        settling.take(side, settled)
      }),
    ),
  )
  for (const end of ended) if (end.status === 'rejected') throw end.reason
}

/** Batches of one direction between their first byte and their outcomes. */
const batchesUnderWayMax = 4

/** What ends the cycle in the archive; undefined: nothing. */
function conclude(
  context: CycleContext,
  input: CycleInput,
  decisions: readonly Decision[],
  held: readonly OpenPath[],
  examined: readonly RelPath[],
  settling: Settling,
): LastEdits | undefined {
  const undecided = new Set<RelPath>()
  const now: LeftOpen[] = [...settling.opened, ...held.map((open) => ({ open, retries: false }))]
  for (const decision of decisions) {
    const { path } = decision
    if (decision.kind === 'conflict')
      now.push({
        open: { path, why: 'conflict', detail: conflictDetail(decision) },
        retries: false,
        versions: versionsOf(decision),
      })
    else if (decision.kind === 'problem') {
      const { code, detail } = decision.problem
      now.push({ open: { path, why: 'problem', detail: `${decision.side}: ${code}: ${detail}` }, retries: false })
    } else if (decision.kind === 'unread') undecided.add(decision.undecided)
  }
  for (const path of undecided)
    now.push({ open: { path, why: 'superseded', detail: 'it changed each time it was read' }, retries: true })
  const { opened, closed } = context.opens.replace(examined, now, context.host.clock.now())
  tellNew(context, decisions, opened)
  const facts = input.facts()
  if (facts === undefined && opened.length === 0 && closed.length === 0) return undefined
  return { facts, opened, closed }
}

function versionsOf({ agreement, alpha, beta }: Conflict): Versions {
  return { alpha: versionOf(alpha, changeOf(agreement, alpha)), beta: versionOf(beta, changeOf(agreement, beta)) }
}

function conflictDetail({ agreement, alpha, beta, why }: Conflict): string {
  return why ?? `${changeOf(agreement, alpha) || 'changed'} <-?-> ${changeOf(agreement, beta) || 'changed'}`
}

/** What is open for the first time, or for another reason, is an event. */
function tellNew({ pair, emit }: CycleContext, decisions: readonly Decision[], opened: readonly OpenPath[]): void {
  const fresh = new Map(opened.map((open) => [open.path, open]))
  for (const decision of decisions) {
    const open = fresh.get(decision.path)
    if (open === undefined) continue
    if (decision.kind === 'conflict') {
      const { path } = decision
      const { alpha: alphaVersion, beta: betaVersion } = versionsOf(decision)
      emit({ event: 'conflict-found', pair, path, detail: open.detail, alphaVersion, betaVersion })
    } else if (decision.kind === 'problem') {
      const { path, side, problem } = decision
      emit({ event: 'problem-found', pair, path, side, code: problem.code, detail: problem.detail })
    }
  }
  for (const { path, why, detail } of opened)
    if (why === 'held' || why === 'emptied')
      emit({ event: 'problem-found', pair, path, side: 'alpha', code: 'held', detail })
}

/** Open paths that a folding root takes for one that was reported: what stands there stands in the way of that. */
function likesOf({ folding, opens }: CycleContext, overlay: Overlay, examined: readonly RelPath[]): RelPath[] {
  if (!folding.alpha && !folding.beta) return []
  const others = opens.but(examined)
  if (others.length === 0) return []
  const reported = new Set<string>()
  for (const path of overlay.notedPaths()) reported.add(folded(path))
  return others.filter((path) => reported.has(folded(path)))
}

function emptiedOf(
  context: CycleContext,
  agreement: AgreementTree,
  { alpha, beta }: { readonly alpha: Tree; readonly beta: Tree },
): { path: RelPath; side: Side }[] {
  return emptiedScopes(agreement, alpha, beta, scopesOf(context), context.rules.skips, context.rules.force)
}

/** What counts as a whole: the root, or each `path`. */
function scopesOf({ preferences }: CycleContext): readonly RelPath[] {
  return preferences.path.length === 0 ? [rootPath] : preferences.path
}

function haltedAt(
  { file, replicas, rules }: CycleContext,
  emptied: readonly { readonly path: RelPath; readonly side: Side }[],
  decisions: readonly Decision[],
): PassResult {
  const plan = planOf(decisions, rules)
  const state = file === undefined ? 'empty' : 'gone'
  const texts = emptied.map(({ path, side }) => {
    const gone = plan[otherSide(side)].filter((one) => one.op === 'remove' && isWithin(one.path, path)).length
    const where = `${path === rootPath ? 'The root' : `The path ${path} of the root`} ${replicas[side].canonical}`
    return `${where} is ${state} on one side (${side}): ${countOf(gone)} path${gone === 1 ? '' : 's'} would be removed from ${replicas[otherSide(side)].canonical}.`
  })
  const halted =
    `${texts.join(' ')} Nothing was done. If it is meant to be ${state}, run again with -confirmbigdel=false; ` +
    `if not, bring ${file === undefined ? 'its content (or its mount)' : 'the file'} back and run again.`
  return { ...resultOf(itemsOf(decisions, changesOf(plan)), [], undefined), halted }
}

/**
 * Scopes whose removals are held since an earlier cycle: they stay so until what was removed is back or the removals are let
 * go. That something new was made in an emptied root does not let go of the rest.
 */
function heldBefore(context: CycleContext, letGo: ReadonlySet<RelPath>): { path: RelPath }[] {
  if (!context.preferences.confirmbigdel) return []
  return context.opens.all().filter(({ path, why }) => why === 'emptied' && !letGo.has(path))
}

/** Takes out the removals below the scopes: everything else travels. */
function holdRemovals(
  decisions: readonly Decision[],
  scopes: readonly { readonly path: RelPath }[],
  held: OpenPath[],
  { pair, replicas }: CycleContext,
): Decision[] {
  if (scopes.length === 0) return [...decisions]
  const paths = outermostOf(scopes.map(({ path }) => path))
  const holding = new Map<RelPath, { count: number; gone: Side }>()
  const others = decisions.filter((decision) => {
    if (decision.kind !== 'settle' || decision.goal.kind !== 'absent') return true
    if (decision.alpha.kind === 'absent' && decision.beta.kind === 'absent') return true
    const scope = paths.find((path) => isWithin(decision.path, path))
    if (scope === undefined) return true
    const { count = 0 } = holding.get(scope) ?? {}
    holding.set(scope, { count: count + 1, gone: decision.alpha.kind === 'absent' ? 'alpha' : 'beta' })
    return false
  })
  for (const [path, { count, gone }] of holding)
    held.push({ path, why: 'emptied', detail: emptiedText(pair, count, replicas[gone], replicas[otherSide(gone)]) })
  return others
}

/** Those of which both halves are still decided so: a removal may be held, and either was perhaps left out by a person. */
function movesIn(decisions: readonly Decision[], moves: readonly Move[]): readonly Move[] {
  if (moves.length === 0) return moves
  const goals = new Map<RelPath, string>()
  for (const decision of decisions) if (decision.kind === 'settle') goals.set(decision.path, decision.goal.kind)
  return moves.filter(({ from, path, found }) => goals.get(from) === 'absent' && goals.get(path) === found.kind)
}

/** Decisions as the person chose: skipped ones are open, turned ones are decided anew. */
function chosen(
  decisions: readonly Decision[],
  items: readonly Item[],
  choices: readonly string[],
  { alpha, beta }: { readonly alpha: Tree; readonly beta: Tree },
  rules: Rules,
  held: OpenPath[],
): Decision[] {
  let left = [...decisions]
  items.forEach(({ path, from, direction, alphaContent, betaContent }, at) => {
    const choice = choices[at] ?? 'default'
    if (choice === 'default' || choice === direction) return
    // Of a directory that both have only the properties are one line: its members have lines of their own.
    const isAlone = from === undefined && alphaContent.kind === 'directory' && betaContent.kind === 'directory'
    for (const place of from === undefined ? [path] : [path, from]) {
      const isMeant = (decision: Decision) => (isAlone ? decision.path === place : isWithin(decision.path, place))
      left = left.filter((decision) => !isMeant(decision))
      if (choice === 'skip') held.push({ path: place, why: 'skipped', detail: 'skipped by choice' })
      else left.push(...overrule(place, choice === 'to-beta' ? 'alpha' : 'beta', alpha, beta, rules).filter(isMeant))
    }
  })
  return withoutHalves(left, decisions, items, held)
}

/** Of a move that cannot be made, since what it comes from or goes into was left as it is, neither half is made. */
function withoutHalves(
  left: Decision[],
  decisions: readonly Decision[],
  items: readonly Item[],
  held: OpenPath[],
): Decision[] {
  const decidedAt = new Map(decisions.map((decision) => [decision.path, decision]))
  const kept = new Set(left)
  const isKept = (path: RelPath) => {
    const decision = decidedAt.get(path)
    return decision !== undefined && kept.has(decision)
  }
  const halves = items.flatMap(({ path, from }) => {
    if (from === undefined || isKept(path) === isKept(from)) return []
    return [isKept(path) ? path : from]
  })
  if (halves.length === 0) return left
  for (const path of halves)
    held.push({ path, why: 'skipped', detail: 'the other half of the move was skipped by choice' })
  const out = new Set(halves)
  return left.filter(({ path }) => !isWithinAny(path, out))
}

function resultOf(items: readonly Item[], decisions: readonly Decision[], settling: Settling | undefined): PassResult {
  return {
    applied: settling?.applied ?? 0,
    skipped: count(decisions, 'conflict') + count(decisions, 'problem') + (settling?.kept ?? 0),
    failed: (settling?.failed ?? 0) + count(decisions, 'unread'),
    bytes: settling?.bytes ?? 0,
    items,
    halted: undefined,
  }
}

function count(decisions: readonly Decision[], kind: Decision['kind']): number {
  return decisions.reduce((sum, decision) => sum + (decision.kind === kind ? 1 : 0), 0)
}

function bytesOf(plan: Plan): number {
  let bytes = 0
  for (const operation of [...plan.alpha, ...plan.beta]) if (operation.op === 'write-file') bytes += operation.sizeBytes
  return bytes
}

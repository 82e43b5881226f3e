import type { OpenPath } from '../archive/archive.js'
import { conflictName, keptVersionOf } from '../core/conflict-name.js'
import { absent, type Content } from '../core/content.js'
import type { Decision } from '../core/decision.js'
import { compareContents } from '../core/judge.js'
import type { Operation } from '../core/operation.js'
import { componentsOf, isWithin, join, nameOf, parentOf, type RelPath, rootPath } from '../core/path.js'
import type { Rules } from '../core/rules.js'
import type { Side } from '../core/side.js'
import type { Tree } from '../core/tree.js'
import type { Replica } from '../replica/replica.js'
import type { Emit } from '../status/event.js'
import { noSupplier, propagate } from './propagate.js'

/** A version that is about to be lost, and the copy of it: beside it, on its own side. */
export interface Copy {
  readonly side: Side
  readonly path: RelPath
  readonly copy: RelPath
  /** That make the copy, parents first. */
  readonly operations: readonly Operation[]
  /** Where the bytes of its files come from, by the path of the copied file. */
  readonly sources: ReadonlyMap<RelPath, { readonly path: RelPath; readonly content: Content }>
}

type Trees = Readonly<Record<Side, Tree>>

/**
 * A copy for each version that is overridden, under the first conflict name of the day that neither side has. The root has
 * no place beside it.
 */
export function copiesOf(decisions: readonly Decision[], trees: Trees, rules: Rules, wallNs: bigint): Copy[] {
  const taken = new Set<RelPath>()
  return decisions.flatMap((decision) => {
    if (decision.kind !== 'settle' || decision.overridden === undefined || decision.path === rootPath) return []
    const { path, overridden: side } = decision
    // What could not be replaced is tried again and again: it is kept once.
    if (isKept(path, trees[side], rules)) return []
    const copy = freePath(path, trees, taken, rules, wallNs)
    taken.add(copy)
    const making: Making = { operations: [], sources: new Map(), rules }
    copyTree(making, treeAt(trees[side], path), path, copy)
    return [{ side, path, copy, operations: making.operations, sources: making.sources }]
  })
}

function freePath(path: RelPath, trees: Trees, taken: ReadonlySet<RelPath>, rules: Rules, wallNs: bigint): RelPath {
  const parent = parentOf(path)
  const beside = [treeAt(trees.alpha, parent), treeAt(trees.beta, parent)]
  // Of names that are left out (by `ignore` or `path`) nobody tells which are there: the time makes another one each time.
  const isUnseen = rules.skips(join(parent, conflictName(nameOf(path), wallNs, 1)))
  for (let count = isUnseen ? 2 + Number((wallNs / 1_000_000_000n) % 86_400n) : 1; ; count++) {
    const name = conflictName(nameOf(path), wallNs, count)
    const isFree = beside.every((tree) => tree.member(name).found.kind === 'absent')
    if (isFree && !taken.has(join(parent, name))) return join(parent, name)
  }
}

/** Whether all that is at the path is in a version of it that is kept beside it already. */
function isKept(path: RelPath, root: Tree, rules: Rules): boolean {
  const beside = treeAt(root, parentOf(path))
  const version = treeAt(root, path)
  for (const name of beside.names())
    if (keptVersionOf(name) === nameOf(path) && holds(beside.member(name), version, path, rules)) return true
  return false
}

function holds(kept: Tree, version: Tree, path: RelPath, rules: Rules): boolean {
  const { found } = version
  if (found.kind === 'problem' || kept.found.kind === 'problem') return false
  if (found.kind === 'symlink' && !rules.links) return true
  if (compareContents(kept.found, found) !== 'same') return false
  if (found.kind !== 'directory') return true
  for (const name of version.names()) {
    const at = join(path, name)
    if (!rules.skips(at) && !holds(kept.member(name), version.member(name), at, rules)) return false
  }
  return true
}

interface Making {
  readonly operations: Operation[]
  readonly sources: Map<RelPath, { readonly path: RelPath; readonly content: Content }>
  readonly rules: Rules
}

function copyTree(making: Making, tree: Tree, from: RelPath, to: RelPath): void {
  const { operations, sources, rules } = making
  const { found } = tree
  switch (found.kind) {
    case 'absent':
    case 'problem':
      return
    case 'symlink':
      if (rules.links) operations.push({ op: 'write-symlink', path: to, expect: absent, target: found.target })
      return
    case 'file':
      sources.set(to, { path: from, content: found })
      operations.push({
        op: 'write-file',
        path: to,
        expect: absent,
        want: 0,
        sizeBytes: found.sizeBytes,
        props: found.props,
      })
      return
    case 'directory': {
      const mode = found.props.mode === undefined ? undefined : found.props.mode | ownerRights
      operations.push({ op: 'create-directory', path: to, expect: absent, props: { mode, mtimeNs: undefined } })
      for (const name of tree.names())
        if (!rules.skips(join(from, name))) copyTree(making, tree.member(name), join(from, name), join(to, name))
    }
  }
}

/** Or nothing could be put into it. */
const ownerRights = 0o700

function treeAt(root: Tree, path: RelPath): Tree {
  return componentsOf(path).reduce((tree, name) => tree.member(name), root)
}

export interface KeepingContext {
  readonly pair: string
  readonly emit: Emit
  readonly replicas: Readonly<Record<Side, Replica>>
  readonly rules: Rules
  readonly stop: AbortSignal
  nextBatch(): number
}

export interface KeptAside {
  /** Paths whose version could not be kept: it must not be replaced. */
  readonly failed: readonly OpenPath[]
  /** The copies. No root tells of what we made ourselves: they travel with a cycle that reads them afresh. */
  readonly made: readonly OpenPath[]
}

/**
 * Makes the copies and brings them to the disk, before anything is replaced. @throws LinkFailure, ReplicaFailure
 */
export async function keepAside(context: KeepingContext, copies: readonly Copy[]): Promise<KeptAside> {
  const done = new Set<RelPath>()
  const spared = copies.filter(({ side, copy }) => context.rules.spares?.(side, 'nocreation', copy) === true)
  const wanted = copies.filter((copy) => !spared.includes(copy))
  for (const side of ['alpha', 'beta'] as const) {
    const own = wanted.filter((copy) => copy.side === side)
    if (own.length > 0) await makeCopies(context, side, own, done)
  }
  const failed: OpenPath[] = spared.map(({ path, copy, side }) => ({
    path,
    why: 'held',
    detail: `a version would be lost: ${copy} cannot be made, ${side} is kept as it is (nocreation)`,
  }))
  const made: OpenPath[] = []
  for (const { path, side, copy, operations } of wanted) {
    if (operations.some((operation) => done.has(operation.path)))
      made.push({ path: copy, why: 'superseded', detail: `a version of ${path} that was kept; it travels next` })
    if (operations.every((operation) => done.has(operation.path))) {
      const bytes = operations.reduce((sum, one) => sum + (one.op === 'write-file' ? one.sizeBytes : 0), 0)
      context.emit({ event: 'path-applied', pair: context.pair, path: copy, to: side, what: 'created', bytes })
    } else failed.push({ path, why: 'superseded', detail: `a version would be lost: ${copy} was not made` })
  }
  return { failed, made }
}

async function makeCopies(
  context: KeepingContext,
  side: Side,
  copies: readonly Copy[],
  done: Set<RelPath>,
): Promise<void> {
  const replica = context.replicas[side]
  const sources = new Map(copies.flatMap((copy) => [...copy.sources]))
  const batches: number[] = []
  const flow = {
    target: replica,
    source: replica,
    sourceBoot: noSupplier,
    operations: copies.flatMap(({ operations }) => operations),
    // Nothing of it is agreed: the other side has never heard of it.
    isWhole: () => false,
    wantOf: ({ path, sizeBytes }: Operation & { op: 'write-file' }) => {
      const source = sources.get(path)
      const content = source?.content.kind === 'file' ? source.content : undefined
      return {
        path: source?.path ?? path,
        sizeBytes,
        mtimeNs: content?.props.mtimeNs ?? 0n,
        fingerprint: content?.fingerprint,
      }
    },
  }
  const options = { nextBatch: () => context.nextBatch(), batchesMax: 1, stop: context.stop, sent: () => {} }
  await propagate(flow, options, async ({ batch, outcomes }) => {
    batches.push(batch)
    for (const { kind, path } of outcomes) if (kind === 'done') done.add(path)
  })
  if (batches.length === 0) return
  await replica.sync('all')
  await replica.acknowledge(batches)
}

/** What is left to be done when these paths are left as they are. */
export function withoutFailed(decisions: readonly Decision[], failed: readonly OpenPath[]): Decision[] {
  return decisions.filter((decision) => !failed.some(({ path }) => isWithin(decision.path, path)))
}

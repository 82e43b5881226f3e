import { isDeepStrictEqual } from 'node:util'
import type { Agreement } from '../../src/core/agreement.js'
import { absent, type Content } from '../../src/core/content.js'
import type { Decision, Settle } from '../../src/core/decision.js'
import { findMoves, type Hints, type Move, movedPath } from '../../src/core/moves.js'
import type { Operation } from '../../src/core/operation.js'
import { isWithin, join, nameOf, parentOf, type RelPath, rootPath } from '../../src/core/path.js'
import { planOf } from '../../src/core/plan.js'
import { reconcile } from '../../src/core/reconcile.js'
import type { Rules } from '../../src/core/rules.js'
import { type AgreementTree, type Touched, type Tree, wholeTouched } from '../../src/core/tree.js'

/** A root in memory, by path. Refuses what POSIX refuses, and whatever is not as expected. */
export class Disk {
  readonly contents = new Map<RelPath, Content>()

  constructor(entries: Iterable<readonly [RelPath, Content]> = []) {
    for (const [path, content] of entries) this.contents.set(path, content)
  }

  at(path: RelPath): Content {
    return this.contents.get(path) ?? absent
  }

  put(path: RelPath, content: Content): void {
    for (const inside of [...this.contents.keys()]) if (isWithin(inside, path)) this.contents.delete(inside)
    if (content.kind !== 'absent') this.contents.set(path, content)
  }

  /** `source` is what the other side held when the plan was made. */
  apply(operation: Operation, source: Disk): void {
    const { path, expect } = operation
    if (operation.op === 'rename') {
      this.rename(operation.from, path, expect)
      return
    }
    const held = this.at(path)
    if (!isDeepStrictEqual(held, expect)) throw new Error(`${operation.op} ${path}: not what was expected`)
    if (path !== rootPath && this.at(parentOf(path)).kind !== 'directory') throw new Error(`${path}: no parent`)
    const isEmpty = ![...this.contents.keys()].some((inside) => inside !== rootPath && parentOf(inside) === path)
    switch (operation.op) {
      case 'create-directory':
        if (held.kind !== 'absent') throw new Error(`mkdir ${path}: exists`)
        this.contents.set(path, { kind: 'directory', props: operation.props })
        return
      case 'remove':
        if (held.kind === 'absent') throw new Error(`remove ${path}: absent`)
        if (held.kind === 'directory' && !isEmpty) throw new Error(`rmdir ${path}: not empty`)
        this.contents.delete(path)
        return
      case 'write-symlink':
        if (held.kind === 'directory') throw new Error(`symlink ${path}: is a directory`)
        this.contents.set(path, { kind: 'symlink', target: operation.target })
        return
      case 'write-file': {
        const sent = source.at(path)
        if (held.kind === 'directory') throw new Error(`write ${path}: is a directory`)
        if (sent.kind !== 'file' || sent.sizeBytes !== operation.sizeBytes) throw new Error(`write ${path}: no source`)
        const kept = held.kind === 'file' ? held.props.mode : 0o666
        const { mode, mtimeNs } = operation.props
        this.contents.set(path, { ...sent, props: { mode: mode ?? kept, mtimeNs: mtimeNs ?? 1_000n } })
        return
      }
      case 'set-props': {
        if (held.kind !== 'file' && held.kind !== 'directory') throw new Error(`chmod ${path}: nothing there`)
        const { mode, mtimeNs } = operation.props
        this.contents.set(path, {
          ...held,
          props: { mode: mode ?? held.props.mode, mtimeNs: mtimeNs ?? held.props.mtimeNs },
        })
      }
    }
  }

  rename(from: RelPath, path: RelPath, expect: Content = this.at(from)): void {
    if (this.at(from).kind !== expect.kind || expect.kind === 'absent') throw new Error(`rename ${from}: nothing there`)
    if (this.at(path).kind !== 'absent') throw new Error(`rename ${from} ${path}: exists`)
    if (this.at(parentOf(path)).kind !== 'directory') throw new Error(`rename ${from} ${path}: no parent`)
    movePaths(this.contents, from, path)
  }

  tree(path: RelPath = rootPath): Tree {
    return {
      found: this.at(path),
      names: () => namesIn(this.contents.keys(), path),
      member: (name) => this.tree(join(path, name)),
    }
  }

  copy(): Disk {
    return new Disk(this.contents)
  }
}

/** What was agreed, by path. */
export class Archive {
  readonly agreements = new Map<RelPath, Agreement>()

  tree(path: RelPath = rootPath): AgreementTree {
    return {
      agreement: this.agreements.get(path),
      names: () => namesIn(this.agreements.keys(), path),
      member: (name) => this.tree(join(path, name)),
    }
  }

  move(from: RelPath, path: RelPath): void {
    movePaths(this.agreements, from, path)
  }

  record(settled: Settle, content: Content): void {
    if (content.kind === 'absent') this.agreements.delete(settled.path)
    else this.agreements.set(settled.path, { content, alphaHolds: undefined, betaHolds: undefined })
  }
}

export interface Pair {
  readonly archive: Archive
  readonly alpha: Disk
  readonly beta: Disk
}

/** One whole pass: reconcile, plan, apply to both, record. Throws if an operation cannot be carried out. */
export function pass(pair: Pair, rules: Rules, touched: Touched = wholeTouched): Decision[] {
  const decisions = reconcile(pair.archive.tree(), pair.alpha.tree(), pair.beta.tree(), touched, rules)
  const plan = planOf(decisions, rules)
  const [alphaBefore, betaBefore] = [pair.alpha.copy(), pair.beta.copy()]
  for (const operation of plan.alpha) pair.alpha.apply(operation, betaBefore)
  for (const operation of plan.beta) pair.beta.apply(operation, alphaBefore)
  // Where something made way, nothing below it is agreed any more: what comes in its place may wait.
  for (const { op, path } of [...plan.alpha, ...plan.beta]) if (op === 'remove') forget(pair, path)
  for (const decision of decisions) if (decision.kind === 'settle') pair.archive.record(decision, decision.goal)
  return decisions
}

function forget(pair: Pair, path: RelPath): void {
  for (const at of [...pair.archive.agreements.keys()]) if (isWithin(at, path)) pair.archive.agreements.delete(at)
}

/**
 * The same with moves: each round of them is carried out and recorded, then everything is judged again. Answers the moves,
 * and what was decided after them.
 */
export function passWithMoves(pair: Pair, rules: Rules, hints: Hints): { moves: Move[]; decisions: Decision[] } {
  const done: Move[] = []
  for (let round = 0; round < 10; round++) {
    const decisions = reconcile(pair.archive.tree(), pair.alpha.tree(), pair.beta.tree(), wholeTouched, rules)
    const { moves, made } = findMoves(decisions, hints, rules, () => true)
    if (moves.length === 0) break
    const plan = planOf(decisions, rules)
    for (const side of ['alpha', 'beta'] as const) {
      for (const operation of plan[side]) {
        if (operation.op !== 'create-directory' || !made[side].includes(operation.path)) continue
        pair[side].apply(operation, pair[side])
        pair.archive.agreements.set(operation.path, agreementOf(pair[side].at(operation.path)))
      }
    }
    for (const { to, from, path, expect } of moves) {
      // Both sides have what is above, agreed or not: what was agreed of what is moved needs it to hang in.
      for (let at = parentOf(path); at !== rootPath; at = parentOf(at))
        if (pair.archive.agreements.get(at)?.content.kind !== 'directory')
          pair.archive.agreements.set(at, agreementOf(pair[to].at(at)))
      pair[to].apply({ op: 'rename', path, from, expect }, pair[to])
      pair.archive.move(from, path)
    }
    done.push(...moves)
  }
  return { moves: done, decisions: pass(pair, rules) }
}

function agreementOf(content: Content): Agreement {
  return { content, alphaHolds: undefined, betaHolds: undefined }
}

function movePaths<T>(map: Map<RelPath, T>, from: RelPath, path: RelPath): void {
  for (const [at, value] of [...map]) {
    if (!isWithin(at, from)) continue
    map.delete(at)
    map.set(movedPath(at, { from, path }), value)
  }
}

function namesIn(paths: Iterable<RelPath>, directory: RelPath): string[] {
  const names: string[] = []
  for (const path of paths) if (path !== rootPath && parentOf(path) === directory) names.push(nameOf(path))
  return names
}

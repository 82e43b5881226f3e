import { absent, type Content, type Props } from './content.js'
import type { Decision, Settle } from './decision.js'
import { compareContents, maskedMode } from './judge.js'
import type { Operation } from './operation.js'
import { parentOf, type RelPath, rootPath } from './path.js'
import type { Rules } from './rules.js'
import type { Side } from './side.js'

/** The operations of both sides, in the order in which they can be carried out. */
export interface Plan {
  readonly alpha: Operation[]
  readonly beta: Operation[]
}

/**
 * What is to be done so that both sides hold what was settled. Per side:
 *
 *     1. removals that make way for another kind of thing, or for a name that folds to the same, leaves first
 *     2. new directories, files, symlinks and properties in the order of the decisions, parents first
 *     3. other removals, leaves first
 *     4. modes of directories that take rights from their owner, leaves first
 *
 * A new directory whose mode is of the last sort is made with u+rwx. `expect` is what was reported on that side, or what an
 * operation before it leaves there. The `want` of a write is its place in the list.
 */
export function planOf(decisions: readonly Decision[], rules: Rules): Plan {
  const settled: Settle[] = []
  const torn = new Set<RelPath>()
  for (const decision of decisions) {
    if (decision.kind === 'settle') settled.push(decision)
    else if (decision.kind === 'conflict' && decision.about === 'properties') torn.add(decision.path)
  }
  return {
    alpha: new SidePlan('alpha', settled, torn, rules).operations(),
    beta: new SidePlan('beta', settled, torn, rules).operations(),
  }
}

const ownerRights = 0o700

class SidePlan {
  private readonly making: Operation[] = []
  private readonly closing: Operation[] = []
  private clearing: Operation[] = []

  constructor(
    private readonly side: Side,
    private readonly settled: readonly Settle[],
    /** Paths whose modes are in conflict: each side keeps its own. */
    private readonly torn: ReadonlySet<RelPath>,
    private readonly rules: Rules,
  ) {}

  operations(): Operation[] {
    const removals = this.removals()
    for (const decision of this.settled) this.make(decision)
    return this.explained([...this.clearing, ...this.making, ...removals, ...this.closing.reverse()])
  }

  /** What goes against this side's own version, or lies below one that does, says so. */
  private explained(operations: Operation[]): Operation[] {
    const overruled = new Set(this.settled.flatMap((one) => (one.overridden === this.side ? [one.path] : [])))
    if (overruled.size === 0) return operations
    return operations.map((one) => (isWithinAny(one.path, overruled) ? { ...one, why: 'overruled' } : one))
  }

  /** Sorts the removals out; those that make way are kept as `clearing`. */
  private removals(): Operation[] {
    const replaced = new Set<RelPath>()
    const gone: Settle[] = []
    for (const decision of this.settled) {
      const have = decision[this.side]
      if (have.kind === 'absent') continue
      if (decision.goal.kind === 'absent') {
        gone.push(decision)
        if (decision.first === true) replaced.add(decision.path)
      } else if (mustMakeWay(have, decision.goal)) {
        replaced.add(decision.path)
        gone.push(decision)
      }
    }
    const remaining: Operation[] = []
    for (const { path, [this.side]: expect } of gone.sort(leavesFirst)) {
      const list = replaced.size > 0 && isWithinAny(path, replaced) ? this.clearing : remaining
      list.push({ op: 'remove', path, expect })
    }
    return remaining
  }

  private make(decision: Settle): void {
    const { path, goal } = decision
    const have = decision[this.side]
    const expect = mustMakeWay(have, goal) ? absent : have
    switch (goal.kind) {
      case 'absent':
        return
      case 'symlink':
        if (compareContents(have, goal) !== 'same')
          this.making.push({ op: 'write-symlink', path, expect, target: goal.target })
        return
      case 'file':
        // A file of unknown fingerprint is the source itself: the other side was of another size, or nothing.
        if (compareContents(have, goal) !== 'different') this.setProps(decision, have, goal.props)
        else
          this.making.push({
            op: 'write-file',
            path,
            expect,
            want: this.clearing.length + this.making.length,
            sizeBytes: goal.sizeBytes,
            props: { mode: this.torn.has(path) ? undefined : this.mergedMode(have, goal), mtimeNs: goal.props.mtimeNs },
          })
        return
      case 'directory':
        if (have.kind === 'directory') this.setProps(decision, have, goal.props)
        else this.makeDirectory(path, expect, maskedMode(goal, this.rules))
        return
    }
  }

  private makeDirectory(path: RelPath, expect: Content, mode: number | undefined): void {
    if (mode === undefined || isOpen(mode)) {
      this.making.push({ op: 'create-directory', path, expect, props: { mode, mtimeNs: undefined } })
      return
    }
    const open: Props = { mode: mode | ownerRights, mtimeNs: undefined }
    this.making.push({ op: 'create-directory', path, expect, props: open })
    const made: Content = { kind: 'directory', props: open }
    this.closing.push({ op: 'set-props', path, expect: made, props: { mode, mtimeNs: undefined } })
  }

  /**
   * Sets what differs from the goal. A property that is as it was agreed before is not set again: a side that has another
   * could not hold it, or is in conflict; unless the decision says that it goes back.
   */
  private setProps(decision: Settle, have: Content, goal: Props): void {
    if (have.kind !== 'file' && have.kind !== 'directory') return
    const { path, agreement } = decision
    const agreed = agreement.kind === have.kind && decision.resets !== true ? agreement.props : undefined
    const setsMode =
      goal.mode !== undefined &&
      maskedMode(have, this.rules) !== maskedMode(decision.goal, this.rules) &&
      goal.mode !== agreed?.mode
    const setsTime =
      goal.mtimeNs !== undefined && have.props.mtimeNs !== goal.mtimeNs && goal.mtimeNs !== agreed?.mtimeNs
    if (!setsMode && !setsTime) return
    const mode = setsMode ? this.mergedMode(have, decision.goal) : undefined
    const operation: Operation = {
      op: 'set-props',
      path,
      expect: have,
      props: { mode, mtimeNs: setsTime ? goal.mtimeNs : undefined },
    }
    if (have.kind === 'directory' && mode !== undefined && !isOpen(mode)) this.closing.push(operation)
    else this.making.push(operation)
  }

  /** The goal's bits under the mask; the others stay as they are, and are 0 in a new file. */
  private mergedMode(have: Content, goal: Content): number | undefined {
    const mode = maskedMode(goal, this.rules)
    if (mode === undefined || have.kind !== goal.kind) return mode
    const kept = have.kind === 'file' || have.kind === 'directory' ? (have.props.mode ?? 0) & ~this.rules.perms : 0
    return kept | mode
  }
}

/** A directory and something else cannot be exchanged in one step. */
function mustMakeWay(have: Content, goal: Content): boolean {
  return have.kind !== 'absent' && goal.kind !== 'absent' && (have.kind === 'directory') !== (goal.kind === 'directory')
}

function isOpen(mode: number): boolean {
  return (mode & ownerRights) === ownerRights
}

/** A path sorts after every path it lies in, so the reverse order brings leaves first and siblings together. */
function leavesFirst(one: Settle, other: Settle): number {
  return one.path < other.path ? 1 : one.path > other.path ? -1 : 0
}

/** Whether one of the paths is this one or lies above it. */
export function isWithinAny(path: RelPath, ancestors: ReadonlySet<RelPath>): boolean {
  if (ancestors.size === 0) return false
  for (let at = path; ; at = parentOf(at)) {
    if (ancestors.has(at)) return true
    if (at === rootPath) return false
  }
}

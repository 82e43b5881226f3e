import type { Operation } from '../core/operation.js'
import type { RelPath } from '../core/path.js'
import type { Plan } from '../core/plan.js'
import type { Side } from '../core/side.js'

/** What a plan does at one path. */
export interface Change {
  operations: number
  /** Bytes that are written on this side; undefined: nothing is done there. */
  alpha: number | undefined
  beta: number | undefined
}

export type Changes = ReadonlyMap<RelPath, Readonly<Change>>

/** The plan by path, once for all who ask. */
export function changesOf(plan: Plan): Changes {
  const changes = new Map<RelPath, Change>()
  add(changes, 'alpha', plan.alpha)
  add(changes, 'beta', plan.beta)
  return changes
}

function add(changes: Map<RelPath, Change>, side: Side, operations: readonly Operation[]): void {
  for (const operation of operations) {
    const bytes = operation.op === 'write-file' ? operation.sizeBytes : 0
    const known = changes.get(operation.path)
    if (known === undefined)
      changes.set(operation.path, {
        operations: 1,
        alpha: side === 'alpha' ? bytes : undefined,
        beta: side === 'beta' ? bytes : undefined,
      })
    else {
      known.operations++
      known[side] = (known[side] ?? 0) + bytes
    }
  }
}

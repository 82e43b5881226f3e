import type { OpenPath } from '../archive/archive.js'
import { absent } from '../core/content.js'
import type { Decision } from '../core/decision.js'
import { isCreation, type Operation } from '../core/operation.js'
import { parentOf, type RelPath, rootPath } from '../core/path.js'
import type { Plan } from '../core/plan.js'
import type { Side } from '../core/side.js'
import type { Replica } from '../replica/replica.js'
import { outermostOf } from './overlay.js'
import type { Item } from './pass.js'

/** Fewer are counted by the root alone, as they come. */
const askedLeast = 200
/** Open paths that stand for what is held. */
const heldPathsMax = 100

/**
 * Asks each root that is to lose many paths, and takes out the removals that it holds: all of them, before the first is made, and
 * nothing else; where nothing is held, the very decisions it was given. `confirmed`: somebody here has said that they may be made.
 */
export async function withinBudget(
  pair: string,
  replicas: Readonly<Record<Side, Pick<Replica, 'removing' | 'canonical'>>>,
  decisions: Decision[],
  plan: Plan,
  held: HeldRemoval[],
  confirmed: boolean,
): Promise<Decision[]> {
  let left = decisions
  for (const side of ['alpha', 'beta'] as const) {
    const count = removalsOf(plan[side], confirmed)
    if (count < (confirmed ? 1 : askedLeast)) continue
    const why = await replicas[side].removing(count, confirmed)
    if (why === undefined) continue
    const isHeld = (decision: Decision) =>
      decision.kind === 'settle' && decision.goal.kind === 'absent' && decision[side].kind !== 'absent'
    for (const path of fewOf(left.filter(isHeld).map((one) => one.path)))
      held.push({ side, open: { path, why: 'held', detail: heldText(why.detail, pair, replicas[side]) } })
    left = left.filter((decision) => !isHeld(decision))
  }
  return left
}

/** Removals at and below a path that a root holds. */
export interface HeldRemoval {
  readonly side: Side
  readonly open: OpenPath
}

/** As a person reads it. */
export function heldItem({ side, open: { path, detail } }: HeldRemoval): Item {
  const problem = { kind: 'problem', code: 'held', detail } as const
  return {
    path,
    kind: 'problem',
    alpha: side === 'alpha' ? 'held' : '',
    beta: side === 'beta' ? 'held' : '',
    direction: 'none',
    detail,
    bytes: 0,
    alphaContent: side === 'alpha' ? problem : absent,
    betaContent: side === 'beta' ? problem : absent,
  }
}

/** What is held, what goes on, and what goes back: a root that is served to others listens to its own machine only. */
export function heldText(detail: string, pair: string, { canonical }: Pick<Replica, 'canonical'>): string {
  const served = /^wss?:\/\/([^/]+)\/(.+)$/.exec(canonical)
  const goesOn =
    served === null
      ? `${letGoCommand(pair)}, or one pass with -confirmbigdel=false, lets it go`
      : `${letGoCommand(served[2] ?? '')} at ${served[1]}, on the machine of that root, lets it go`
  return `${detail}; ${goesOn}; ${takesBack}`
}

/** For the removals of all that a root or `path` holds. */
export const emptiedText = (pair: string) =>
  `removing all of it was held: one side was emptied; ${letGoCommand(pair)}, or one pass with -confirmbigdel=false, lets it go; ${takesBack}`

/** As it is typed to a shell. */
function letGoCommand(name: string): string {
  const word = /^[\w@%+=:,./-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`
  return `tandem resume ${word} --confirm`
}

const takesBack = 'making them again where they went takes it back, and tandem restore does that'

/** `each`: what is created does not make up for them. */
function removalsOf(operations: readonly Operation[], each: boolean): number {
  let count = 0
  for (const operation of operations) {
    if (operation.op === 'remove') count++
    else if (!each && isCreation(operation)) count--
  }
  return count
}

/** The highest of them; where those are many, the directories that hold them, or the root. */
function fewOf(paths: readonly RelPath[]): readonly RelPath[] {
  const highest = outermostOf(paths)
  if (highest.length <= heldPathsMax) return highest
  const directories = outermostOf(highest.map(parentOf))
  return directories.length <= heldPathsMax ? directories : [rootPath]
}

import type { OpenPath } from '../archive/archive.js'
import { absent } from '../core/content.js'
import type { Decision } from '../core/decision.js'
import { isCreation, type Operation } from '../core/operation.js'
import { parentOf, type RelPath, rootPath } from '../core/path.js'
import { isWithinAny, type Plan } from '../core/plan.js'
import { shellWord } from '../core/shell-word.js'
import type { Side } from '../core/side.js'
import type { Replica } from '../replica/replica.js'
import { countOf } from '../status/amounts.js'
import { outermostOf } from './overlay.js'
import type { Item } from './pass.js'

/** Fewer are counted by the root alone, as they come. */
const askedLeast = 200
/** Open paths that stand for what is held. */
const heldPathsMax = 100

/**
 * Asks each root that is to lose many paths, and takes out the removals that it holds: all of them, before the first is made, and
 * nothing else; where nothing is held, the very decisions it was given. `letGo`: somebody here has said that what is at and below
 * these may be removed.
 */
export async function withinBudget(
  pair: string,
  replicas: Readonly<Record<Side, Pick<Replica, 'removing' | 'canonical'>>>,
  decisions: Decision[],
  plan: Plan,
  held: HeldRemoval[],
  letGo: ReadonlySet<RelPath>,
): Promise<Decision[]> {
  let left = decisions
  const isLetGo = (path: RelPath) => letGo.size > 0 && isWithinAny(path, letGo)
  const holdOn = (side: Side, detail: string, isMeant: (path: RelPath) => boolean) => {
    const isHeld = (one: Decision) =>
      one.kind === 'settle' && one.goal.kind === 'absent' && one[side].kind !== 'absent' && isMeant(one.path)
    for (const path of fewOf(left.filter(isHeld).map((one) => one.path)))
      held.push({ side, open: { path, why: 'held', detail: heldText(detail, pair, replicas[side]) } })
    left = left.filter((decision) => !isHeld(decision))
  }
  for (const side of ['alpha', 'beta'] as const) {
    const count = removalsOf(plan[side].filter(({ path }) => !isLetGo(path)))
    const why = count < askedLeast ? undefined : await replicas[side].removing(count, false)
    if (why !== undefined) holdOn(side, why.detail, (path) => !isLetGo(path))
    // After the others: what is let go is not for them. A root that is served to others may still say no.
    const allowed = plan[side].filter(({ op, path }) => op === 'remove' && isLetGo(path)).length
    const refused = allowed === 0 ? undefined : await replicas[side].removing(allowed, true)
    if (refused !== undefined) holdOn(side, refused.detail, isLetGo)
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
  return `${detail}; ${goesOn}; ${takenBack(canonical)}`
}

/** For the removals of all that a root or `path` holds: `count` paths that are gone from one root and stand in the other. */
export function emptiedText(
  pair: string,
  count: number,
  gone: Pick<Replica, 'canonical'>,
  kept: Pick<Replica, 'canonical'>,
): string {
  const what = `it would remove all ${countOf(count)} ${count === 1 ? 'path' : 'paths'} of it, which ${count === 1 ? 'is' : 'are'} gone from ${gone.canonical}`
  return `${what}; ${letGoCommand(pair)}, or one pass with -confirmbigdel=false, lets it go; ${takenBack(kept.canonical)}`
}

/** As it is typed to a shell. */
function letGoCommand(name: string): string {
  return `tandem resume ${shellWord(name)} --confirm`
}

/** Versions are kept of what the agent removes: there are none yet. */
const takenBack = (from: string) =>
  `copying it back from ${from} to where it went takes it back, and once it was removed there, tandem restore does`

function removalsOf(operations: readonly Operation[]): number {
  let count = 0
  for (const operation of operations) {
    if (operation.op === 'remove') count++
    else if (isCreation(operation)) count--
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

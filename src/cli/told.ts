import type { Item } from '../agent/agent-types.js'
import type { AgentEvent } from '../status/event.js'
import type { Tally } from '../status/tally.js'
import { versionOf } from '../status/version.js'
import type { ExitCode } from './exit-codes.js'
import type { RootNames } from './layout.js'

/** The event that ends a pass, or a resident agent; `pair` is how the roots were named. */
export function finishedEvent(
  pair: string,
  { copied, deleted, moved, properties, bytes }: Tally,
  waiting: { readonly conflicts: number; readonly problems: number },
  durationMs: number,
  exitCode: ExitCode,
): AgentEvent {
  return {
    event: 'pass-finished',
    pair,
    copied,
    deleted,
    moved,
    properties,
    ...waiting,
    bytes,
    durationMs: Math.round(durationMs),
    exitCode,
  }
}

/**
 * The items of a pass as events: conflicts and problems that were not told while it ran (they stood before), and, of a dry
 * run, what would be done.
 */
export function* itemEvents(
  items: readonly Item[],
  names: RootNames,
  dryRun: boolean,
  tally: Tally,
): Iterable<AgentEvent> {
  const pair = pairName(names)
  // Its own events are noted too: what was told before decides.
  const told = new Set(tally.told)
  for (const { path, from, kind, alpha, beta, direction, detail, bytes, alphaContent, betaContent } of items) {
    if (kind === 'change') {
      const to = { 'to-alpha': 'alpha', 'to-beta': 'beta', both: 'both', none: undefined } as const
      const towards = to[direction]
      if (dryRun && towards !== undefined)
        yield {
          event: 'change-planned',
          pair,
          path,
          to: towards,
          alpha,
          beta,
          bytes,
          ...(from === undefined ? {} : { from }),
        }
      continue
    }
    if (told.has(path)) continue
    if (kind === 'conflict') {
      const alphaVersion = versionOf(alphaContent, alpha)
      const betaVersion = versionOf(betaContent, beta)
      yield { event: 'conflict-found', pair, path, detail, alphaVersion, betaVersion }
      continue
    }
    for (const [side, found] of [
      ['alpha', alphaContent],
      ['beta', betaContent],
    ] as const)
      if (found.kind === 'problem') yield { event: 'problem-found', pair, path, side, code: found.code, detail }
  }
}

export function pairName({ alpha, beta }: RootNames): string {
  return `${alpha} ${beta}`
}

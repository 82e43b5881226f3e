import type { ForPaths, Preferences } from '../config/preferences.js'
import { isKeptVersion } from '../core/conflict-name.js'
import { partialOf } from '../core/partial.js'
import type { RelPath } from '../core/path.js'
import { matcherOf, parsePattern } from '../core/pattern.js'
import type { Decider, Prefer, Restriction, Rules } from '../core/rules.js'
import { seenPredicate } from '../core/seen.js'
import type { Side } from '../core/side.js'

/** The preferences of a pair as the core asks for them. */
export function rulesOf(preferences: Preferences): Rules {
  const { ignore, ignorenot, path: paths } = preferences
  const seen = seenPredicate({ ignore, ignorenot, paths })
  return {
    perms: preferences.perms,
    times: preferences.times,
    links: preferences.links,
    prefer: preferences.prefer,
    force: preferences.force,
    deciderAt: deciderOf(preferences),
    spares: sparesOf(preferences),
    tooLargeBytes:
      preferences.maxsizethreshold < 0 ? Number.POSITIVE_INFINITY : preferences.maxsizethreshold * bytesPerUnit,
    skips: (path) => !seen(path),
  }
}

/** Of maxsizethreshold, as Unison counts it. */
const bytesPerUnit = 1_000

/** forcepartial goes before preferpartial: of several that match the last one counts. */
function deciderOf(preferences: Preferences): Rules['deciderAt'] {
  const { forcepartial, preferpartial, copyonconflict, prefer } = preferences
  const deciders = (given: readonly ForPaths<Prefer>[], forces: boolean): ForPaths<Decider>[] =>
    given.map(({ pattern, value }) => ({ pattern, value: { who: value, forces } }))
  const given = partialOf([...deciders(preferpartial, false), ...deciders(forcepartial, true)])
  if (!copyonconflict) return given
  // Else what was kept would be overridden itself, and kept, and so for ever: a kept version travels.
  return (path) => (isKeptVersion(path) ? { who: prefer, forces: false } : given(path))
}

const restrictions: readonly Restriction[] = ['nocreation', 'noupdate', 'nodeletion']

function sparesOf(preferences: Preferences): Rules['spares'] {
  const spared = new Map<string, true | ((path: RelPath) => boolean)>()
  for (const restriction of restrictions)
    for (const side of ['alpha', 'beta'] as const) {
      const patterns = preferences[`${restriction}partial`].filter(({ value }) => value === side)
      const key = keyOf(side, restriction)
      if (preferences[restriction].includes(side)) spared.set(key, true)
      else if (patterns.length > 0) spared.set(key, matcherOf(patterns.map(({ pattern }) => parsePattern(pattern))))
    }
  if (spared.size === 0) return undefined
  return (side, restriction, path) => {
    const where = spared.get(keyOf(side, restriction))
    return where === true || where?.(path) === true
  }
}

function keyOf(side: Side, restriction: Restriction): string {
  return `${side} ${restriction}`
}

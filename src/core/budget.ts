/**
 * How much may be removed from a root on behalf of another in a day: a share of the paths, which counts from removalsLeast on, or
 * a number of them.
 */
export type MaxDelete =
  | { readonly kind: 'share'; readonly share: number }
  | { readonly kind: 'count'; readonly count: number }

/** Fewer removals than these are never too many of a share. */
export const removalsLeast = 2_000

/**
 * An hour of a pair on one root. `sum`: paths removed less paths created; `most`: the highest such difference from any moment
 * of the hour to its end. So what was there before counts once it is gone, and what comes back, or came and went, does not.
 */
export interface Hour {
  readonly hour: number
  readonly sum: number
  readonly most: number
}

/** The hours of the window with what was done at `nowMs`; older ones are left out. */
export function noted(hours: readonly Hour[], nowMs: number, removed: number, created: number): Hour[] {
  const hour = Math.floor(nowMs / hourMs)
  const before = hours.filter((one) => one.hour > hour - windowHours && one.hour <= hour)
  const last = before.at(-1)
  const now = last?.hour === hour ? last : { hour, sum: 0, most: 0 }
  const change = removed - created
  const next = { hour, sum: now.sum + change, most: Math.max(0, now.most + change) }
  return [...(last?.hour === hour ? before.slice(0, -1) : before), next]
}

/** Paths that are gone by now of those that were there at any time in the window. */
export function removedIn(hours: readonly Hour[], nowMs: number): number {
  const hour = Math.floor(nowMs / hourMs)
  let removed = 0
  for (const one of hours)
    if (one.hour > hour - windowHours && one.hour <= hour) removed = Math.max(0, one.most, removed + one.sum)
  return removed
}

/**
 * Whether `more` removals are too many, where `removed` paths are gone already. `present(most)`: how many paths there are now, or
 * any number from `most` on.
 */
export function isTooMany(limit: MaxDelete, removed: number, more: number, present: (most: number) => number): boolean {
  if (more <= 0) return false
  const all = removed + more
  if (limit.kind === 'count') return all > limit.count
  if (all < removalsLeast) return false
  const most = Math.ceil(all / limit.share) - removed
  return present(most) < most && all > limit.share * (removed + present(most))
}

const hourMs = 3_600_000
const windowHours = 24

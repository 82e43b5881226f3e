import type { OpenPath } from '../archive/archive.js'
import type { RelPath } from '../core/path.js'
import type { Random } from '../host/clock.js'
import type { Version } from '../status/version.js'
import { backoffMs } from './backoff.js'

/** An open path as it is told outside, with what both sides hold where it is in conflict. */
export interface OpenItem extends OpenPath {
  /** undefined until the conflict was looked at by this agent. */
  readonly versions?: Versions | undefined
}

export interface Versions {
  readonly alpha: Version
  readonly beta: Version
}

/** What a cycle left open. `retries`: waiting can help. */
export interface LeftOpen {
  readonly open: OpenPath
  readonly retries: boolean
  readonly versions?: Versions
}

/**
 * The open paths of a pair: reported, and not equal to the archive, for whatever reason. Each is read afresh from both sides,
 * as a subtree, by every cycle that touches it or what is above or below it, and those that waiting can help also when their
 * time has come.
 */
export class Opens {
  private readonly paths = new Map<RelPath, Entry>()

  constructor(
    stored: Iterable<OpenPath>,
    private readonly random: Random,
  ) {
    for (const open of stored) this.paths.set(open.path, { open, versions: undefined, attempts: 0, dueMs: undefined })
  }

  all(): OpenItem[] {
    return [...this.paths.values()].map(({ open, versions }) => ({ ...open, versions }))
  }

  /** What waits for somebody to look, and what went wrong. */
  counts(): { readonly skipped: number; readonly failed: number } {
    let failed = 0
    for (const { open } of this.paths.values()) if (open.why === 'failed' || open.why === 'superseded') failed++
    return { skipped: this.paths.size - failed, failed }
  }

  /** Paths that this cycle has to read afresh. */
  touchedBy(touches: (path: RelPath) => boolean, nowMs: number): RelPath[] {
    const paths: RelPath[] = []
    for (const [path, { dueMs }] of this.paths)
      if ((dueMs !== undefined && dueMs <= nowMs) || touches(path)) paths.push(path)
    return paths
  }

  /** The paths that are not among these. */
  but(these: readonly RelPath[]): RelPath[] {
    const left = new Set(these)
    return [...this.paths.keys()].filter((path) => !left.has(path))
  }

  /** When the next one wants to be tried again; undefined when none does. */
  nextDueMs(): number | undefined {
    let next: number | undefined
    for (const { dueMs } of this.paths.values())
      if (dueMs !== undefined && (next === undefined || dueMs < next)) next = dueMs
    return next
  }

  /** Makes every path due now. */
  wakeAll(nowMs: number): void {
    for (const entry of this.paths.values()) entry.dueMs = nowMs
  }

  /**
   * After a cycle that looked at `examined`: what is open there now. Answers the difference, for the archive.
   */
  replace(
    examined: readonly RelPath[],
    now: readonly LeftOpen[],
    nowMs: number,
  ): { readonly opened: OpenPath[]; readonly closed: RelPath[] } {
    const before = new Map<RelPath, Entry>()
    for (const path of examined) {
      const entry = this.paths.get(path)
      if (entry === undefined) continue
      before.set(path, entry)
      this.paths.delete(path)
    }
    const opened: OpenPath[] = []
    for (const { open, retries, versions } of now) {
      const old = before.get(open.path) ?? this.paths.get(open.path)
      const attempts = old === undefined ? 0 : old.attempts + 1
      const dueMs = retries ? nowMs + backoffMs(attempts, firstMs, mostMs, this.random) : undefined
      this.paths.set(open.path, { open, versions, attempts, dueMs })
      before.delete(open.path)
      if (old?.open.why !== open.why || old.open.detail !== open.detail) opened.push(open)
    }
    return { opened, closed: [...before.keys()] }
  }
}

interface Entry {
  readonly open: OpenPath
  readonly versions: Versions | undefined
  readonly attempts: number
  dueMs: number | undefined
}

/** At once, then doubling to a bound. */
const firstMs = 20
const mostMs = 60_000

import type { Report } from '../core/report.js'
import { BytesReader } from '../wire/bytes.js'
import { readReports } from '../wire/report.js'
import { catchUpJob, type Listed, type ListStep, listJob } from './jobs/list.js'
import type { Changes, OpenRequest } from './replica.js'
import type { LocalRoot, RootListener } from './root.js'
import { viewFilter } from './view.js'

/**
 * What one reader of a root has been told: the catch-up from its cursor, then what is pushed. A reader that is too slow
 * is not queued for without bound: what was queued is dropped, and it is caught up again from where it stands.
 */
export class Session implements RootListener {
  private queue: { reports: readonly Report[]; sequence: number }[] = []
  private queued = 0
  private overflowed = false
  isListening = false
  private failure: { readonly error: unknown } | undefined
  private ended = false
  private wake: () => void = () => {}
  /** The reader has taken everything and waits for more. */
  private idle = false
  private draining: (() => void)[] = []
  /** The last part of a catch-up that was asked for. */
  private listing: Promise<Listed> | undefined
  private readonly unlisten: () => void
  readonly seen: (reports: readonly Report[]) => readonly Report[]

  constructor(
    private readonly root: LocalRoot,
    private readonly request: OpenRequest,
  ) {
    this.seen = viewFilter(request.view, root.host.clock)
    this.unlisten = root.listen(this)
  }

  changed(reports: readonly Report[], sequence: number): void {
    const seen = this.seen(reports)
    if (!this.isListening || this.overflowed || this.ended) return
    if (this.queued + seen.length > queuedMax) {
      this.queue = []
      this.queued = 0
      this.overflowed = true
    } else {
      this.queue.push({ reports: seen, sequence })
      this.queued += seen.length
    }
    this.wake()
  }

  failed(error: unknown): void {
    this.failure ??= { error }
    this.wake()
  }

  /** Resolves when the reader has been told all that is known by now, or reads no more. */
  async drained(): Promise<void> {
    if (!this.isListening || this.ended || (this.idle && this.queue.length === 0)) return
    await new Promise<void>((resolve) => this.draining.push(resolve))
  }

  end(): void {
    this.ended = true
    this.unlisten()
    this.wake()
    this.releaseDrained()
  }

  private releaseDrained(): void {
    for (const resolve of this.draining.splice(0)) resolve()
  }

  async *changes(signal: AbortSignal): AsyncIterable<Changes> {
    try {
      yield* this.told(signal)
    } finally {
      this.isListening = false
      this.releaseDrained()
      await this.listing?.catch(() => undefined)
    }
  }

  private async *told(signal: AbortSignal): AsyncIterable<Changes> {
    const over = () => this.ended || signal.aborted
    signal.addEventListener('abort', () => this.wake(), { once: true })
    // What was found by the scan that `open` made is in the index: the catch-up tells it.
    this.isListening = true
    await this.root.scansEnded()
    let reached = 0
    let cursor = this.request.cursor
    for (;;) {
      this.overflowed = false
      const { workers } = this.root.host
      const { place, index } = this.root
      const { steps, moved, sequence } = await workers.run(catchUpJob, { place, cursor }, 'small')
      // The next part is listed while the reader takes this one in.
      const listing = (some: readonly ListStep[]) => {
        if (some.length === 0) return undefined
        this.listing = workers.run(listJob, { place, steps: some }, 'small')
        this.listing.catch(() => undefined)
        return this.listing
      }
      let next = listing(steps)
      while (next !== undefined) {
        const { reports, rest } = await next
        if (over()) return
        next = listing(rest)
        yield { reports: this.seen(readReports(new BytesReader(reports))), sequence: reached, current: false }
      }
      reached = sequence
      yield { reports: this.seen(moved), sequence: reached, current: true }
      while (!this.overflowed) {
        if (over()) return
        if (this.failure !== undefined) throw this.failure.error
        const some = this.queue.splice(0)
        this.queued = 0
        for (const { reports, sequence: upTo } of some) {
          reached = Math.max(reached, upTo)
          yield { reports, sequence: reached, current: true }
          if (over()) return
        }
        if (some.length > 0 || this.overflowed) continue
        this.idle = true
        this.releaseDrained()
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
        this.idle = false
      }
      cursor = { index: index.id, run: index.run, sequence: reached, view: this.request.cursor?.view ?? '' }
    }
  }
}

/** Reports that wait for a slow reader. */
const queuedMax = 50_000

import { Failure } from '../core/failure.js'
import type { Keep } from '../core/keep.js'
import type { Host } from '../host/host.js'
import { dropPartsJob, prunePartsJob } from './jobs/part.js'
import type { RootPlace } from './jobs/place.js'
import { type Need, type Pruned, pruneVersionsJob } from './jobs/prune-versions.js'

/** Keeps what a root keeps of old versions, and of transfers that were cut, within its bounds, one job at a time. */
export class Keeping {
  private pruning: Promise<unknown> = Promise.resolve()
  private readonly ending = new AbortController()

  constructor(
    private readonly host: Host,
    private readonly place: Pick<RootPlace, 'root'>,
    private readonly keep: Keep | undefined,
  ) {}

  /** The root is open; so much was kept by then. */
  begin(addedBytes: number): void {
    if (this.keep !== undefined) this.add(addedBytes)
    void this.pruneInTime()
  }

  /** So much more is kept. */
  add(addedBytes: number): void {
    void this.prune(addedBytes, undefined)
  }

  /**
   * There should be so much room: parts of what was cut go for it first, since they can be received again, then what was kept
   * longest. Answers what became free.
   */
  async makeRoom(need: Need): Promise<number> {
    const { host, place } = this
    const parts = (await this.inTurn(() => host.workers.run(dropPartsJob, { place }, 'bulk'))) ?? 0
    return parts + ((await this.prune(0, need))?.bytes ?? 0)
  }

  async close(addedBytes: number): Promise<void> {
    this.ending.abort(new Error('the root is closed'))
    if (addedBytes > 0) this.add(addedBytes)
    await this.pruning
  }

  private async prune(addedBytes: number, need: Need | undefined): Promise<Pruned | undefined> {
    const { host, place, keep } = this
    if (keep === undefined) return undefined
    return await this.inTurn(() => host.workers.run(pruneVersionsJob, { place, keep, addedBytes, need }, 'bulk'))
  }

  private inTurn<T>(prune: () => Promise<T>): Promise<T | undefined> {
    const work = this.pruning.then(prune).catch((error: unknown) => {
      // A root that is away, or a disk that fails: the next time is as good.
      if (!(error instanceof Failure)) throw error
      return undefined
    })
    this.pruning = work
    return work
  }

  private async pruneInTime(): Promise<void> {
    const { host, place } = this
    const { signal } = this.ending
    for (;;) {
      await host.clock.sleep(everyMs, signal).catch(() => undefined)
      if (signal.aborted) return
      await this.inTurn(() => host.workers.run(prunePartsJob, { place }, 'bulk'))
      await this.prune(0, undefined)
    }
  }
}

/** What is too old goes even where nothing happens. */
const everyMs = 6 * 3_600_000

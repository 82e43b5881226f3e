import { bytesFreeLeast, type MinFree } from '../core/min-free.js'
import type { Operation, Outcome } from '../core/operation.js'
import type { Instant } from '../host/clock.js'
import { FileFailure, type Space } from '../host/files.js'
import type { Host } from '../host/host.js'
import { bytesText } from '../status/amounts.js'
import type { RootPlace } from './jobs/place.js'
import { spaceJob } from './jobs/space.js'
import type { Keeping } from './keeping.js'
import { ReplicaFailure } from './replica.js'

/** The room on the disk of a root: looked at before anything is brought to it, and made where it is short. */
export class Room {
  private looked: { readonly at: Instant; readonly done: Promise<void> } | undefined

  constructor(
    private readonly host: Host,
    private readonly place: RootPlace,
    /** undefined: any room will do. */
    private readonly minFree: MinFree | undefined,
    private readonly keeping: Keeping,
  ) {}

  /**
   * There is as much as `minfree` asks for, now or a moment ago: the disk is looked at once a second at most. Where it is less, old
   * versions go first.
   * @throws ReplicaFailure 'low-space', and what says that the root is not there
   */
  check(): Promise<void> {
    const { minFree } = this
    if (minFree === undefined) return Promise.resolve()
    const at = this.host.clock.now()
    if (this.looked !== undefined && at - this.looked.at < everyMs) return this.looked.done
    const done = this.look(minFree)
    this.looked = { at, done }
    // Who waits for room looks as often as it comes.
    done.catch(() => {
      this.looked = undefined
    })
    return done
  }

  /** What found no room among these finds it when it is tried again, if old versions that go for it can make it. */
  async makeFor(operations: readonly Operation[], outcomes: readonly Outcome[]): Promise<void> {
    const refused = operations.filter((_, at) => {
      const outcome = outcomes[at]
      return outcome?.kind === 'failed' && outcome.code === 'disk-full'
    })
    if (refused.length === 0) return
    const bytes = refused.reduce((sum, one) => sum + (one.op === 'write-file' ? one.sizeBytes : 0), 0)
    await this.keeping.makeRoom({ bytes, refused: true })
    this.looked = undefined
  }

  private async look(minFree: MinFree): Promise<void> {
    let space = await this.space()
    if (space === undefined) return
    const leastBytes = bytesFreeLeast(minFree, space.totalBytes)
    if (space.freeBytes >= leastBytes) return
    if ((await this.keeping.makeRoom({ bytes: leastBytes, refused: false })) > 0) space = (await this.space()) ?? space
    const { freeBytes, totalBytes } = space
    if (freeBytes >= leastBytes) return
    throw new ReplicaFailure(
      'low-space',
      this.place.root,
      `${bytesText(freeBytes)} free of ${bytesText(totalBytes)}, and ${minFreeText(minFree)} asks for ${bytesText(leastBytes)}`,
    )
  }

  /** undefined: the file system does not tell. What then finds no room says so itself. */
  private async space(): Promise<Space | undefined> {
    try {
      return await this.host.workers.run(spaceJob, { place: this.place }, 'edit')
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      return undefined
    }
  }
}

const everyMs = 1_000

function minFreeText(minFree: MinFree): string {
  if (minFree.kind === 'size') return 'minfree'
  const share = `minfree = ${Math.round(minFree.share * 100_000) / 1_000}%`
  return minFree.bytesMax === undefined ? share : `${share} (${bytesText(minFree.bytesMax)} at most)`
}

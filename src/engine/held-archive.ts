import { createHash } from 'node:crypto'
import type { Archive } from '../archive/archive.js'
import { openArchive } from '../archive/commit.js'
import { closeArchiveJob, openArchiveJob } from '../archive/open.js'
import { Failure } from '../core/failure.js'
import { type AbsPath, absPath } from '../core/path.js'
import type { Side } from '../core/side.js'
import type { Host } from '../host/host.js'
import { Opens } from './opens.js'
import type { PairOptions } from './pair-options.js'

/** The archive of a pair while this process holds it. It outlives links and roots that come and go. */
export class HeldArchive {
  /** Both roots were open in this life, and their ids are written down. */
  hasOpened = false
  private batch: number

  private constructor(
    readonly id: string,
    readonly path: AbsPath,
    readonly archive: Archive,
    readonly swapped: boolean,
    private readonly directory: AbsPath,
    private readonly host: Host,
    firstBatch: number,
  ) {
    this.batch = firstBatch
  }

  /** @throws PairBusy, StoreFailure */
  static async take(
    options: PairOptions,
    canonicals: Readonly<Record<Side, string>>,
    discard: string | undefined,
  ): Promise<HeldArchive> {
    const { host, config, emit, stateDir } = options
    const id = pairId(canonicals.alpha, canonicals.beta)
    const directory = absPath(`${stateDir}/pairs/${id}`)
    const answer = await host.workers.run(
      openArchiveJob,
      { directory, ignoreLock: config.preferences.ignorelocks, discard },
      'edit',
      archiveLane,
    )
    if (answer.kind === 'held') throw new PairBusy(config.name, answer.holder)
    if (answer.movedAside !== undefined) {
      const { to, why } = answer.movedAside
      emit({ event: 'store-moved-aside', path: answer.archive, movedTo: to, why })
    }
    const archive = openArchive(host, answer.archive)
    const swapped = archive.facts()?.alpha === canonicals.beta && canonicals.alpha !== canonicals.beta
    // Batches are never numbered twice for one root: an intent of an earlier life must not be taken for ours.
    const firstBatch = Math.max(Number(host.clock.wallNs() / 1_000_000n) * 1_000, (archive.facts()?.batches ?? 0) + 1)
    return new HeldArchive(id, answer.archive, archive, swapped, directory, host, firstBatch)
  }

  nextBatch(): number {
    return this.batch++
  }

  /** Whether a batch was numbered after that one. */
  hasNumbered(batch: number): boolean {
    return this.batch > batch + 1
  }

  /** As they are written down: a commit that failed may have left a memory of more. */
  opens(): Opens {
    return new Opens(this.archive.opens(), this.host.random)
  }

  async close(): Promise<void> {
    this.archive.close()
    await this.host.workers.run(closeArchiveJob, { directory: this.directory }, 'edit', archiveLane)
  }
}

/** Locks are kept by the worker that took them. */
const archiveLane = 0

/** A pair is found again by its roots, in whichever order they are given. */
export function pairId(one: string, other: string): string {
  const sorted = [one, other].sort().join('\n')
  return createHash('sha256').update(sorted).digest('hex').slice(0, 32)
}

/** The archive is older than what the roots know of it: a backup was put back, or another state directory was used. */
export class StaleArchive extends Failure {
  override readonly name = 'StaleArchive'
  readonly code = 'stale-archive'
  constructor(archive: number, roots: number) {
    super(
      `the archive is of generation ${archive}, the roots have seen ${roots}: it is an older copy. What is equal agrees again, ` +
        'what differs is a conflict, nothing is deleted',
    )
  }
}

/** Another process works on the pair. */
export class PairBusy extends Failure {
  override readonly name = 'PairBusy'
  readonly code = 'pair-busy'
  constructor(
    pair: string,
    readonly holder: string,
  ) {
    super(
      `another tandem keeps ${pair} already: process ${holder}. Stop it, or let it do the work; ` +
        '-ignorelocks goes on in spite of it, at your own risk.',
    )
  }
}

import type { Operation, Outcome } from '../../src/core/operation.js'
import type { RelPath } from '../../src/core/path.js'
import type { Report } from '../../src/core/report.js'
import type {
  Acceptance,
  AcceptRequest,
  AuditRequest,
  AuditRow,
  Changes,
  Delivery,
  Opened,
  OpenRequest,
  Pack,
  RemovalsHeld,
  Replica,
  Resumable,
  Resumption,
  Want,
} from '../../src/replica/replica.js'

/** A replica that notes what it was asked and answers what it was given. */
export class FakeReplica implements Replica {
  readonly canonical = '//fake//root'
  readonly asked: unknown[][] = []
  readonly stagedPacks: { readonly batch: number; readonly pack: Delivery }[] = []
  closes = 0
  opened: Opened = {
    rootId: 'root',
    created: false,
    fresh: false,
    generation: 3,
    boot: 'boot',
    index: 'index',
    run: 'run',
    unacknowledged: [],
    folding: false,
    hardLink: undefined,
  }
  reports: readonly Report[] = []
  outcomes: readonly Outcome[] = []
  /** What `changes` yields; it waits for more until its signal aborts. */
  feed: Changes[] = []
  packs: Pack[] = []
  yielded = 0
  supplyEnded = 0
  fault: Error | undefined
  /** Held back while set. */
  gate: Promise<void> = Promise.resolve()
  private wake: () => void = () => {}

  async open(request: OpenRequest): Promise<Opened> {
    this.note('open', request)
    return this.opened
  }

  async setGeneration(pair: string, generation: number): Promise<void> {
    this.note('setGeneration', pair, generation)
  }

  async *changes(signal: AbortSignal): AsyncGenerator<Changes> {
    this.note('changes')
    signal.addEventListener('abort', () => this.wake())
    while (!signal.aborted) {
      const next = this.feed.shift()
      if (next !== undefined) {
        this.yielded += 1
        yield next
      } else
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
    }
  }

  tell(...changes: Changes[]): void {
    this.feed.push(...changes)
    this.wake()
  }

  async list(scopes: readonly RelPath[]): Promise<readonly Report[]> {
    this.note('list', scopes)
    await this.gate
    return this.reports
  }

  async identify(paths: readonly RelPath[]): Promise<readonly Report[]> {
    this.note('identify', paths)
    return this.reports
  }

  /** What a rescan or a flush finds is among the changes before it ends. */
  found: Changes[] = []

  async rescan(scopes: readonly RelPath[]): Promise<void> {
    this.note('rescan', scopes)
    this.tell(...this.found.splice(0))
  }

  /** What an accept answers. */
  acceptance: Acceptance = { kind: 'accepted' }

  async accept(request: AcceptRequest): Promise<Acceptance> {
    this.note('accept', request)
    this.tell(...this.found.splice(0))
    return this.acceptance
  }

  /** What a flush answers. */
  restless: readonly RelPath[] = []

  async flush(): Promise<readonly RelPath[]> {
    this.note('flush')
    this.tell(...this.found.splice(0))
    return this.restless
  }

  async *supply(wants: readonly Want[], signal: AbortSignal): AsyncGenerator<Pack> {
    this.note('supply', wants)
    try {
      for (const pack of this.packs) {
        if (signal.aborted) return
        this.yielded += 1
        yield pack
      }
    } finally {
      this.supplyEnded += 1
    }
  }

  resumption: Resumption = { parts: [], others: false }

  async resume(batch: number, files: readonly Resumable[]): Promise<Resumption> {
    this.note('resume', batch, files)
    return this.resumption
  }

  held: RemovalsHeld | undefined

  async removing(count: number, confirmed: boolean): Promise<RemovalsHeld | undefined> {
    this.note('removing', count, confirmed)
    return this.held
  }

  async stage(batch: number, pack: Delivery): Promise<void> {
    await this.gate
    if (this.fault !== undefined) throw this.fault
    this.stagedPacks.push({ batch, pack })
  }

  async apply(batch: number, operations: readonly Operation[], supplier: string): Promise<readonly Outcome[]> {
    this.note('apply', batch, operations, supplier, this.stagedPacks.length)
    return this.outcomes
  }

  rows: readonly AuditRow[] = []

  async audit(request: AuditRequest): Promise<readonly AuditRow[]> {
    this.note('audit', request)
    return this.rows
  }

  async doubt(paths: readonly RelPath[]): Promise<void> {
    this.note('doubt', paths)
  }

  async sync(paths: readonly RelPath[] | 'all'): Promise<void> {
    this.note('sync', paths)
    await this.gate
  }

  async acknowledge(batches: readonly number[]): Promise<void> {
    this.note('acknowledge', batches)
  }

  async close(): Promise<void> {
    this.closes += 1
  }

  private note(...call: unknown[]): void {
    this.asked.push(call)
    if (this.fault !== undefined) throw this.fault
  }
}

import type { Operation, Outcome } from '../core/operation.js'
import type { RelPath } from '../core/path.js'
import type { Report } from '../core/report.js'
import type {
  AuditRequest,
  AuditRow,
  Changes,
  Opened,
  OpenRequest,
  Pack,
  PastOutcome,
  RemovalsHeld,
  Replica,
  Resumption,
  Want,
} from './replica.js'

/** A root for who may read it and not change it: every operation fails, and nothing is made or staged. */
export class ReadOnlyReplica implements Replica {
  constructor(private readonly root: Replica) {}

  get canonical(): string {
    return this.root.canonical
  }

  async open(request: OpenRequest): Promise<Opened> {
    const unacknowledged: PastOutcome[] = []
    // Whoever reads first makes the private folder all the same; what others left unfinished is none of its business.
    return { ...(await this.root.open(request)), unacknowledged }
  }

  setGeneration(pair: string, generation: number): Promise<void> {
    return this.root.setGeneration(pair, generation)
  }

  changes(signal: AbortSignal): AsyncIterable<Changes> {
    return this.root.changes(signal)
  }

  list(scopes: readonly RelPath[]): Promise<readonly Report[]> {
    return this.root.list(scopes)
  }

  identify(paths: readonly RelPath[]): Promise<readonly Report[]> {
    return this.root.identify(paths)
  }

  rescan(scopes: readonly RelPath[]): Promise<void> {
    return this.root.rescan(scopes)
  }

  flush(): Promise<readonly RelPath[]> {
    return this.root.flush()
  }

  audit(request: AuditRequest): Promise<readonly AuditRow[]> {
    return this.root.audit(request)
  }

  doubt(paths: readonly RelPath[]): Promise<void> {
    return this.root.doubt(paths)
  }

  supply(wants: readonly Want[], signal: AbortSignal): AsyncIterable<Pack> {
    return this.root.supply(wants, signal)
  }

  removing(count: number, confirmed: boolean): Promise<RemovalsHeld | undefined> {
    return this.root.removing(count, confirmed)
  }

  async resume(): Promise<Resumption> {
    return { parts: [], others: false }
  }

  async stage(): Promise<void> {}

  async apply(_: number, operations: readonly Operation[]): Promise<readonly Outcome[]> {
    const detail = 'the root is served read-only'
    return operations.map(({ path }) => ({ kind: 'failed', path, code: 'denied', detail, transient: false }))
  }

  sync(paths: readonly RelPath[] | 'all'): Promise<void> {
    return this.root.sync(paths)
  }

  acknowledge(batches: readonly number[]): Promise<void> {
    return this.root.acknowledge(batches)
  }

  close(): Promise<void> {
    return this.root.close()
  }
}

import type { Operation, Outcome } from '../core/operation.js'
import type { RelPath } from '../core/path.js'
import type { Report } from '../core/report.js'
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
} from './replica.js'

/** Stands before another replica: what it does not answer itself goes on to that one. */
export abstract class Forwarding implements Replica {
  protected abstract readonly root: Replica

  get canonical(): string {
    return this.root.canonical
  }

  open(request: OpenRequest): Promise<Opened> {
    return this.root.open(request)
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

  accept(request: AcceptRequest): Promise<Acceptance> {
    return this.root.accept(request)
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

  resume(batch: number, files: readonly Resumable[]): Promise<Resumption> {
    return this.root.resume(batch, files)
  }

  stage(batch: number, delivery: Delivery): Promise<void> {
    return this.root.stage(batch, delivery)
  }

  apply(batch: number, operations: readonly Operation[], supplier: string): Promise<readonly Outcome[]> {
    return this.root.apply(batch, operations, supplier)
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

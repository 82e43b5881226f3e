import type { Operation, Outcome } from '../core/operation.js'
import { Forwarding } from './forwarding.js'
import type { Acceptance, AcceptRequest, Opened, OpenRequest, PastOutcome, Replica, Resumption } from './replica.js'

/** A root for who may read it and not change it: every operation fails, and nothing is made or staged. */
export class ReadOnlyReplica extends Forwarding {
  constructor(protected readonly root: Replica) {
    super()
  }

  override async open(request: OpenRequest): Promise<Opened> {
    const unacknowledged: PastOutcome[] = []
    // Whoever reads first makes the private folder all the same; what others left unfinished is none of its business.
    return { ...(await this.root.open(request)), unacknowledged }
  }

  /** What other pairs of the root would make of it is nothing that a reader may decide. */
  override accept(request: AcceptRequest): Promise<Acceptance> {
    return this.root.accept({ ...request, confirmed: false })
  }

  override async resume(): Promise<Resumption> {
    return { parts: [], others: false }
  }

  override async stage(): Promise<void> {}

  override async apply(_: number, operations: readonly Operation[]): Promise<readonly Outcome[]> {
    const detail = 'the root is served read-only'
    return operations.map(({ path }) => ({ kind: 'failed', path, code: 'denied', detail, transient: false }))
  }
}

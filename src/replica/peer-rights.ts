import type { Operation, Outcome } from '../core/operation.js'
import { LinkFailure } from '../host/sockets.js'
import type { RootState } from '../wire/message.js'
import { Forwarding } from './forwarding.js'
import type { ReachedRoot } from './replica.js'

/** Whoever runs the file gets its owner's rights, or its group's. */
const givesRights = 0o6000

/**
 * The operation as a peer may ask for it: it plants no setuid or setgid bit, neither a new one nor under bytes of its own, and
 * takes none away where it only sets properties (security.md T15).
 * @throws LinkFailure 'protocol' when it leaves open what mode it expects: no lead of ours does
 */
export function withoutRights(operation: Operation): Operation {
  if (operation.op === 'remove' || operation.op === 'write-symlink' || operation.op === 'rename') return operation
  const { expect, props } = operation
  const held = expect.kind === 'file' || expect.kind === 'directory' ? expect.props.mode : 0
  if (held === undefined) throw new LinkFailure('protocol', `${operation.op} with no mode that it expects`)
  if (operation.op !== 'write-file') {
    if (props.mode === undefined) return operation
    // What is expected is compared with what is there, so these bits are the user's own.
    return { ...operation, props: { ...props, mode: props.mode & (~givesRights | held) } }
  }
  if (props.mode === undefined && (held & givesRights) === 0) return operation
  return { ...operation, props: { ...props, mode: (props.mode ?? held) & ~givesRights } }
}

/** A root of the lead whose other side is a peer's: what travels to it comes from that peer. */
export class GuardedRoot extends Forwarding implements ReachedRoot {
  constructor(protected readonly root: ReachedRoot) {
    super()
  }

  look(): Promise<RootState> {
    return this.root.look()
  }

  override apply(batch: number, operations: readonly Operation[], supplier: string): Promise<readonly Outcome[]> {
    return this.root.apply(batch, operations.map(withoutRights), supplier)
  }
}

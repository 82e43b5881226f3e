import type { PairConfig, RootConfig } from '../config/config.js'
import type { AbsPath } from '../core/path.js'
import type { Host } from '../host/host.js'
import type { ReachedRoot } from '../replica/replica.js'
import type { Emit } from '../status/event.js'

/** What a pair is made of. */
export interface PairOptions {
  readonly config: PairConfig
  readonly host: Host
  readonly emit: Emit
  readonly stateDir: AbsPath
  /** The name under which a root is known, however it was written. */
  canonicalOf(root: RootConfig): string
  /** A replica that is not opened yet. @throws LinkFailure */
  connect(root: RootConfig, signal: AbortSignal): Promise<ReachedRoot>
}

/** What ends an attempt to connect, and what ends the handing out of operations. */
export interface Stops {
  readonly connecting: AbortSignal
  readonly operations: AbortSignal
}

import type { AbsPath, RelPath } from '../../src/core/path.js'
import type { Host } from '../../src/host/host.js'
import type { AgentEvent, Emit } from '../../src/status/event.js'

/**
 * What an agent is for under simulation. linked: the lead has the pair and one root, the peer serves the other over the
 * network. local: one agent has both.
 */
export interface Role {
  readonly kind: 'lead' | 'peer' | 'solo'
  /** Of the root this agent reaches by path; both for solo. */
  readonly roots: readonly AbsPath[]
  readonly stateDir: AbsPath
  /** Where the peer listens, and how a lead gets in. */
  readonly peer: { readonly host: string; readonly port: number; readonly identity: string; readonly key: Uint8Array }
}

/** An agent that runs. */
export interface House {
  /** Resolves or rejects when it has ended by itself, which is a fault unless it was asked to stop. */
  readonly ended: Promise<unknown>
  stop(): void
  /** What is in conflict now; undefined: its events alone tell of that. */
  conflicts?(): readonly RelPath[]
}

/** Builds an agent on a host, as the command line does, and lets it run. */
export type OpenHouse = (host: Host, role: Role, emit: Emit) => Promise<House>

/** The name under which the peer serves its root. */
export const servedName = 'shared'

/** Paths that the events call conflicts, as far as events say. */
export function conflictOf(event: AgentEvent): RelPath | undefined {
  return event.event === 'conflict-found' ? event.path : undefined
}

/** A path that a root which folds names cannot hold beside another: only a person can settle it. */
export function heldApartOf(event: AgentEvent): RelPath | undefined {
  return event.event === 'problem-found' && event.code === 'name' ? event.path : undefined
}

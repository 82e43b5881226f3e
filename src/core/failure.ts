/**
 * What the world did to us: thrown, with a stable code, the facts and the cause. Whatever a peer, a file or a user can
 * bring about is a Failure; a bug is an assertion (see assert.ts).
 */
export abstract class Failure extends Error {
  /** Stable over releases: what tests, logs and callers look at, never the message. */
  abstract readonly code: string
  /** Whether waiting can help. */
  get transient(): boolean {
    return false
  }
}

/** Ends a switch over a union: the compiler proves that no case was forgotten. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}

/** A broken assumption of ours. Never for what a peer, a file or a user can cause: that is a Failure. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${what}`)
}

/** Milliseconds on a clock that never runs backwards; its zero means nothing. */
export type Instant = number

export interface Clock {
  now(): Instant
  /** The wall clock, nanoseconds since 1970. It may jump. Only for stamps, names and logs. */
  wallNs(): bigint
  /** Resolves after durationMs; rejects with signal.reason if aborted first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>
}

export interface Random {
  /** Cryptographic randomness outside the simulation. */
  bytes(count: number): Uint8Array
  /** Uniform in [0, 1): for jitter only. */
  fraction(): number
}

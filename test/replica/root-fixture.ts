import type { MinFree } from '../../src/core/min-free.js'
import type { DirtyPath } from '../../src/host/watcher.js'
import type { Trap } from './jobs/stepping.js'

/** A root as the suite of Replica needs it, with the agent that keeps it: on the real machine or on the simulated one. */
export interface RootFixture {
  /** Calls of the file system that jobs make: each may be made to fail. */
  readonly trap: Trap
  /** What its disk is to keep free; nothing if nobody says so. Before the root is opened. */
  keepFree(minFree: MinFree): void
  /** So much time passes. */
  pass(durationMs: number): Promise<void>

  // ---- its user

  /** Writes a file, in place where there is one, and makes its directories. */
  write(path: string, text: string): void
  append(path: string, text: string): void
  /** A program writes a new file and keeps it open; the function closes it. */
  keepOpen(path: string, text: string): () => void
  read(path: string): string
  /** With everything below. */
  remove(path: string): void
  /** '../NAME' is beside the root. */
  rename(path: string, to: string): void
  /** As if the root had been unmounted, and something stood at its place; the function brings it back. */
  exchangeRoot(): () => void

  // ---- its watcher

  /** The watcher hears nothing of what the user does in `step`. */
  unheard(step: () => void): void
  /** What the user has just done at these paths is in the watcher's queue, and told when that is drained. */
  heard(...paths: readonly string[]): void
  /** Resolves when the watcher has told of these paths, where the user has just done something. */
  tell(...paths: readonly (string | DirtyPath)[]): Promise<void>
  /** From now on the watcher loses what it hears; it says so when it is drained. */
  loseEvents(): void
  /** The watcher is one that does not hear of every change. Before the root is opened. */
  mayMissChanges(): void

  /** Waits until the condition holds; a test that waits in vain fails. */
  until(condition: () => boolean, what: string): Promise<void>
  dispose(): Promise<void>
}

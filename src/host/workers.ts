import { Failure } from '../core/failure.js'
import type { Clock, Random } from './clock.js'
import type { Files } from './files.js'
import type { Machine } from './host.js'
import type { Stores } from './store.js'

/** What a job may touch. One per thread; under simulation one per agent. */
export interface World {
  readonly files: Files
  readonly stores: Stores
  readonly clock: Clock
  readonly random: Random
  readonly machine: Machine
}

/**
 * Work that waits on disks: a synchronous function of a world and an input, run to its end in a worker thread.
 * Input and output are plain data (structured clone). State between jobs (open streams) is kept per World, in a WeakMap of
 * the job's module, and only for jobs of one lane. A Failure that it throws comes out of `run` with name, code and message.
 */
export interface Job<Input, Output> {
  readonly name: string
  run(world: World, input: Input): Output
  /** Buffers of the output to hand over instead of copying. */
  transfer?(output: Output): ArrayBuffer[]
  /** Buffers of the input to hand over instead of copying: they are gone for the caller. */
  transferInput?(input: Input): ArrayBuffer[]
}

/** In this order when several wait: a user's newest edit, then small files, then bulk. */
export type Order = 'edit' | 'small' | 'bulk'

export interface Workers {
  readonly count: number
  /** Jobs of one lane run on one worker, in the order given. Others run on any worker that is free. */
  run<Input, Output>(job: Job<Input, Output>, input: NoInfer<Input>, order: Order, lane?: number): Promise<Output>
  /** Workers of their own, for work that may hang: on a file system behind a network or another process. */
  apart(): ApartWorkers
  /** Ends the workers when the jobs in hand are done; waiting jobs are refused with a WorkersClosed failure. */
  close(): Promise<void>
}

/** One worker beside the others. Closing it, and them, does not wait for a job that is held up in a call. */
export interface ApartWorkers extends Workers {
  /** Grows while calls of the file system return in the job that runs: one that stands still is held up. */
  readonly beats: number
}

/** The job was not run, and nothing of it was done: the workers are closed, or are being closed. */
export class WorkersClosed extends Failure {
  override readonly name = 'WorkersClosed'
  readonly code = 'workers-closed'
}

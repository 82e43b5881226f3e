import { types } from 'node:util'
import { parentPort } from 'node:worker_threads'
import type { Job, World } from '../workers.js'
import { type Thrown, takeApart } from './foreign-failure.js'
import { giveBackJob } from './give-back.js'

/** A job for a thread. The input is whatever structured clone takes. */
export interface Call {
  readonly id: number
  readonly job: string
  readonly input: unknown
}

/** `thrown` is set or `output` is. */
export interface Answer {
  readonly id: number
  readonly output?: unknown
  readonly thrown?: Thrown
}

/** What a thread says first: from now on a call is answered without delay. */
export const readyWord = 'ready'

/** Any job, seen from the place that only hands its input on. */
export type AnyJob = Job<never, unknown>

/** The thread's side of nodeWorkers: runs the jobs of `table` that the main thread asks for, one after the other. */
export function serveJobs(table: readonly AnyJob[], world: World): void {
  if (parentPort === null) throw new Error('serveJobs runs in a worker thread')
  const port = parentPort
  const all: readonly AnyJob[] = [...table, giveBackJob]
  const jobs = new Map(all.map((job) => [job.name, job]))
  if (jobs.size < all.length) throw new Error('two jobs of one name')

  port.on('message', (call: Call) => {
    try {
      const job = jobs.get(call.job)
      if (job === undefined) throw new Error(`no job of the name ${call.job}`)
      // The input came from `run`, which takes only the input of that very job.
      const output = job.run(world, call.input as never)
      const answer: Answer = { id: call.id, output }
      port.postMessage(answer, job.transfer?.(output) ?? [])
    } catch (error) {
      refuse(call.id, error)
    }
  })

  port.postMessage(readyWord)

  function refuse(id: number, error: unknown): void {
    try {
      // A DOMException (what cannot be cloned) would arrive as an empty object.
      if (!types.isNativeError(error)) throw error
      port.postMessage({ id, thrown: takeApart(error) } satisfies Answer)
    } catch (unclonable) {
      // A cause or a field that cannot cross: the words of the error can.
      const words = new Error(error instanceof Error ? `${error}` : 'what was thrown is no error', {
        cause: String(unclonable),
      })
      port.postMessage({ id, thrown: { error: words, failure: undefined } } satisfies Answer)
    }
  }
}

import { Worker } from 'node:worker_threads'
import { type Heartbeat, makeHeartbeat } from './heartbeat.js'
import { tuneV8 } from './v8-flags.js'

/** A worker thread from its start on, whoever takes it over later: what it says until then is kept. */
export class StartedThread {
  readonly heartbeat: Heartbeat = makeHeartbeat()
  readonly worker: Worker
  /** It has loaded all it needs. */
  isReady = false
  /** Resolves when it has loaded, or will not. */
  readonly loaded: Promise<void>
  /** Why it ended by itself. */
  failure: unknown
  private failed: (error: unknown) => void = () => {}

  /** `entry` calls serveJobs. `onePass`: see tuneV8. */
  constructor(entry: URL, onePass: boolean) {
    tuneV8(onePass)
    this.worker = new Worker(entry, { execArgv: [], workerData: { heartbeat: this.heartbeat } })
    this.loaded = new Promise<void>((resolve) => {
      // Its first word is that it is ready.
      this.worker.once('message', () => {
        this.isReady = true
        resolve()
      })
      this.worker.once('exit', () => resolve())
    })
    this.worker.on('error', (error) => this.fail(error))
    this.worker.on('messageerror', (error) => this.fail(error))
  }

  /** Calls `failed` when it ends by itself or says what cannot be read; at once if it has. */
  onFailure(failed: (error: unknown) => void): void {
    this.failed = failed
    if (this.failure !== undefined) failed(this.failure)
  }

  async close(): Promise<void> {
    // koffi ends the whole process (SIGABRT) when its thread is ended while it loads.
    await this.loaded
    await this.worker.terminate()
  }

  private fail(error: unknown): void {
    this.failure ??= error
    this.failed(error)
  }
}

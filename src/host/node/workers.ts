import type { Transferable, Worker } from 'node:worker_threads'
import PQueue from 'p-queue'
import { type ApartWorkers, type Job, type Order, type Workers, WorkersClosed } from '../workers.js'
import { type FailureClasses, groundFailures, putTogether } from './foreign-failure.js'
import { giveBack, giveBackJob } from './give-back.js'
import { exitNow } from './libc.js'
import { Resting } from './resting.js'
import { type Answer, type Call, readyWord } from './serve-jobs.js'
import { StartedThread } from './started-thread.js'

/** Jobs that a worker has at a time: the one it runs and the next, so that it never waits for a round trip. */
const jobsAtWorker = 2

/** Threads that have been busy for longer than this get another beside them. */
const busyMsMin = 30

const priorities: Record<Order, number> = { edit: 2, small: 1, bulk: 0 }

export interface WorkersOptions {
  /** Classes of failures that jobs throw: a failure of one of them comes out of `run` as one of that class. */
  readonly failures?: FailureClasses
  /** Threads that are started at once, or have been started already; one if not given. */
  readonly atOnce?: number | readonly StartedThread[]
  /** See tuneV8. */
  readonly onePass?: boolean
  /** The process ends when the pool is closed: idle threads are left to that, and are not taken down one by one. */
  readonly last?: boolean
}

/**
 * Worker threads from the file `entry`, which calls serveJobs. Another is started when a lane needs it or when those that work have been
 * busy for a while: a thread costs a tenth of a second to start. A thread that ends by itself is a bug: its jobs in hand are rejected,
 * and so is every job after.
 */
export function nodeWorkers(entry: URL, count: number, options: WorkersOptions = {}): Workers {
  const { failures = groundFailures, atOnce = 1, onePass = false, last = false } = options
  return new ThreadPool(entry, count, failures, onePass, atOnce, last ? 'left' : 'ended')
}

class ThreadPool implements ApartWorkers {
  /** Jobs of no lane; what it lets through waits, if at all, in the queue of its thread. */
  private readonly free: PQueue
  private readonly threads: readonly Thread[]
  /** Of each lane, when its last job has gone to the thread. */
  private readonly lanes = new Map<number, Promise<void>>()
  private readonly state = new PoolState()
  private readonly beside = new Set<ThreadPool>()
  private readonly resting = new Resting(
    () => this.threads.some(({ cost }) => cost > 0),
    () => this.giveBack(),
  )

  constructor(
    private readonly entry: URL,
    readonly count: number,
    private readonly failures: FailureClasses,
    private readonly onePass: boolean,
    atOnce: number | readonly StartedThread[],
    /** How closing treats its threads. `given up`: a job may never end, and is not waited for. `left`: see WorkersOptions. */
    private readonly closing: 'ended' | 'left' | 'given up',
  ) {
    this.free = new PQueue({ concurrency: count * jobsAtWorker })
    this.threads = Array.from({ length: count }, () => new Thread(entry, failures, onePass, this.state, this.resting))
    const started = typeof atOnce === 'number' ? Array.from({ length: atOnce }, () => undefined) : atOnce
    for (const [at, thread] of this.threads.slice(0, started.length).entries()) thread.start(started[at])
  }

  run<Input, Output>(job: Job<Input, Output>, input: Input, order: Order, lane?: number): Promise<Output> {
    const why = this.refusal(job.name)
    if (why !== undefined) return Promise.reject(why)
    if (lane !== undefined) return this.runInLane(job, input, order, lane)
    return this.free.add(() => this.runFree(job, input, order), { priority: priorities[order] })
  }

  apart(): ApartWorkers {
    const pool = new ThreadPool(this.entry, 1, this.failures, this.onePass, 1, 'given up')
    this.beside.add(pool)
    return pool
  }

  get beats(): number {
    return this.threads.reduce((sum, thread) => sum + thread.beats, 0)
  }

  async close(): Promise<void> {
    this.state.closed = true
    this.state.changed()
    this.resting.close()
    const ends = this.threads.map((thread) => this.end(thread))
    await Promise.all([...ends, ...[...this.beside].map((pool) => pool.close())])
    if (this.closing === 'left') process.once('exit', (code) => exitNow(code))
  }

  private end(thread: Thread): Promise<void> {
    switch (this.closing) {
      case 'ended':
        return thread.close()
      case 'left':
        return thread.leave()
      case 'given up':
        return thread.closeWithin(hungMs)
    }
  }

  /** Every thread that has worked, one after the other, and this one. A thread that is gone has nothing to give. Answers whether one keeps something. */
  private async giveBack(): Promise<boolean> {
    let isLeft = false
    for (const thread of this.threads)
      if (thread.isReady && (await thread.run(giveBackJob, null, 'bulk').catch(() => false))) isLeft = true
    return (!this.state.closed && giveBack()) || isLeft
  }

  private refusal(job: string): Error | undefined {
    if (this.state.broken !== undefined) return brokenBy(job, this.state.broken)
    return this.state.closed ? new WorkersClosed(`${job}: the workers are closed`) : undefined
  }

  /**
   * The queue of a thread sorts by order; a lane must not be sorted. So each job of a lane enters that queue only when the
   * one before it has gone to the thread, which runs what it gets in the order it got it.
   */
  private async runInLane<Input, Output>(
    job: Job<Input, Output>,
    input: Input,
    order: Order,
    lane: number,
  ): Promise<Output> {
    const thread = this.threads[lane % this.count]
    if (thread === undefined) throw new Error(`lane ${lane}: not a whole number from 0`)
    const before = this.lanes.get(lane)
    let sent = (): void => {}
    const mine = new Promise<void>((resolve) => {
      sent = resolve
    })
    this.lanes.set(lane, mine)
    try {
      if (before !== undefined) await before
      return await thread.run(job, input, order, sent)
    } finally {
      sent()
      if (this.lanes.get(lane) === mine) this.lanes.delete(lane)
    }
  }

  /**
   * By an idle thread. While there are threads that do not work yet, a job is not sent to one that is busy: it would be stuck
   * behind what may take long.
   */
  private async runFree<Input, Output>(job: Job<Input, Output>, input: Input, order: Order): Promise<Output> {
    for (;;) {
      const [first] = this.threads
      const working = this.threads.filter((thread) => thread === first || thread.isReady)
      const least = working.reduce((one, other) => (other.cost < one.cost ? other : one))
      const over = this.state.closed || this.state.broken !== undefined
      if (least.cost === 0 || working.length === this.count || over) return least.run(job, input, order)
      if (least.busyMs >= busyMsMin) this.threads.find((thread) => !thread.isStarted)?.start()
      await this.state.next(busyMsMin)
    }
  }
}

/** What the threads of a pool have in common. */
class PoolState {
  closed = false
  /** Why a thread ended by itself. */
  broken: unknown
  private readonly waiting = new Set<() => void>()

  /** Until a thread is ready, has answered, or is gone, or withinMs are over. */
  next(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer)
        this.waiting.delete(over)
        resolve()
      }
      const timer = setTimeout(over, withinMs)
      this.waiting.add(over)
    })
  }

  changed(): void {
    for (const over of this.waiting) over()
  }
}

interface InHand {
  readonly job: Job<never, unknown>
  resolve(output: unknown): void
  reject(error: unknown): void
}

class Thread {
  private readonly queue = new PQueue({ concurrency: jobsAtWorker })
  private readonly inHand = new Map<number, InHand>()
  private started: StartedThread | undefined
  private calls = 0
  private busySinceMs: number | undefined

  constructor(
    private readonly entry: URL,
    private readonly failures: FailureClasses,
    private readonly onePass: boolean,
    private readonly state: PoolState,
    private readonly resting: Resting,
  ) {}

  /** Jobs that wait or run here. */
  get cost(): number {
    return this.queue.size + this.queue.pending
  }

  /** For how long it has not been without a job. */
  get busyMs(): number {
    return this.busySinceMs === undefined ? 0 : performance.now() - this.busySinceMs
  }

  get isStarted(): boolean {
    return this.started !== undefined
  }

  get isReady(): boolean {
    return this.started?.isReady === true
  }

  get beats(): number {
    return this.started?.heartbeat[0] ?? 0
  }

  /** `sent` is called when the job has gone to the thread. */
  run<Input, Output>(job: Job<Input, Output>, input: Input, order: Order, sent?: () => void): Promise<Output> {
    return this.queue.add(() => this.send(job, input, sent), { priority: priorities[order] })
  }

  /** Waits for the jobs in hand; those that wait here refuse themselves, since the pool is closed. */
  async close(): Promise<void> {
    await this.queue.onIdle()
    await this.started?.close()
  }

  /** Waits for them as well; the thread stays, idle, and does not keep the process alive. */
  async leave(): Promise<void> {
    await this.queue.onIdle()
    this.started?.worker.unref()
  }

  /**
   * The same as close, but not for ever. A thread that is held up in a call can neither be ended nor waited for, and process.exit
   * would wait: the process then ends in spite of it, as the last thing it does.
   */
  async closeWithin(durationMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), durationMs)
    })
    const ended = await Promise.race([this.close(), late])
    clearTimeout(timer)
    if (ended !== 'late') return
    this.started?.worker.unref()
    process.once('exit', (code) => {
      if (this.inHand.size > 0) exitNow(code)
    })
  }

  private send<Input, Output>(job: Job<Input, Output>, input: Input, sent: (() => void) | undefined): Promise<Output> {
    if (this.state.broken !== undefined) throw brokenBy(job.name, this.state.broken)
    if (this.state.closed) throw new WorkersClosed(`${job.name}: the workers are closed`)
    const worker = this.started?.worker ?? this.start()
    const id = this.calls++
    const call: Call = { id, job: job.name, input }
    // What cannot be cloned throws here, before anybody waits for an answer.
    worker.postMessage(call, job.transferInput?.(input) ?? noTransfer)
    sent?.()
    return new Promise<Output>((resolve, reject) => {
      // The answer is what `job.run` returned in the thread, so it is an Output.
      this.inHand.set(id, { job, resolve: (output) => resolve(output as Output), reject })
      this.busySinceMs ??= performance.now()
    })
  }

  start(started = new StartedThread(this.entry, this.onePass)): Worker {
    const { worker } = started
    this.started = started
    worker.on('message', (answer: Answer | typeof readyWord) => {
      if (answer !== readyWord) this.settle(answer)
      this.state.changed()
    })
    worker.on('exit', (code) => {
      if (this.inHand.size > 0 || !this.state.closed) this.fail(new Error(`exit ${code}`))
    })
    started.onFailure((error) => this.fail(error))
    return worker
  }

  private settle(answer: Answer): void {
    const waiting = this.inHand.get(answer.id)
    if (waiting === undefined) return
    this.inHand.delete(answer.id)
    if (this.inHand.size === 0) {
      if (waiting.job.name !== giveBackJob.name) this.resting.note()
      this.busySinceMs = undefined
    }
    if (answer.thrown === undefined) waiting.resolve(answer.output)
    else waiting.reject(putTogether(answer.thrown, this.failures))
  }

  private fail(error: unknown): void {
    this.state.broken ??= error
    for (const waiting of this.inHand.values()) waiting.reject(brokenBy(waiting.job.name, error))
    this.inHand.clear()
    this.state.changed()
  }
}

/** How long a job that may hang is waited for at the end. */
const hungMs = 500

const noTransfer: readonly Transferable[] = []

function brokenBy(job: string, error: unknown): Error {
  return new Error(`${job}: a worker thread ended`, { cause: error })
}

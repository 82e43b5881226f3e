import {
  type ApartWorkers,
  type Job,
  type Order,
  type Workers,
  WorkersClosed,
  type World,
} from '../../src/host/workers.js'
import { CrashSignal, type Process } from './process.js'
import type { Dice } from './random.js'

interface Waiting {
  readonly name: string
  readonly order: Order
  readonly lane: number | undefined
  run(): void
  refuse(): void
}

const ranks: Record<Order, number> = { edit: 0, small: 1, bulk: 2 }

/**
 * The disk workers of one process. A job runs whole when its time comes, or whole within a call of a job that is running:
 * as many deep as there are workers. Input and output are cloned, as on their way to another thread.
 */
export class SimWorkers implements Workers {
  readonly count = 4
  private world: World | undefined
  private readonly waiting: Waiting[] = []
  private readonly lanes = new Set<number>()
  private closed = false
  private whenIdle: (() => void) | undefined

  constructor(
    private readonly process: Process,
    private readonly dice: Dice,
  ) {}

  /** What jobs may touch; given once, before the first job. */
  provide(world: World): void {
    this.world = world
  }

  run<Input, Output>(job: Job<Input, Output>, input: Input, order: Order, lane?: number): Promise<Output> {
    return new Promise((resolve, reject) => {
      if (!this.process.act('run', job.name)) return
      if (this.closed) {
        reject(new WorkersClosed(`${job.name}: the workers are closed`))
        return
      }
      const given = carried(input, job.transferInput?.(input))
      this.waiting.push({
        name: job.name,
        order,
        lane,
        run: () => this.work(job, given, resolve, reject),
        refuse: () => reject(new WorkersClosed(`${job.name}: the workers are closed`)),
      })
      this.callWorker()
    })
  }

  /** Nothing hangs here by itself. */
  apart(): ApartWorkers {
    return { count: 1, beats: 0, apart: () => this.apart(), run: this.run.bind(this), close: async () => {} }
  }

  close(): Promise<void> {
    this.closed = true
    for (const one of this.waiting.splice(0)) one.refuse()
    return new Promise((resolve) => {
      if (this.process.depth === 0) resolve()
      else this.whenIdle = resolve
    })
  }

  /** Runs one waiting job here and now, within a call of another. Answers whether there was one that may. */
  runNested(): boolean {
    if (this.process.depth >= this.count || this.process.transactions > 0) return false
    return this.runNext()
  }

  private callWorker(): void {
    const { machine, name } = this.process
    machine.scheduler.after(this.dice.skewed(10_000, 300_000), `${name} works`, () => {
      if (!this.process.dead) this.runNext()
    })
  }

  private runNext(): boolean {
    const next = this.takeNext()
    if (next === undefined) return false
    this.process.machine.scheduler.note(`${this.process.name} ${next.name}`)
    if (next.lane !== undefined) this.lanes.add(next.lane)
    const below = this.process.job
    this.process.job = next.name
    this.process.depth += 1
    try {
      next.run()
    } finally {
      this.process.depth -= 1
      this.process.job = below
      if (next.lane !== undefined) this.lanes.delete(next.lane)
    }
    if (this.process.depth === 0) this.whenIdle?.()
    return true
  }

  /** The first of the highest order; now and then another, as two workers may overtake each other. Lanes keep their order. */
  private takeNext(): Waiting | undefined {
    const blocked = new Set(this.lanes)
    const free: number[] = []
    for (const [at, one] of this.waiting.entries()) {
      if (one.lane !== undefined && blocked.has(one.lane)) continue
      if (one.lane !== undefined) blocked.add(one.lane)
      free.push(at)
    }
    let chosen = free[0]
    if (chosen === undefined) return undefined
    if (this.dice.chance(0.15)) chosen = this.dice.pick(free)
    else for (const at of free) if (this.rankAt(at) < this.rankAt(chosen)) chosen = at
    return this.waiting.splice(chosen, 1)[0]
  }

  private rankAt(at: number): number {
    return ranks[this.waiting[at]?.order ?? 'bulk']
  }

  private work<Input, Output>(
    job: Job<Input, Output>,
    input: Input,
    resolve: (output: Output) => void,
    reject: (error: unknown) => void,
  ): void {
    if (this.world === undefined) throw new Error('workers without a world')
    try {
      const output = job.run(this.world, input)
      const taken = carried(output, job.transfer?.(output))
      this.answer(job.name, () => resolve(taken))
    } catch (error) {
      if (error instanceof CrashSignal || this.process.dead) return
      this.answer(job.name, () => reject(error))
    }
  }

  private answer(name: string, deliver: () => void): void {
    const { machine, name: process } = this.process
    machine.scheduler.after(this.dice.skewed(5_000, 200_000), `${process} has ${name}`, () => {
      if (!this.process.dead) deliver()
    })
  }
}

/** As the value comes out of another thread: a copy, plain. What is handed over is gone here. */
function carried<T>(value: T, transfer: ArrayBuffer[] = []): T {
  const copy = copied(value)
  // Handing over is what takes them away; and what cannot be handed over fails here as it does there.
  if (transfer.length > 0) structuredClone(null, { transfer })
  return copy as T // the boundary of the thread: a copy has the type of what it copies
}

/** structuredClone, at a tenth of its price for what most values are made of. */
function copied(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? structuredClone(value) : value
  if (Array.isArray(value)) return value.map(copied)
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Object.getPrototypeOf(value) !== Object.prototype) return structuredClone(value)
  const copy: Record<string, unknown> = {}
  // Plain objects only: there is nothing inherited to be left out.
  for (const key in value) copy[key] = copied(Reflect.get(value, key))
  return copy
}

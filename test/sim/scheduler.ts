import type { Dice } from './random.js'

/** Something that will happen at a virtual time, unless it is cancelled before. */
export interface Task {
  cancel(): void
}

interface Entry extends Task {
  readonly dueNs: number
  /** Of tasks due at one instant the seed says which comes first. */
  readonly tie: number
  readonly label: string
  readonly action: () => void
  cancelled: boolean
}

/**
 * Virtual time and everything that is going to happen. The house has no other source of asynchrony than promises settled
 * by these tasks, so when the microtasks have run dry it is quiet, and the next task may come. One seed, one history.
 */
export class Scheduler {
  /** Nanoseconds since the simulation began: an integer, exact for a hundred days. */
  timeNs = 0
  /** Tasks run so far. */
  steps = 0
  /** Every line of the history when it is kept, for reading a failing seed. */
  readonly lines: string[] = []
  private readonly heap: Entry[] = []
  private hashLow = 0x811c9dc5
  private hashHigh = 0x01000193

  constructor(
    private readonly ties: Dice,
    private readonly keepLines = false,
  ) {}

  after(delayNs: number, label: string, action: () => void): Task {
    const entry: Entry = {
      dueNs: this.timeNs + Math.max(0, Math.round(delayNs)),
      tie: this.ties.next(),
      label,
      action,
      cancelled: false,
      cancel() {
        entry.cancelled = true
      },
    }
    push(this.heap, entry)
    return entry
  }

  /** Time that work takes: called from within a step. What is due meanwhile comes late, as on a busy machine. */
  advance(durationNs: number): void {
    this.timeNs += durationNs
  }

  /** Writes a line of the history: two runs of one seed must write the same. */
  note(line: string): void {
    if (this.keepLines) this.lines.push(`${(this.timeNs / 1e6).toFixed(3)} ${line}`)
    this.fold(this.timeNs)
    for (let at = 0; at < line.length; at++) this.fold(line.charCodeAt(at))
  }

  /** Digest of the history so far. */
  get trace(): string {
    return (this.hashHigh >>> 0).toString(16).padStart(8, '0') + (this.hashLow >>> 0).toString(16).padStart(8, '0')
  }

  /**
   * Runs tasks in their order until `until` holds or the deadline passes. `until` is asked between steps, when the house is
   * quiet. Answers whether it held.
   */
  async run(until: () => boolean, deadlineNs: number): Promise<boolean> {
    for (;;) {
      await this.settle()
      if (until()) return true
      const entry = this.nextDue()
      if (entry === undefined || entry.dueNs > deadlineNs) {
        this.timeNs = Math.max(this.timeNs, deadlineNs)
        return false
      }
      this.step()
    }
  }

  /** Runs the next task, if there is one. For those who drive the house by hand; the house must be quiet. */
  step(): boolean {
    const entry = this.nextDue()
    if (entry === undefined) return false
    pop(this.heap)
    this.timeNs = Math.max(this.timeNs, entry.dueNs)
    this.steps += 1
    this.note(entry.label)
    entry.action()
    return true
  }

  /** Lets `durationNs` of virtual time pass. */
  async pass(durationNs: number): Promise<void> {
    await this.run(() => false, this.timeNs + durationNs)
  }

  /**
   * Waits until nothing is left to run without a task. Node runs every microtask before the next macrotask, so one turn is
   * enough for promises, and nothing in the house takes a turn of its own.
   */
  async settle(): Promise<void> {
    await turn()
  }

  private nextDue(): Entry | undefined {
    for (;;) {
      const first = this.heap[0]
      if (first === undefined || !first.cancelled) return first
      pop(this.heap)
    }
  }

  private fold(value: number): void {
    this.hashLow = Math.imul(this.hashLow ^ value, 0x01000193)
    this.hashHigh =
      Math.imul(this.hashHigh + (value % 65_521) + (this.hashLow >>> 7), 0x2c1b3c6d) ^ (this.hashHigh >>> 15)
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function before(left: Entry, right: Entry): boolean {
  return left.dueNs < right.dueNs || (left.dueNs === right.dueNs && left.tie < right.tie)
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length
  heap.push(entry)
  while (at > 0) {
    const up = (at - 1) >> 1
    const parent = heap[up]
    if (parent === undefined || !before(entry, parent)) break
    heap[at] = parent
    at = up
  }
  heap[at] = entry
}

function pop(heap: Entry[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    let down = 2 * at + 1
    const left = heap[down]
    if (left === undefined) break
    const right = heap[down + 1]
    let child = left
    if (right !== undefined && before(right, left)) {
      child = right
      down += 1
    }
    if (!before(child, last)) break
    heap[at] = child
    at = down
  }
  heap[at] = last
}

import type { FileCode } from '../../src/host/files.js'
import { failure } from './inode.js'
import type { Machine } from './machine.js'

/** What a call of a dead process meets. Not a Failure: no code of the house handles it, and what it unwinds has no effect. */
export class CrashSignal extends Error {
  override readonly name = 'CrashSignal'
}

/** One call that a process makes of the world, before it is answered. */
export interface Call {
  readonly process: Process
  /** As 'rename', 'store-write', 'send', 'run'. */
  readonly name: string
  /** The name, path or subject. */
  readonly subject: string
  /** Whether it can change anything outside the process. */
  readonly effect: boolean
}

/** How long a call of the file system takes. */
const callNs = 2_000

/** One life of an agent: from its start to its end or crash. Every call it makes of the world passes here. */
export class Process {
  dead = false
  /** Calls so far that can change something: the places for a crash. */
  effects = 0
  /** Jobs on the stack: one, and those that run within its calls. */
  depth = 0
  /** Of the job on top of the stack. */
  job = ''
  /** Write transactions that are open: nothing else may run meanwhile. */
  transactions = 0
  private readonly endings = new Set<() => void>()

  constructor(
    readonly machine: Machine,
    readonly name: string,
    readonly pid: number,
    /** As in ProcessFacts. */
    readonly began: string,
  ) {}

  /**
   * A call of a job: time passes, others may run, a fault may answer instead.
   * @throws CrashSignal from the crash on
   * @throws FileFailure where a fault answers
   */
  enter(name: string, subject: string, effect: boolean): void {
    if (this.dead) throw new CrashSignal(name)
    this.machine.scheduler.advance(callNs)
    const code = this.count({ process: this, name, subject, effect })
    if (this.dead) throw new CrashSignal(name)
    if (code === 'disk-full') for (const disk of this.machine.disks) disk.noteShort()
    if (code !== undefined) throw failure(code, subject, name)
  }

  /** A call of the main thread. It does not throw: answers whether the process still lives. */
  act(name: string, subject: string): boolean {
    if (this.dead) return false
    this.count({ process: this, name, subject, effect: true })
    return !this.dead
  }

  /** From here on nothing that the process does has an effect. */
  crash(): void {
    if (this.dead) return
    this.dead = true
    for (const ending of this.endings) ending()
    this.endings.clear()
  }

  /** What the kernel does when the process is gone: closes descriptors, drops locks, resets connections. Answers how to forget it. */
  onEnd(ending: () => void): () => void {
    this.endings.add(ending)
    return () => this.endings.delete(ending)
  }

  private count(call: Call): FileCode | undefined {
    if (call.effect) this.effects += 1
    return this.machine.onCall?.(call)
  }
}

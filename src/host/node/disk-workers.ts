import { availableParallelism } from 'node:os'
import { StartedThread } from './started-thread.js'
import { workerFile } from './worker-file.js'

/** With more cores than this, more threads bring memory in use and no speed: disks are behind them. */
const workersMax = 8

/** How many disk workers an agent has. */
export function diskWorkers(): number {
  return Math.min(availableParallelism(), workersMax)
}

export function diskWorkerFile(): URL {
  return workerFile('agent/disk-worker')
}

/** Disk workers that load while the program itself does. Whoever opens a host takes them; those that nobody took are closed at the end. */
export class EarlyWorkers {
  private left: readonly StartedThread[]

  constructor(count: number, onePass: boolean) {
    const entry = diskWorkerFile()
    this.left = Array.from({ length: Math.min(count, diskWorkers()) }, () => new StartedThread(entry, onePass))
  }

  /** The first who asks has all. */
  take(): readonly StartedThread[] {
    const taken = this.left
    this.left = []
    return taken
  }

  async close(): Promise<void> {
    await Promise.all(this.take().map((thread) => thread.close()))
  }
}

import { availableParallelism } from 'node:os'
import type { Host } from '../host.js'
import { nodeClock } from './clock.js'
import { type FailureClasses, groundFailures } from './foreign-failure.js'
import { nodeMachine } from './machine.js'
import { nodeRandom } from './random.js'
import { nodeSockets } from './sockets.js'
import { nodeStores } from './store.js'
import { nodeWatcher } from './watcher.js'
import { workerFile } from './worker-file.js'
import { nodeWorkers } from './workers.js'

/** With more cores than this, more threads bring memory in use and no speed: disks are behind them. */
const workersMax = 8

export interface HostOptions {
  /** Disk workers; as many as cores if not given. */
  readonly workers?: number
  /** Of those, the ones that are started at once; one if not given. */
  readonly atOnce?: number
  /** Classes of failures, besides those of the host and of paths, that jobs throw and callers look for. */
  readonly failures?: FailureClasses
}

/** The real world. Its threads start when they are first needed; closeHost ends them. */
export function nodeHost(options: HostOptions = {}): Host {
  const count = options.workers ?? Math.min(availableParallelism(), workersMax)
  const failures = { ...groundFailures, ...options.failures }
  return {
    clock: nodeClock(),
    random: nodeRandom(),
    machine: nodeMachine(),
    workers: nodeWorkers(workerFile('agent/disk-worker'), count, failures, options.atOnce),
    stores: nodeStores(),
    sockets: nodeSockets(),
    watcher: nodeWatcher(),
  }
}

/** Ends every thread, once the jobs in hand are done: nothing here keeps the process alive after that. */
export async function closeHost(host: Host): Promise<void> {
  await Promise.all([host.workers.close(), host.watcher.close()])
}

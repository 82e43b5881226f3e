import type { Host } from '../host.js'
import { nodeClock } from './clock.js'
import { diskWorkerFile, diskWorkers } from './disk-workers.js'
import { groundFailures } from './foreign-failure.js'
import { nodeMachine } from './machine.js'
import { nodeRandom } from './random.js'
import { nodeSockets } from './sockets.js'
import { nodeStores } from './store.js'
import { nodeWatcher } from './watcher.js'
import { nodeWorkers, type WorkersOptions } from './workers.js'

/** `failures`: besides those of the host and of paths. */
export interface HostOptions extends WorkersOptions {
  /** Disk workers; as many as cores if not given. */
  readonly workers?: number
}

/** The real world. Its threads start when they are first needed; closeHost ends them. */
export function nodeHost(options: HostOptions = {}): Host {
  const count = options.workers ?? diskWorkers()
  const failures = { ...groundFailures, ...options.failures }
  return {
    clock: nodeClock(),
    random: nodeRandom(),
    machine: nodeMachine(),
    workers: nodeWorkers(diskWorkerFile(), count, { ...options, failures }),
    stores: nodeStores(),
    sockets: nodeSockets(),
    watcher: nodeWatcher(),
  }
}

/** Ends every thread, once the jobs in hand are done: nothing here keeps the process alive after that. */
export async function closeHost(host: Host): Promise<void> {
  await Promise.all([host.workers.close(), host.watcher.close()])
}

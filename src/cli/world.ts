import { resolve } from 'node:path'
import { type AbsPath, absPath } from '../core/path.js'
import type { World } from '../host/workers.js'

/** The real world, for jobs that a command runs in its own thread. */
export async function openWorld(): Promise<World> {
  const [{ nodeFiles }, { nodeStores }, { nodeClock }, { nodeRandom }, { nodeMachine }] = await Promise.all([
    import('../host/node/files.js'),
    import('../host/node/store.js'),
    import('../host/node/clock.js'),
    import('../host/node/random.js'),
    import('../host/node/machine.js'),
  ])
  return {
    files: nodeFiles(),
    stores: nodeStores(),
    clock: nodeClock(),
    random: nodeRandom(),
    machine: nodeMachine(),
  }
}

/** A path as it was typed, from the working directory. */
export function pathHere(text: string): AbsPath {
  return absPath(resolve(text))
}

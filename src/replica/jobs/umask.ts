import type { Directory } from '../../host/files.js'
import type { World } from '../../host/workers.js'
import { dropFile } from './place.js'

const umasks = new WeakMap<World, number>()

/** The process's umask, found by making a file: Node tells it only by changing it for all threads. */
export function umaskOf(world: World, inside: Directory): number {
  let umask = umasks.get(world)
  if (umask === undefined) {
    const name = `umask-${Buffer.from(world.random.bytes(8)).toString('hex')}`
    const file = inside.createFile(name, 0o777)
    try {
      umask = 0o777 & ~file.stat().mode
    } finally {
      file.close()
    }
    dropFile(inside, name)
    umasks.set(world, umask)
  }
  return umask
}

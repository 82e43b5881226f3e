import {
  type AbsPath,
  absPath,
  directoryOf,
  nameOf,
  privateName,
  type RelPath,
  relPath,
  rootPath,
} from '../core/path.js'
import type { Files } from '../host/files.js'
import type { World } from '../host/workers.js'
import { closeRootJob, openRootJob } from '../replica/jobs/open-root.js'
import type { RootPlace } from '../replica/jobs/place.js'
import { recoverJob } from '../replica/jobs/recover.js'
import { sweepJob } from '../replica/jobs/sweep.js'

/** Where a path lies in a root of this machine, whether it exists or not; undefined: in none. @throws FileFailure, BadPath */
export function placeInRoot(
  files: Files,
  path: AbsPath,
): { readonly root: AbsPath; readonly path: RelPath } | undefined {
  const isRoot = (at: AbsPath) => files.statPath(absPath(`${at === '/' ? '' : at}/${privateName}/marker`)) !== undefined
  const whole = files.realPath(path)
  if (isRoot(whole)) return { root: whole, path: rootPath }
  // The last name may be a link, and is meant as such.
  let below = relPath(nameOf(path))
  for (let at = files.realPath(directoryOf(path)); ; at = directoryOf(at)) {
    if (isRoot(at)) return { root: at, path: below }
    if (at === '/') return undefined
    below = relPath(`${nameOf(at)}/${below}`)
  }
}

/**
 * Runs `body` in a root, beside whatever agent is at work there, when all that agents of the past have left in staging has
 * become versions. What a living agent did in the last second may not have yet.
 * @throws ReplicaFailure, FileFailure
 */
export async function inRoot<T>(world: World, root: AbsPath, body: (place: RootPlace) => T): Promise<T> {
  const folder = `${world.machine.pid}-${Buffer.from(world.random.bytes(8)).toString('hex')}`
  const { rootId, folding } = openRootJob.run(world, { root, folder, locks: undefined, create: false })
  try {
    // No index: nothing that is run here needs one.
    const place: RootPlace = {
      root,
      index: root,
      folder,
      boot: world.machine.bootId,
      rootId,
      keeps: true,
      durability: 'power-loss',
      folding,
    }
    let { pending } = recoverJob.run(world, { place, locks: undefined })
    for (let round = 0; pending > 0 && round < sweepsMax; round++) {
      await world.clock.sleep(sweepAfterMs)
      pending = sweepJob.run(world, { place }).pending
    }
    return body(place)
  } finally {
    closeRootJob.run(world, { root, folder })
  }
}

/** What came out of a path is settled a second later, or not soon. */
const sweepAfterMs = 1_100
const sweepsMax = 2

import type { Job } from '../../host/workers.js'
import { checkRoot } from './marker.js'
import { openRoot, type RootPlace } from './place.js'

/** Which directory stands at the path of a root: the same as long as this process lives and nobody exchanges it. */
export interface RootIdentity {
  readonly inode: bigint
  readonly device: bigint
}

/**
 * Looks whether the root still stands at its path, by its marker, and answers which directory it is. Cheap: asked every few seconds,
 * since no event tells that a directory above a root was renamed, or that a file system was mounted over it.
 * @throws ReplicaFailure 'missing', 'not-directory', 'unreadable', 'in-doubt'
 */
export const rootIdentityJob: Job<{ readonly place: RootPlace }, RootIdentity> = {
  name: 'root-identity',
  run(world, { place }) {
    const root = openRoot(world.files, place.root)
    try {
      checkRoot(root, place)
      const { inode, device } = root.stat()
      return { inode, device }
    } finally {
      root.close()
    }
  },
}

import type { Space } from '../../host/files.js'
import type { Job } from '../../host/workers.js'
import { checkRoot } from './marker.js'
import { openRoot, type RootPlace } from './place.js'

/**
 * What is left of the file system that a root lies on: of the root that was opened, not of what stands there now.
 * @throws ReplicaFailure 'missing', 'unreadable', 'in-doubt'; FileFailure
 */
export const spaceJob: Job<{ readonly place: RootPlace }, Space> = {
  name: 'space',
  run(world, { place }) {
    const root = openRoot(world.files, place.root)
    try {
      checkRoot(root, place)
      return root.space()
    } finally {
      root.close()
    }
  },
}

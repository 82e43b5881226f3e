import type { Job } from '../../host/workers.js'
import { checkRoot } from './marker.js'
import { openRoot, type RootPlace } from './place.js'

/**
 * What the root's marker says of a pair now, 0 if nothing: a root stays open for long, and its marker goes on meanwhile.
 * @throws ReplicaFailure 'missing', 'unreadable', 'in-doubt' when what stands at the path is not the root that was opened
 */
export const generationJob: Job<{ readonly place: RootPlace; readonly pair: string }, number> = {
  name: 'generation',
  run(world, { place, pair }) {
    const root = openRoot(world.files, place.root)
    try {
      return checkRoot(root, place).generations[pair] ?? 0
    } finally {
      root.close()
    }
  },
}

import type { RelPath } from '../../core/path.js'
import type { Job, World } from '../../host/workers.js'
import { openIndex } from '../../index/index.js'
import type { Acceptance } from '../replica.js'
import { checkRoot, type Marker } from './marker.js'
import { openRoot, type RootPlace } from './place.js'

/**
 * Whether what stands at a path, where a file system came or went, may be taken as it is: see Replica.accept. Nothing is done.
 * @throws ReplicaFailure 'missing', 'unreadable', 'in-doubt'
 */
export const acceptableJob: Job<Acceptable, Acceptance> = {
  name: 'acceptable',
  run(world, { place, path, pairs, confirmed }) {
    const record = openIndex(world, place.index).find(path)?.record
    if (record?.problem?.code !== 'boundary') return { kind: 'nothing' }
    const others = Object.keys(markerOf(world, place).generations).filter((pair) => !pairs.includes(pair))
    if (others.length === 0 || confirmed) return { kind: 'accepted' }
    const count = others.length === 1 ? 'one other pair' : `${others.length} other pairs`
    return {
      kind: 'refused',
      detail:
        `the root belongs to ${count} too, at work elsewhere or formerly: what was agreed there below ${path} would be ` +
        'removed on their other side; --confirm does it all the same',
    }
  },
}

export interface Acceptable {
  readonly place: RootPlace
  readonly path: RelPath
  readonly pairs: readonly string[]
  readonly confirmed: boolean
}

function markerOf(world: World, place: RootPlace): Marker {
  const root = openRoot(world.files, place.root)
  try {
    return checkRoot(root, place)
  } finally {
    root.close()
  }
}

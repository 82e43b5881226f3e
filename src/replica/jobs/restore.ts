import { type AbsPath, directoryOf, nameOf, parentOf, type RelPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import type { Job } from '../../host/workers.js'
import { copyFile } from './copy-file.js'
import { noteRestored } from './journal.js'
import { dropFile, openRoot, openStage, type RootPlace } from './place.js'
import { openOrMake, Versions } from './versions.js'

export interface Restore {
  readonly place: RootPlace
  /** Where the version is kept, from the root. */
  readonly kept: RelPath
  /** The path it comes back to. */
  readonly path: RelPath
}

export type Restored = 'restored' | 'changing' | 'directory'

/**
 * Brings a version back, as an edit that anybody could have made: whole, with its mode and time; what is there is kept. The
 * version stays. 'changing': the path is changed all the time; 'directory': one stands there, and stays.
 * @throws FileFailure, ReplicaFailure
 */
export const restoreJob: Job<Restore, Restored> = {
  name: 'restore',
  run(world, { place, kept, path }) {
    const root = openRoot(world.files, place.root)
    try {
      const stage = openStage(root, place)
      const versions = new Versions(root, stage.in)
      try {
        const parent = openOrMake(root, parentOf(path), 0o777)
        try {
          const target = { directory: parent, name: nameOf(path) }
          for (let attempt = 0; attempt < attemptsMax; attempt++) {
            const now = parent.statAt(target.name)
            if (now?.kind === 'directory') return 'directory'
            const copy = `restore-${Buffer.from(world.random.bytes(8)).toString('hex')}`
            try {
              copyIn(root, kept, stage.in, copy)
              const { sizeBytes } = stage.in.statAt(copy) ?? { sizeBytes: 0 }
              const wallNs = world.clock.wallNs()
              versions.restore(copy, target, path, now !== undefined, wallNs)
              noteRestored(root, path, now !== undefined, sizeBytes, wallNs)
              return 'restored'
            } catch (error) {
              if (!(error instanceof FileFailure)) throw error
              dropFile(stage.in, copy)
              if (error.code !== 'exists' && error.code !== 'absent') throw error
            }
          }
          return 'changing'
        } finally {
          parent.close()
        }
      } finally {
        versions.close()
        stage.close()
      }
    } finally {
      root.close()
    }
  },
}

/** Somebody may make or remove the path at the very moment. */
const attemptsMax = 5

export interface CopyOut {
  readonly root: AbsPath
  readonly kept: RelPath
  /** What must not exist yet; its directory must. */
  readonly to: AbsPath
}

/** Copies a version to somewhere else. @throws FileFailure 'exists', 'absent' ... */
export const copyOutJob: Job<CopyOut, void> = {
  name: 'copy-out',
  run(world, { root: path, kept, to }) {
    const root = openRoot(world.files, path)
    try {
      const directory = world.files.openDirectory(directoryOf(to))
      try {
        copyIn(root, kept, directory, nameOf(to))
      } finally {
        directory.close()
      }
    } finally {
      root.close()
    }
  },
}

function copyIn(root: Directory, kept: RelPath, into: Directory, name: string): void {
  const from = root.openDirectory(parentOf(kept))
  try {
    const source = { directory: from, name: nameOf(kept) }
    if (from.statAt(source.name)?.kind === 'symlink') into.makeSymlink(name, from.readSymlink(source.name))
    else copyFile(source, { directory: into, name }, source)
  } finally {
    from.close()
  }
}

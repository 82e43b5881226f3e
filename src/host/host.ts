import type { AbsPath, RelPath } from '../core/path.js'
import type { Clock, Random } from './clock.js'
import type { Sockets } from './sockets.js'
import type { Stores } from './store.js'
import type { Watcher } from './watcher.js'
import type { Workers } from './workers.js'

/** What is known of this machine without asking a disk; all but the mounts stays as it is while the agent runs. */
export interface Machine {
  readonly hostName: string
  readonly pid: number
  /** Of this boot of the machine: another one means that the machine went down. */
  readonly bootId: string
  readonly homeDirectory: AbsPath
  readonly platform: 'linux' | 'macos'
  /**
   * Type of the file system at the path, as the mount table says; undefined where there is none to ask. Links on the way are
   * followed, but no distant file system (see distant.ts) is touched: the first one on the way is the answer.
   */
  filesystemAt(path: AbsPath): string | undefined
  /** Where other file systems are mounted below the directory, each once; nothing where there is no mount table. */
  mountsBelow(path: AbsPath): readonly RelPath[]
}

/** The door to the world. Given once to openAgent; everything real or simulated is behind it. */
export interface Host {
  readonly clock: Clock
  readonly random: Random
  readonly machine: Machine
  /** File work: jobs in worker threads. */
  readonly workers: Workers
  /** For reading the archive on the main thread; writes go through jobs. */
  readonly stores: Stores
  readonly sockets: Sockets
  readonly watcher: Watcher
}

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
  /** The user as whom files are opened. */
  readonly uid: number
  /** Of this boot of the machine: another one means that the machine went down. */
  readonly bootId: string
  /** False where the boot id is hidden: bootId is made up then, and another in each thread. */
  readonly bootKnown: boolean
  /** Of this system, the same after each boot; undefined where it is hidden. */
  readonly machineId: string | undefined
  /** In which pids count: a process of another one cannot be asked for. Undefined where it is hidden. */
  readonly pidNamespace: string | undefined
  readonly homeDirectory: AbsPath
  readonly platform: 'linux' | 'macos'
  /** '6.1.0-20-amd64', or what another system says of its own. */
  readonly kernel: string
  /**
   * Type of the file system at the path, as the mount table says; undefined where there is none to ask. Links on the way are
   * followed, but no distant file system (see distant.ts) is touched: the first one on the way is the answer.
   */
  filesystemAt(path: AbsPath): string | undefined
  /** Where other file systems are mounted below the directory, each once; nothing where there is no mount table. */
  mountsBelow(path: AbsPath): readonly RelPath[]
  /** Another one whenever this machine's own network is: it has other addresses, or a cable was put in. */
  networkSign(): string
  /** The process of that pid in this pid namespace, of whatever user; undefined where there is none, or only what is left of one. */
  processAt(pid: number): ProcessFacts | undefined
}

export interface ProcessFacts {
  /** When it began, in words that only compare, within one boot: pids are used again. Undefined where it is hidden. */
  readonly began: string | undefined
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

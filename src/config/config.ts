import type { MaxDelete } from '../core/budget.js'
import type { Durability } from '../core/durability.js'
import { Failure } from '../core/failure.js'
import type { Keep } from '../core/keep.js'
import type { MinFree } from '../core/min-free.js'
import type { AbsPath } from '../core/path.js'
import type { Place, Target } from '../host/sockets.js'
import type { WatcherChoice } from '../host/watcher.js'
import type { Preferences } from './preferences.js'

/** Everything that openAgent needs to know, checked. */
export interface Config {
  readonly pairs: readonly PairConfig[]
  readonly serves: readonly ServeConfig[]
  /** None: nobody can connect. */
  readonly listen: readonly Place[]
  readonly peers: readonly PeerConfig[]
  /** Archives and indices live here. It exists and is writable. */
  readonly stateDir: AbsPath
}

export interface PairConfig {
  /** For messages and logs. */
  readonly name: string
  readonly alpha: RootConfig
  readonly beta: RootConfig
  readonly preferences: Preferences
  /** Start as if the two roots had never met: the archive is moved aside. */
  readonly ignoreArchives: boolean
}

/** A remote root has the name that it is served under; over ssh a path, '~/' before one that begins at the home directory there. */
export type RootConfig = { readonly kind: 'local'; readonly path: AbsPath } | (Target & { readonly name: string })

/** A root that peers may use by its name. */
export interface ServeConfig {
  readonly name: string
  readonly path: AbsPath
  /** auto if not given. */
  readonly watcher?: WatcherChoice | undefined
  /** power-loss if not given. */
  readonly durability?: Durability | undefined
  /** What is kept of what peers replace or remove; undefined: nothing. */
  readonly keep: Keep | undefined
  /** What its disk is to keep free; undefined: nothing. */
  readonly minFree: MinFree | undefined
  /** What peers may remove from it in a day; undefined: anything. */
  readonly maxDelete: MaxDelete | undefined
}

export interface PeerConfig {
  /** The PSK identity. */
  readonly name: string
  /** 32 bytes. */
  readonly key: Uint8Array
  /** Names of served roots that the peer may use. */
  readonly roots: readonly string[]
  /** It may read them and not change them. */
  readonly readOnly?: boolean | undefined
  /** Bytes a second, to and from it; as many as will go if not given. */
  readonly bwlimit?: number | undefined
}

/**
 * Why a text is no configuration.
 *
 *     unreadable       a configuration, key or profile file that is missing or cannot be read
 *     unsafe-file      a file with secrets that somebody else could read or change
 *     bad-config       the configuration or key file says something that cannot be
 *     bad-profile      a line of a profile that cannot be read
 *     bad-preference   a value that the preference cannot take
 *     not-built        known, but this version does not have it
 *     bad-root         not a root
 *     state-directory  the state directory cannot be made or written
 */
export type ConfigCode =
  | 'unreadable'
  | 'unsafe-file'
  | 'bad-config'
  | 'bad-profile'
  | 'bad-preference'
  | 'not-built'
  | 'bad-root'
  | 'state-directory'

export class ConfigFailure extends Failure {
  override readonly name = 'ConfigFailure'
  constructor(
    readonly code: ConfigCode,
    /** What is wrong and where, as 'file:line: ...' when it is in a file; then what to do about it. */
    detail: string,
    cause?: unknown,
  ) {
    super(detail, cause === undefined ? undefined : { cause })
  }
}

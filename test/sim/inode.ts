import { type FileCode, FileFailure, type Kind, type Stat } from '../../src/host/files.js'
import type { Disk } from './disk.js'

export const nothing = new Uint8Array(0)
export const setgid = 0o2000

/** A name in a directory. Under folding the key of the map differs from the name as it was given. */
export interface Entry {
  readonly name: string
  readonly inode: Inode
}

/** What of an inode is on the platter. */
export interface Saved {
  readonly data: Uint8Array
  readonly mode: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

export class Inode {
  uid = 0
  gid = 0
  mtimeNs: bigint
  ctimeNs: bigint
  links = 0
  /** Never changed in place: a write puts another array here, so that what is saved stays what it was. */
  data: Uint8Array = nothing
  target = ''
  readonly attributes = new Map<string, string>()
  /** Of a directory. */
  readonly entries = new Map<string, Entry>()
  /** Names of a directory that are on the platter. */
  savedEntries = new Map<string, Entry>()
  saved: Saved | undefined
  /** Where it was last given a name. A hard link moves it; undefined once no name is left. */
  home: { readonly directory: Inode; readonly name: string } | undefined
  /** Descriptors and mappings that could still write. */
  writers = 0
  /** Every descriptor, readers too: the number is not given to another file meanwhile. */
  opens = 0
  holder: object | undefined
  /** A failed sync was told: these bytes count as clean, but are not on the platter until they are written again. */
  stuck = false
  /** How often its pages became clean: after that the first store of each mapping is the kernel's business once more. */
  cleanings = 0
  /** When the first unsaved change was made. */
  dirtySinceNs = 0
  /** Unlinked and closed: gone. */
  freed = false
  /** What `text` has read, and of which bytes: weak maps from bytes to texts are a burden to the collector. */
  private readText = ''
  private readOf: Uint8Array = nothing

  constructor(
    readonly id: bigint,
    readonly disk: Disk,
    readonly kind: Kind,
    public mode: number,
    readonly birthNs: bigint,
  ) {
    this.mtimeNs = birthNs
    this.ctimeNs = birthNs
  }

  /** The bytes as text, one character each: the name under which a version is known. */
  get text(): string {
    if (this.readOf !== this.data) {
      this.readText = Buffer.from(this.data.buffer, this.data.byteOffset, this.data.length).toString('latin1')
      this.readOf = this.data
    }
    return this.readText
  }

  /** The group of what is made in this directory. */
  handedGid(): number {
    return (this.mode & setgid) === 0 ? 0 : this.gid
  }

  stat(): Stat {
    const directory = this.kind === 'directory'
    return {
      kind: this.kind,
      mode: this.mode,
      inode: this.id,
      device: this.disk.device,
      sizeBytes: directory ? 4_096 : this.kind === 'symlink' ? Buffer.byteLength(this.target) : this.data.length,
      mtimeNs: this.mtimeNs,
      ctimeNs: this.ctimeNs,
      birthNs: this.birthNs,
      links: this.links,
      uid: this.uid,
      gid: this.gid,
    }
  }
}

const errnoOf: Record<FileCode, string> = {
  absent: 'ENOENT',
  exists: 'EEXIST',
  denied: 'EACCES',
  'not-permitted': 'EPERM',
  'not-directory': 'ENOTDIR',
  'is-directory': 'EISDIR',
  'not-empty': 'ENOTEMPTY',
  loop: 'ELOOP',
  crosses: 'EXDEV',
  'disk-full': 'ENOSPC',
  'read-only': 'EROFS',
  busy: 'EBUSY',
  'name-too-long': 'ENAMETOOLONG',
  'too-many-open': 'EMFILE',
  unsupported: 'EINVAL',
  stale: 'ESTALE',
  interrupted: 'EINTR',
  io: 'EIO',
}

export function failure(code: FileCode, path: string, call: string): FileFailure {
  return new FileFailure(code, path, call, errnoOf[code])
}

import { Failure } from '../core/failure.js'
import type { AbsPath, RelPath } from '../core/path.js'
import type { Survey } from './survey.js'

/**
 * Files of one machine. Synchronous: used inside jobs only, never on the main thread.
 *
 * Everything below a root is reached from a directory handle, and no symbolic link is followed on the way (openat2 with
 * RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS where the kernel has it). Names are single components in the encoding of RelPath.
 * Every failure is a FileFailure. No handle may stay open when a job ends, unless the job says so.
 */
export interface Files {
  /** Opens the directory itself; a symbolic link in the path of the root is followed (the user named it). */
  openDirectory(path: AbsPath): Directory
  /** Creates the directory `path`, whose parent must exist. @throws FileFailure 'exists' */
  makeDirectory(path: AbsPath, mode: number): void
  /** The path without links, '.' or '..'; the deepest part may be absent. */
  realPath(path: AbsPath): AbsPath
  /** lstat of an absolute path, or undefined if it is absent. */
  statPath(path: AbsPath): Stat | undefined
}

/** An open directory. */
export interface Directory {
  /** Of the directory itself. */
  stat(): Stat
  /** What is made in it takes this from it. */
  handsDown(): Handed
  /** Names of all members, '.' and '..' left out, in no order. A partial listing is a failure, never a short answer. */
  names(): string[]
  /** lstat of a member, or undefined if it is absent. */
  statAt(name: string): Stat | undefined
  /**
   * All members but `without`, as lstat sees them, at once. Undefined when one could not be looked at, or went meanwhile: to
   * be looked at one by one.
   */
  survey(without: string): Survey | undefined
  /** A directory below this one, '' for another handle on this one. @throws FileFailure 'absent', 'not-directory', 'loop', 'crosses' */
  openDirectory(path: RelPath): Directory
  /** Opens for reading; never blocks on a fifo, never follows a link. @throws FileFailure 'loop' for a symlink */
  openFile(name: string): FileHandle
  /** Creates a file that must not exist, for reading and writing. */
  createFile(name: string, mode: number): FileHandle
  /** Opens an existing file for writing in place (appending to what was staged). */
  reopenFile(name: string): FileHandle
  makeDirectory(name: string, mode: number): void
  makeSymlink(name: string, target: string): void
  readSymlink(name: string): string
  /**
   * Renames a member into `to`. 'no-replace': 'exists' when the target is there. 'exchange': both must be there; swaps them
   * in one step. There is no plain rename: it would replace. @throws FileFailure 'unsupported' where the file system lacks it
   */
  rename(name: string, to: Directory, toName: string, how: 'no-replace' | 'exchange'): void
  /** Replaces `toName`, for private files only (marker, intents): never for a path that a user can have. */
  replace(name: string, toName: string): void
  removeFile(name: string): void
  removeDirectory(name: string): void
  /** chmod of a file or directory without following a link; `mode` is the twelve bits. */
  setMode(name: string, mode: number): void
  /** chgrp of any member without following a link. */
  setGroup(name: string, gid: number): void
  /** mtime of any member without following a link; atime is left alone. */
  setTime(name: string, mtimeNs: bigint): void
  /** fsync of the directory: its names are on disk. */
  sync(): void
  /** syncfs of the file system that holds it. */
  syncFilesystem(): void
  /** Creates or opens `name` and takes an exclusive flock, or returns undefined when another process holds it. */
  lock(name: string): Lock | undefined
  space(): Space
  close(): void
}

/** What a directory gives to a file that is made in it. */
export interface Handed {
  /** The directory's group where it hands that down (Linux: where it is setgid), else that of the process. */
  readonly gid: number
  /** Its default ACL, as the kernel has it: the access ACL of the file. Undefined where it has none, and on macOS. */
  readonly acl: Uint8Array | undefined
}

/** Of a file system. */
export interface Space {
  /** For this process: without what is set aside for root. */
  readonly freeBytes: number
  /** All of it, free or not. */
  readonly totalBytes: number
  /** Its type as statfs names it: 'ext', 'tmpfs', 'nfs', 'fuse', ... or a hex number. */
  readonly filesystem: string
}

/** Held until released or until the process dies. */
export interface Lock {
  /** What the holder wrote about itself: its pid. */
  write(text: string): void
  release(): void
}

export interface FileHandle {
  stat(): Stat
  /** Reads up to `into.length` bytes at `position`; 0 at the end. */
  read(into: Uint8Array, position: number): number
  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): void
  setMode(mode: number): void
  setTime(mtimeNs: bigint): void
  /** Takes owner, group and extended attributes over from the member that this file will replace. Answers what could not be taken, in words, or undefined. */
  takeOver(from: Directory, name: string): string | undefined
  /**
   * Takes what another directory than its own hands down, and nothing of its own directory's. The mode moves with an ACL: it is
   * to be set after this. Answers what could not be taken, in words, or undefined.
   */
  inherit(handed: Handed): string | undefined
  /** fdatasync. */
  sync(): void
  /**
   * Whether anybody could still write this inode: a read lease, taken and dropped at once (E4 in pitfalls).
   * 'busy': a writing descriptor or a writable shared mapping exists. 'unknown': no leases here.
   */
  probe(): 'free' | 'busy' | 'unknown'
  close(): void
}

export type Kind = 'file' | 'directory' | 'symlink' | 'special'

export interface Stat {
  readonly kind: Kind
  /** The low twelve bits. */
  readonly mode: number
  readonly inode: bigint
  /** Only within one boot. */
  readonly device: bigint
  readonly sizeBytes: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  /** 0n where the file system has none. */
  readonly birthNs: bigint
  readonly links: number
  readonly uid: number
  readonly gid: number
}

/** One name for each errno that the house tells apart. */
export type FileCode =
  | 'absent' // ENOENT
  | 'exists' // EEXIST
  | 'denied' // EACCES
  | 'not-permitted' // EPERM: immutable, append-only, another user's
  | 'not-directory' // ENOTDIR
  | 'is-directory' // EISDIR
  | 'not-empty' // ENOTEMPTY
  | 'loop' // ELOOP
  | 'crosses' // EXDEV
  | 'disk-full' // ENOSPC, EDQUOT
  | 'read-only' // EROFS
  | 'busy' // EBUSY, ETXTBSY
  | 'name-too-long' // ENAMETOOLONG, EILSEQ
  | 'too-many-open' // EMFILE, ENFILE
  | 'unsupported' // EINVAL, ENOTSUP, ENOSYS, EOPNOTSUPP
  | 'stale' // ESTALE, ENOTCONN
  | 'interrupted' // EAGAIN, EINTR after bounded repeats
  | 'io' // EIO and every other

export class FileFailure extends Failure {
  override readonly name = 'FileFailure'
  constructor(
    readonly code: FileCode,
    /** As far as it is known: the absolute path, or the member's name. */
    readonly path: string,
    readonly call: string,
    /** The kernel's own name, as 'ENOSPC'. */
    readonly errno: string,
  ) {
    super(`${call} ${path}: ${errno}`)
  }
  override get transient(): boolean {
    return !['denied', 'not-permitted', 'read-only', 'name-too-long', 'unsupported'].includes(this.code)
  }
}

import { nameOf, parentOf, type RelPath, rootPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import type { Chmod } from './intent.js'
import { goneCodes } from './place.js'

/** What a directory needs for its members to be changed by its owner. */
const writableBits = 0o300

/**
 * The directory that is being changed: opened once for consecutive operations in it, made writable for them where that
 * is needed, looked for again when they are done.
 */
export class Parents {
  /** Whether a path lies in a file system that is mounted in the root, as far as the index knows. */
  private readonly mounted = new Map<RelPath, boolean>([[rootPath, false]])
  private readonly device: bigint
  private current: { readonly path: RelPath; readonly directory: Directory; chmod: Chmod | undefined } | undefined

  constructor(
    private readonly root: Directory,
    private readonly on: {
      /** Makes the intent know of a temporary mode, durably, before it is set. */
      chmod(chmod: Chmod): void
      restored(path: RelPath): void
      /** The mode is still the temporary one. */
      unrestored(chmod: Chmod): void
      /** The directory that was changed under `path` is not there any more. */
      moved(path: RelPath): void
      /** Whether it still is cannot be said. */
      unseen(path: RelPath): void
      /** Whether the index knows the directory as one on which another file system is mounted. */
      isBoundary(path: RelPath): boolean
    },
  ) {
    this.device = root.stat().device
  }

  /** The path that is open. */
  get pathNow(): RelPath | undefined {
    return this.current?.path
  }

  /** A handle that is good until another path is opened. @throws FileFailure */
  open(path: RelPath): Directory {
    if (this.current?.path === path) return this.current.directory
    this.leave()
    const directory = this.root.openDirectory(path)
    if ((directory.stat().device !== this.device) !== this.isMounted(path)) {
      directory.close()
      // What came or went over it since it was looked at is not what was meant, and its user's own files lie beneath.
      this.on.unseen(path)
      throw new FileFailure(
        'not-directory',
        path,
        'openDirectory',
        'another file system was mounted or unmounted there',
      )
    }
    this.current = { path, directory, chmod: undefined }
    return directory
  }

  private isMounted(path: RelPath): boolean {
    const known = this.mounted.get(path)
    if (known !== undefined) return known
    const mounted = this.isMounted(parentOf(path)) || this.on.isBoundary(path)
    this.mounted.set(path, mounted)
    return mounted
  }

  /**
   * Makes the current directory writable if its mode is what keeps us out. Answers whether it makes sense to try again.
   * @throws FileFailure
   */
  makeWritable(): boolean {
    const { current } = this
    if (current === undefined || current.chmod !== undefined || current.path === rootPath) return false
    const { mode, inode } = current.directory.stat()
    if ((mode & writableBits) === writableBits) return false
    const chmod: Chmod = { path: current.path, mode, temporary: mode | 0o700 }
    return this.inGrandparent(current.path, (directory, name) => {
      if (directory.statAt(name)?.inode !== inode) return false
      this.on.chmod(chmod)
      current.chmod = chmod
      directory.setMode(name, chmod.temporary)
      return true
    })
  }

  /**
   * Ends the work in the current directory: its mode is put back, and it is opened once more from the root. One that was
   * moved away meanwhile took our changes with it.
   */
  leave(): void {
    const { current } = this
    if (current === undefined) return
    this.current = undefined
    try {
      if (current.chmod !== undefined) this.restore(current.chmod)
      this.lookAgain(current.path, current.directory)
    } finally {
      current.directory.close()
    }
  }

  /** Closes without a look, after a failure. */
  close(): void {
    this.current?.directory.close()
    this.current = undefined
  }

  private restore(chmod: Chmod): void {
    if (restoreMode(this.root, chmod)) this.on.restored(chmod.path)
    else this.on.unrestored(chmod)
  }

  private lookAgain(path: RelPath, directory: Directory): void {
    if (path === rootPath) return
    try {
      const again = this.root.openDirectory(path)
      try {
        const [one, other] = [again.stat(), directory.stat()]
        if (one.inode !== other.inode || one.device !== other.device) this.on.moved(path)
      } finally {
        again.close()
      }
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      if (goneCodes.has(error.code)) this.on.moved(path)
      else this.on.unseen(path)
    }
  }

  private inGrandparent<T>(path: RelPath, body: (directory: Directory, name: string) => T): T {
    const directory = this.root.openDirectory(parentOf(path))
    try {
      return body(directory, nameOf(path))
    } finally {
      directory.close()
    }
  }
}

/**
 * Puts the mode back, unless the user has given the directory another one meanwhile, or it is gone. Answers false when that
 * cannot be done now.
 */
export function restoreMode(root: Directory, chmod: Chmod): boolean {
  try {
    const directory = root.openDirectory(parentOf(chmod.path))
    try {
      const stat = directory.statAt(nameOf(chmod.path))
      if (stat?.kind === 'directory' && stat.mode === chmod.temporary) directory.setMode(nameOf(chmod.path), chmod.mode)
    } finally {
      directory.close()
    }
    return true
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return goneCodes.has(error.code)
  }
}

import { nameOf, parentOf, type RelPath } from '../../core/path.js'
import { type VersionPlace, versionPlace } from '../../core/version-name.js'
import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import { keepBeside } from './conflict-copy.js'
import { copyFile } from './copy-file.js'
import { strayName } from './kept-files.js'
import { dropFile, ensureDirectory, goneCodes, versionsPath } from './place.js'

/**
 * Keeps what came out of paths in `.tandem/versions`, as versionPlace names it: by rename, so that a version costs no room
 * that was not taken before. Directories are kept as far as there is something in them.
 */
export class Versions {
  files = 0
  bytes = 0
  private here: { readonly path: RelPath; readonly directory: Directory } | undefined

  constructor(
    private readonly root: Directory,
    /** `in` of this process: a copy is made there. */
    private readonly received: Directory,
  ) {}

  /**
   * Takes the object in a slot, which was at `path` until `untilNs`, out of it. It may be cut off anywhere and done again: at
   * worst one version is there twice. A file with other names, or on another file system, is copied first, for what is done
   * to it under the other name is no part of the version.
   * @throws FileFailure; the slot is then as it was
   */
  take(out: Directory, slot: string, path: RelPath, untilNs: bigint, stat: Stat): void {
    if (stat.kind === 'file' && stat.links > 1) this.copy(out, slot, path, untilNs)
    else {
      try {
        this.put(out, slot, path, untilNs)
      } catch (error) {
        if (!(error instanceof FileFailure) || error.code !== 'crosses') throw error
        this.copy(out, slot, path, untilNs)
      }
    }
    this.files++
    this.bytes += stat.sizeBytes
  }

  /**
   * Puts a copy of a version at a path that holds `now`, and keeps what was there as the version of this moment. The copy takes
   * the place of that version first, so that what comes out is kept by the very call that publishes. A directory is no version: one
   * that its user has put there meanwhile goes back.
   * @throws FileFailure when nothing was changed; 'exists' and 'absent' when the path changed meanwhile
   */
  restore(copy: string, target: Named, path: RelPath, isThere: boolean, wallNs: bigint): void {
    if (!isThere) {
      this.received.rename(copy, target.directory, target.name, 'no-replace')
      return
    }
    const kept = this.put(this.received, copy, path, wallNs)
    try {
      kept.directory.rename(kept.name, target.directory, target.name, 'exchange')
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      kept.directory.rename(kept.name, this.received, copy, 'no-replace')
      if (error.code !== 'unsupported') throw error
      // Without exchange there is an instant without the path.
      const old = this.put(target.directory, target.name, path, wallNs)
      if (isDirectory(old)) this.giveBack(old, target, path, wallNs, 'no-replace')
      this.received.rename(copy, target.directory, target.name, 'no-replace')
      return
    }
    if (isDirectory(kept)) this.giveBack(kept, target, path, wallNs, 'exchange')
  }

  /** What comes out of that, our copy mostly, stays among the versions. @throws FileFailure 'exists' */
  private giveBack(
    { directory, name }: Named,
    target: Named,
    path: RelPath,
    wallNs: bigint,
    how: 'no-replace' | 'exchange',
  ): never {
    try {
      directory.rename(name, target.directory, target.name, how)
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      keepBeside(this.root, path, directory, name, wallNs)
    }
    throw new FileFailure('exists', path, 'restore', 'EISDIR')
  }

  close(): void {
    this.here?.directory.close()
    this.here = undefined
  }

  private copy(out: Directory, slot: string, path: RelPath, untilNs: bigint): void {
    const name = `${slot}.copy`
    dropFile(this.received, name)
    try {
      const stat = out.statAt(slot)
      if (stat?.kind === 'symlink') this.received.makeSymlink(name, out.readSymlink(slot))
      else {
        const source = { directory: out, name: slot }
        copyFile(source, { directory: this.received, name }, source)
      }
      this.put(this.received, name, path, untilNs)
    } catch (error) {
      if (error instanceof FileFailure) dropFile(this.received, name)
      throw error
    }
    out.removeFile(slot)
  }

  private put(from: Directory, slot: string, path: RelPath, untilNs: bigint): Named {
    for (let count = 1; ; count++) {
      try {
        const place = this.placeOf(path, untilNs, count, slot)
        from.rename(slot, place.directory, place.name, 'no-replace')
        return place
      } catch (error) {
        if (!(error instanceof FileFailure) || error.code !== 'exists' || count >= countMax) throw error
      }
    }
  }

  /** What cannot have a place of its name (too long, or a version bears the name of its directory) lies at the top. */
  private placeOf(path: RelPath, untilNs: bigint, count: number, slot: string): Named {
    const place: VersionPlace = versionPlace(path, untilNs, count)
    try {
      return { directory: this.open(`${versionsPath}/${place.directory}` as RelPath), name: place.name }
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      if (!goneCodes.has(error.code) && error.code !== 'name-too-long') throw error
      return { directory: this.open(versionsPath), name: strayName(slot) }
    }
  }

  private open(path: RelPath): Directory {
    if (this.here?.path === path) return this.here.directory
    this.close()
    const directory = openOrMake(this.root, path)
    this.here = { path, directory }
    return directory
  }
}

interface Named {
  readonly directory: Directory
  readonly name: string
}

const isDirectory = ({ directory, name }: Named) => directory.statAt(name)?.kind === 'directory'

/** Versions of one path and one moment. */
const countMax = 1_000

/** The directory at a path, made with all that leads to it if it is not there. */
export function openOrMake(root: Directory, path: RelPath, mode = 0o700): Directory {
  try {
    return root.openDirectory(path)
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'absent') throw error
  }
  const parent = openOrMake(root, parentOf(path), mode)
  try {
    ensureDirectory(parent, nameOf(path), mode)
  } finally {
    parent.close()
  }
  return root.openDirectory(path)
}

import { join, type RelPath, rootPath } from '../../../core/path.js'

/** A directory that is watched, or should be. */
export interface WatchedDirectory {
  readonly name: string
  /** undefined for the root. */
  readonly parent: WatchedDirectory | undefined
  readonly children: Map<string, WatchedDirectory>
  /** The kernel's number, or undefined when the directory could not be watched. */
  watch: number | undefined
  /** No longer part of the tree. */
  dropped: boolean
}

/**
 * The directories of one root, and which watch stands for which. One watch may stand for several directories: two views of
 * one inode through a bind mount, or the old and the new place of a directory whose move is still in the queue.
 */
export class WatchTree {
  readonly root: WatchedDirectory = directoryOf('', undefined)
  private readonly byWatch = new Map<number, Set<WatchedDirectory>>()
  private readonly blind = new Set<WatchedDirectory>()

  /** Directories that could not be watched. */
  get unwatched(): ReadonlySet<WatchedDirectory> {
    return this.blind
  }

  get watches(): number {
    return this.byWatch.size
  }

  /** The member `name` of `parent`, made if it is not there; not yet watched then, and not counted as unwatched. */
  member(parent: WatchedDirectory, name: string): WatchedDirectory {
    let found = parent.children.get(name)
    if (found === undefined) {
      found = directoryOf(name, parent)
      parent.children.set(name, found)
    }
    return found
  }

  directoriesOf(watch: number): Iterable<WatchedDirectory> {
    return this.byWatch.get(watch) ?? []
  }

  /** `directory` must have no watch, or this one. */
  attach(directory: WatchedDirectory, watch: number): void {
    directory.watch = watch
    this.blind.delete(directory)
    const shared = this.byWatch.get(watch)
    if (shared === undefined) this.byWatch.set(watch, new Set([directory]))
    else shared.add(directory)
  }

  markUnwatched(directory: WatchedDirectory): void {
    this.blind.add(directory)
  }

  /** The kernel gave the watch up. Answers the directories that are now without one. */
  forget(watch: number): WatchedDirectory[] {
    const shared = [...this.directoriesOf(watch)]
    this.byWatch.delete(watch)
    for (const directory of shared) directory.watch = undefined
    return shared
  }

  /** Takes `directory` and all below out of the tree. Answers the watches that stand for nothing any more. */
  drop(directory: WatchedDirectory): number[] {
    const free: number[] = []
    const open = [directory]
    directory.parent?.children.delete(directory.name)
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      next.dropped = true
      this.blind.delete(next)
      free.push(...this.detach(next))
      for (const child of next.children.values()) open.push(child)
      next.children.clear()
    }
    return free
  }

  /** Takes the watch from `directory`. Answers it if it stands for nothing any more. */
  detach(directory: WatchedDirectory): number[] {
    const { watch } = directory
    if (watch === undefined) return []
    directory.watch = undefined
    const shared = this.byWatch.get(watch)
    shared?.delete(directory)
    if (shared?.size !== 0) return []
    this.byWatch.delete(watch)
    return [watch]
  }
}

export function pathOf(directory: WatchedDirectory): RelPath {
  const names: string[] = []
  for (let at = directory; at.parent !== undefined; at = at.parent) names.push(at.name)
  let path = rootPath
  for (let at = names.length - 1; at >= 0; at--) path = join(path, names[at] ?? '')
  return path
}

function directoryOf(name: string, parent: WatchedDirectory | undefined): WatchedDirectory {
  return { name, parent, children: new Map(), watch: undefined, dropped: false }
}

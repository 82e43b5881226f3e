import { isWithin, type RelPath } from '../core/path.js'

/**
 * Which directories jobs hold, so that a scan and an apply never overlap in one directory: a scan that read before and wrote
 * after an apply would overwrite the index with the past. First come, first served: a job waits for those that hold one of
 * its directories and for those that waited longer for one of them.
 */
export class Holds {
  private readonly held = new Claims()
  private readonly waiting: Waiter[] = []

  /**
   * Resolves, once all the directories are free, with the function that gives them back. `subtrees`: directories that are
   * held with all that is below them.
   */
  take(directories: Iterable<RelPath>, subtrees: Iterable<RelPath> = []): Promise<() => void> {
    return new Promise((granted) => {
      this.waiting.push({ directories: [...new Set(directories)], subtrees: [...new Set(subtrees)], granted })
      this.grant()
    })
  }

  private grant(): void {
    const wanted = new Claims()
    for (let at = 0; at < this.waiting.length; ) {
      const waiter = this.waiting[at]
      if (waiter === undefined) return
      if (this.held.meet(waiter) || wanted.meet(waiter)) {
        wanted.add(waiter)
        at++
        continue
      }
      this.waiting.splice(at, 1)
      this.held.add(waiter)
      waiter.granted(() => this.release(waiter))
    }
  }

  private release(waiter: Waiter): void {
    this.held.delete(waiter)
    this.grant()
  }
}

interface Claim {
  readonly directories: readonly RelPath[]
  readonly subtrees: readonly RelPath[]
}

interface Waiter extends Claim {
  granted(release: () => void): void
}

/** Those who hold, or wait. Few hold subtrees, so that almost always only names are compared. */
class Claims {
  private readonly directories = new Map<RelPath, number>()
  private readonly subtrees: RelPath[] = []

  add({ directories, subtrees }: Claim): void {
    for (const path of directories) this.directories.set(path, (this.directories.get(path) ?? 0) + 1)
    this.subtrees.push(...subtrees)
  }

  delete({ directories, subtrees }: Claim): void {
    for (const path of directories) {
      const count = (this.directories.get(path) ?? 0) - 1
      if (count > 0) this.directories.set(path, count)
      else this.directories.delete(path)
    }
    for (const path of subtrees) this.subtrees.splice(this.subtrees.indexOf(path), 1)
  }

  meet({ directories, subtrees }: Claim): boolean {
    if (directories.some((path) => this.directories.has(path))) return true
    if (this.subtrees.some((top) => directories.some((path) => isWithin(path, top)))) return true
    for (const top of subtrees) {
      for (const path of this.directories.keys()) if (isWithin(path, top)) return true
      if (this.subtrees.some((other) => isWithin(other, top) || isWithin(top, other))) return true
    }
    return false
  }
}

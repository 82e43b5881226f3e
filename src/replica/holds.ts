import type { RelPath } from '../core/path.js'

/**
 * Which directories jobs hold, so that a scan and an apply never overlap in one directory: a scan that read before and wrote
 * after an apply would overwrite the index with the past. First come, first served: a job waits for those that hold one of
 * its directories and for those that waited longer for one of them.
 */
export class Holds {
  private readonly held = new Set<RelPath>()
  private readonly waiting: Waiter[] = []

  /** Resolves, once all the directories are free, with the function that gives them back. */
  take(directories: Iterable<RelPath>): Promise<() => void> {
    return new Promise((granted) => {
      this.waiting.push({ directories: [...new Set(directories)], granted })
      this.grant()
    })
  }

  private grant(): void {
    const wanted = new Set<RelPath>()
    for (let at = 0; at < this.waiting.length; ) {
      const waiter = this.waiting[at]
      if (waiter === undefined) return
      if (waiter.directories.some((directory) => this.held.has(directory) || wanted.has(directory))) {
        for (const directory of waiter.directories) wanted.add(directory)
        at++
        continue
      }
      this.waiting.splice(at, 1)
      for (const directory of waiter.directories) this.held.add(directory)
      waiter.granted(() => this.release(waiter))
    }
  }

  private release(waiter: Waiter): void {
    for (const directory of waiter.directories) this.held.delete(directory)
    this.grant()
  }
}

interface Waiter {
  readonly directories: readonly RelPath[]
  granted(release: () => void): void
}

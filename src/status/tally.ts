import type { AgentEvent } from './event.js'

/** What was done and found since the beginning, counted from the events. */
export class Tally {
  copied = 0
  deleted = 0
  moved = 0
  properties = 0
  bytes = 0
  /** Roots with hard links, each with one of the paths. */
  readonly hardLinks = new Map<string, string>()
  /** Paths that were told as a conflict or a problem. */
  readonly told = new Set<string>()
  /** Paths of pairs that were ever told as one, settled since or not. */
  readonly conflicts = new Set<string>()
  readonly problems = new Set<string>()

  note(event: AgentEvent): void {
    switch (event.event) {
      case 'path-applied':
        if (event.what === 'removed') this.deleted++
        else if (event.what === 'moved') this.moved++
        else if (event.what === 'properties') this.properties++
        else this.copied++
        this.bytes += event.bytes
        return
      case 'hard-links-found':
        this.hardLinks.set(event.root, event.path)
        return
      case 'conflict-found':
      case 'problem-found':
        this.told.add(event.path)
        if (event.event === 'conflict-found') this.conflicts.add(`${event.pair}\0${event.path}`)
        else this.problems.add(`${event.pair}\0${event.path}`)
        return
      default:
        return
    }
  }
}

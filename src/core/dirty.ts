import { componentsOf, join, type RelPath, rootPath } from './path.js'

/** entry: the path itself, nothing below it. subtree: the path and everything below. */
export interface DirtyScope {
  readonly path: RelPath
  readonly depth: 'entry' | 'subtree'
}

/**
 * Paths that may have changed, each from a time on. A subtree absorbs what is beneath it, unless that is due earlier: what
 * waits in back-off holds up nothing else. Times are milliseconds of one clock; whatever is added without one is due at once.
 */
export class DirtyScopes {
  private root: Node = emptyNode()
  private count = 0
  private earliest = never

  /** How many scopes there are. */
  get size(): number {
    return this.count
  }

  /** When the next scope is due, or undefined if there is none. */
  get dueAt(): number | undefined {
    return this.count === 0 ? undefined : this.earliest
  }

  /** A scope that is there already keeps the earlier of both times. */
  add(path: RelPath, depth: DirtyScope['depth'], due: number = always): void {
    let node = this.root
    for (const name of componentsOf(path)) {
      if (node.subtreeDue <= due) return
      let member = node.members.get(name)
      if (member === undefined) {
        member = emptyNode()
        node.members.set(name, member)
      }
      node = member
    }
    if (node.subtreeDue <= due) return
    if (depth === 'entry') {
      if (node.entryDue === never) this.count++
      node.entryDue = Math.min(node.entryDue, due)
    } else {
      if (node.subtreeDue === never) this.count++
      node.subtreeDue = due
      this.absorb(node, due)
    }
    this.earliest = Math.min(this.earliest, due)
  }

  /** Removes and answers the scopes that are due, or all of them; a path comes before what is below it. */
  take(now: number = never): DirtyScope[] {
    const taken: DirtyScope[] = []
    this.earliest = never
    this.takeFrom(this.root, rootPath, now, taken)
    return taken
  }

  /** Whether `path` is one of the scopes or lies in one. */
  covers(path: RelPath): boolean {
    let node: Node | undefined = this.root
    for (const name of componentsOf(path)) {
      if (node.subtreeDue !== never) return true
      node = node.members.get(name)
      if (node === undefined) return false
    }
    return node.subtreeDue !== never || node.entryDue !== never
  }

  /** Drops what is not due before the subtree at `node`. */
  private absorb(node: Node, due: number): void {
    if (node.entryDue !== never && node.entryDue >= due) {
      node.entryDue = never
      this.count--
    }
    for (const [name, member] of node.members) {
      if (member.subtreeDue !== never && member.subtreeDue >= due) {
        member.subtreeDue = never
        this.count--
      }
      this.absorb(member, due)
      if (isEmpty(member)) node.members.delete(name)
    }
  }

  private takeFrom(node: Node, path: RelPath, now: number, taken: DirtyScope[]): void {
    if (node.subtreeDue !== never && node.subtreeDue <= now) {
      // What is beneath was kept only because it is due earlier, so it is due too and goes with it.
      taken.push({ path, depth: 'subtree' })
      this.count -= scopesIn(node)
      node.members.clear()
      node.subtreeDue = never
      node.entryDue = never
      return
    }
    if (node.entryDue !== never && node.entryDue <= now) {
      taken.push({ path, depth: 'entry' })
      this.count--
      node.entryDue = never
    }
    this.earliest = Math.min(this.earliest, node.subtreeDue, node.entryDue)
    for (const [name, member] of node.members) {
      this.takeFrom(member, join(path, name), now, taken)
      if (isEmpty(member)) node.members.delete(name)
    }
  }
}

function scopesIn(node: Node): number {
  let count = (node.subtreeDue === never ? 0 : 1) + (node.entryDue === never ? 0 : 1)
  for (const member of node.members.values()) count += scopesIn(member)
  return count
}

const always = Number.NEGATIVE_INFINITY
const never = Number.POSITIVE_INFINITY

interface Node {
  readonly members: Map<string, Node>
  entryDue: number
  subtreeDue: number
}

function emptyNode(): Node {
  return { members: new Map(), entryDue: never, subtreeDue: never }
}

function isEmpty(node: Node): boolean {
  return node.members.size === 0 && node.entryDue === never && node.subtreeDue === never
}

import { type AbsPath, isReservedName, join, type RelPath, rootPath } from '../../src/core/path.js'
import type { Inode } from './inode.js'
import type { Machine } from './machine.js'

/** What a path holds, as text: equal texts are equal to a user. Directories' times are nobody's concern. */
export type Held = string

export const absentHeld: Held = 'absent'

export function heldBy(inode: Inode): Held {
  const mode = inode.mode.toString(8)
  if (inode.kind === 'directory') return `directory ${mode}`
  if (inode.kind === 'symlink') return `symlink ${inode.target}`
  if (inode.kind === 'special') return 'special'
  return `file ${mode} ${inode.mtimeNs} ${inode.text}`
}

/** Whether two hold the same as `heldBy` has it, times as far as both can hold them. */
function holdSame(one: Inode, other: Inode, timeUnitNs: bigint): boolean {
  if (one.kind !== other.kind) return false
  if (one.kind === 'symlink') return one.target === other.target
  if (one.kind === 'special') return true
  if (one.mode !== other.mode) return false
  if (one.kind === 'directory') return true
  const isSameTime =
    one.mtimeNs === other.mtimeNs ||
    one.mtimeNs - (one.mtimeNs % timeUnitNs) === other.mtimeNs - (other.mtimeNs % timeUnitNs)
  return isSameTime && one.text === other.text
}

/** Whether a user does not see the name. */
export function isPrivate(name: string): boolean {
  let known = privates.get(name)
  if (known === undefined) {
    known = isReservedName(name)
    privates.set(name, known)
  }
  return known
}

const privates = new Map<string, boolean>()

/** Everything that a user sees below a root, its own private folders left out. Empty when the root is not there. */
export function treeOf(machine: Machine, root: AbsPath): Map<RelPath, Inode> {
  const tree = new Map<RelPath, Inode>()
  const top = machine.find(root)
  if (top !== undefined) gather(machine, top, rootPath, tree)
  return tree
}

/** Adds everything below a directory to the tree. */
export function gather(machine: Machine, directory: Inode, path: RelPath, tree: Map<RelPath, Inode>): void {
  for (const { name } of directory.entries.values()) {
    if (isPrivate(name)) continue
    const inode = machine.member(directory, name)
    if (inode === undefined) continue
    const below = join(path, name)
    tree.set(below, inode)
    if (inode.kind === 'directory') gather(machine, inode, below, tree)
  }
}

/** Paths at which two trees differ, the highest of each branch, in order. Times as far as both can hold them. */
export function differencesOf(
  one: ReadonlyMap<RelPath, Inode>,
  other: ReadonlyMap<RelPath, Inode>,
  timeUnitNs: bigint,
): RelPath[] {
  const differing: RelPath[] = []
  for (const path of new Set([...one.keys(), ...other.keys()])) {
    const left = one.get(path)
    const right = other.get(path)
    if (left === undefined || right === undefined || !holdSame(left, right, timeUnitNs)) differing.push(path)
  }
  differing.sort()
  return differing.filter((path) => !differing.some((above) => above !== path && path.startsWith(`${above}/`)))
}

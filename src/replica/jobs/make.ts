import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import type { Form } from './form.js'

const setgid = 0o2000

/**
 * Makes a directory at its place, so that it takes default ACL, group and label of the one that holds it; never more open
 * than its goal, at no instant. undefined: something is there.
 * @throws FileFailure
 */
export function makeDirectory(parent: Directory, name: string, goal: Form): Stat | undefined {
  if (goal.kind !== 'directory') return undefined
  try {
    parent.makeDirectory(name, goal.mode & 0o777)
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'exists') throw error
    return undefined
  }
  try {
    return finishDirectory(parent, name, goal)
  } catch (error) {
    takeBack(parent, name)
    throw error
  }
}

/** What could not be finished is not to have been made: what comes in it would be known and itself not. */
function takeBack(parent: Directory, name: string): void {
  try {
    parent.removeDirectory(name)
  } catch (error) {
    // Somebody else has put something in it: it is theirs now, and found as such.
    if (!(error instanceof FileFailure)) throw error
  }
}

/** Gives a directory that was just made what mkdir could not: bits that the umask took, and the time. */
export function finishDirectory(parent: Directory, name: string, goal: Form & { kind: 'directory' }): Stat | undefined {
  const made = parent.statAt(name)
  if (made?.kind !== 'directory') return undefined
  // The group that is handed down stays handed down.
  const mode = goal.mode | (made.mode & setgid)
  // As it was made: another mode that it has a moment later is its user's.
  if (mode === made.mode && goal.mtimeNs === 0n) return made
  if (mode !== made.mode) parent.setMode(name, mode)
  if (goal.mtimeNs !== 0n) parent.setTime(name, goal.mtimeNs)
  const stat = parent.statAt(name)
  return stat?.kind === 'directory' ? stat : undefined
}

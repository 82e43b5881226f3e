import { nameOf, parentOf, type RelPath } from '../../core/path.js'
import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import { dropSlot, folderOfSlot, nameInFolder } from './folder.js'
import type { Form } from './form.js'
import type { Inheritance } from './inherit.js'
import type { Prepared, Ready } from './prepare.js'
import type { Target } from './publish.js'
import type { Folder, Received } from './stage.js'

/** A directory that a batch makes, with files that are in it from the start. */
export interface WholeFolder {
  /** In `in/`. */
  readonly name: string
  readonly members: readonly Member[]
}

/** By the number of its operation. */
export interface Member {
  readonly at: number
  readonly ready: Ready
}

/**
 * Which directories of a batch can come with files in them, by the number of the operation that makes each: its folder holds nothing
 * else, and takes the same from staging as it would from where it comes to. The files of other folders come one by one.
 */
export function wholeFolders(
  received: Directory,
  batch: Pick<Received, 'folders'>,
  prepared: readonly Prepared[],
  inheritance: Inheritance,
): Map<number, WholeFolder> {
  const whole = new Map<number, WholeFolder>()
  if (batch.folders.size === 0) return whole
  const { makes, members } = sorted(prepared)
  for (const folder of batch.folders.values()) {
    const own = members.get(folder.name)
    const make = own === undefined ? undefined : makes.get(directoryOf(own) ?? '')
    if (own === undefined || make === undefined || whole.has(make.at)) continue
    if (isAlike(make.ready, inheritance) && isCleared(received, folder, own))
      whole.set(make.at, { name: folder.name, members: own })
  }
  return whole
}

function sorted(prepared: readonly Prepared[]) {
  const makes = new Map<string, Member>()
  const members = new Map<string, Member[]>()
  for (const [at, ready] of prepared.entries()) {
    if (ready.kind !== 'ready') continue
    const { op, path, staged } = ready.step
    if (op === 'make') makes.set(path, { at, ready })
    const folder = op === 'write' ? folderOfSlot(staged) : undefined
    if (folder === undefined) continue
    const own = members.get(folder)
    if (own === undefined) members.set(folder, [{ at, ready }])
    else own.push({ at, ready })
  }
  return { makes, members }
}

/** The directory that all of them are to be in, under the names that they have. */
function directoryOf(members: readonly Member[]): RelPath | undefined {
  const [first] = members
  if (first === undefined) return undefined
  const directory = parentOf(first.ready.step.path)
  const isOf = ({ ready: { step } }: Member) =>
    parentOf(step.path) === directory && nameOf(step.path) === nameInFolder(step.staged)
  return members.every(isOf) ? directory : undefined
}

/** A folder that its owner cannot write cannot be moved by him, and one that he cannot read cannot be cleared away. */
function isAlike({ step: { goal, path } }: Ready, inheritance: Inheritance): boolean {
  if (goal.kind !== 'directory' || (goal.mode & ownerBits) !== ownerBits || goal.mtimeNs !== 0n) return false
  return inheritance.lackingIn(parentOf(path)) === undefined
}

const ownerBits = 0o700
const setgid = 0o2000

/** What was received and is not to come, refused or never told of again, goes before. */
function isCleared(received: Directory, { name, names }: Folder, members: readonly Member[]): boolean {
  const wanted = new Set(members.map(({ ready }) => nameInFolder(ready.step.staged)))
  if (wanted.size === names.size) return true
  try {
    for (const each of names) if (!wanted.has(each)) dropSlot(received, `${name}/${each}`)
    return true
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return false
  }
}

/**
 * Brings a folder to its path, with its mode. What its handle told; undefined: it stays where it is, and whether the directory can be
 * made will be found out when it is made.
 */
export function publishFolder(
  { parent, name }: Target,
  received: Directory,
  folder: string,
  goal: Form,
): Stat | undefined {
  if (goal.kind !== 'directory') return undefined
  try {
    const made = received.statAt(folder)
    // The bit that hands the group down is handed down itself.
    if (made?.kind !== 'directory' || (made.mode & setgid) !== (parent.stat().mode & setgid)) return undefined
    const mode = goal.mode | (made.mode & setgid)
    if (mode !== made.mode) received.setMode(folder, mode)
    received.rename(folder, parent, name, 'no-replace')
    return { ...made, mode }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return undefined
  }
}

import { join, nameOf, parentOf, privateName, type RelPath, rootPath } from '../../core/path.js'
import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import { copyFile } from './copy-file.js'
import { formOf } from './form.js'
import { inheritGroup, lackingBetween } from './inherit.js'
import { headerLine, type IntentHeader, oldSlotName, type Step, slotName, stepLine } from './intent.js'
import { addToIntent, createIntent, syncIntent } from './intent-file.js'
import { dropEmptyDirectory, dropFile, ensureDirectory, goneCodes, type StageFolder, stagePath } from './place.js'
import { type Published, publishNew, publishRemoval, publishReplacement, type Target } from './publish.js'

/**
 * Staging beside the target, for what rename cannot reach from the root's own: another file system, a subvolume, a project
 * quota, a bind mount. It stands in the private folder of a directory on the target's side, as near to the root as rename
 * works from, so that no directory that a user may remove holds one; with an intent of its own in the root's folder.
 */
export interface BesideStep {
  readonly root: Directory
  readonly stage: StageFolder
  readonly header: Omit<IntentHeader, 'anchor' | 'anchorIs'>
  /** Beginning of the names of its intents: one for each place that is tried. */
  readonly intent: string
  readonly step: Step
  /** Where the staged bytes lie in the root's own staging, if there are any. */
  readonly staged: { readonly directory: Directory; readonly name: string } | undefined
  readonly target: Target
}

export interface BesideResult {
  /** Name of the intent that tells of it. */
  readonly intent: string
  readonly published: Published
  /** What was published, as its handle told. */
  readonly staged: Stat | undefined
}

/**
 * Publishes one step from beside its target. undefined: rename works from nowhere.
 * @throws FileFailure when nothing was changed
 */
export function publishBeside(beside: BesideStep): BesideResult | undefined {
  const device = beside.target.parent.stat().device
  for (const [index, anchor] of ancestorsOf(beside.target.path).entries()) {
    const found = attempt({ ...beside, intent: `${beside.intent}${index}` }, anchor, device)
    if (found !== undefined) return found
  }
  return undefined
}

/** The folder beside of a process, for sweeping and recovering; undefined when it is gone. */
export function openBeside(root: Directory, anchor: RelPath, folder: string): Beside | undefined {
  const path = besidePath(anchor, folder)
  try {
    const own = root.openDirectory(path)
    try {
      // A crash may have come while it was removed.
      for (const name of ['in', 'out']) ensureDirectory(own, name)
    } finally {
      own.close()
    }
    const received = root.openDirectory(join(path, 'in'))
    try {
      const out = root.openDirectory(join(path, 'out'))
      const close = () => {
        for (const directory of [received, out]) directory.close()
      }
      return { in: received, out, close }
    } catch (error) {
      received.close()
      throw error
    }
  } catch (error) {
    if (!(error instanceof FileFailure) || !goneCodes.has(error.code)) throw error
    return undefined
  }
}

export interface Beside {
  readonly in: Directory
  readonly out: Directory
  close(): void
}

/**
 * Whether what is beside cannot be reached now: the file system that holds it is not mounted, and what stands in its place, if
 * anything, is another directory. `header`: of an intent whose folder beside is not there.
 * @throws FileFailure
 */
export function isAway(root: Directory, { anchor, anchorIs, beganNs }: IntentHeader, wallNs: bigint): boolean {
  if (anchorIs === undefined || wallNs - beganNs > awayNsMax) return false
  try {
    const directory = root.openDirectory(anchor)
    try {
      return identityOf(directory.stat()) !== anchorIs
    } finally {
      directory.close()
    }
  } catch (error) {
    if (!(error instanceof FileFailure) || !goneCodes.has(error.code)) throw error
    return true
  }
}

/** A file system that has been away for a month is not waited for. */
const awayNsMax = 30n * 86_400_000_000_000n

/** Which directory it is, after its file system was mounted anew, too. */
const identityOf = ({ inode, birthNs }: Stat) => `${inode}:${birthNs}`

/** Removes the folder of a process beside, with what it stands in, unless something is left in it. */
export function dropBeside(root: Directory, anchor: RelPath, folder: string, beside: Beside | undefined): void {
  if (beside !== undefined && (beside.in.names().length > 0 || beside.out.names().length > 0)) return
  const path = besidePath(anchor, folder)
  for (const inner of [join(path, 'in'), join(path, 'out'), path, parentOf(path), join(anchor, privateName)]) {
    try {
      const parent = root.openDirectory(parentOf(inner))
      try {
        dropEmptyDirectory(parent, nameOf(inner))
      } finally {
        parent.close()
      }
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
    }
  }
}

const besidePath = (anchor: RelPath, folder: string) => join(anchor, `${stagePath}/${folder}`)

function attempt(beside: BesideStep, anchor: RelPath, device: bigint): BesideResult | undefined {
  const { root, stage, header, intent, step, target } = beside
  const anchorIs = anchorOf(root, anchor, device)
  if (anchorIs === undefined) return undefined
  // Before anything is made there: whoever recovers has to know where to look.
  createIntent(stage.intents, intent, headerLine({ ...header, anchor, anchorIs }))
  let folder: Beside | undefined
  const slot = slotName(intent, 0)
  try {
    syncIntent(stage.intents, intent)
    folder = makeBeside(root, anchor, header.folder)
    const staged = beside.staged === undefined ? undefined : copyIn(beside, folder, slot)
    const copied: Step = {
      ...step,
      staged: staged === undefined ? '' : slot,
      goal: staged === undefined ? step.goal : formOf(staged, fingerprintOf(step), targetOf(step)),
    }
    addToIntent(stage.intents, intent, stepLine(copied), true)
    return { intent, published: publish(target, folder, intent, copied), staged }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    // What lies in `out` is told by the intent and settled by the sweep; without anything there nothing was done.
    const lies = (name: string) => folder?.out.statAt(name) !== undefined
    const isUndone = !lies(slot) && !lies(oldSlotName(intent, 0))
    // The intent first: with it there and the slot gone from `in`, a restart would take the slot for published.
    if (isUndone) dropFile(stage.intents, intent)
    if (folder !== undefined) dropFile(folder.in, slot)
    if (isUndone) dropBeside(root, anchor, header.folder, folder)
    if (error.code !== 'crosses') throw error
    return undefined
  } finally {
    folder?.close()
  }
}

function publish(target: Target, folder: Beside, intent: string, step: Step): Published {
  const slots = {
    in: folder.in,
    out: folder.out,
    staged: slotName(intent, 0),
    slot: slotName(intent, 0),
    oldSlot: oldSlotName(intent, 0),
  }
  const depth = step.racy ? 'bytes' : 'stat'
  if (step.op === 'remove') return publishRemoval(target, folder.out, slots.slot, step.expect, depth)
  if (step.expect.kind === 'absent') return publishNew(target, slots)
  return publishReplacement(target, slots, step.expect, step.goal, depth)
}

/** From the root down to the target's own directory: the first that rename works from is the nearest to the root. */
function ancestorsOf(path: RelPath): RelPath[] {
  const ancestors: RelPath[] = []
  for (let parent = parentOf(path); parent !== rootPath; parent = parentOf(parent)) ancestors.unshift(parent)
  return ancestors
}

/** Which directory the anchor is; undefined where it lies on another device than the target. */
function anchorOf(root: Directory, anchor: RelPath, device: bigint): string | undefined {
  const directory = root.openDirectory(anchor)
  try {
    const stat = directory.stat()
    return stat.device === device ? identityOf(stat) : undefined
  } finally {
    directory.close()
  }
}

/** @throws FileFailure */
function makeBeside(root: Directory, anchor: RelPath, folder: string): Beside {
  for (const path of [join(anchor, privateName), join(anchor, stagePath), besidePath(anchor, folder)]) {
    const parent = root.openDirectory(parentOf(path))
    try {
      ensureDirectory(parent, nameOf(path))
    } finally {
      parent.close()
    }
  }
  const beside = openBeside(root, anchor, folder)
  if (beside === undefined) throw new FileFailure('absent', anchor, 'makeBeside', 'ENOENT')
  return beside
}

/** Copies what was staged to the other side, with all its properties, and brings it to the disk there. */
function copyIn(beside: BesideStep, folder: Beside, slot: string): Stat | undefined {
  const { staged, step, target } = beside
  if (staged === undefined) return undefined
  if (step.goal.kind === 'symlink') {
    folder.in.makeSymlink(slot, step.goal.target)
    const lacking = lackingBetween(folder.in, target.parent)
    if (lacking !== undefined) inheritGroup(folder.in, slot, lacking)
    folder.in.sync()
    return folder.in.statAt(slot)
  }
  const replaced = step.expect.kind === 'file' ? { directory: target.parent, name: target.name } : undefined
  const lacking = replaced === undefined ? lackingBetween(folder.in, target.parent) : undefined
  return copyFile(staged, { directory: folder.in, name: slot }, replaced, lacking)
}

const fingerprintOf = ({ goal }: Step) => (goal.kind === 'file' ? goal.fingerprint : undefined)
const targetOf = ({ goal }: Step) => (goal.kind === 'symlink' ? goal.target : '')

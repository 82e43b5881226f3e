import { absent, type Content } from '../../core/content.js'
import type { Outcome } from '../../core/operation.js'
import { nameOf, parentOf, type RelPath, rootPath } from '../../core/path.js'
import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import { keepBeside } from './conflict-copy.js'
import { openFolderOf } from './folder.js'
import { contentOf, formOf } from './form.js'
import type { Step } from './intent.js'
import { finishDirectory } from './make.js'
import { dropFile, goneCodes } from './place.js'
import { giveBack, likenessOrOther, type Published, putBack, type Target } from './publish.js'
import { renamedOutcome } from './rename.js'
import { granularityOf } from './stamp.js'

/** Where a step's objects may be found after a crash: each name is looked for in every folder that is being recovered. */
export interface Places {
  readonly root: Directory
  readonly wallNs: bigint
  /** The machine went down in between: what is missing proves nothing, for it may only not have reached the disk. */
  readonly otherBoot: boolean
  /** When the batch began, by the wall clock. */
  readonly beganNs: bigint
  readonly umask: number
  /** The root takes names for one that differ in case or form. */
  readonly folding: boolean
  /** Moves what was received into a slot of an `out`, which it answers; undefined: the slot is not empty. @throws FileFailure */
  takeOut(received: Held, slot: string): Directory | undefined
  /** Keeps what was received as a version of the path. @throws FileFailure; it is then as it was */
  keep(received: Held, path: RelPath): void
  /** Where what is staged under this name lies, if it does. */
  inHolding(staged: string): Held | undefined
  /** The step whose file is staged under this name. */
  stepOf(staged: string): Step | undefined
  /** The directory `out` that holds the name, if any. */
  outHolding(name: string): Directory | undefined
}

/** What has a name in an `in`, or in a folder there. */
export interface Held {
  readonly directory: Directory
  readonly name: string
}

export interface FinishedStep {
  /** undefined: it was not done, or is undone now. */
  readonly outcome: Outcome | undefined
  readonly dirty: readonly RelPath[]
}

const undone: FinishedStep = { outcome: undefined, dirty: [] }

/**
 * Finishes one step of a batch that was cut off. The slot tells: it holds what we had staged: not published; what was
 * expected: published; anything else: a user's version, which goes back, or beside the path when the path has moved on.
 * Nothing is unlinked here, so that it can be cut off and done again.
 * @throws FileFailure
 */
export function finishStep(step: Step, slot: string, oldSlot: string, places: Places): FinishedStep {
  if (step.path === rootPath) return undone
  switch (step.op) {
    case 'write':
      return finishWrite(step, slot, oldSlot, places)
    case 'remove':
      return step.expect.kind === 'directory' ? finishRmdir(step, places) : finishRemoval(step, slot, places)
    case 'make':
      return rescueFolder(step, slot, places) ?? finishMake(step, places)
    case 'props':
      return finishProps(step, places)
    case 'rename':
      return { outcome: renamedOutcome(places.root, step), dirty: step.from === undefined ? [] : [step.from] }
  }
}

function finishWrite(step: Step, slot: string, oldSlot: string, places: Places): FinishedStep {
  const staged = places.inHolding(step.staged)
  const rescued = staged === undefined ? undefined : rescue(step, staged, slot, places)
  if (rescued !== undefined) return rescued
  const out = places.outHolding(slot)
  const old = places.outHolding(oldSlot)
  const held = out === undefined ? 'absent' : likenessOrOther(out, slot, step.goal, 'bytes')
  const published = staged === undefined && held !== 'same' && held !== 'written'
  if (old !== undefined) {
    // Without exchange: the old object was taken out first.
    if (published) return done(step, contentOf(step.goal), places)
    return giveUp(step, places, old, oldSlot, (target) => putBack(target, old, oldSlot))
  }
  if (!published) return undone
  if (out === undefined) {
    // A new name leaves no slot. A replacement always does: without one it was settled before.
    return step.expect.kind === 'absent' ? done(step, contentOf(step.goal), places) : undone
  }
  if (likenessOrOther(out, slot, step.expect, places.otherBoot ? 'content' : 'bytes') === 'same') {
    const now = places.otherBoot ? nowAt(step, places) : 'goal'
    if (now === 'absent') return giveUp(step, places, out, slot, (target) => putBack(target, out, slot))
    return now === 'goal' ? done(step, contentOf(step.goal), places) : undone
  }
  return giveUp(step, places, out, slot, (target) => giveBack(target, out, slot, step.goal))
}

/**
 * What its user has written into what we had staged, which a power loss took back into `in`, goes to the path or beside it. What is
 * received is thrown away, so that it waits in `out` for its place. undefined: nobody has.
 * @throws FileFailure
 */
export function rescue(step: Step, staged: Held, slot: string, places: Places): FinishedStep | undefined {
  const author = places.otherBoot ? lastAuthor(staged, step, places.beganNs) : 'tandem'
  if (author === 'tandem') return undefined
  const out = author === 'user' ? places.takeOut(staged, slot) : undefined
  if (out !== undefined) return giveUp(step, places, out, slot, (target) => putBack(target, out, slot))
  places.keep(staged, step.path)
  return undone
}

/**
 * The same of a directory that was published with files in it: what its user has put into it, or written into them, goes to its path or
 * beside it, with the directory. undefined: nobody has.
 * @throws FileFailure
 */
export function rescueFolder(step: Step, slot: string, places: Places): FinishedStep | undefined {
  if (!places.otherBoot || step.staged === '') return undefined
  // A rescue that was cut off has taken it out already.
  const out = places.outHolding(slot) ?? takenOut(step, slot, places)
  return out && giveUp(step, places, out, slot, (target) => putBack(target, out, slot))
}

/** What is ours goes, and what cannot be told apart is kept as a version. undefined: nothing else is in it. */
function takenOut(step: Step, slot: string, places: Places): Directory | undefined {
  const staged = places.inHolding(step.staged)
  if (staged === undefined) return undefined
  const folder = openFolderOf(staged.directory, staged.name)
  try {
    for (const name of folder.names()) {
      const member = places.stepOf(`${step.staged}/${name}`)
      if (!isMember(folder, name, member)) continue
      const author = lastAuthor({ directory: folder, name }, member, places.beganNs)
      if (author === 'tandem') dropFile(folder, name)
      if (author === 'unclear') places.keep({ directory: folder, name }, member.path)
    }
    if (folder.names().length === 0) return undefined
  } finally {
    folder.close()
  }
  return places.takeOut(staged, slot)
}

/** What has its name may be another file that its user has put there. */
function isMember(folder: Directory, name: string, member: Step | undefined): member is Step {
  const stat = member && folder.statAt(name)
  return member?.goal.kind === 'file' && stat?.kind === 'file' && stat.inode === member.goal.inode
}

/**
 * Who wrote last to what we had staged. Its user: it was published, and the power loss took the rename back, not his bytes. What a
 * power loss has done to ours carries no time after the batch began. Within one tick of the clock of files neither can be told
 * from the other: half-written bytes of ours are not put in a user's sight, and his are not thrown away.
 */
function lastAuthor({ directory, name }: Held, { goal }: Step, beganNs: bigint): 'tandem' | 'user' | 'unclear' {
  const stat = directory.statAt(name)
  if (stat?.kind !== 'file' || goal.kind !== 'file' || stat.mtimeNs === goal.mtimeNs) return 'tandem'
  // Where its rename was taken back by half it is at its path, too.
  if (stat.links > 1) return 'tandem'
  if (stat.mtimeNs > beganNs) return 'user'
  return stat.mtimeNs + granularityOf(stat) > beganNs ? 'unclear' : 'tandem'
}

function finishRemoval(step: Step, slot: string, places: Places): FinishedStep {
  const out = places.outHolding(slot)
  if (out === undefined) return undone
  if (likenessOrOther(out, slot, step.expect, places.otherBoot ? 'content' : 'bytes') === 'same')
    return { outcome: { kind: 'done', path: step.path, content: absent }, dirty: [] }
  return giveUp(step, places, out, slot, (target) => putBack(target, out, slot))
}

function finishRmdir(step: Step, places: Places): FinishedStep {
  const gone = nowAt(step, places) === 'absent'
  return gone ? { outcome: { kind: 'done', path: step.path, content: absent }, dirty: [] } : undone
}

function finishMake(step: Step, places: Places): FinishedStep {
  const { goal } = step
  if (goal.kind !== 'directory') return undone
  return inParent(step, places, undone, (parent, name) => {
    let stat = parent.statAt(name)
    if (stat?.kind !== 'directory' || !isSpeltSo(parent, name, places)) return undone
    // Cut off between mkdir and chmod: a mode that nobody chose must not travel.
    if ((stat.mode & 0o1777) === (goal.mode & 0o777 & ~places.umask)) stat = finishDirectory(parent, name, goal)
    if (stat === undefined) return undone
    return done(step, contentOf(formOf(stat, undefined, '')), { ...places, otherBoot: false })
  })
}

/** Cut off between mode and time: each is the old one or the new one, and the new one is set. */
function finishProps(step: Step, places: Places): FinishedStep {
  const { expect, goal } = step
  if (goal.kind !== 'file' && goal.kind !== 'directory') return undone
  return inParent(step, places, undone, (parent, name) => {
    const stat = parent.statAt(name)
    if (stat === undefined || stat.kind !== expect.kind || !isBetween(stat, step)) return undone
    if (stat.mode !== goal.mode) parent.setMode(name, goal.mode)
    if (stat.kind === 'file' && stat.mtimeNs !== goal.mtimeNs) parent.setTime(name, goal.mtimeNs)
    const fingerprint = goal.kind === 'file' ? goal.fingerprint : undefined
    const content = contentOf(formOf(parent.statAt(name), fingerprint, ''))
    return done(step, content, { ...places, otherBoot: false })
  })
}

function isBetween(stat: Stat, { expect, goal }: Step): boolean {
  if (expect.kind === 'file' && goal.kind === 'file')
    return (
      stat.inode === expect.inode &&
      stat.sizeBytes === expect.sizeBytes &&
      (stat.mtimeNs === expect.mtimeNs || stat.mtimeNs === goal.mtimeNs) &&
      (stat.mode === expect.mode || stat.mode === goal.mode)
    )
  return (
    expect.kind === 'directory' && goal.kind === 'directory' && (stat.mode === expect.mode || stat.mode === goal.mode)
  )
}

/** Done; under another boot only if the path shows it. */
function done(step: Step, content: Content, places: Places): FinishedStep {
  if (places.otherBoot && nowAt(step, places) !== 'goal') return undone
  return { outcome: { kind: 'done', path: step.path, content }, dirty: [] }
}

/** What the path holds now. */
export function nowAt(step: Step, places: Pick<Places, 'root'>): 'goal' | 'absent' | 'expect' | 'other' {
  return inParent(step, places, 'absent', (parent, name) => {
    const goal = likenessOrOther(parent, name, step.goal, 'bytes')
    if (goal === 'absent') return 'absent'
    if (goal === 'same' || goal === 'written') return 'goal'
    return likenessOrOther(parent, name, step.expect, 'bytes') === 'other' ? 'other' : 'expect'
  })
}

/** Whether the path shows what was made there (whatever mode it has by now), or the properties that were set. */
export function isShown(places: Pick<Places, 'root' | 'folding'>, step: Step, content: Content): boolean {
  return inParent(step, places, false, (parent, name) => {
    const stat = parent.statAt(name)
    if (stat === undefined || stat.kind !== content.kind) return false
    if (step.op === 'make') return isSpeltSo(parent, name, places)
    if (content.kind === 'symlink') return true
    const { mode, mtimeNs } = content.props
    return stat.mode === (mode ?? stat.mode) && (stat.kind !== 'file' || stat.mtimeNs === (mtimeNs ?? stat.mtimeNs))
  })
}

/** What a root that folds names finds under a name may be its like, which stood in the way. */
function isSpeltSo(parent: Directory, name: string, { folding }: Pick<Places, 'folding'>): boolean {
  return !folding || parent.names().includes(name)
}

/** Runs `body` with the directory of the step's path; answers `gone` when it is not there any more. */
function inParent<T>(
  step: Step,
  places: Pick<Places, 'root'>,
  gone: T,
  body: (parent: Directory, name: string) => T,
): T {
  let parent: Directory
  try {
    parent = places.root.openDirectory(parentOf(step.path))
  } catch (error) {
    if (!(error instanceof FileFailure) || !goneCodes.has(error.code)) throw error
    return gone
  }
  try {
    return body(parent, nameOf(step.path))
  } finally {
    parent.close()
  }
}

/** Gives a version back to the path, or beside it; where its directory is gone, to the nearest one above. */
function giveUp(
  step: Step,
  places: Places,
  out: Directory,
  slot: string,
  body: (target: Target) => Published,
): FinishedStep {
  const { root, wallNs } = places
  const { path } = step
  const published = inParent<Published | undefined>(step, places, undefined, (parent) =>
    body({ root, parent, name: nameOf(path), path, wallNs }),
  )
  if (published !== undefined)
    return { outcome: undefined, dirty: published.kind === 'superseded' ? published.dirty : [] }
  const copy = keepBeside(root, path, out, slot, wallNs)
  return { outcome: undefined, dirty: copy === undefined ? [] : [copy] }
}

import type { Content } from '../../core/content.js'
import type { AbsPath, RelPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import type { Job, World } from '../../host/workers.js'
import { type Beside, isAway, openBeside } from './beside.js'
import {
  type FinishedStep,
  finishStep,
  type Held,
  isShown,
  nowAt,
  type Places,
  rescue,
  rescueFolder,
} from './finish-step.js'
import { folderOfSlot, nameInFolder, openFolderOf } from './folder.js'
import {
  type Chmod,
  completeLine,
  type Intent,
  intentOfSlot,
  isModeIntent,
  oldSlotName,
  outcomeLine,
  restoredLine,
  type Step,
  slotName,
} from './intent.js'
import { addToIntent, intentFileName, intentNames, keepMode, readIntent } from './intent-file.js'
import { noteBatch, recoveredLine } from './journal.js'
import { strayName } from './kept-files.js'
import { leftFolders, releaseLeft, removeLeft, type UnclearFolder } from './left-folders.js'
import { checkRoot } from './marker.js'
import { restoreMode } from './parents.js'
import { pruneParts } from './part.js'
import { dropFile, openRoot, openStage, type RootPlace, type StageFolder, versionsPath } from './place.js'
import { isUnrenamed } from './rename.js'
import { sweepFolder } from './sweep.js'
import { umaskOf } from './umask.js'
import { Versions } from './versions.js'

export interface Recover {
  readonly place: RootPlace
  /** As openRootJob was given it. */
  readonly locks: AbsPath | undefined
  /** Pairs that were told what was not acknowledged: what is found of theirs now is known to them by what both roots hold. */
  readonly heard?: readonly string[]
  /** See Settling: batches of this process may be under way. */
  readonly steadyNs?: bigint | undefined
}

export interface Recovered {
  /** Paths that must be looked at. */
  readonly dirty: readonly RelPath[]
  /** Slots that a later sweep has to look at. */
  readonly pending: number
  /** Bytes of what was kept as versions. */
  readonly keptBytes: number
  /** Folders that were left alone, as their processes may live or may not. */
  readonly unclear: readonly UnclearFolder[]
}

/**
 * Finishes what processes that are gone have left: each of their folders of staging. Every intent is brought
 * to its end, moves to this process's folder and stays there until it is acknowledged; received bytes are removed, but for parts
 * of large files; what was at a path and belongs to no intent is kept in `versions/`. Batches of this process are left alone. It may be cut off
 * anywhere and run again. At the start, before anything is applied to the root; and later, as if another process did it.
 * @throws ReplicaFailure when the root is not there
 */
export const recoverJob: Job<Recover, Recovered> = {
  name: 'recover',
  run(world, { place, locks, heard = [], steadyNs }) {
    const root = openRoot(world.files, place.root)
    try {
      checkRoot(root, place)
      const own = openStage(root, place)
      try {
        return recoverInto({ world, place, root, own, heard: new Set(heard), dirty: new Set() }, locks, steadyNs)
      } finally {
        own.close()
      }
    } finally {
      root.close()
    }
  },
}

/** What recovers, and what it has found to be looked at. */
interface Recoverer {
  readonly world: World
  readonly place: RootPlace
  readonly root: Directory
  /** This process's own folder. */
  readonly own: StageFolder
  readonly heard: ReadonlySet<string>
  readonly dirty: Set<RelPath>
}

function recoverInto(recoverer: Recoverer, locks: AbsPath | undefined, steadyNs: bigint | undefined): Recovered {
  const { world, place, root, own, dirty } = recoverer
  const { left, unclear } = leftFolders(world, root, place.folder, locks)
  try {
    const folders = [...left.map(({ stage }) => stage), own]
    const recoveries = left.map(({ stage }) => new Recovery(recoverer, stage, folders))
    // Nothing goes before every intent has come to its end: its slots may lie in any of the folders.
    for (const recovery of recoveries) recovery.finishIntents()
    for (const recovery of recoveries) recovery.keepStrays()
    for (const { stage } of left) removeLeft(world, root, stage, locks)
    pruneParts(root, world.clock.wallNs())
    const swept = sweepFolder(root, own, place.keeps, world.clock.wallNs(), steadyNs)
    for (const path of swept.dirty) dirty.add(path)
    const { pending, keptBytes } = swept
    return { dirty: [...dirty], pending, keptBytes, unclear }
  } finally {
    releaseLeft(left)
  }
}

/** Finishes the batches of a pair that this process has left half told. Answers the paths that must be looked at. */
export function finishOwn(
  world: World,
  place: RootPlace,
  root: Directory,
  own: StageFolder,
  pair: string,
): readonly RelPath[] {
  const dirty = new Set<RelPath>()
  new Recovery({ world, place, root, own, heard: new Set(), dirty }, own, [own]).finishPair(pair)
  return [...dirty]
}

/** The end of one folder. */
class Recovery {
  private readonly world: World
  private readonly place: RootPlace
  private readonly root: Directory
  private readonly own: StageFolder
  private readonly dirty: Set<RelPath>
  private readonly heard: ReadonlySet<string>

  constructor(
    recoverer: Recoverer,
    private readonly folder: StageFolder,
    /** Every folder at hand: a recovery that was cut off has moved some slots already. */
    private readonly folders: readonly StageFolder[],
  ) {
    this.world = recoverer.world
    this.place = recoverer.place
    this.root = recoverer.root
    this.own = recoverer.own
    this.dirty = recoverer.dirty
    this.heard = recoverer.heard
  }

  finishIntents(): void {
    for (const { name, acknowledged } of intentNames(this.folder.intents)) {
      const file = intentFileName(name, acknowledged)
      const intent = readIntent(this.folder.intents, file)
      if (intent === undefined) {
        dropFile(this.folder.intents, file)
        continue
      }
      if (this.finish(name, file, intent, acknowledged)) this.adopt(name, file)
    }
  }

  finishPair(pair: string): void {
    for (const { name, acknowledged } of intentNames(this.folder.intents)) {
      if (acknowledged || !name.startsWith(`${pair}-`)) continue
      const intent = readIntent(this.folder.intents, name)
      // It could neither be written nor removed.
      if (intent === undefined) dropFile(this.folder.intents, name)
      else if (!intent.complete) this.finish(name, name, intent, false)
    }
  }

  /**
   * Tells every outcome in the intent; from then on only its slots are left to settle. Answers false where they lie on a file system
   * that is not mounted: what is not there tells nothing, and who recovers next asks again.
   */
  private finish(name: string, file: string, intent: Intent, acknowledged: boolean): boolean {
    const beside = this.besideOf(intent)
    if (beside === 'away') return false
    if (isModeIntent(name)) return true
    const lines = intent.chmods.map((chmod) => this.restore(name, intent, chmod))
    const holding = new Holding(
      intent.header.anchor === '' ? this.folders.map((folder) => folder.in) : beside ? [beside.in] : [],
    )
    try {
      const otherBoot = intent.header.boot !== this.place.boot
      const places = this.placesOf(intent, beside, holding, otherBoot)
      // One that is acknowledged was done, though it could not say so, or a power loss took what it said: it is agreed, and what
      // its paths hold now came later. Its slots in `in` may be gone.
      if (!intent.complete && !acknowledged) lines.push(...this.finishSteps(name, intent, places), completeLine())
      else if (otherBoot) lines.push(...this.revoke(name, intent, places))
    } finally {
      holding.close()
      beside?.close()
    }
    if (lines.length > 0) addToIntent(this.folder.intents, file, lines.join(''), false)
    return true
  }

  private restore(intent: string, { header }: Intent, chmod: Chmod): string {
    if (!restoreMode(this.root, chmod))
      keepMode(this.own.intents, { intent, header, chmod, random: this.world.random.bytes(4) })
    return restoredLine(chmod.path)
  }

  private finishSteps(name: string, intent: Intent, places: Places): string[] {
    const done: string[] = []
    const lines = intent.steps.map((step, at) => {
      const { outcome, dirty } = finishStep(step, slotName(name, at), oldSlotName(name, at), places)
      if (step.path !== '') this.dirty.add(step.path)
      for (const path of dirty) this.dirty.add(path)
      if (outcome !== undefined) done.push(recoveredLine(outcome, step.expect.kind))
      return outcomeLine(at, outcome)
    })
    const { pair, batch, beganNs, from = '' } = intent.header
    noteBatch(this.root, { pair, batch, from, why: 'recovered', wallNs: beganNs }, done.join(''))
    return lines
  }

  /**
   * The machine went down after the batch was done, and the renames may not have reached the disk: an outcome is no longer
   * told when its path does not show it. What else is there came back, or came later, and is judged as it is.
   */
  private revoke(name: string, intent: Intent, places: Places): string[] {
    const lines: string[] = []
    for (const [at, outcome] of intent.outcomes) {
      const step = intent.steps[at]
      if (step === undefined || outcome.kind !== 'done' || step.path === '') continue
      const rescued = this.rescued(step, slotName(name, at), places)
      for (const path of rescued?.dirty ?? []) this.dirty.add(path)
      if (this.isRolledBack(step, outcome.content, places)) lines.push(outcomeLine(at, undefined))
      this.dirty.add(step.path)
    }
    return lines
  }

  private rescued(step: Step, slot: string, places: Places): FinishedStep | undefined {
    if (step.op === 'make') return rescueFolder(step, slot, places)
    const staged = step.op === 'write' ? places.inHolding(step.staged) : undefined
    return staged && rescue(step, staged, slot, places)
  }

  private isRolledBack(step: Step, content: Content, places: Places): boolean {
    switch (step.op) {
      case 'rename':
        return isUnrenamed(this.root, step)
      case 'make':
      case 'props':
        return !isShown(places, step, content)
      // What was made way for first is back where something else was to be: only what the path shows is told.
      case 'remove':
        return nowAt(step, places) !== 'absent'
      case 'write':
        return nowAt(step, places) !== 'goal'
    }
  }

  private besideOf({ header }: Intent): Beside | 'away' | undefined {
    if (header.anchor === '') return undefined
    const beside = openBeside(this.root, header.anchor, header.folder)
    return beside ?? (isAway(this.root, header, this.world.clock.wallNs()) ? 'away' : undefined)
  }

  private placesOf(intent: Intent, beside: Beside | undefined, holding: Holding, otherBoot: boolean): Places {
    let steps: Map<string, Step> | undefined
    const outs = intent.header.anchor === '' ? this.folders.map((folder) => folder.out) : beside ? [beside.out] : []
    return {
      root: this.root,
      wallNs: this.world.clock.wallNs(),
      otherBoot,
      beganNs: intent.header.beganNs,
      umask: umaskOf(this.world, this.own.in),
      folding: this.place.folding,
      takeOut: (received, slot) => takeOut(received, beside?.out ?? this.folder.out, slot),
      keep: (received, path) => this.keep(received, path),
      inHolding: (staged) => holding.find(staged),
      stepOf: (staged) => {
        steps ??= new Map(intent.steps.map((step) => [step.staged, step]))
        return steps.get(staged)
      },
      outHolding: (name) => outs.find((directory) => directory.statAt(name) !== undefined),
    }
  }

  private keep({ directory, name }: Held, path: RelPath): void {
    const stat = directory.statAt(name)
    if (stat === undefined) return
    const versions = new Versions(this.root, this.own.in)
    try {
      versions.take(directory, name, path, this.world.clock.wallNs(), stat)
    } finally {
      versions.close()
    }
  }

  /** Whoever would be told has been told of all that is here, and goes by what both roots hold. */
  private isHeard(name: string): boolean {
    return this.heard.has(name.slice(0, name.indexOf('-')))
  }

  /** Its slots first: while the intent is in a dead folder, whoever recovers that finds them in any. */
  private adopt(name: string, file: string): void {
    for (const slot of this.folder.out.names())
      if (intentOfSlot(slot) === name) this.folder.out.rename(slot, this.own.out, slot, 'no-replace')
    this.folder.intents.rename(
      file,
      this.own.intents,
      this.isHeard(name) ? intentFileName(name, true) : file,
      'no-replace',
    )
  }

  /** Content that was at some path and that no intent tells of: never deleted, and no path to bring it back to. */
  keepStrays(): void {
    const intents = new Set(this.folders.flatMap((folder) => intentNames(folder.intents).map(({ name }) => name)))
    const strays = this.folder.out.names()
    if (strays.length === 0) return
    const versions = this.root.openDirectory(versionsPath)
    try {
      for (const slot of strays) {
        if (intents.has(intentOfSlot(slot))) this.folder.out.rename(slot, this.own.out, slot, 'no-replace')
        else this.folder.out.rename(slot, versions, strayName(slot), 'no-replace')
      }
    } finally {
      versions.close()
    }
  }
}

/** Finds what is staged; the folder that was looked into last stays open. */
class Holding {
  private open: { readonly folder: string; readonly directory: Directory } | undefined

  constructor(private readonly ins: readonly Directory[]) {}

  find(staged: string): Held | undefined {
    if (staged === '') return undefined
    const folder = folderOfSlot(staged)
    const within = folder === undefined ? this.ins : this.folderIn(folder)
    const name = nameInFolder(staged)
    const directory = within.find((each) => each.statAt(name) !== undefined)
    return directory && { directory, name }
  }

  close(): void {
    this.open?.directory.close()
    this.open = undefined
  }

  private folderIn(folder: string): readonly Directory[] {
    if (this.open?.folder === folder) return [this.open.directory]
    this.close()
    const holder = this.ins.find((each) => each.statAt(folder) !== undefined)
    if (holder === undefined) return []
    this.open = { folder, directory: openFolderOf(holder, folder) }
    return [this.open.directory]
  }
}

function takeOut({ directory, name }: Held, out: Directory, slot: string): Directory | undefined {
  try {
    directory.rename(name, out, slot, 'no-replace')
    return out
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'exists') throw error
    return undefined
  }
}

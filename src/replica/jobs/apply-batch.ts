import { absent, type Content } from '../../core/content.js'
import { isCreation, type Outcome } from '../../core/operation.js'
import { isWithin, nameOf, parentOf, type RelPath, rootPath } from '../../core/path.js'
import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import { syncfsTells } from '../../host/syncfs.js'
import type { World } from '../../host/workers.js'
import { type Index, openIndex } from '../../index/index.js'
import type { IndexRecord } from '../../index/record.js'
import type { RemovalsHeld } from '../replica.js'
import type { Applied, Apply } from './apply.js'
import { publishBeside } from './beside.js'
import { RemovalBudget } from './budget.js'
import { checkAgain } from './check.js'
import { atSlot, dropSlots } from './folder.js'
import { contentOf, type Form, formOf } from './form.js'
import { Inheritance } from './inherit.js'
import {
  besideIntentName,
  type Chmod,
  chmodLine,
  completeLine,
  headerLine,
  oldSlotName,
  outcomeLine,
  restoredLine,
  type Step,
  slotName,
  stepLine,
} from './intent.js'
import { addToIntent, keepMode } from './intent-file.js'
import { entryLine, noteBatch } from './journal.js'
import { makeDirectory } from './make.js'
import { makeDurable } from './make-durable.js'
import { checkRoot } from './marker.js'
import { Parents } from './parents.js'
import { dropEmptyDirectory, dropFiles, type StageFolder } from './place.js'
import { outcomeOfFailure, type Prepared, prepare, type Ready } from './prepare.js'
import { setProps, setRootProps } from './props.js'
import { type Published, publishNew, publishRemoval, publishReplacement, type Target } from './publish.js'
import { type Recording, recordAll } from './record.js'
import { publishRename } from './rename.js'
import { type Received, receivedOf } from './stage.js'
import { fieldsOf, isRacy, isStagedRacy, sameObject } from './stamp.js'
import { unheardOf } from './unacknowledged.js'
import { type Member, publishFolder, type WholeFolder, wholeFolders } from './whole-folders.js'

/** One batch on its way: prepare, intend, sync, publish, record. */
export class ApplyBatch {
  private readonly index: Index
  private readonly received: Received | undefined
  private readonly intent: string
  private readonly parents: Parents
  private readonly outcomes: (Outcome | undefined)[]
  private readonly recordings: (Recording | undefined)[]
  private readonly dirty = new Set<RelPath>()
  /** By operation. */
  private readonly notes = new Map<number, { readonly path: RelPath; readonly detail: string }>()
  /** See Applied. */
  private isLeft = false
  /** Names in `in/` of what could not be made ready. */
  private readonly wasted: string[] = []
  /** Directories that were not made, and why: nothing can be made in them. */
  private readonly unmade = new Map<RelPath, Outcome>()
  /** Steps done in the directory that is open now. */
  private here: number[] = []
  /** Directories that come with files in them, by operation. */
  private folders: ReadonlyMap<number, WholeFolder> = new Map()
  private readonly published = new Set<string>()
  private besides = 0
  private readonly budget: RemovalBudget | undefined

  constructor(
    private readonly world: World,
    private readonly input: Apply,
    private readonly root: Directory,
    private readonly stage: StageFolder,
  ) {
    const { place, pair, batch, operations } = input
    this.index = openIndex(world, place.index)
    this.received = receivedOf(world, place, pair, batch)
    const { budget } = input
    this.budget = budget && new RemovalBudget(world, root, this.index, place, pair, budget)
    this.intent = `${pair}-${batch}-${Buffer.from(world.random.bytes(6)).toString('hex')}`
    this.outcomes = operations.map(() => undefined)
    this.recordings = operations.map(() => undefined)
    this.parents = new Parents(root, {
      chmod: (chmod) => addToIntent(stage.intents, this.intent, chmodLine(chmod), true),
      restored: (path) => this.tell(this.intent, restoredLine(path)),
      unrestored: (chmod) => this.leaveMode(chmod),
      moved: (path) => this.moved(path),
      unseen: (path) => this.dirty.add(path),
      isBoundary: (path) => this.index.find(path)?.record.boundary ?? false,
    })
  }

  run(): Applied {
    const prepared = this.prepareOrLeave()
    const ready = prepared.filter((one) => one.kind === 'ready')
    if (ready.length > 0) {
      const unheard = unheardOf(this.stage, this.input.pair)
      const failure = unheard === undefined ? this.intend(prepared) : undefined
      if (unheard !== undefined) this.refuse(prepared, () => ({ code: 'io', detail: unheard }))
      else if (failure === undefined) this.publish(prepared)
      else this.refuse(prepared, (path) => toldOf(path, failure))
    }
    this.dropReceived()
    const recorded = recordAll(
      this.index,
      this.recordings.filter((recording) => recording !== undefined),
    )
    for (const path of recorded.dirty) this.dirty.add(path)
    // Told as done it would be agreed on, and what becomes of it before the next scan would be told to nobody.
    if (recorded.failure !== undefined) throw recorded.failure
    const outcomes = this.outcomes.map((outcome, at) => outcome ?? missing(this.input.operations[at]?.path ?? rootPath))
    const { first, last } = recorded
    const notes = [...this.notes].flatMap(([at, note]) => (outcomes[at]?.kind === 'done' ? [note] : []))
    return { outcomes, first, last, dirty: [...this.dirty], notes, isLeft: this.isLeft }
  }

  close(): void {
    this.parents.close()
  }

  /** If nothing is going to be intended, all is as it was received. */
  private prepareOrLeave(): Prepared[] {
    const received = [...(this.received?.slots ?? [])]
    try {
      const prepared = this.prepare()
      this.drop(this.wasted)
      return prepared
    } catch (error) {
      for (const [want, slot] of received) this.received?.slots.set(want, slot)
      const links = this.input.operations.map(({ op }, at) => (op === 'write-symlink' ? slotName(this.intent, at) : ''))
      dropFiles(
        this.stage.in,
        links.filter((name) => name !== ''),
      )
      throw error
    }
  }

  private prepare(): Prepared[] {
    let parent: { readonly path: RelPath; readonly id: number | undefined } | undefined
    const preparation = {
      world: this.world,
      stage: this.stage,
      received: this.received,
      inheritance: new Inheritance(this.root, this.stage.in),
      intent: this.intent,
      recordAt: (path: RelPath): IndexRecord | undefined => {
        if (path === rootPath) return this.index.find(path)?.record
        const parentPath = parentOf(path)
        if (parent?.path !== parentPath) parent = { path: parentPath, id: this.index.directoryId(parentPath) }
        return parent.id === undefined ? undefined : this.index.at(parent.id, nameOf(path))
      },
      parentOf: (path: RelPath) => this.parents.open(parentOf(path)),
      waste: (name: string) => this.wasted.push(name),
    }
    const held = this.askBudget()
    const prepared = this.index.reading(() =>
      this.input.operations.map((operation, at) =>
        operation.op === 'remove' && held !== undefined
          ? held(operation.path)
          : operation.path === rootPath && operation.op === 'set-props'
            ? this.prepareRoot(operation, preparation.recordAt(rootPath))
            : prepare(preparation, operation, at),
      ),
    )
    this.countRemovals(prepared)
    if (this.received !== undefined) this.gather(prepared, this.received, preparation.inheritance)
    for (const [at, one] of prepared.entries()) {
      if (one.kind === 'refused') this.settle(at, one.outcome)
      else if (one.note !== undefined) this.notes.set(at, { path: one.step.path, detail: one.note })
    }
    this.parents.close()
    return prepared
  }

  private gather(prepared: Prepared[], received: Received, inheritance: Inheritance): void {
    this.folders = wholeFolders(this.stage.in, received, prepared, inheritance)
    for (const [at, { name }] of this.folders) {
      const one = prepared[at]
      if (one?.kind === 'ready') prepared[at] = { ...one, step: { ...one.step, staged: name } }
    }
  }

  /** Undefined: what is removed may be removed; else what becomes of each removal. */
  private askBudget(): ((path: RelPath) => Prepared) | undefined {
    try {
      const held = this.budget?.askForBatch(this.input.operations)
      return held && ((path) => heldBack(path, held))
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      return (path) => ({ kind: 'refused', outcome: outcomeOfFailure(path, error) })
    }
  }

  /** What cannot be counted is not removed; the rest of the batch is done. */
  private countRemovals(prepared: Prepared[]): void {
    try {
      this.budget?.count(prepared.filter(isRemoval).length)
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      for (const [at, one] of prepared.entries())
        if (isRemoval(one)) prepared[at] = { kind: 'refused', outcome: outcomeOfFailure(one.step.path, error) }
    }
  }

  private prepareRoot(operation: Ready['operation'], record: IndexRecord | undefined): Prepared {
    const stat = this.root.stat()
    const form = formOf(stat, undefined, '')
    const step = { op: 'props' as const, path: rootPath, staged: '', expect: form, goal: form, racy: false }
    const checked = { kind: 'expected' as const, stat, form, racy: false }
    return { kind: 'ready', operation, step, checked, staged: undefined, record, note: undefined }
  }

  /** Says what the batch is about to do; see makeDurable. */
  private intend(prepared: readonly Prepared[]): FileFailure | undefined {
    const { place, supplier } = this.input
    const header = { ...this.header(), supplier, boot: place.boot }
    // Steps keep the numbers of their operations: a refused one stands as a step that has nothing to do.
    const steps = prepared.map((one) => (one.kind === 'ready' ? stepLine(one.step) : emptyStep))
    const ready = prepared.filter((one) => one.kind === 'ready')
    return makeDurable({
      stage: this.stage,
      // By the handle that is open since before the first byte was staged: only it is told of every error since.
      filesystem: this.received?.filesystem ?? this.root,
      intent: this.intent,
      text: headerLine({ ...header, anchor: rootPath }) + steps.join(''),
      files: ready
        .filter(({ step }) => step.op === 'write' && step.goal.kind === 'file')
        .map(({ step }) => step.staged),
      // Directories and properties are told by the path itself: losing their intent loses nothing.
      slots: ready.some(({ step }) => step.op === 'write' || step.op === 'remove' || step.op === 'rename'),
      syncfsTells: syncfsTells(this.world.machine),
      unsynced: place.durability === 'process',
    })
  }

  private refuse(prepared: readonly Prepared[], why: (path: RelPath) => Why): void {
    // The intent first: with it there and a slot gone from `in`, a restart would take the slot for published.
    const isForgotten = dropFiles(this.stage.intents, [this.intent]).length === 0
    for (const [at, one] of prepared.entries()) {
      if (one.kind !== 'ready') continue
      const { path } = one.step
      this.settle(at, { kind: 'failed', path, ...why(path), transient: true })
    }
    if (isForgotten) this.drop(stagedOf(prepared))
    else this.isLeft = true
    this.budget?.note(0, 0)
  }

  private publish(prepared: readonly Prepared[]): void {
    for (const [at, one] of prepared.entries()) {
      // What was refused, or came with its directory, has its outcome.
      if (one.kind === 'ready' && this.outcomes[at] === undefined) this.settle(at, this.attempt(at, one))
      this.noteUnmade(at)
    }
    this.parents.leave()
    if (prepared.some((one) => one.kind === 'ready' && one.step.op === 'remove')) checkRoot(this.root, this.input.place)
    const lines = this.outcomes.map((outcome, at) => {
      const one = prepared[at]
      return outcome?.kind === 'done' ? outcomeLine(at, outcome, one?.kind === 'ready' ? one.step.goal : undefined) : ''
    })
    this.note()
    // Until the outcomes are told a slot that is gone from `in` means that it was published.
    if (!this.tell(this.intent, lines.join('') + completeLine())) {
      this.isLeft = true
      return
    }
    const unmoved = prepared.filter((_, at) => this.outcomes[at]?.kind !== 'done' || this.besides > 0)
    this.drop(stagedOf(unmoved))
  }

  private note(): void {
    const { pair, batch, from, operations, isSilent } = this.input
    const wallNs = this.world.clock.wallNs()
    const lines = operations.map((operation, at) => (this.outcomes[at]?.kind === 'done' ? entryLine(operation) : ''))
    const why = isSilent === true ? undefined : 'changed'
    noteBatch(this.root, { pair, batch, from, why, wallNs }, lines.join(''))
    const done = operations.filter((_, at) => this.outcomes[at]?.kind === 'done')
    this.budget?.note(done.filter(({ op }) => op === 'remove').length, done.filter(isCreation).length)
  }

  /** One step; what is wrong with it is its own affair. */
  private attempt(at: number, ready: Ready): Outcome {
    const { path } = ready.step
    const unmade = this.unmadeAbove(path)
    if (unmade !== undefined) return { ...unmade, path }
    const parent = parentOf(path)
    for (;;) {
      try {
        return this.step(at, ready)
      } catch (error) {
        if (!(error instanceof FileFailure)) throw error
        if (error.code === 'denied' && path !== rootPath && this.makeWritable(parent)) continue
        // What may have been done in part is looked at again.
        this.dirty.add(path)
        return outcomeOfFailure(path, error)
      }
    }
  }

  private makeWritable(parent: RelPath): boolean {
    try {
      this.parents.open(parent)
      return this.parents.makeWritable()
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      return false
    }
  }

  private step(at: number, ready: Ready): Outcome {
    const { step, checked, record } = ready
    const { path } = step
    if (path === rootPath) return this.rootStep(at, ready)
    const before = this.parents.pathNow
    const parent = this.parents.open(parentOf(path))
    if (before !== parentOf(path)) this.here = []
    const name = nameOf(path)
    if (step.op === 'rename') return this.rename(at, ready, parent)
    const again = checkAgain(parent, name, checked, step.op === 'props' ? 'properties' : 'content')
    if (again === 'busy')
      return { kind: 'failed', path, code: 'busy', detail: 'somebody holds it open for writing', transient: true }
    if (again.kind === 'superseded') return { ...again, path }
    const target: Target = { root: this.root, parent, name, path, wallNs: this.world.clock.wallNs() }
    this.here.push(at)
    switch (step.op) {
      case 'write':
        return this.write(at, ready, target)
      case 'remove': {
        if (step.expect.kind === 'directory') parent.removeDirectory(name)
        else {
          const published = this.removeOrBeside(at, ready, target)
          if (published.kind !== 'done') return this.told(path, published)
        }
        this.recordings[at] = { path, before: record, fields: undefined }
        return { kind: 'done', path, content: absent }
      }
      case 'make': {
        const stat = this.makeWhole(at, ready, target) ?? makeDirectory(parent, name, step.goal)
        if (stat === undefined) return { kind: 'superseded', path, detail: 'something was made there meanwhile' }
        this.recordings[at] = { path, before: record, fields: fieldsOf(stat, bare) }
        return { kind: 'done', path, content: contentOf(formOf(stat, undefined, '')) }
      }
      case 'props':
        return this.setProps(at, ready, target)
    }
  }

  /** A directory with files in it, in one step. undefined: it is to be made by itself. */
  private makeWhole(at: number, { step }: Ready, target: Target): Stat | undefined {
    const folder = this.folders.get(at)
    const made = folder && publishFolder(target, this.stage.in, folder.name, step.goal)
    if (folder === undefined || made === undefined) return undefined
    this.published.add(folder.name)
    for (const member of folder.members) {
      this.here.push(member.at)
      this.settle(member.at, this.came(member, target.wallNs))
    }
    const now = lookAt(target)
    if (now !== undefined && now.inode === made.inode) return now
    this.dirty.add(target.path)
    return made
  }

  /** With its directory, as its handle told: the rename of that has not moved its times, and what came after it is a change. */
  private came({ at, ready }: Member, wallNs: bigint): Outcome {
    const { step, staged, record } = ready
    const { path } = step
    if (staged === undefined) return missing(path)
    const racy = isStagedRacy(staged, wallNs)
    this.recordings[at] = { path, before: record, fields: fieldsOf(staged, { ...readOf(step.goal), racy }) }
    return { kind: 'done', path, content: contentFrom(step.goal, staged) }
  }

  private write(at: number, ready: Ready, target: Target): Outcome {
    const { step, record } = ready
    const { path } = step
    let { staged } = ready
    let published: Published
    try {
      published =
        step.expect.kind === 'absent'
          ? atSlot(this.stage.in, step.staged, (directory, staged) => publishNew(target, { in: directory, staged }))
          : this.replace(at, step, target)
    } catch (error) {
      if (!(error instanceof FileFailure) || error.code !== 'crosses') throw error
      const beside = atSlot(this.stage.in, step.staged, (directory, name) =>
        this.beside(at, ready, target, this.stagedNow(at, directory, name)),
      )
      if (beside === undefined) throw error
      published = beside.published
      staged = beside.staged
    }
    if (published.kind !== 'done') return this.told(path, published)
    if (staged === undefined) return missing(path)
    // The stamp is the staged handle's: whatever else than ctime differs now is already the user's next edit.
    const now = lookAt(target)
    if (now !== undefined && sameObject(now, staged)) {
      const racy = now.kind !== 'directory' && isStagedRacy(now, target.wallNs)
      this.recordings[at] = { path, before: record, fields: fieldsOf(now, { ...readOf(step.goal), racy }) }
    } else {
      // What was published is recorded all the same: what came after it is a change, even if it is what was there before.
      this.recordings[at] = { path, before: record, fields: fieldsOf(staged, { ...readOf(step.goal), racy: true }) }
      this.dirty.add(path)
    }
    return { kind: 'done', path, content: contentFrom(step.goal, staged) }
  }

  private replace(at: number, step: Step, target: Target): Published {
    const slots = {
      in: this.stage.in,
      out: this.stage.out,
      staged: step.staged,
      slot: slotName(this.intent, at),
      oldSlot: oldSlotName(this.intent, at),
    }
    return publishReplacement(target, slots, step.expect, step.goal, step.racy ? 'bytes' : 'stat')
  }

  private removeOrBeside(at: number, ready: Ready, target: Target): Published {
    const { step } = ready
    try {
      const slot = slotName(this.intent, at)
      return publishRemoval(target, this.stage.out, slot, step.expect, step.racy ? 'bytes' : 'stat')
    } catch (error) {
      if (!(error instanceof FileFailure) || error.code !== 'crosses') throw error
      const beside = this.beside(at, ready, target, undefined)
      if (beside === undefined) throw error
      return beside.published
    }
  }

  private beside(at: number, ready: Ready, target: Target, staged: { directory: Directory; name: string } | undefined) {
    const { place, supplier } = this.input
    const header = { ...this.header(), supplier, boot: place.boot }
    const intent = besideIntentName(this.intent, this.besides++)
    const { root, stage } = this
    const result = publishBeside({ root, stage, header, intent, step: ready.step, staged, target })
    // Told by an intent of its own, which is complete with this one outcome.
    if (result !== undefined) this.finishBeside(result.intent, at, ready, result.published, result.staged)
    return result
  }

  private finishBeside(intent: string, at: number, ready: Ready, published: Published, staged: Stat | undefined): void {
    const path = this.input.operations[at]?.path ?? rootPath
    const content = ready.step.op === 'remove' ? absent : staged && contentFrom(ready.step.goal, staged)
    const outcome: Outcome | undefined =
      published.kind === 'done' && content !== undefined ? { kind: 'done', path, content } : undefined
    this.tell(intent, outcomeLine(0, outcome) + completeLine())
  }

  /** Whether it could be told. If not, the next opening of the pair finds out from the slots what was done, and nothing is swept before. */
  private tell(intent: string, lines: string): boolean {
    try {
      addToIntent(this.stage.intents, intent, lines, false)
      return true
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      return false
    }
  }

  /** Where the staged object lies: an attempt to exchange has moved it to `out`. */
  private stagedNow(at: number, received: Directory, name: string): { directory: Directory; name: string } {
    return received.statAt(name) !== undefined
      ? { directory: received, name }
      : { directory: this.stage.out, name: slotName(this.intent, at) }
  }

  private rename(at: number, { step, checked, record }: Ready, parent: Directory): Outcome {
    const { path, from } = step
    if (from === undefined || checked.stat === undefined || record === undefined) return missing(path)
    this.here.push(at)
    const source = this.root.openDirectory(parentOf(from))
    try {
      const renamed = publishRename(step, checked.stat, record, source, parent, this.world.clock.wallNs())
      if (renamed.kind === 'done')
        this.recordings[at] = {
          path,
          before: this.index.find(path)?.record,
          fields: renamed.fields,
          from: { path: from, before: record },
        }
      else this.dirty.add(from)
      return renamed.outcome
    } finally {
      source.close()
    }
  }

  private setProps(at: number, ready: Ready, target: Target): Outcome {
    const { step, checked, operation, record } = ready
    const { path } = step
    if (operation.op !== 'set-props' || checked.stat === undefined) return missing(path)
    const after = setProps(target.parent, target.name, checked.stat, operation.props)
    if (after === undefined) {
      this.dirty.add(path)
      return { kind: 'superseded', path, detail: 'it was changed meanwhile' }
    }
    // A write between the check and our setting of the time left no trace in the stamp: the bytes are read again.
    const retimed = after.kind === 'file' && after.mtimeNs !== checked.stat.mtimeNs
    const racy = after.kind !== 'directory' && (retimed || step.racy || isRacy(after, target.wallNs, 'free'))
    if (operation.props.mtimeNs !== undefined && after.mtimeNs !== operation.props.mtimeNs) this.dirty.add(path)
    const read = readOf(step.expect)
    this.recordings[at] = { path, before: record, fields: fieldsOf(after, { ...read, racy }) }
    return { kind: 'done', path, content: contentOf(formOf(after, read.fingerprint, read.target ?? '')) }
  }

  private rootStep(at: number, ready: Ready): Outcome {
    const { operation, record } = ready
    if (operation.op !== 'set-props') return missing(rootPath)
    const after = setRootProps(this.world.files, this.input.place.root, this.root, operation.props)
    if (after === undefined) return { kind: 'superseded', path: rootPath, detail: 'the root was exchanged' }
    this.recordings[at] = { path: rootPath, before: record, fields: fieldsOf(after, bare) }
    return { kind: 'done', path: rootPath, content: contentOf(formOf(after, undefined, '')) }
  }

  private told(path: RelPath, published: Exclude<Published, { kind: 'done' }>): Outcome {
    if (published.kind === 'busy')
      return { kind: 'failed', path, code: 'busy', detail: published.detail, transient: true }
    for (const each of published.dirty) this.dirty.add(each)
    return { kind: 'superseded', path, detail: published.detail }
  }

  private settle(at: number, outcome: Outcome): void {
    this.outcomes[at] = outcome
    if (outcome.kind === 'superseded') this.dirty.add(outcome.path)
  }

  private noteUnmade(at: number): void {
    const outcome = this.outcomes[at]
    if (outcome === undefined || outcome.kind === 'done' || this.input.operations[at]?.op !== 'create-directory') return
    const detail = `its directory ${outcome.path} was not made: ${outcome.detail}`
    this.unmade.set(outcome.path, { ...outcome, detail })
  }

  private unmadeAbove(path: RelPath): Outcome | undefined {
    if (this.unmade.size === 0) return undefined
    for (const [directory, outcome] of this.unmade) if (isWithin(path, directory)) return outcome
    return undefined
  }

  /** What was done in a directory that is elsewhere now was not done at these paths. */
  private moved(path: RelPath): void {
    for (const at of this.here) {
      const done = this.outcomes[at]
      if (done?.kind !== 'done' || done.path === path || !isWithin(done.path, path)) continue
      this.recordings[at] = undefined
      if (done.from !== undefined) this.dirty.add(done.from)
      this.settle(at, { kind: 'superseded', path: done.path, detail: 'its directory was moved or replaced meanwhile' })
    }
    this.dirty.add(path)
  }

  /** Its intent goes with the batch. If this fails, too, it tells of it still, until then. */
  private leaveMode(chmod: Chmod): void {
    const { world, stage, intent, input } = this
    const header = { ...this.header(), supplier: input.supplier, boot: input.place.boot, anchor: rootPath }
    try {
      keepMode(stage.intents, { intent, header, chmod, random: world.random.bytes(4) })
      addToIntent(stage.intents, intent, restoredLine(chmod.path), false)
      this.isLeft = true
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
    }
  }

  private header() {
    const { place, pair, batch } = this.input
    return { pair, batch, from: this.input.from, folder: place.folder, beganNs: this.world.clock.wallNs() }
  }
  /** What was received and is of no use any more. */
  private dropReceived(): void {
    const { slots } = this.received ?? {}
    const unused = [...(slots?.values() ?? [])].map(({ name }) => name)
    slots?.clear()
    this.drop(unused)
    this.dropFolders()
  }

  /** Of which nothing is left, as their files came one by one. */
  private dropFolders(): void {
    for (const { name } of this.received?.folders.values() ?? []) {
      if (this.published.has(name)) continue
      try {
        dropEmptyDirectory(this.stage.in, name)
      } catch (error) {
        if (!(error instanceof FileFailure)) throw error
        this.isLeft = true
      }
    }
  }

  private drop(names: readonly string[]): void {
    if (dropSlots(this.stage.in, names).length > 0) this.isLeft = true
  }
}

function stagedOf(prepared: readonly Prepared[]): string[] {
  return prepared.flatMap((one) => (one.kind === 'ready' && one.step.staged !== '' ? [one.step.staged] : []))
}

const isRemoval = (one: Prepared): one is Ready => one.kind === 'ready' && one.step.op === 'remove'

function heldBack(path: RelPath, { detail }: RemovalsHeld): Prepared {
  return { kind: 'refused', outcome: { kind: 'failed', path, code: 'held', detail, transient: false } }
}

type Why = Pick<Outcome & { readonly kind: 'failed' }, 'code' | 'detail'>

function toldOf(path: RelPath, failure: FileFailure): Why {
  const told = outcomeOfFailure(path, failure)
  return { code: told.kind === 'failed' ? told.code : 'io', detail: failure.message }
}

/** What is at the target now; undefined too where that cannot be said: what was published has been. */
function lookAt({ parent, name }: Target): Stat | undefined {
  try {
    return parent.statAt(name)
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return undefined
  }
}

const bare = { fingerprint: undefined, target: undefined, racy: false }

/** A step that was refused: it keeps its number and does nothing. */
const emptyStep = stepLine({
  op: 'props',
  path: rootPath,
  staged: '',
  expect: { kind: 'absent' },
  goal: { kind: 'absent' },
  racy: false,
})

function missing(path: RelPath): Outcome {
  return { kind: 'failed', path, code: 'io', detail: 'nothing was done', transient: true }
}

function readOf(form: Form) {
  return {
    fingerprint: form.kind === 'file' ? form.fingerprint : undefined,
    target: form.kind === 'symlink' ? form.target : undefined,
  }
}

/** The content that was published: what the handle told of it, and the bytes of the goal. */
function contentFrom(goal: Form, staged: Stat): Content {
  const { fingerprint, target } = readOf(goal)
  return contentOf(formOf(staged, fingerprint, target ?? ''))
}

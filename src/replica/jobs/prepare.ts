import type { Props } from '../../core/content.js'
import type { Operation, Outcome } from '../../core/operation.js'
import { isReserved, nameOf, parentOf, type RelPath } from '../../core/path.js'
import type { ProblemCode } from '../../core/report.js'
import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import type { World } from '../../host/workers.js'
import type { IndexRecord } from '../../index/record.js'
import { type Checked, check } from './check.js'
import { atSlot, folderOfSlot } from './folder.js'
import { absentForm, type Form, formOf } from './form.js'
import { type Inheritance, inheritGroup, modeOfAcl } from './inherit.js'
import { type Step, slotName } from './intent.js'
import type { StageFolder } from './place.js'
import { detailCharsMax, problemOf } from './problem.js'
import { prepareRename } from './rename.js'
import type { Received, Slot } from './stage.js'
import { umaskOf } from './umask.js'

/** An operation made ready to be published, or refused before anything was touched. */
export type Prepared = Ready | { readonly kind: 'refused'; readonly outcome: Outcome }

export interface Ready {
  readonly kind: 'ready'
  readonly operation: Operation
  readonly step: Step
  readonly checked: Checked & { readonly kind: 'expected' }
  /** What is to be published, as its handle told after the last change to it. */
  readonly staged: Stat | undefined
  /** What the index held when this was decided; of a rename, at the old path. */
  readonly record: IndexRecord | undefined
  /** What could not be taken over from the file that is replaced, or from the directory of a new one, in words. */
  readonly note: string | undefined
}

/** What preparing needs to know of the batch. */
export interface Preparation {
  readonly world: World
  readonly stage: StageFolder
  readonly received: Received | undefined
  readonly inheritance: Inheritance
  readonly intent: string
  recordAt(path: RelPath): IndexRecord | undefined
  /** A handle on the directory of `path`. @throws FileFailure */
  parentOf(path: RelPath): Directory
  /** What has this name in `in/` is of no use any more. */
  waste(name: string): void
}

/** Looks at the path and gives the staged file its properties. Nothing is visible yet. */
export function prepare(preparation: Preparation, operation: Operation, index: number): Prepared {
  const { path } = operation
  try {
    const why = faultOf(operation)
    if (why !== undefined) return refused(path, why.code, why.detail, false)
    if (operation.op === 'rename') {
      const known = preparation.recordAt(operation.from)
      const found = prepareRename(operation, known, preparation.parentOf)
      return found.kind === 'refused' ? found : ready(operation, found.step, found.checked, undefined, known, undefined)
    }
    const record = preparation.recordAt(path)
    const checked = look(preparation, operation, record)
    if (checked.kind === 'superseded') return { kind: 'refused', outcome: { ...checked, path } }
    switch (operation.op) {
      case 'write-file':
        return prepareFile(preparation, operation, checked, record)
      case 'write-symlink': {
        const staged = slotName(preparation.intent, index)
        const { stat, note } = linkMade(preparation, path, staged, operation.target)
        const goal = formOf(stat, undefined, operation.target)
        return ready(operation, stepOf('write', path, checked, goal, staged), checked, stat, record, note)
      }
      case 'remove':
        return ready(operation, stepOf('remove', path, checked, absentForm, ''), checked, undefined, record, undefined)
      case 'create-directory': {
        preparation.inheritance.expect(path)
        const mode = operation.props.mode ?? usualMode(preparation, path, 0o777)
        const goal: Form = { kind: 'directory', mode, mtimeNs: operation.props.mtimeNs ?? 0n }
        return ready(operation, stepOf('make', path, checked, goal, ''), checked, undefined, record, undefined)
      }
      case 'set-props': {
        const goal = withProps(checked.form, operation.props)
        return ready(operation, stepOf('props', path, checked, goal, ''), checked, undefined, record, undefined)
      }
    }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return { kind: 'refused', outcome: outcomeOfFailure(path, error) }
  }
}

/** What a failure of the world makes of an operation that changed nothing. */
export function outcomeOfFailure(path: RelPath, error: FileFailure): Outcome {
  const { code, detail } = problemOf(error)
  // A directory on the way became something else: what is there now is for a scan to tell, and nothing was touched.
  if (code === 'changing' || code === 'loop') return { kind: 'superseded', path, detail }
  // A mount point stays busy (a writer's file is told by its probe), and a directory that holds more stays as it is.
  const transient = error.transient && error.code !== 'busy' && error.code !== 'not-empty'
  return { kind: 'failed', path, code, detail, transient }
}

function faultOf({ op, path, expect }: Operation): { readonly code: ProblemCode; readonly detail: string } | undefined {
  if (isReserved(path)) return { code: 'name', detail: 'the name .tandem is reserved' }
  if (path === '' && op !== 'set-props') return { code: 'unsupported', detail: 'the root itself is not replaced' }
  const { kind } = expect
  if ((op === 'write-file' || op === 'write-symlink') && kind === 'directory')
    return { code: 'unsupported', detail: 'a directory is removed before something else takes its name' }
  if (op === 'create-directory' && kind !== 'absent')
    return { code: 'unsupported', detail: 'what is there is removed before a directory takes its name' }
  if ((op === 'remove' || op === 'set-props') && kind === 'absent')
    return { code: 'changing', detail: 'nothing is expected there' }
  return undefined
}

/** A new name is looked for only when it is published: its directory may be made by this very batch. */
function look(preparation: Preparation, operation: Operation, record: IndexRecord | undefined): Checked {
  if (operation.expect.kind === 'absent') return { kind: 'expected', stat: undefined, form: absentForm, racy: false }
  return check(preparation.parentOf(operation.path), nameOf(operation.path), operation.expect, record)
}

function linkMade(
  preparation: Preparation,
  path: RelPath,
  name: string,
  target: string,
): { readonly stat: Stat | undefined; readonly note: string | undefined } {
  const { in: received } = preparation.stage
  const lacking = preparation.inheritance.lackingIn(parentOf(path))
  received.makeSymlink(name, target)
  try {
    const note = lacking && inheritGroup(received, name, lacking)
    return { stat: received.statAt(name), note }
  } catch (error) {
    if (error instanceof FileFailure) preparation.waste(name)
    throw error
  }
}

function prepareFile(
  preparation: Preparation,
  operation: Operation & { op: 'write-file' },
  checked: Checked & { kind: 'expected' },
  record: IndexRecord | undefined,
): Prepared {
  const { path, props } = operation
  const slot = preparation.received?.slots.get(operation.want)
  if (slot?.failure !== undefined) return refused(path, slot.failure.code, slot.failure.detail, slot.failure.transient)
  if (slot?.fingerprint === undefined) return refused(path, 'changing', 'its bytes were not received', true)
  if (slot.sizeBytes !== operation.sizeBytes)
    return refused(path, 'changing', `${slot.sizeBytes} bytes were received, not ${operation.sizeBytes}`, true)
  const staged = slot.name
  if (operation.expect.kind !== 'absent' && folderOfSlot(staged) !== undefined)
    return refused(path, 'changing', 'its bytes were received for a new directory', true)
  const { in: received } = preparation.stage
  const replaced = checked.stat?.kind === 'file' ? checked.stat : undefined
  const lacking = replaced === undefined ? preparation.inheritance.lackingIn(parentOf(path)) : undefined
  const given = replaced === undefined && lacking === undefined ? givenTo(slot, props) : undefined
  if (given !== undefined) {
    preparation.received?.slots.delete(operation.want)
    const goal = formOf(given, slot.fingerprint, '')
    return ready(operation, stepOf('write', path, checked, goal, staged), checked, given, record, undefined)
  }
  const file = atSlot(received, staged, (directory, name) => directory.reopenFile(name))
  preparation.received?.slots.delete(operation.want)
  try {
    const note =
      replaced === undefined
        ? lacking && file.inherit(lacking)
        : file.takeOver(preparation.parentOf(path), nameOf(path))
    file.setMode(props.mode ?? replaced?.mode ?? usualMode(preparation, path, 0o666))
    // Last: everything before it may move it.
    if (props.mtimeNs !== undefined) file.setTime(props.mtimeNs)
    const stat = file.stat()
    const goal = formOf(stat, slot.fingerprint, '')
    return ready(operation, stepOf('write', path, checked, goal, staged), checked, stat, record, note)
  } catch (error) {
    if (error instanceof FileFailure) preparation.waste(staged)
    throw error
  } finally {
    file.close()
  }
}

/** Of what is made with these bits when nobody says which: as a default ACL of its directory stands for the umask. */
function usualMode({ world, stage, inheritance }: Preparation, path: RelPath, bits: number): number {
  const acl = inheritance.lackingIn(parentOf(path))?.acl
  return bits & (acl === undefined ? ~umaskOf(world, stage.in) : modeOfAcl(acl))
}

/** The staged file as its handle told it, if it was given these very properties while it was received. */
function givenTo({ given }: Slot, { mode, mtimeNs }: Props): Stat | undefined {
  if (given === undefined || given.props.mode !== mode || given.props.mtimeNs !== mtimeNs) return undefined
  return given.stat
}

function withProps(form: Form, props: Props): Form {
  switch (form.kind) {
    case 'file':
    case 'directory':
      return { ...form, mode: props.mode ?? form.mode, mtimeNs: props.mtimeNs ?? form.mtimeNs }
    case 'symlink':
    case 'absent':
      return form
  }
}

function stepOf(
  op: Step['op'],
  path: RelPath,
  checked: Checked & { kind: 'expected' },
  goal: Form,
  staged: string,
): Step {
  return { op, path, staged, expect: checked.form, goal, racy: checked.racy }
}

function ready(
  operation: Operation,
  step: Step,
  checked: Checked & { kind: 'expected' },
  staged: Stat | undefined,
  record: IndexRecord | undefined,
  note: string | undefined,
): Ready {
  return { kind: 'ready', operation, step, checked, staged, record, note }
}

function refused(path: RelPath, code: ProblemCode, detail: string, transient: boolean): Prepared {
  return {
    kind: 'refused',
    outcome: { kind: 'failed', path, code, detail: detail.slice(0, detailCharsMax), transient },
  }
}

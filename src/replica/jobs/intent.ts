import type { Content, Fingerprint, Props } from '../../core/content.js'
import type { Outcome } from '../../core/operation.js'
import { BadPath, type RelPath, relPath } from '../../core/path.js'
import { contentOf, type Form } from './form.js'
import { quoted } from './quoted.js'

/**
 * What a batch is about to do to a root, and what became of it: JSON, one value a line, in `intents/`, named
 * `pair-batch-random`. It is on disk before the first change; lines are only ever added.
 *
 *     header    { version, pair, batch, supplier, boot, folder, anchor, anchorIs, beganNs, from }
 *               `from` and `anchorIs` are not in those of before
 *     step      ['step', { op, path, staged, expect, goal, racy }]     in the order of the operations; counted from 0;
 *               of a rename with `from`, `inode` and `birthNs` too
 *     chmod     ['chmod', path, mode, temporary]    a directory that is made writable for the batch
 *     restored  ['restored', path]                  and is no longer
 *     outcome   ['outcome', step, outcome or null]  a later one of the same step wins; null: it never happened
 *               ['outcome', step]                   done: what is there is the goal of the step
 *     complete  ['complete']                        every step has its outcome
 *
 * bigints are strings. A torn last line counts as not written. History: 1 the first; 2 outcomes that are the goal are not written out;
 * since then a directory may be staged too, with files in it.
 */
export interface Intent {
  readonly header: IntentHeader
  readonly steps: readonly Step[]
  readonly outcomes: ReadonlyMap<number, Outcome>
  /** Directories that are still writable only for the batch. */
  readonly chmods: readonly Chmod[]
  readonly complete: boolean
}

export interface IntentHeader {
  readonly pair: string
  readonly batch: number
  /** Boot of the machine whose content it is. */
  readonly supplier: string
  /** Boot of this machine. Under another one nothing may be concluded from what is missing. */
  readonly boot: string
  /** Folder of staging in which the slots were made. */
  readonly folder: string
  /** Directory whose private folder holds the slots: '' the root, else one on another file system in it. */
  readonly anchor: RelPath
  /** What that directory is: under another one nothing may be concluded from what is missing in it, either. See `identityOf`. */
  readonly anchorIs?: string
  readonly beganNs: bigint
  /** Canonical name of the root whose changes these are, for the journal. */
  readonly from?: string
}

export interface Step {
  readonly op: 'write' | 'remove' | 'make' | 'props' | 'rename'
  readonly path: RelPath
  /** Name in `in/` of what is to be published, or '' when nothing is; of a file in a folder there `FOLDER/NAME`. */
  readonly staged: string
  readonly expect: Form
  readonly goal: Form
  /** The stamp of what is expected does not vouch for its bytes. */
  readonly racy: boolean
  /** Of a rename: the old path, and what is known again at either. */
  readonly from?: RelPath | undefined
  readonly inode?: bigint | undefined
  readonly birthNs?: bigint | undefined
}

export interface Chmod {
  readonly path: RelPath
  readonly mode: number
  readonly temporary: number
}

export const intentVersion = 2
const intentVersionMin = 1

/** Name in `out/` of what was at the path of a step. */
export const slotName = (intent: string, step: number) => `${intent}.${step}`
/** The same where the file system has no exchange. */
export const oldSlotName = (intent: string, step: number) => `${intent}.${step}.old`

/** The intent that a slot in `out/` belongs to. */
export function intentOfSlot(slot: string): string {
  return slot.slice(0, slot.includes('.') ? slot.indexOf('.') : slot.length)
}

/** Intents of steps that were published from beside their target. */
export const besideIntentName = (intent: string, count: number) => `${intent}b${count}x`
export const isBesideIntent = (name: string) => /b\d+x\d+$/.test(name)

/** Intents of one directory whose temporary mode could not be put back: it is tried again by every sweep, whatever becomes of the batch. */
export const modeIntentName = (intent: string, random: Uint8Array) => `${intent}m${Buffer.from(random).toString('hex')}`
export const isModeIntent = (name: string) => /m[0-9a-f]+$/.test(name)

/** Ending of the name of an intent whose outcomes the lead has taken in. */
export const acknowledgedEnding = '.acknowledged'

export const headerLine = (header: IntentHeader) => line({ version: intentVersion, ...header })
export const stepLine = ({ op, path, staged, expect, goal, racy, from, inode, birthNs }: Step) =>
  `["step",{"op":"${op}","path":${quoted(path)},"staged":${quoted(staged)},"expect":${formText(expect)},"goal":${formText(goal)},"racy":${racy}${from === undefined ? '' : `,"from":${quoted(from)},"inode":"${inode}","birthNs":"${birthNs}"`}}]\n`
export const chmodLine = ({ path, mode, temporary }: Chmod) => line(['chmod', path, mode, temporary])
export const restoredLine = (path: RelPath) => line(['restored', path])
/** `goal`: that of the step, as it was intended. */
export const outcomeLine = (step: number, outcome: Outcome | undefined, goal?: Form) =>
  outcome?.kind === 'done' && goal !== undefined && isFileOf(goal, outcome)
    ? `["outcome",${step}]\n`
    : outcome?.kind === 'done'
      ? `["outcome",${step},{"kind":"done","path":${quoted(outcome.path)}${outcome.from === undefined ? '' : `,"from":${quoted(outcome.from)}`},"content":${contentText(outcome.content)}}]\n`
      : line(['outcome', step, outcome ?? null])
export const completeLine = () => line(['complete'])

/** Of a batch of files it is each of them. */
function isFileOf(goal: Form, { content, from }: Outcome & { readonly kind: 'done' }): boolean {
  if (goal.kind !== 'file' || content.kind !== 'file' || from !== undefined) return false
  const { props } = content
  return (
    content.fingerprint === goal.fingerprint &&
    content.sizeBytes === goal.sizeBytes &&
    props.mode === goal.mode &&
    props.mtimeNs === goal.mtimeNs
  )
}

function line(value: unknown): string {
  return `${JSON.stringify(value, (_, field) => (typeof field === 'bigint' ? `${field}` : field))}\n`
}

// Steps and outcomes are put together by hand: a batch has thousands of them, and JSON.stringify with a replacer for its
// bigints takes several times as long.

const fingerprintText = (fingerprint: Fingerprint | undefined) =>
  fingerprint === undefined ? '' : `,"fingerprint":"${fingerprint}"`

function formText(form: Form): string {
  switch (form.kind) {
    case 'absent':
      return '{"kind":"absent"}'
    case 'directory':
      return `{"kind":"directory","mode":${form.mode},"mtimeNs":"${form.mtimeNs}"}`
    case 'symlink':
      return `{"kind":"symlink","inode":"${form.inode}","target":${quoted(form.target)}}`
    case 'file':
      return `{"kind":"file","inode":"${form.inode}","sizeBytes":${form.sizeBytes},"mtimeNs":"${form.mtimeNs}","mode":${form.mode}${fingerprintText(form.fingerprint)}}`
  }
}

function contentText(content: Content): string {
  switch (content.kind) {
    case 'absent':
      return '{"kind":"absent"}'
    case 'directory':
      return `{"kind":"directory","props":${propsText(content.props)}}`
    case 'symlink':
      return `{"kind":"symlink","target":${quoted(content.target)}}`
    case 'file':
      return `{"kind":"file"${fingerprintText(content.fingerprint)},"sizeBytes":${content.sizeBytes},"props":${propsText(content.props)}}`
  }
}

function propsText({ mode, mtimeNs }: Props): string {
  const parts: string[] = []
  if (mode !== undefined) parts.push(`"mode":${mode}`)
  if (mtimeNs !== undefined) parts.push(`"mtimeNs":"${mtimeNs}"`)
  return `{${parts.join(',')}}`
}

/**
 * The intent that the text tells, or undefined when it tells none: an intent is on disk as a whole before the first change,
 * so that such a batch never began, unless the disk damaged it.
 */
export function parseIntent(text: string): Intent | undefined {
  try {
    return intentIn(text)
  } catch (error) {
    if (!(error instanceof BadIntent) && !(error instanceof BadPath)) throw error
    return undefined
  }
}

function intentIn(text: string): Intent | undefined {
  const lines = text.split('\n')
  // What follows the last line break is a torn line, or nothing.
  lines.pop()
  const values = lines.map(parsed)
  const header = headerOf(values[0])
  if (header === undefined) return undefined
  const steps: Step[] = []
  const outcomes = new Map<number, Outcome>()
  const chmods = new Map<RelPath, Chmod>()
  let complete = false
  for (const value of values.slice(1)) {
    if (!Array.isArray(value)) continue
    const [what, first, second, third]: unknown[] = value
    if (what === 'step') steps.push(stepOf(first))
    else if (what === 'chmod') {
      const path = relPath(textIn(first))
      chmods.set(path, { path, mode: numberIn(second), temporary: numberIn(third) })
    } else if (what === 'restored') chmods.delete(relPath(textIn(first)))
    else if (what === 'outcome') {
      if (second === null) outcomes.delete(numberIn(first))
      else outcomes.set(numberIn(first), second === undefined ? goalOf(steps[numberIn(first)]) : outcomeOf(second))
    } else if (what === 'complete') complete = true
  }
  return { header, steps, outcomes, chmods: [...chmods.values()], complete }
}

/** Not what an intent can hold. It is ours: only damage can bring it about. */
class BadIntent extends Error {}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
}

function headerOf(value: unknown): IntentHeader | undefined {
  if (!isRecord(value) || !(numberIn(value.version) >= intentVersionMin && numberIn(value.version) <= intentVersion))
    return undefined
  return {
    pair: textIn(value.pair),
    batch: numberIn(value.batch),
    supplier: textIn(value.supplier),
    boot: textIn(value.boot),
    folder: textIn(value.folder),
    anchor: relPath(textIn(value.anchor)),
    ...(value.anchorIs === undefined ? {} : { anchorIs: textIn(value.anchorIs) }),
    beganNs: bigintIn(value.beganNs),
    ...(value.from === undefined ? {} : { from: textIn(value.from) }),
  }
}

function stepOf(value: unknown): Step {
  if (!isRecord(value)) throw new BadIntent('a step that is none')
  const op = textIn(value.op)
  if (op !== 'write' && op !== 'remove' && op !== 'make' && op !== 'props' && op !== 'rename')
    throw new BadIntent(`a step to ${op}`)
  return {
    op,
    path: relPath(textIn(value.path)),
    staged: textIn(value.staged),
    expect: formFrom(value.expect),
    goal: formFrom(value.goal),
    racy: value.racy === true,
    ...(op === 'rename'
      ? { from: relPath(textIn(value.from)), inode: bigintIn(value.inode), birthNs: bigintIn(value.birthNs) }
      : {}),
  }
}

function formFrom(value: unknown): Form {
  if (!isRecord(value)) throw new BadIntent('a form that is none')
  switch (value.kind) {
    case 'absent':
      return { kind: 'absent' }
    case 'directory':
      return { kind: 'directory', mode: numberIn(value.mode), mtimeNs: bigintIn(value.mtimeNs) }
    case 'symlink':
      return { kind: 'symlink', inode: bigintIn(value.inode), target: textIn(value.target) }
    case 'file':
      return {
        kind: 'file',
        inode: bigintIn(value.inode),
        sizeBytes: numberIn(value.sizeBytes),
        mtimeNs: bigintIn(value.mtimeNs),
        mode: numberIn(value.mode),
        fingerprint: fingerprintFrom(value.fingerprint),
      }
    default:
      throw new BadIntent('a form of an unknown kind')
  }
}

function goalOf(step: Step | undefined): Outcome {
  if (step === undefined) throw new BadIntent('an outcome of no step')
  return { kind: 'done', path: step.path, content: contentOf(step.goal) }
}

/** Only outcomes that the lead acts upon are replayed: what was done. The others are told by the next scan. */
function outcomeOf(value: unknown): Outcome {
  if (!isRecord(value) || value.kind !== 'done') throw new BadIntent('an outcome that is none')
  const from = value.from === undefined ? {} : { from: relPath(textIn(value.from)) }
  return { kind: 'done', path: relPath(textIn(value.path)), content: contentFrom(value.content), ...from }
}

function contentFrom(value: unknown): Content {
  if (!isRecord(value)) throw new BadIntent('a content that is none')
  const props = isRecord(value.props) ? value.props : {}
  const read = {
    mode: props.mode === undefined ? undefined : numberIn(props.mode),
    mtimeNs: props.mtimeNs === undefined ? undefined : bigintIn(props.mtimeNs),
  }
  switch (value.kind) {
    case 'absent':
      return { kind: 'absent' }
    case 'directory':
      return { kind: 'directory', props: read }
    case 'symlink':
      return { kind: 'symlink', target: textIn(value.target) }
    case 'file':
      return {
        kind: 'file',
        fingerprint: fingerprintFrom(value.fingerprint),
        sizeBytes: numberIn(value.sizeBytes),
        props: read,
      }
    default:
      throw new BadIntent('a content of an unknown kind')
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textIn(value: unknown): string {
  if (typeof value !== 'string') throw new BadIntent('no text where one is due')
  return value
}

function numberIn(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new BadIntent('no number where one is due')
  return value
}

function bigintIn(value: unknown): bigint {
  if (typeof value !== 'string' || !/^-?\d+$/.test(value)) throw new BadIntent('no integer where one is due')
  return BigInt(value)
}

function fingerprintFrom(value: unknown): Fingerprint | undefined {
  if (value === undefined) return undefined
  if (!isFingerprint(value)) throw new BadIntent('no fingerprint where one is due')
  return value
}

function isFingerprint(value: unknown): value is Fingerprint {
  return typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value)
}

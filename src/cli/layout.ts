import type { Choice, Item, PassResult } from '../agent/agent-types.js'
import { unreachable } from '../core/assert.js'
import type { Found } from '../core/report.js'
import { bytesText, countOf, durationText, modeText, stampText } from '../status/amounts.js'
import { escapeName, escapeText } from '../status/escape.js'
import type { Tally } from '../status/tally.js'
import { hardLinkText } from '../status/terminal.js'

/** What the two roots are called in front of the user. Not escaped. */
export interface RootNames {
  readonly alpha: string
  readonly beta: string
}

/** Above the lines of a plan: what stands left and right. */
export function headerLine(names: RootNames): string {
  return `${escapeText(names.alpha).padEnd(14)} ${escapeText(names.beta)}`
}

/**
 * One line of a plan as Unison prints it: what happened left, the arrow, what happened right, the path.
 *
 *              <--- new file   c
 *     new file <-?-> new file   d/h
 */
export function itemLine(item: Item, choice: Choice = 'default'): string {
  return `${item.alpha.padEnd(8)} ${arrowOf(item, choice)} ${item.beta.padEnd(8)}   ${shownPath(item)}`
}

/** Five columns; an arrow with a double shaft was chosen by the user against the default. */
function arrowOf(item: Item, choice: Choice): string {
  if (item.kind === 'problem') return 'error'
  switch (choice) {
    case 'skip':
      return '<-?->'
    case 'to-alpha':
      return item.direction === 'to-alpha' ? ' <---' : ' <==='
    case 'to-beta':
      return item.direction === 'to-beta' ? ' --->' : ' ===>'
    case 'default':
      return { 'to-alpha': ' <---', 'to-beta': ' --->', both: '<--->', none: '<-?->' }[item.direction]
    default:
      return unreachable(choice)
  }
}

/** The root itself has no name. Of what was moved both places are shown. */
export function shownPath({ path, from }: Item): string {
  const shown = path === '' ? '(the root)' : escapeName(path)
  return from === undefined ? shown : `${escapeName(from)} -> ${shown}`
}

/** What each side holds, a line each, and why, for a conflict or problem. */
export function detailLines(item: Item, names: RootNames): string[] {
  const width = Math.min(30, Math.max(names.alpha.length, names.beta.length))
  const side = (name: string, state: string, found: Found) =>
    `    ${escapeText(name).padEnd(width)} : ${(state === '' ? 'unchanged' : state).padEnd(9)} ${contentText(found)}`
  return [
    ...(item.detail === '' ? [] : [`    ${escapeText(item.detail)}`]),
    side(names.alpha, item.alpha, item.alphaContent),
    side(names.beta, item.beta, item.betaContent),
  ]
}

function contentText(found: Found): string {
  switch (found.kind) {
    case 'absent':
      return 'nothing there'
    case 'directory':
      return `directory${modeText(found.props.mode)}`
    case 'symlink':
      return `link to ${escapeName(found.target)}`
    case 'file':
      return `file, ${bytesText(found.sizeBytes)}${modeText(found.props.mode)}${stampText(found.props.mtimeNs)}`
    case 'problem':
      return `${found.code}: ${escapeText(found.detail)}`
    default:
      return unreachable(found)
  }
}

/** A plan in which nothing is decided by anybody yet: every item, conflicts and problems with both sides. */
export function planLines(items: readonly Item[], names: RootNames): string[] {
  return items.flatMap((item) =>
    item.kind === 'change' ? [itemLine(item)] : [itemLine(item), ...detailLines(item, names)],
  )
}

export const nothingToDo = 'Nothing to do: replicas have been fully synchronized; all files are equal.'

/** The last lines of a pass that was not halted. */
export function summaryLines(result: PassResult, tally: Tally, durationMs: number): string[] {
  const notes = noteLines(tally)
  if (result.items.length === 0 && result.applied + result.skipped + result.failed === 0) return [...notes, nothingToDo]
  const waiting = result.items.filter((item) => item.kind !== 'change')
  const incomplete = result.skipped + result.failed > 0
  return [
    ...notes,
    ...waiting.map((item) => `  skipped: ${shownPath(item)} (${escapeText(whyNot(item))})`),
    `Synchronization ${incomplete ? 'incomplete' : 'complete'}  (${countText(result.applied, 'item')} transferred, ${result.skipped} skipped, ${result.failed} failed)`,
    tallyLine(tally, waitingOf(result), durationMs),
  ]
}

/** The last lines of resident pairs at a terminal: conflicts and problems are those that were told meanwhile. */
export function residentSummaryLines(result: PassResult, tally: Tally, durationMs: number): string[] {
  const left =
    result.skipped + result.failed === 0 ? [] : [`left as it is: ${result.skipped} skipped, ${result.failed} failed`]
  const told = { conflicts: tally.conflicts.size, problems: tally.problems.size }
  return [...noteLines(tally), ...left, tallyLine(tally, told, durationMs)]
}

/** What is left for somebody to look at after a pass. */
export function waitingOf({ items, skipped, failed }: PassResult): { conflicts: number; problems: number } {
  const conflicts = items.filter(({ kind }) => kind === 'conflict').length
  return { conflicts, problems: Math.max(0, skipped + failed - conflicts) }
}

function tallyLine(tally: Tally, found: ReturnType<typeof waitingOf>, durationMs: number): string {
  const counts = [`${countOf(tally.copied)} copied`, `${countOf(tally.deleted)} deleted`]
  if (tally.moved > 0) counts.push(`${countOf(tally.moved)} moved`)
  if (tally.properties > 0) counts.push(`${countOf(tally.properties)} with new properties`)
  counts.push(countText(found.conflicts, 'conflict'), countText(found.problems, 'problem'))
  return `  ${counts.join(', ')}; ${bytesText(tally.bytes)} in ${durationText(durationMs)}`
}

function noteLines({ hardLinks }: Tally): string[] {
  return [...hardLinks].map(([root, path]) => hardLinkText(root, path))
}

function whyNot(item: Item): string {
  if (item.detail !== '') return item.detail
  return item.kind === 'conflict' ? 'changed on both sides' : 'cannot be told'
}

export function countText(count: number, noun: string): string {
  return `${countOf(count)} ${noun}${count === 1 ? '' : 's'}`
}

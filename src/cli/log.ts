import { placeInRoot } from '../agent/past.js'
import { absoluteOf, isWithin } from '../core/path.js'
import { type JournalEntry, readJournal, type Why } from '../replica/jobs/journal.js'
import { listVersionsJob, type Version } from '../replica/jobs/list-versions.js'
import { openRoot } from '../replica/jobs/place.js'
import { bytesText } from '../status/amounts.js'
import { escapeJson, escapeName, escapeText } from '../status/escape.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { printLines } from './output.js'
import type { LogCommand } from './program.js'
import { strayLine } from './restore.js'
import { momentText } from './time.js'
import { UsageFailure } from './usage.js'
import { openWorld, pathHere } from './world.js'

/** `tandem log [PATH]`: what was done to a path and below it on behalf of another root, the newest last. */
export async function runLog(line: LogCommand): Promise<ExitCode> {
  const world = await openWorld()
  const given = pathHere(line.path ?? '.')
  const place = placeInRoot(world.files, given)
  if (place === undefined) throw new UsageFailure(`${given} is in no root: no directory above it has a .tandem/marker`)
  const root = openRoot(world.files, place.root)
  try {
    const entries = readJournal(root, (path) => isWithin(path, place.path))
    // What was there without anybody knowing where stands after what is known.
    const { strays } = listVersionsJob.run(world, place)
    if (line.json) {
      const told = [...entries, ...strays.map(strayEntry)]
      printLines(told.map((entry) => escapeJson(JSON.stringify({ ...entry, root: place.root }))))
      return exitCodes.inSync
    }
    const lines = [...entries.map(entryText), ...strays.map((stray) => strayLine(place.root, stray))]
    printLines(lines.length === 0 ? [nothingText(absoluteOf(place.root, place.path))] : lines)
  } finally {
    root.close()
  }
  return exitCodes.inSync
}

/** '2026-11-22 14:30:12.345  replaced    notes/todo.txt  (12 bytes), as in wss://nas:4242/notes: it was changed there' */
export function entryText({ atMs, did, path, sizeBytes, from, movedFrom, why }: JournalEntry): string {
  const size = did === 'created' || did === 'replaced' ? `  (${bytesText(sizeBytes)})` : ''
  const before = movedFrom === undefined ? '' : `  (was ${escapeName(movedFrom)})`
  const source = from === '' ? '' : `, as in ${escapeText(from)}`
  const reason = why === undefined ? '' : `${source === '' ? ', ' : ': '}${reasonTexts[why]}`
  return `${momentText(BigInt(atMs) * 1_000_000n)}  ${did.padEnd(10)}  ${escapeName(path === '' ? '.' : path)}${size}${before}${source}${reason}`
}

const reasonTexts: Readonly<Record<Why, string>> = {
  changed: 'it was changed there',
  overruled: 'that was chosen over what was here',
  recovered: 'finished after a crash',
  restored: 'a version that was kept came back',
}

function strayEntry({ kept, untilNs, sizeBytes }: Version) {
  return { atMs: Number(untilNs / 1_000_000n), did: 'kept', path: kept, sizeBytes, from: '' }
}

function nothingText(path: string): string {
  return `nothing is noted of ${escapeName(path)}: no other root has changed it`
}

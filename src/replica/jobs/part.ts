import { createHash } from 'node:crypto'
import { encodeName, type RelPath, relPath, rootPath } from '../../core/path.js'
import { type Directory, FileFailure, type Stat } from '../../host/files.js'
import type { Job } from '../../host/workers.js'
import { dropFile, ensureDirectory, goneCodes, openRoot, privatePath, type RootPlace } from './place.js'

/**
 * Parts: the beginnings of large files whose transfer was cut, in `.tandem/parts`, one for a path of a pair. They are received
 * bytes, that is, hints: what is taken up is hashed as it is then, and both sides agree how much of it counts.
 *
 *     .tandem/parts/<16 hex digits of the pair>-<32 of the path>
 *
 * While such a file is received it lies in `in/` under a name that begins with that: whatever cuts the transfer off, the next
 * process finds out what it is. A part is in one of the two places at any time.
 */
const partsName = 'parts'
const partsPath = relPath(`${privatePath}/${partsName}`)

/** Most parts of a root; the oldest go first. */
const partsMax = 16
/** What nobody came back for goes. */
const partKeptNs = 7n * 24n * 3_600_000_000_000n
/** Less is sent again as soon as it is looked for. */
const partKeptBytesMin = 64 * 1024

/** The name of the part of a path. */
export function partName(pair: string, path: RelPath): string {
  return `${digits(Buffer.from(pair, 'latin1'), 16)}-${digits(encodeName(path), 32)}`
}

/** The name in `in/` of a part that is being received; `rest` tells it from every other. */
export function partSlotName(part: string, rest: string): string {
  return `${part}-${rest}`
}

const partPattern = /^[0-9a-f]{16}-[0-9a-f]{32}$/
const partSlotPattern = /^([0-9a-f]{16}-[0-9a-f]{32})-/

/** The folder of the parts, or undefined when there is none. */
export function openParts(root: Directory): Directory | undefined {
  try {
    return root.openDirectory(partsPath)
  } catch (error) {
    if (!(error instanceof FileFailure) || !goneCodes.has(error.code)) throw error
    return undefined
  }
}

/** Takes a part out of the folder into `to`; how long it is, 0 when there is none that can be of use. */
export function takePart(parts: Directory, part: string, to: Directory, slot: string, sizeBytes: number): number {
  let presentBytes = 0
  quietly(() => {
    const stat = parts.statAt(part)
    if (stat?.kind !== 'file' || stat.sizeBytes > sizeBytes) return
    // It may have been whole, and been given the properties of its path.
    if (stat.mode !== 0o600) parts.setMode(part, 0o600)
    parts.rename(part, to, slot, 'no-replace')
    presentBytes = stat.sizeBytes
  })
  // What cannot be taken up is received anew: nobody would take it up later.
  if (presentBytes === 0) quietly(() => dropFile(parts, part))
  return presentBytes
}

/** Whether there are parts of that pair. */
export function hasParts(parts: Directory, pair: string): boolean {
  const own = partName(pair, rootPath).slice(0, 17)
  return parts.names().some((name) => name.startsWith(own))
}

/**
 * Puts what was received of large files, of these names in `received`, back among the parts; what is not worth it, or cannot be
 * kept, stays where it is. Their bytes are on disk then: an error of the disk that nobody asked for would be forgotten, and
 * what is read from memory believed. Answers whether there was any.
 */
export function keepParts(root: Directory, received: Directory, slots: readonly string[]): boolean {
  const kept = slots.filter((slot) => partSlotPattern.test(slot))
  if (kept.length === 0) return false
  quietly(() => {
    const within = root.openDirectory(privatePath)
    try {
      ensureDirectory(within, partsName)
    } finally {
      within.close()
    }
  })
  const parts = openParts(root)
  if (parts === undefined) return false
  try {
    for (const slot of kept) quietly(() => keepPart(parts, received, slot))
  } finally {
    parts.close()
  }
  return true
}

function keepPart(parts: Directory, received: Directory, slot: string): void {
  const [, part] = partSlotPattern.exec(slot) ?? []
  const stat = received.statAt(slot)
  if (part === undefined || stat?.kind !== 'file' || stat.sizeBytes < partKeptBytesMin) return
  if (stat.mode !== 0o600) received.setMode(slot, 0o600)
  const file = received.openFile(slot)
  try {
    file.sync()
  } finally {
    file.close()
  }
  dropFile(parts, part)
  received.rename(slot, parts, part, 'no-replace')
}

/** Lets go what is too old, too many, or more than is left free beside it. */
export const prunePartsJob: Job<{ readonly place: Pick<RootPlace, 'root'> }, void> = {
  name: 'prune-parts',
  run(world, { place }) {
    const root = openRoot(world.files, place.root)
    try {
      pruneParts(root, world.clock.wallNs())
    } finally {
      root.close()
    }
  },
}

/** As prunePartsJob. Only what is named as a part goes, by when it came there: its own time may be that of the file it was to be. */
export function pruneParts(root: Directory, wallNs: bigint): void {
  eachPart(root, (parts, found) => {
    const { freeBytes } = parts.space()
    // What goes becomes free: together they take half of what there would be without them.
    let roomBytes = found.reduce((sum, { stat }) => sum + stat.sizeBytes, freeBytes) / 2
    for (const [at, { name, stat }] of found.entries()) {
      roomBytes -= stat.sizeBytes
      if (at >= partsMax || wallNs - stat.ctimeNs > partKeptNs || roomBytes < 0) dropFile(parts, name)
    }
  })
}

/** The disk is full, or fuller than it should be: every part goes. Answers how many bytes that is. */
export const dropPartsJob: Job<{ readonly place: Pick<RootPlace, 'root'> }, number> = {
  name: 'drop-parts',
  run(world, { place }) {
    const root = openRoot(world.files, place.root)
    try {
      return dropParts(root)
    } finally {
      root.close()
    }
  },
}

/** As dropPartsJob. */
export function dropParts(root: Directory): number {
  let bytes = 0
  eachPart(root, (parts, found) => {
    for (const { name, stat } of found) {
      dropFile(parts, name)
      bytes += stat.sizeBytes
    }
  })
  return bytes
}

interface Found {
  readonly name: string
  readonly stat: Stat
}

/** The newest first. What cannot be done now is left for the next time. */
function eachPart(root: Directory, body: (parts: Directory, found: readonly Found[]) => void): void {
  quietly(() => {
    const parts = openParts(root)
    if (parts === undefined) return
    try {
      const found: Found[] = []
      for (const name of parts.names()) {
        const stat = partPattern.test(name) ? parts.statAt(name) : undefined
        if (stat?.kind === 'file') found.push({ name, stat })
      }
      body(
        parts,
        found.sort((one, other) => (one.stat.ctimeNs > other.stat.ctimeNs ? -1 : 1)),
      )
    } finally {
      parts.close()
    }
  })
}

/** Parts are only worth something while nothing is wrong with them. */
function quietly(body: () => void): void {
  try {
    body()
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
  }
}

function digits(bytes: Uint8Array, count: number): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, count)
}

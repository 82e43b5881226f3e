import { type AbsPath, privateName } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import type { Job } from '../../host/workers.js'
import { countOf } from '../../status/amounts.js'
import { countedMax } from '../../wire/text.js'
import { pairPrefixChars } from '../peer-pair.js'
import { ReplicaFailure } from '../replica.js'
import { dropFile, openRoot, privatePath, type RootPlace, readWhole } from './place.js'

/**
 * `.tandem/marker`: who a root is, whatever path it is found at. JSON, written aside and put in place in one step:
 *
 *     { "version": 1, "root": 32 hex digits, "generations": { pair id: number, ... } }
 *
 * History: 1 the first.
 */
export interface Marker {
  readonly rootId: string
  /** By pair: the last generation that a lead drew. */
  readonly generations: Readonly<Record<string, number>>
}

export const markerName = 'marker'
const markerVersion = 1
const markerBytesMax = 1 << 20

/**
 * Durably notes `generation` for `pair`. Jobs that change the marker of one root run in one lane.
 * @throws ReplicaFailure 'in-doubt', 'unwritable'
 */
export const setGenerationJob: Job<SetGeneration, void> = {
  name: 'set-generation',
  run(world, { place, pair, generation }) {
    const root = openRoot(world.files, place.root)
    try {
      const marker = checkRoot(root, place)
      const folder = root.openDirectory(privatePath)
      try {
        writeMarker(folder, { ...marker, generations: noted(marker.generations, pair, generation) })
      } catch (error) {
        if (!(error instanceof FileFailure)) throw error
        throw new ReplicaFailure('unwritable', place.root, error.message, error)
      } finally {
        folder.close()
      }
    } finally {
      root.close()
    }
  },
}

export interface SetGeneration {
  readonly place: RootPlace
  readonly pair: string
  readonly generation: number
}

/** The oldest of the pairs whose ids begin alike go: a peer that invents pairs forgets its own, and nobody else's. */
function noted(before: Marker['generations'], pair: string, generation: number): Marker['generations'] {
  const others = Object.entries(before).filter(([other]) => other !== pair)
  const isAlike = ([other]: readonly [string, number]) => other.startsWith(pair.slice(0, pairPrefixChars))
  const gone = new Set(others.filter(isAlike).slice(0, -pairsAlikeMax + 1))
  return Object.fromEntries([...others.filter((one) => !gone.has(one)), [pair, generation]])
}

/** Pairs of one peer with one root whose generations are kept. */
const pairsAlikeMax = 64

/** More than a lead ever comes to from what a peer may tell; what it draws after that still fits the 6 bytes of an archive. */
const generationMax = countedMax + 2 ** 32

/** ', and 3 files or directories stand there', of what is taken for another root. */
export function membersText(root: Directory): string {
  try {
    const count = root.names().filter((name) => name !== privateName).length
    if (count === 0) return ', and nothing else stands there'
    return `, and ${countOf(count)} ${count === 1 ? 'file or directory stands' : 'files or directories stand'} there`
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    return ''
  }
}

/** Ids as they are told: their beginnings. */
export function anotherRoot(found: string, expected: string): string {
  return `another root stands there: its marker has the id ${found.slice(0, 8)}, where ${expected.slice(0, 8)} is known`
}

/**
 * Reads the marker and compares its id: whether this directory is still the root that was opened. Asked before and after a
 * scan or a batch of removals, since a file system may be unmounted or exchanged at any time.
 * @throws ReplicaFailure 'in-doubt'
 */
export function checkRoot(root: Directory, expected: Pick<RootPlace, 'root' | 'rootId'>): Marker {
  const marker = readMarker(root, expected.root)
  if (marker === undefined)
    throw new ReplicaFailure('in-doubt', expected.root, `its marker .tandem/marker is gone${membersText(root)}`)
  if (marker.rootId !== expected.rootId) {
    const detail = anotherRoot(marker.rootId, expected.rootId) + membersText(root)
    throw new ReplicaFailure('in-doubt', expected.root, detail)
  }
  return marker
}

/**
 * The marker of the root, or undefined where there is none.
 * @throws ReplicaFailure 'in-doubt' when it is damaged, 'unreadable'
 */
export function readMarker(root: Directory, path: AbsPath): Marker | undefined {
  let text: string
  try {
    const folder = root.openDirectory(privatePath)
    try {
      text = readWhole(folder, markerName, markerBytesMax).toString('utf8')
    } finally {
      folder.close()
    }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    if (error.code === 'absent') return undefined
    throw new ReplicaFailure('unreadable', path, error.message, error)
  }
  const marker = parseMarker(text)
  if (marker === undefined)
    throw new ReplicaFailure('in-doubt', path, 'its marker .tandem/marker is damaged; remove it to begin afresh')
  return marker
}

/** Writes it aside, syncs it, puts it in place and syncs the folder: the old one or the new one, at every instant. */
export function writeMarker(folder: Directory, marker: Marker): void {
  const aside = `${markerName}.new`
  dropFile(folder, aside)
  const file = folder.createFile(aside, 0o600)
  try {
    const text = JSON.stringify({ version: markerVersion, root: marker.rootId, generations: marker.generations })
    file.write(Buffer.from(`${text}\n`, 'utf8'), 0)
    file.sync()
  } finally {
    file.close()
  }
  folder.replace(aside, markerName)
  folder.sync()
}

export function parseMarker(text: string): Marker | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (!('version' in value) || value.version !== markerVersion) return undefined
  if (!('root' in value) || typeof value.root !== 'string' || !/^[0-9a-f]{32}$/.test(value.root)) return undefined
  if (!('generations' in value) || typeof value.generations !== 'object' || value.generations === null) return undefined
  const generations: Record<string, number> = {}
  for (const [pair, generation] of Object.entries(value.generations)) {
    if (typeof generation !== 'number' || !Number.isSafeInteger(generation)) return undefined
    if (generation < 0 || generation > generationMax) return undefined
    generations[pair] = generation
  }
  return { rootId: value.root, generations }
}

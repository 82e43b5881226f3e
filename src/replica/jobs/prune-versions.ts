import type { Keep } from '../../core/keep.js'
import { nameOf, parentOf, type RelPath } from '../../core/path.js'
import { dayOf } from '../../core/version-name.js'
import { type Directory, FileFailure } from '../../host/files.js'
import type { Job } from '../../host/workers.js'
import { daysOf, type KeptFile, straysOf, versionsOfDay } from './kept-files.js'
import { dropEmptyDirectory, dropFile, goneCodes, openRoot, type RootPlace, readWhole, versionsPath } from './place.js'

export interface PruneVersions {
  readonly place: Pick<RootPlace, 'root'>
  readonly keep: Keep
  /** Bytes of versions that were kept since the last call. */
  readonly addedBytes: number
  /** undefined: any room will do. */
  readonly need: Need | undefined
}

/** Room that the file system should have for this process. */
export interface Need {
  readonly bytes: number
  /**
   * Something that needs so much found no room, whatever statfs says: there are quotas, and file systems that run out of inodes
   * first. Versions go only if they make enough, and then some more, so that the next one finds room too.
   */
  readonly refused: boolean
}

export interface Pruned {
  readonly files: number
  readonly bytes: number
  /** What is kept now, about. */
  readonly leftBytes: number
}

/**
 * Lets go of versions, the oldest first: those that are older than they need be, then what is more than may be kept, then what
 * stands in the way of a full disk. Everything is looked at only when there is cause to, or every few hours: what is kept is
 * counted in `versions/kept`, which may be lost. What is no version of ours is left alone. One at a time for a root.
 */
export const pruneVersionsJob: Job<PruneVersions, Pruned> = {
  name: 'prune-versions',
  run(world, { place, keep, addedBytes, need }) {
    const root = openRoot(world.files, place.root)
    try {
      const nowNs = world.clock.wallNs()
      const known = readCount(root)
      const ageNs = known === undefined ? undefined : nowNs - known.countedNs
      const isFresh = ageNs !== undefined && ageNs >= 0n && ageNs < everyNs
      const isShort = need !== undefined && (need.refused || root.space().freeBytes < need.bytes)
      if (known !== undefined && isFresh && !isShort && known.bytes + addedBytes <= keep.sizeBytes) {
        if (addedBytes > 0) writeCount(root, { ...known, bytes: known.bytes + addedBytes })
        return { files: 0, bytes: 0, leftBytes: known.bytes + addedBytes }
      }
      const pruning = new Pruning(root)
      const leftBytes = pruning.run(nowNs - BigInt(keep.ageMs) * 1_000_000n, keep.sizeBytes, need)
      writeCount(root, { countedNs: nowNs, bytes: leftBytes })
      return { files: pruning.files, bytes: pruning.bytes, leftBytes }
    } finally {
      root.close()
    }
  },
}

/** What goes at least when something was refused for want of room; and where there should have been room, so a quota is full. */
const refusedBytesLeast = 64 * 1024 ** 2
const roomBytesLeast = 1024 ** 2
/** Between two looks at everything. */
const everyNs = 6n * 3_600_000_000_000n

const dayOfFile = ({ untilNs }: KeptFile): string => dayOf(untilNs)

class Pruning {
  files = 0
  bytes = 0

  /** What lies beside the days, and is not removed yet. */
  private strays: readonly KeptFile[]

  constructor(private readonly root: Directory) {
    this.strays = straysOf(root)
  }

  /** Answers what is left, in bytes. */
  run(untilNs: bigint, sizeBytesMax: number, need: Need | undefined): number {
    const days: { readonly day: string; readonly bytes: number }[] = []
    for (const day of [...new Set([...daysOf(this.root), ...this.strays.map(dayOfFile)])].sort()) {
      const bytes = this.removeFrom(day, (files) => files.filter((file) => file.untilNs < untilNs))
      if (bytes > 0) days.push({ day, bytes })
    }
    let left = days.reduce((sum, { bytes }) => sum + bytes, 0)
    const shortBytes = need === undefined ? 0 : shortOf(need, this.root.space().freeBytes, left)
    const leastBytes = Math.max(0, Math.min(sizeBytesMax, left - shortBytes))
    for (const { day, bytes } of days) {
      if (left <= leastBytes) break
      const excessBytes = left - leastBytes
      left += this.removeFrom(day, (files) => oldestOf(files, excessBytes)) - bytes
    }
    return left
  }

  /** Removes what is chosen of a day; answers what stays, in bytes. */
  private removeFrom(day: string, choose: (files: readonly KeptFile[]) => readonly KeptFile[]): number {
    const directories: RelPath[] = []
    const named = [...versionsOfDay(this.root, day, (directory) => directories.push(directory))]
    const files = [...named, ...this.strays.filter((stray) => dayOfFile(stray) === day)]
    const chosen = choose(files)
    this.remove(chosen)
    const gone = new Set(chosen)
    this.strays = this.strays.filter((stray) => !gone.has(stray))
    if (chosen.length > 0 || named.length === 0) this.removeEmpty(directories)
    return sizeOf(files) - sizeOf(chosen)
  }

  private remove(files: readonly KeptFile[]): void {
    let here: { readonly path: RelPath; readonly directory: Directory } | undefined
    try {
      for (const { directory, name, stat } of files) {
        if (here?.path !== directory) {
          here?.directory.close()
          here = { path: directory, directory: this.root.openDirectory(directory) }
        }
        if (stat.kind === 'directory') dropEmptyDirectory(here.directory, name)
        else dropFile(here.directory, name)
        this.files++
        this.bytes += stat.sizeBytes
      }
    } finally {
      here?.directory.close()
    }
  }

  private removeEmpty(directories: readonly RelPath[]): void {
    for (const path of [...directories].sort().reverse()) {
      try {
        const parent = this.root.openDirectory(parentOf(path))
        try {
          dropEmptyDirectory(parent, nameOf(path))
        } finally {
          parent.close()
        }
      } catch (error) {
        if (!(error instanceof FileFailure) || !goneCodes.has(error.code)) throw error
      }
    }
  }
}

/** How much of what is kept, `keptBytes` in all, goes for want of room. */
function shortOf({ bytes, refused }: Need, freeBytes: number, keptBytes: number): number {
  if (!refused) return Math.max(0, bytes - freeBytes)
  if (freeBytes >= bytes + refusedBytesLeast) return bytes > keptBytes ? 0 : Math.max(bytes, roomBytesLeast)
  const missing = Math.max(0, bytes - freeBytes)
  return missing > keptBytes ? 0 : Math.max(missing, refusedBytesLeast)
}

/** The oldest that come to so many bytes, in the order of their directories. */
function oldestOf(files: readonly KeptFile[], bytes: number): readonly KeptFile[] {
  const byAge = [...files].sort((one, other) => (one.untilNs < other.untilNs ? -1 : 1))
  let taken = 0
  const end = byAge.findIndex(({ stat }) => {
    const isEnough = taken >= bytes
    taken += stat.sizeBytes
    return isEnough
  })
  const chosen = end < 0 ? byAge : byAge.slice(0, end)
  return chosen.sort((one, other) => (one.directory < other.directory ? -1 : 1))
}

const sizeOf = (files: readonly KeptFile[]) => files.reduce((sum, { stat }) => sum + stat.sizeBytes, 0)

interface Count {
  readonly countedNs: bigint
  readonly bytes: number
}

/** `versions/kept`: when everything was last looked at (nanoseconds since 1970), and the bytes that are kept, about. */
const countName = 'kept'

function readCount(root: Directory): Count | undefined {
  try {
    const versions = root.openDirectory(versionsPath)
    try {
      const parts = /^(\d{1,20}) (\d{1,15})\n$/.exec(readWhole(versions, countName, 64).toString('latin1'))
      return parts === null ? undefined : { countedNs: BigInt(parts[1] ?? 0), bytes: Number(parts[2]) }
    } finally {
      versions.close()
    }
  } catch (error) {
    if (!(error instanceof FileFailure) || !(error.code === 'absent' || goneCodes.has(error.code))) throw error
    return undefined
  }
}

function writeCount(root: Directory, { countedNs, bytes }: Count): void {
  const versions = root.openDirectory(versionsPath)
  try {
    const aside = `${countName}.new`
    dropFile(versions, aside)
    const file = versions.createFile(aside, 0o600)
    try {
      file.write(Buffer.from(`${countedNs} ${bytes}\n`, 'latin1'), 0)
    } finally {
      file.close()
    }
    versions.replace(aside, countName)
  } finally {
    versions.close()
  }
}

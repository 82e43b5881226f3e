import { inRoot, placeInRoot } from '../agent/past.js'
import { unreachable } from '../core/assert.js'
import { type AbsPath, absoluteOf, isReserved, type RelPath } from '../core/path.js'
import { FileFailure } from '../host/files.js'
import type { World } from '../host/workers.js'
import { type ListedVersions, listVersionsJob, type Version } from '../replica/jobs/list-versions.js'
import type { RootPlace } from '../replica/jobs/place.js'
import { copyOutJob, restoreJob } from '../replica/jobs/restore.js'
import { bytesText } from '../status/amounts.js'
import { escapeName } from '../status/escape.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { printLines, warn } from './output.js'
import type { RestoreCommand } from './program.js'
import { momentOf, momentText } from './time.js'
import { UsageFailure } from './usage.js'
import { openWorld, pathHere } from './world.js'

/** `tandem restore PATH`: 0 when it is back, 1 when there is nothing to bring back, or several and none was named. */
export async function runRestore(line: RestoreCommand): Promise<ExitCode> {
  const world = await openWorld()
  const atNs = line.at === undefined ? undefined : momentOf(line.at, Date.now())
  if (line.at !== undefined && atNs === undefined)
    throw new UsageFailure(
      `--at ${line.at} is no time; write 2026-11-22 14:30, 14:30 of today, or 2h for two hours ago`,
    )
  const given = pathHere(line.path)
  const found = placeInRoot(world.files, given)
  if (found === undefined) throw new UsageFailure(`${given} is in no root: no directory above it has a .tandem/marker`)
  return inRoot(world, found.root, (place) => {
    const listed = listVersionsJob.run(world, found)
    if (listed.own.length === 0 && line.to === undefined)
      printLines(listed.strays.map((stray) => strayLine(found.root, stray)))
    if (listed.own.length === 0 && listed.below.length === 0) {
      warn(`no version of ${escapeName(given)} is kept: see tandem log ${escapeName(line.path)}`)
      return exitCodes.skipped
    }
    if (listed.own.length > 0) return restoreFile(world, place, found.path, listed.own, atNs, line)
    if (line.to !== undefined) throw new UsageFailure('--to is for one file, and this is a directory')
    return restoreBelow(world, place, chosenBelow(listed, atNs))
  })
}

function restoreFile(
  world: World,
  place: RootPlace,
  path: RelPath,
  versions: readonly Version[],
  atNs: bigint | undefined,
  line: RestoreCommand,
): ExitCode {
  if (atNs === undefined && versions.length > 1) {
    printLines(versions.map(versionLine))
    warn(`there are ${versions.length} versions: say which with --at and the time of its line`)
    return exitCodes.skipped
  }
  const version = atNs === undefined ? versions[0] : versionOn(versions, atNs)
  if (version === undefined) {
    warn(`nothing has taken its place since then: it is as it was, or nobody but its user has changed it`)
    return exitCodes.skipped
  }
  if (line.to === undefined && isReserved(path))
    throw new UsageFailure('where this was nobody can tell any more: say with --to where it is to go')
  if (line.to !== undefined) return copyOut(world, place.root, version, pathHere(line.to))
  return restored(world, place, path, version) ? exitCodes.inSync : exitCodes.failures
}

/** What was there at a moment is what took leave of the path first after it. */
function versionOn(versions: readonly Version[], atNs: bigint): Version | undefined {
  return versions.findLast(({ untilNs }) => untilNs >= atNs)
}

/** Of each path below a directory: as it was at a moment; else the last one, where nothing is now. */
export function chosenBelow({ below, present }: ListedVersions, atNs: bigint | undefined): Version[] {
  const byPath = new Map<RelPath, Version[]>()
  for (const version of below) byPath.set(version.path, [...(byPath.get(version.path) ?? []), version])
  const isThere = new Set(present)
  return [...byPath.values()].flatMap((versions) => {
    const [newest] = versions
    const version = atNs === undefined ? newest : versionOn(versions, atNs)
    return version === undefined || (atNs === undefined && isThere.has(version.path)) ? [] : [version]
  })
}

function restoreBelow(world: World, place: RootPlace, versions: readonly Version[]): ExitCode {
  if (versions.length === 0) {
    warn('everything of which a version is kept is there: name a file, or a time with --at')
    return exitCodes.skipped
  }
  const failed = versions.filter((version) => !restored(world, place, version.path, version))
  return failed.length === 0 ? exitCodes.inSync : exitCodes.failures
}

function restored(world: World, place: RootPlace, path: RelPath, version: Version): boolean {
  const shown = escapeName(absoluteOf(place.root, path))
  try {
    const result = restoreJob.run(world, { place, kept: version.kept, path })
    switch (result) {
      case 'restored':
        printLines([`${shown}: as it was until ${momentText(version.untilNs)} (${bytesText(version.sizeBytes)})`])
        return true
      case 'changing':
        warn(`${shown}: somebody changes it all the time; nothing was done`)
        return false
      case 'directory':
        warn(`${shown}: a directory is there now; name another place with --to`)
        return false
      default:
        return unreachable(result)
    }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    warn(`${shown}: ${escapeName(error.message)}`)
    return false
  }
}

function copyOut(world: World, root: AbsPath, version: Version, to: AbsPath): ExitCode {
  copyOutJob.run(world, { root, kept: version.kept, to })
  printLines([`${escapeName(to)}: as it was until ${momentText(version.untilNs)} (${bytesText(version.sizeBytes)})`])
  return exitCodes.inSync
}

/** What is kept of a path that nobody can tell any more, and how it is taken out. */
export function strayLine(root: AbsPath, { untilNs, kept, kind, sizeBytes }: Version): string {
  const what = kind === 'symlink' ? 'a link' : bytesText(sizeBytes)
  const shown = escapeName(absoluteOf(root, kept))
  return `${momentText(untilNs)}  kept        ${shown}  (${what}), of a path that nobody can tell any more: --to FILE copies it`
}

/** '2026-11-22 14:30:12.345  12.3 KiB  written 2026-11-20 09:00:00.000' */
function versionLine({ untilNs, sizeBytes, mtimeNs, kind }: Version): string {
  const what = kind === 'symlink' ? 'a link' : bytesText(sizeBytes)
  return `${momentText(untilNs)}  ${what.padStart(10)}  written ${momentText(mtimeNs)}`
}

import { readFileSync } from 'node:fs'
import { homedir, release } from 'node:os'
import type { StatusAnswer } from '../agent/control-types.js'
import { programVersion } from '../agent/version.js'
import { type FileConfig, readConfigFile } from '../config/file.js'
import { stateDirectory } from '../config/state.js'
import type { Durability } from '../core/durability.js'
import { Failure } from '../core/failure.js'
import { type AbsPath, absPath, directoryOf, privateName } from '../core/path.js'
import { hasJournal } from '../host/node/ext4-journal.js'
import type { World } from '../host/workers.js'
import { closeRootJob, openRootJob } from '../replica/jobs/open-root.js'
import { type DiskFacts, diskText, durabilityFaults } from '../status/durability-faults.js'
import { escapeName, escapeText } from '../status/escape.js'
import { answerFrom, askAgent } from './control-client.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { printLines } from './output.js'
import type { DoctorCommand } from './program.js'
import { openWorld, pathHere } from './world.js'

/**
 * `tandem doctor`: what this machine and its roots can do, and where they cannot keep what tandem promises. Names no secret and
 * reads no key; changes nothing but probes in the private folder of a root. 0 when all is well, 1 when something is weaker.
 */
export async function runDoctor(line: DoctorCommand): Promise<ExitCode> {
  const around = { env: process.env, homeDirectory: homedir(), workingDirectory: process.cwd() }
  const stateDir = stateDirectory(line.stateDir, around)
  printLines([
    `tandem ${programVersion()}, Node ${process.versions.node}, ${process.platform} ${release()} ${process.arch}`,
    ...limitLines(),
  ])
  let world: World
  try {
    world = await openWorld()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    printLines([`koffi cannot be loaded, so no root can be written: ${escapeText(error.message)}`])
    return exitCodes.skipped
  }
  let isWeak = false
  const tell = (title: string, lines: readonly string[], faults: readonly string[]) => {
    isWeak ||= faults.length > 0
    printLines([title, ...lines.map((text) => `  ${text}`), ...faults.map((fault) => `  ! ${fault}`)])
  }
  // The stores in it are always synced.
  examine(world, `state directory ${escapeName(stateDir)}`, stateDir, 'power-loss', tell)
  const agent = await agentAt(stateDir)
  if (agent === undefined) tell('no agent is at work with this state directory', [], [])
  else tell(`agent ${agent.agent.pid}: tandem ${agent.agent.command}, ${agent.agent.program}`, pairLines(agent), [])
  for (const [root, durability] of await rootsOf(line, agent, around.homeDirectory))
    examine(world, `root ${escapeName(root)}`, root, durability, tell)
  return isWeak ? exitCodes.skipped : exitCodes.inSync
}

type Tell = (title: string, lines: readonly string[], faults: readonly string[]) => void

function examine(world: World, title: string, path: AbsPath, durability: Durability, tell: Tell): void {
  try {
    const facts = { ...factsOf(world, examined(world, path)), durability }
    tell(title, [diskText(facts)], durabilityFaults(facts))
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    tell(title, [], [escapeText(error.message)])
  }
}

/** The private folder of a root that is a file lies beside it. @throws FileFailure */
function examined({ files }: World, path: AbsPath): AbsPath {
  if (files.statPath(path)?.kind !== 'file') return path
  return directoryOf(files.realPath(path))
}

/** @throws FileFailure, ReplicaFailure */
function factsOf(world: World, path: AbsPath): Omit<DiskFacts, 'durability'> {
  const directory = world.files.openDirectory(path)
  try {
    const { freeBytes, filesystem } = directory.space()
    const isRoot = directory.statAt(privateName) !== undefined
    const abilities = isRoot ? abilitiesOf(world, path) : undefined
    const { kernel, platform } = world.machine
    const mount = mountOf(world.files.realPath(path))
    const journal = hasJournal(directory.stat().device)
    return { filesystem, freeBytes, mount, abilities, kernel, platform, journal }
  } finally {
    directory.close()
  }
}

/** Found by trying, in a folder of its own beside that of any agent. */
function abilitiesOf(world: World, root: AbsPath): DiskFacts['abilities'] {
  const folder = `${world.machine.pid}-${Buffer.from(world.random.bytes(8)).toString('hex')}`
  const { abilities } = openRootJob.run(world, { root, folder, locks: undefined, create: false })
  closeRootJob.run(world, { root, folder })
  return abilities
}

/** The mount that holds the path, as /proc/self/mounts tells it; spaces in it stand as \040. */
function mountOf(path: AbsPath): DiskFacts['mount'] {
  let found: { readonly at: string; readonly type: string; readonly options: readonly string[] } | undefined
  for (const line of readText('/proc/self/mounts').split('\n')) {
    const [, at, type, options] = line.split(' ').map((field) => field.replaceAll('\\040', ' '))
    if (at === undefined || type === undefined || options === undefined) continue
    const holds = at === '/' || path === at || path.startsWith(`${at}/`)
    // Of two at one place the later one is seen.
    if (holds && (found === undefined || at.length >= found.at.length))
      found = { at, type, options: options.split(',') }
  }
  return found
}

function limitLines(): string[] {
  const inotify = '/proc/sys/fs/inotify'
  const watches = readText(`${inotify}/max_user_watches`).trim()
  const instances = readText(`${inotify}/max_user_instances`).trim()
  const queued = readText(`${inotify}/max_queued_events`).trim()
  const files = /^Max open files +(\d+|unlimited)/m.exec(readText('/proc/self/limits'))?.[1]
  return [
    ...(watches === ''
      ? []
      : [`inotify: ${watches} directories, ${instances} instances, ${queued} events in the queue`]),
    ...(files === undefined ? [] : [`open files: ${files}`]),
  ]
}

/** What is not there says nothing. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    return ''
  }
}

async function agentAt(stateDir: AbsPath): Promise<StatusAnswer | undefined> {
  try {
    return answerFrom<StatusAnswer>(await askAgent(stateDir, { method: 'GET', path: '/v1/status', timeoutMs: 5_000 }))
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return undefined
  }
}

function pairLines({ pairs, served }: StatusAnswer): string[] {
  return [
    ...pairs.map(({ name, alpha, beta, state }) => escapeText(`${name}: ${alpha} and ${beta}, ${state}`)),
    ...served.map(({ name, path }) => escapeText(`${name}: serves ${path}`)),
  ]
}

/** The roots of this machine: those that were named, those of the agent, those of the file, and what the file asks of them. */
async function rootsOf(
  line: DoctorCommand,
  agent: StatusAnswer | undefined,
  homeDirectory: string,
): Promise<ReadonlyMap<AbsPath, Durability>> {
  const roots = new Map<AbsPath, Durability>()
  for (const root of line.roots) roots.set(pathHere(root), 'power-loss')
  if (line.config === undefined) addFrom(await fileOf(agent, homeDirectory), roots)
  else addFrom(await readConfigFile(line.config, homeDirectory), roots)
  const texts = (agent?.pairs ?? []).flatMap(({ alpha, beta }) => [alpha, beta]).filter((text) => text.startsWith('/'))
  for (const text of [...texts, ...(agent?.served ?? []).map(({ path }) => path)]) {
    const root = absPath(text)
    if (!roots.has(root)) roots.set(root, 'power-loss')
  }
  return roots
}

function addFrom({ pairs, serves }: Pick<FileConfig, 'pairs' | 'serves'>, roots: Map<AbsPath, Durability>): void {
  // Where two say it otherwise the first who uses the root decides: the weaker is told.
  const add = (root: AbsPath, durability: Durability = 'power-loss') => {
    if (roots.get(root) !== 'process') roots.set(root, durability)
  }
  for (const { path, durability } of serves) add(path, durability)
  for (const { alpha, beta, preferences } of pairs)
    for (const root of [alpha, beta]) if (root.kind === 'local') add(root.path, preferences.durability)
}

/** What the agent follows; nothing where it has no file, or one that cannot be read any more. */
async function fileOf(
  agent: StatusAnswer | undefined,
  homeDirectory: string,
): Promise<Pick<FileConfig, 'pairs' | 'serves'>> {
  const file = agent?.agent.config ?? undefined
  if (file === undefined) return { pairs: [], serves: [] }
  try {
    return await readConfigFile(file, homeDirectory)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { pairs: [], serves: [] }
  }
}

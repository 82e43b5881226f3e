import type { Assignment } from '../config/assignment.js'
import { type Config, ConfigFailure, type RootConfig } from '../config/config.js'
import { keptEqual } from '../config/kept-equal.js'
import { flagOf, type NamedRoot, parsePreferences } from '../config/parse-preferences.js'
import type { Preferences } from '../config/preferences.js'
import { readProfile } from '../config/profile.js'
import { realPlace } from '../config/real-place.js'
import { rootConfigOf } from '../config/remote-root.js'
import { parseRoot } from '../config/root.js'
import { readSecret } from '../config/secret.js'
import { makeStateDirectory, type Surroundings, stateDirectory } from '../config/state.js'
import { type AbsPath, BadPath, type RelPath, relPath } from '../core/path.js'
import type { PairCommand } from './program.js'
import { UsageFailure } from './usage.js'

export interface PairSetting {
  readonly config: Config
  /** As typed, for messages. */
  readonly alpha: string
  readonly beta: string
  readonly preferences: Preferences
  readonly logFile: string | undefined
  /** Paths at which what stands now is to stay, whatever file system it is on. */
  readonly accept: readonly RelPath[]
  /** Only look whether the roots can be reached. */
  readonly testServer: boolean
}

/**
 * Everything that `sync` and `watch` were told, checked: profile first, command line over it. Makes the state directory.
 * @throws ConfigFailure, UsageFailure
 */
export function pairSetting(line: PairCommand, around: Surroundings): PairSetting {
  const given = [...(line.profile === undefined ? [] : readProfile(line.profile)), ...line.preferences]
  const [alpha, beta] = rootsOf(line, given, around)
  const stated = mirrored(line, given, parsePreferences(given, alpha, beta))
  const preferences = line.command === 'watch' || stated.repeat.kind !== 'once' ? keptEqual(stated) : stated
  if (line.dryRun && preferences.repeat.kind !== 'once')
    throw new UsageFailure('--dry-run is one pass; leave out --repeat')
  const accept = acceptedPaths(line, preferences)
  const stateDir = stateDirectory(line.stateDir, around)
  // Before it is made: inside a root it would already be a change.
  for (const root of [alpha, beta]) refuseWithin(stateDir, root)
  const config: Config = {
    pairs: [
      {
        name: `${alpha.given} ${beta.given}`,
        alpha: rootConfig(alpha, line, given),
        beta: rootConfig(beta, line, given),
        preferences,
        ignoreArchives: flagOf(
          given.findLast((one) => one.name === 'ignorearchives'),
          false,
        ),
      },
    ],
    serves: [],
    listen: [],
    peers: [],
    stateDir,
  }
  makeStateDirectory(stateDir)
  const testServer = flagOf(
    given.findLast((one) => one.name === 'testserver'),
    false,
  )
  return { config, alpha: alpha.given, beta: beta.given, preferences, logFile: logFileOf(given), accept, testServer }
}

/** @throws UsageFailure */
function acceptedPaths({ accept, confirm, dryRun }: PairCommand, { repeat }: Preferences): readonly RelPath[] {
  if (accept.length === 0) {
    if (confirm) throw new UsageFailure('--confirm goes with --accept')
    return []
  }
  if (dryRun)
    throw new UsageFailure('--accept changes what is agreed, and a dry run changes nothing: leave one of them out')
  if (repeat.kind !== 'once')
    throw new UsageFailure('--accept is for one pass; what keeps at work is told by tandem rescan --accept')
  return accept.map((path) => {
    try {
      if (path !== '') return relPath(path)
    } catch (error) {
      if (!(error instanceof BadPath)) throw error
    }
    throw new UsageFailure(
      `--accept ${path} is no path in the roots; write it as tandem shows it, with no leading slash`,
    )
  })
}

/** Where the log goes: `logfile`, unless `log` is off. */
export function logFileOf(given: readonly Assignment[]): string | undefined {
  const on = flagOf(
    given.findLast((one) => one.name === 'log'),
    true,
  )
  const file = given.findLast((one) => one.name === 'logfile')
  if (file?.value === '') throw new ConfigFailure('bad-preference', `${file.from}: logfile needs the name of a file`)
  return on ? file?.value : undefined
}

function refuseWithin(stateDir: AbsPath, root: NamedRoot): void {
  if (root.spec.kind !== 'local') return
  const outer = realPlace(root.spec.path)
  const inner = realPlace(stateDir)
  if (inner === outer || inner.startsWith(outer === '/' ? outer : `${outer}/`))
    throw new ConfigFailure(
      'bad-root',
      `${root.given}: the state directory ${stateDir} lies in this root and would be synchronized; name another with --state-dir`,
    )
}

/** `--mirror` is `force` with the first root, and cannot stand beside another one. */
function mirrored({ mirror }: PairCommand, given: readonly Assignment[], stated: Preferences): Preferences {
  if (!mirror) return stated
  const other = given.findLast((one) => one.name === 'force')
  if (other !== undefined && stated.force !== 'alpha')
    throw new UsageFailure(`--mirror forces the first root; ${other.from} forces ${other.value}: leave one of them out`)
  return { ...stated, force: 'alpha' }
}

function rootsOf(line: PairCommand, given: readonly Assignment[], around: Surroundings): [NamedRoot, NamedRoot] {
  const typed = line.preferences.filter((one) => one.name === 'root').map((one) => one.value)
  const profiled = given.filter((one) => one.name === 'root').map((one) => one.value)
  const texts = line.roots.length > 0 ? line.roots : typed.length > 0 ? typed : profiled
  const [one, two] = texts
  if (one === undefined || two === undefined || texts.length !== 2)
    throw new ConfigFailure(
      'bad-root',
      `${line.profile ?? 'command line'}: root is needed exactly twice, it is given ${texts.length} times`,
    )
  const alpha = { given: one, spec: parseRoot(one, around.workingDirectory) }
  const beta = { given: two, spec: parseRoot(two, around.workingDirectory) }
  if (alpha.spec.kind !== 'local' && beta.spec.kind !== 'local')
    throw new ConfigFailure('bad-root', `${one} and ${two}: one of the roots must be on this machine`)
  return [alpha, beta]
}

export function rootConfig(
  root: NamedRoot,
  { secretFile, insecure }: Pick<PairCommand, 'secretFile' | 'insecure'>,
  given: readonly Assignment[],
): RootConfig {
  const secret = () => {
    if (secretFile === undefined)
      throw new UsageFailure(`${root.given} needs a key: --secret-file FILE, as tandem keygen made it`)
    return readSecret(secretFile)
  }
  return rootConfigOf(root.spec, { secret, insecure, given })
}

import { Command, CommanderError } from 'commander'
import { programVersion } from '../agent/version.js'
import type { Assignment } from '../config/assignment.js'
import { closest } from '../config/closest.js'
import { ConfigFailure } from '../config/config.js'
import { builtPreferences, type PreferenceKind } from '../config/preferences-table.js'
import { splitArguments } from './arguments.js'
import { UsageFailure } from './usage.js'

/** What was asked for, with nothing looked at yet. */
export type CommandLine =
  | PairCommand
  | RunCommand
  | StdioCommand
  | ControlCommand
  | KeygenCommand
  | InviteCommand
  | JoinCommand
  | PeersCommand
  | CheckCommand
  | LogCommand
  | RestoreCommand
  | DoctorCommand
  | { readonly command: 'print'; readonly text: string }

export interface PairCommand {
  readonly command: 'sync' | 'watch'
  /** None where a profile is to name them. */
  readonly roots: readonly string[]
  readonly preferences: readonly Assignment[]
  readonly stateDir: string | undefined
  readonly profile: string | undefined
  readonly secretFile: string | undefined
  /** ws:// may be used. */
  readonly insecure: boolean
  readonly dryRun: boolean
  /** Events on standard output, one object a line, and nothing else. */
  readonly json: boolean
  /** Force the first root. */
  readonly mirror: boolean
  /** Paths at which a file system came or went, and what stands there now is to stay; whatever other pairs make of it. */
  readonly accept: readonly string[]
  readonly confirm: boolean
}

/** `run`: the pairs and the served roots of a file; `serve`: only the latter. */
export interface RunCommand {
  readonly command: 'run' | 'serve'
  readonly config: string
  /** Events on standard output, as JSON. */
  readonly json: boolean
  readonly preferences: readonly Assignment[]
  readonly stateDir: string | undefined
}

/** What is asked of the agent that is at work with the state directory. */
export interface ControlCommand {
  readonly command: 'status' | 'conflicts' | 'flush' | 'pause' | 'resume' | 'rescan' | 'stop'
  /** undefined: all of them. */
  readonly pair: string | undefined
  readonly json: boolean
  readonly timeoutSeconds: number
  /** Removals that are held may be made. */
  readonly confirm: boolean
  /** What stands at this path is to stay: a file system came or went there. */
  readonly accept: string | undefined
  readonly stateDir: string | undefined
}

/** `serve --stdio`: whoever started it as this user, as ssh does. */
export interface StdioCommand {
  readonly command: 'stdio'
  readonly preferences: readonly Assignment[]
  readonly stateDir: string | undefined
}

export interface KeygenCommand {
  readonly command: 'keygen'
  readonly name: string
  readonly out: string
}

export interface InviteCommand {
  readonly command: 'invite'
  /** Of the peer to be. */
  readonly name: string
  readonly root: string
  readonly config: string
  readonly readOnly: boolean
  readonly expiresSeconds: number
  /** Where to listen, if the configuration does not say. */
  readonly listen: string | undefined
  /** What the line says in place of the address that is listened at. */
  readonly address: string | undefined
  readonly stateDir: string | undefined
}

export interface JoinCommand {
  readonly command: 'join'
  /** '-': the first line of standard input. */
  readonly line: string
  readonly root: string
  readonly config: string
  readonly stateDir: string | undefined
}

export interface PeersCommand {
  readonly command: 'peers'
  /** undefined: all are listed. */
  readonly revoke: string | undefined
  readonly config: string
  readonly stateDir: string | undefined
}

export interface CheckCommand {
  readonly command: 'check'
  readonly root: string
  readonly secretFile: string | undefined
  readonly insecure: boolean
  readonly preferences: readonly Assignment[]
}

/** What was done to a path. */
export interface LogCommand {
  readonly command: 'log'
  /** undefined: the root that holds the working directory. */
  readonly path: string | undefined
  readonly json: boolean
}

/** A version that was replaced or removed comes back. */
export interface RestoreCommand {
  readonly command: 'restore'
  readonly path: string
  readonly at: string | undefined
  /** Somewhere else. */
  readonly to: string | undefined
}

/** What this machine and its roots can do. */
export interface DoctorCommand {
  readonly command: 'doctor'
  readonly roots: readonly string[]
  readonly config: string | undefined
  readonly stateDir: string | undefined
}

/** Commands that are planned: no root is taken for one of them by mistake. */
const toCome = ['monitor', 'resolve', 'why']
const controls = ['status', 'conflicts', 'flush', 'pause', 'resume', 'rescan', 'stop']
const commands = [
  'sync',
  'watch',
  'run',
  'serve',
  ...controls,
  'log',
  'restore',
  'doctor',
  'keygen',
  'invite',
  'join',
  'peers',
  'check',
]

/**
 * Reads a command line, without the program's own name.
 * @throws UsageFailure, ConfigFailure 'not-built'
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const { preferences, rest } = splitArguments(argv)
  const first = rest[0]
  if (first !== undefined && toCome.includes(first))
    throw new ConfigFailure(
      'not-built',
      `the command '${first}' is known, but this version of tandem does not have it yet (a root of that name is written ./${first})`,
    )
  const parsed: { line: CommandLine | undefined; printed: string } = { line: undefined, printed: '' }
  const program = programWith(preferences, (line) => {
    parsed.line = line
  })
  for (const one of [program, ...program.commands])
    one.exitOverride().configureOutput({ writeOut: (text) => (parsed.printed += text), writeErr: () => {} })
  try {
    program.parse(rest, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { command: 'print', text: parsed.printed }
    throw new UsageFailure(error.message.replace(/^error: /, ''))
  }
  if (parsed.line === undefined) throw new UsageFailure('nothing to do; see tandem --help')
  return parsed.line
}

interface ResidentOptions {
  readonly config?: string
  readonly json?: boolean
  readonly stateDir?: string
  readonly stdio?: boolean
}

interface PairOptions {
  readonly stateDir?: string
  readonly profile?: string
  readonly secretFile?: string
  readonly insecure?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
  readonly mirror?: boolean
  readonly accept?: readonly string[]
  readonly confirm?: boolean
}

function programWith(preferences: readonly Assignment[], found: (line: CommandLine) => void): Command {
  const program = new Command('tandem')
    .description('Keeps two directory trees equal and loses no version of anything.')
    .version(programVersion(), '--version', 'print the version and exit')
    .helpOption('-h, --help', 'print help and exit')
    .helpCommand(false)
    .addHelpText('after', helpAfter())

  const pairCommand = (command: 'sync' | 'watch', roots: string[], options: PairOptions) =>
    found({
      command,
      roots: checkedRoots(roots, options.profile, preferences),
      preferences,
      stateDir: options.stateDir,
      profile: options.profile,
      secretFile: options.secretFile,
      insecure: options.insecure === true,
      dryRun: options.dryRun === true,
      json: options.json === true,
      mirror: options.mirror === true,
      accept: options.accept ?? [],
      confirm: options.confirm === true,
    })
  const withPairOptions = (command: Command) =>
    command
      .argument('[ROOT1]', 'a path, wss://host[:port]/name, ssh://[user@]host[:port]/path or socket://{path}/name')
      .argument('[ROOT2]', 'the other one')
      .allowExcessArguments(true)
      .option('--state-dir <DIR>', 'where archives are kept (default ~/.local/state/tandem)')
      .option('--profile <FILE>', "preferences from a file, one 'name = value' a line")
      .option('--secret-file <FILE>', 'the key for a wss:// root, as tandem keygen made it')
      .option('--insecure', 'allow ws://, a connection inside this machine that is not encrypted')
      .option('--json', 'print events as JSON, one object a line (docs/events.md); asks nothing')
      .option('--mirror', 'make the second root like the first, whatever changed there: -force ROOT1')

  withPairOptions(program.command('sync', { isDefault: true }))
    .description('one pass, then exit; also plain: tandem ROOT1 ROOT2')
    .option('--dry-run', 'print the plan and change nothing')
    .option('--accept <PATH>', 'where a file system came or went in a root, what is there now is to stay', oneMore, [])
    .option('--confirm', 'with --accept: whatever other pairs of that root make of it')
    .action((_one, _two, options: PairOptions, self: Command) => pairCommand('sync', self.args, options))
  withPairOptions(program.command('watch'))
    .description('keep them equal until stopped')
    .action((_one, _two, options: PairOptions, self: Command) => pairCommand('watch', self.args, options))
  const resident = (command: 'run' | 'serve', description: string) =>
    program
      .command(command)
      .description(description)
      .option('--config <FILE>', 'the configuration file, as config.example.toml')
      .option('--state-dir <DIR>', 'where archives and indices are kept (default ~/.local/state/tandem)')
      .option('--json', 'print events as JSON, one object a line (docs/events.md)')
      .action((options: ResidentOptions) => {
        refuseOther(preferences, ['log', 'logfile'], command)
        const { config, json = false, stdio = false, stateDir } = options
        if (stdio && config !== undefined)
          throw new UsageFailure('--stdio takes no --config: what is asked for is served')
        if (stdio) found({ command: 'stdio', preferences, stateDir })
        else if (config === undefined)
          throw new UsageFailure(`tandem ${command} needs --config FILE, as config.example.toml`)
        else found({ command, config, json, preferences, stateDir })
      })
  resident('run', 'keep every pair of a configuration file equal, and serve its roots, until stopped')
  resident('serve', 'serve the roots of a configuration file to its peers, and nothing else').option(
    '--stdio',
    'serve whoever started it over its standard streams: what ssh:// runs on the other machine',
  )
  withControls(program, preferences, found)
  withVersions(program, preferences, found)
  withDoctor(program, preferences, found)
  program
    .command('keygen')
    .description('make a key for a peer')
    .argument('<NAME>', "the peer's name, which it shows when it connects")
    .requiredOption('--out <FILE>', 'the key file to make; it must not exist')
    .action((name: string, options: { readonly out: string }) => {
      refuseOther(preferences, [], 'keygen')
      found({ command: 'keygen', name, out: options.out })
    })
  withPairing(program, preferences, found)
  return program
}

/** An option that may be given more than once. */
function oneMore(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

/** Commands that make and end the trust between two agents, and that look whether it is there. */
function withPairing(program: Command, preferences: readonly Assignment[], found: (line: CommandLine) => void): void {
  const configured = (command: Command) =>
    command
      .requiredOption('--config <FILE>', 'the configuration file; it is made if it is not there')
      .option('--state-dir <DIR>', 'that of the agent (default ~/.local/state/tandem)')
  configured(program.command('invite'))
    .description('let another machine join a root of this one: prints a line for tandem join, good for once')
    .argument('<NAME>', 'what the other machine is called here')
    .addHelpText('after', '\n  --root PATH is the directory')
    .option('--read-only', 'it may read the root and not change it')
    .option('--expires <TIME>', 'how long the line is good for: 90s, 10m (the default), 2h, 1d')
    .option('--listen-at <ADDRESS>', 'where to listen, if the configuration does not say (default 127.0.0.1:4242)')
    .option('--address <ADDRESS>', 'how the other machine reaches this one, if not at the address that is listened at')
    .action((name: string, options: InviteOptions) => {
      refuseOther(preferences, ['root'], 'invite')
      const { config, readOnly = false, expires, listenAt: listen, address, stateDir } = options
      const root = preferences[0]?.value
      if (root === undefined || preferences.length > 1) throw new UsageFailure('tandem invite needs one --root PATH')
      const expiresSeconds = lifeOf(expires)
      found({ command: 'invite', name, root, config, readOnly, expiresSeconds, listen, address, stateDir })
    })
  configured(program.command('join'))
    .description('use the line that tandem invite printed on another machine')
    .argument('<LINE>', 'that line; - reads it from standard input')
    .argument('<ROOT>', 'the directory here')
    .action((line: string, root: string, { config, stateDir }: ConfiguredOptions) => {
      refuseOther(preferences, [], 'join')
      found({ command: 'join', line, root, config, stateDir })
    })
  configured(program.command('peers'))
    .description('who may use what is served here; peers revoke NAME ends an access at once')
    .argument('[revoke]', 'ends an access')
    .argument('[NAME]', 'of whom')
    .action((word: string | undefined, name: string | undefined, { config, stateDir }: ConfiguredOptions) => {
      refuseOther(preferences, [], 'peers')
      if (word !== undefined && (word !== 'revoke' || name === undefined))
        throw new UsageFailure('it is tandem peers, or tandem peers revoke NAME')
      found({ command: 'peers', revoke: name, config, stateDir })
    })
  program
    .command('check')
    .description('connect to a root, tell what is there, and end; nothing is changed')
    .argument('<ROOT>', 'as for sync')
    .option('--secret-file <FILE>', 'the key for a wss:// root')
    .option('--insecure', 'allow ws://')
    .action((root: string, { secretFile, insecure = false }: PairOptions) => {
      refuseOther(preferences, ['sshcmd', 'sshargs', 'servercmd'], 'check')
      found({ command: 'check', root, secretFile, insecure, preferences })
    })
}

interface ConfiguredOptions {
  readonly config: string
  readonly stateDir?: string
}

interface InviteOptions extends ConfiguredOptions {
  readonly readOnly?: boolean
  readonly expires?: string
  readonly listenAt?: string
  readonly address?: string
}

const lifeDefaultSeconds = 600
const lifeMostSeconds = 7 * 86_400

function lifeOf(text: string | undefined): number {
  if (text === undefined) return lifeDefaultSeconds
  const [, count, unit = 's'] = /^(\d{1,6})([smhd])?$/.exec(text) ?? []
  const seconds = Number(count) * ({ s: 1, m: 60, h: 3_600, d: 86_400 }[unit] ?? Number.NaN)
  if (!(seconds > 0 && seconds <= lifeMostSeconds))
    throw new UsageFailure('--expires is a time as 90s, 10m, 2h or 1d, at most 7d')
  return seconds
}

/** Commands for the agent that is at work. */
function withControls(program: Command, preferences: readonly Assignment[], found: (line: CommandLine) => void): void {
  const control = (command: ControlCommand['command'], description: string, takesPair = true) => {
    const made = program
      .command(command)
      .description(description)
      .option('--state-dir <DIR>', 'that of the agent (default ~/.local/state/tandem)')
    if (takesPair) made.argument('[PAIR]', 'the name of the pair; without it, all of them')
    made.action((...given: unknown[]) => {
      refuseOther(preferences, [], command)
      const [pair] = made.args
      const options: ControlOptions = made.opts()
      const { json = false, confirm = false, accept, stateDir } = options
      if (command === 'rescan' && confirm && accept === undefined)
        throw new UsageFailure('--confirm goes with --accept')
      const timeoutSeconds = secondsOf(options.timeout)
      if (given.length > 0) found({ command, pair, json, timeoutSeconds, confirm, accept, stateDir })
    })
    return made
  }
  const json = ['--json', 'one JSON object on standard output'] as const
  control('status', 'what the agent is doing, a line for each pair', false).option(...json)
  control('conflicts', 'what is in conflict or has a problem, and why').option(...json)
  control('flush', 'wait until everything written so far is on the other side')
    .option('--timeout <SECONDS>', 'give up after that (default 60)')
    .option(...json)
  control('pause', 'finish the cycle in progress and begin no other, until resumed')
  control('resume', 'go on after a pause').option('--confirm', 'make the removals that are held')
  control('rescan', 'look at both roots as a whole')
    .option('--accept <PATH>', 'where a file system came or went in a root, what is there now is to stay')
    .option('--confirm', 'with --accept: whatever other pairs of that root make of it')
  control('stop', 'end the agent; waits until it has ended', false).option(
    '--timeout <SECONDS>',
    'wait no longer than that (default 60)',
  )
}

function withDoctor(program: Command, preferences: readonly Assignment[], found: (line: CommandLine) => void): void {
  program
    .command('doctor')
    .description('what this machine and its roots can do, and where a power cut could take what was agreed')
    .argument('[ROOT...]', 'roots of this machine; those of the agent and of the file are looked at anyway')
    .option('--config <FILE>', 'a configuration file, whose roots are looked at')
    .option('--state-dir <DIR>', 'that of the agent (default ~/.local/state/tandem)')
    .action((roots: string[], options: { readonly config?: string; readonly stateDir?: string }) => {
      refuseOther(preferences, [], 'doctor')
      found({ command: 'doctor', roots, config: options.config, stateDir: options.stateDir })
    })
}

/** Commands that look into a root, whether an agent is at work or not. */
function withVersions(program: Command, preferences: readonly Assignment[], found: (line: CommandLine) => void): void {
  program
    .command('log')
    .description('what was done to a path in a root of this machine: when, from which side')
    .argument('[PATH]', 'a file or directory in a root, also one that is gone; without it, the root that you are in')
    .option('--json', 'one JSON object for each change on standard output')
    .action((path: string | undefined, options: { readonly json?: boolean }) => {
      refuseOther(preferences, [], 'log')
      found({ command: 'log', path, json: options.json === true })
    })
  program
    .command('restore')
    .description('bring back what was replaced or removed at a path, as a new edit')
    .argument('<PATH>', 'a file in a root of this machine, or a directory: then what is missing in it')
    .option('--at <TIME>', 'as it was then: 2026-11-22 14:30, 14:30, or 2h ago as 2h')
    .option('--to <FILE>', 'to another file, which must not exist, instead of to its place')
    .action((path: string, options: { readonly at?: string; readonly to?: string }) => {
      refuseOther(preferences, [], 'restore')
      found({ command: 'restore', path, at: options.at, to: options.to })
    })
}

interface ControlOptions {
  readonly stateDir?: string
  readonly json?: boolean
  readonly timeout?: string
  readonly confirm?: boolean
  readonly accept?: string
}

const secondsDefault = 60
const secondsMax = 86_400

function secondsOf(text: string | undefined): number {
  if (text === undefined) return secondsDefault
  const seconds = /^\d{1,5}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds > 0 && seconds <= secondsMax))
    throw new UsageFailure(`--timeout is a number of seconds above 0, at most ${secondsMax}`)
  return seconds
}

function checkedRoots(roots: string[], profile: string | undefined, preferences: readonly Assignment[]): string[] {
  const [first] = roots
  if (roots.length > 2)
    throw new UsageFailure(`two roots are needed, ${roots.length} were given: ${roots.join(' ')}${meantCommand(first)}`)
  if (roots.length === 1) throw new UsageFailure(`two roots are needed, one was given: ${first}${meantCommand(first)}`)
  if (roots.length === 0 && profile === undefined && !preferences.some((one) => one.name === 'root'))
    throw new UsageFailure('two roots are needed: tandem sync ROOT1 ROOT2')
  return roots
}

function meantCommand(word: string | undefined): string {
  const near = word === undefined || word.includes('/') ? undefined : closest(word, [...commands, ...toCome])
  return near === undefined ? '' : `; did you mean the command ${near}?`
}

function refuseOther(preferences: readonly Assignment[], taken: readonly string[], command: string): void {
  const other = preferences.find((one) => !taken.includes(one.name))
  if (other !== undefined) throw new UsageFailure(`tandem ${command} takes no --${other.name}`)
}

function helpAfter(): string {
  const rows = builtPreferences().filter((one) => one.name !== 'help' && one.name !== 'version')
  return `
Examples:
  tandem a.tmp b.tmp                                 ask what to do with each difference
  tandem sync --batch ~/photos /media/stick/photos   ask nothing
  tandem watch ~/photos wss://nas:4242/photos --secret-file laptop.key
  tandem run --config /etc/tandem/tandem.toml
  tandem status

Preferences, as --name value, --name=value, -name value or -name=value:
${rows.map((one) => `  ${spoken(one).padEnd(26)} ${one.help}`).join('\n')}

Exit codes: 0 in sync, 1 something skipped or in conflict, 2 failures, 3 fatal or interrupted, 64 wrong usage, 78 wrong or
unsafe configuration. status: 0 in sync, 1 syncing, 2 attention, 3 stopped, 4 no agent.
`
}

function spoken(kind: PreferenceKind): string {
  const value = { flag: '', list: ' SPEC', string: ' TEXT', integer: ' N' }[kind.kind]
  return `--${kind.name}${value}${kind.kind === 'list' ? ' ...' : ''}`
}

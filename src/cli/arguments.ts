import { readFileSync } from 'node:fs'
import { type Assignment, assignment } from '../config/assignment.js'
import { closest } from '../config/closest.js'
import { findPreference, preferenceNames } from '../config/preferences-table.js'
import { decodeName } from '../core/path.js'
import { UsageFailure } from './usage.js'

/** tandem's own options, which are no preferences, and whether they take a value. */
const ownOptions: Readonly<Record<string, boolean>> = {
  'state-dir': true,
  profile: true,
  'secret-file': true,
  config: true,
  out: true,
  'dry-run': false,
  insecure: false,
  'read-only': false,
  expires: true,
  address: true,
  'listen-at': true,
  stdio: false,
  json: false,
  confirm: false,
  accept: true,
  timeout: true,
  at: true,
  to: true,
  mirror: false,
  help: false,
  version: false,
}

export interface SplitArguments {
  /** In the order given. */
  readonly preferences: readonly Assignment[]
  /** Everything else, with every own option as `--name` or `--name=value`. */
  readonly rest: readonly string[]
}

/**
 * Takes the preferences out of a command line: `--name value`, `--name=value`, `-name value` and `-name=value` anywhere before `--`.
 * A flag is bare, or followed by the very word true or false. One dash does what two do, so that `-batch` is not seven letters.
 *
 * @throws UsageFailure for an option that nobody knows or that lacks its value; ConfigFailure 'not-built'
 */
export function splitArguments(argv: readonly string[]): SplitArguments {
  const preferences: Assignment[] = []
  const rest: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const token = argv[at] ?? ''
    if (token === '--') {
      rest.push(...argv.slice(at))
      break
    }
    // A dash alone is an operand; so is everything without one.
    const parts = /^--?([^=-][^=]*)(?:=([\s\S]*))?$/.exec(token)
    if (parts === null) {
      if (token.startsWith('-') && token !== '-') throw unknownOption(token)
      rest.push(token)
      continue
    }
    const name = fullName(parts[1] ?? '')
    const inline = parts[2]
    const next = argv[at + 1]
    if (Object.hasOwn(ownOptions, name)) {
      if (ownOptions[name] !== true) {
        if (inline !== undefined) throw new UsageFailure(`--${name} takes no value`)
        rest.push(`--${name}`)
      } else if (inline !== undefined) {
        rest.push(`--${name}=${inline}`)
      } else {
        if (next === undefined) throw missingValue(name)
        rest.push(`--${name}=${next}`)
        at++
      }
      continue
    }
    const known = findPreference(name)
    if (known === undefined) throw unknownOption(token)
    if (known.kind === 'flag') {
      const takesNext = inline === undefined && (next === 'true' || next === 'false')
      preferences.push(assignment(name, inline ?? (takesNext ? next : 'true'), 'command line'))
      if (takesNext) at++
    } else if (inline !== undefined) {
      preferences.push(assignment(name, inline, 'command line'))
    } else {
      // A name that is not built is told before its value is missed.
      preferences.push(assignment(name, next ?? '', 'command line'))
      if (next === undefined) throw missingValue(name)
      at++
    }
  }
  return { preferences, rest }
}

/** The usual letters. */
function fullName(name: string): string {
  if (name === 'h') return 'help'
  if (name === 'V') return 'version'
  return name
}

function missingValue(name: string): UsageFailure {
  return new UsageFailure(`--${name} needs a value: --${name}=VALUE`)
}

function unknownOption(token: string): UsageFailure {
  const dashes = token.startsWith('--') ? '--' : '-'
  const name = token.replace(/^-+/, '').replace(/=[\s\S]*$/, '')
  const near = closest(name, [...Object.keys(ownOptions), ...preferenceNames()])
  return new UsageFailure(
    `unknown option '${token}'${near === undefined ? `; a path that begins with a dash is written ./${token}` : `; did you mean ${dashes}${near}?`}`,
  )
}

/**
 * The arguments with names byte for byte. Node decodes them as UTF-8 and replaces what is not; Linux shows the bytes in
 * /proc/self/cmdline, where the last ones are ours.
 */
export function exactArguments(argv: readonly string[]): string[] {
  if (!argv.some((text) => text.includes('\ufffd')) || process.platform !== 'linux') return [...argv]
  const texts = decodeName(readFileSync('/proc/self/cmdline')).split('\0').slice(0, -1)
  return texts.length < argv.length ? [...argv] : texts.slice(texts.length - argv.length)
}

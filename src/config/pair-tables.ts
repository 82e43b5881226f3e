import type { Assignment } from './assignment.js'
import { ConfigFailure, type PairConfig, type RootConfig } from './config.js'
import type { FileTables, PairTable } from './file-shape.js'
import { keptEqual } from './kept-equal.js'
import { flagOf, type NamedRoot, parsePreferences } from './parse-preferences.js'
import { findPreference, type PreferenceKind } from './preferences-table.js'
import { rootConfigOf } from './remote-root.js'
import { parseRoot, specText } from './root.js'
import { peerNamePattern, peerNameRule, readSecret } from './secret.js'
import type { TomlPath } from './toml-lines.js'

/** How the file is spoken of. */
export interface InFile {
  /** 'file:line' of a value, for messages. */
  from(path: TomlPath): string
  /** A number as it stands in the file: 0o755 is not 493 to who wrote it. */
  written(path: TomlPath): string | undefined
  fail(path: TomlPath, why: string): ConfigFailure
  /** A path of the file made absolute: relative ones begin at its directory, `~/` at the home directory. */
  place(text: string): string
}

/**
 * The pairs of a file. What `[preferences]` says holds for all of them; a pair's own keys go before it, and lists grow.
 * @throws ConfigFailure with file and line
 */
export function pairsOf(tables: FileTables, file: InFile): PairConfig[] {
  const common = assignmentsOf(tables.preferences, ['preferences'], file)
  const names = new Set<string>()
  const met = new Map<string, string>()
  return tables.pair.map((table, at) => {
    const path = ['pair', at]
    if (!peerNamePattern.test(table.name)) throw file.fail([...path, 'name'], `name: a pair's name is ${peerNameRule}`)
    if (names.has(table.name)) throw file.fail([...path, 'name'], `two pairs are named '${table.name}'`)
    names.add(table.name)
    const alpha = rootOf(table.alpha, [...path, 'alpha'], file)
    const beta = rootOf(table.beta, [...path, 'beta'], file)
    const both = [canonicalText(alpha), canonicalText(beta)].sort()
    if (both[0] === both[1]) throw file.fail([...path, 'beta'], `alpha and beta are the same root, ${beta.given}`)
    const other = met.get(both.join('\n'))
    if (other !== undefined)
      throw file.fail(
        [...path, 'alpha'],
        `the pair '${other}' has the same two roots, ${table.alpha} and ${table.beta}`,
      )
    met.set(both.join('\n'), table.name)
    return pairOf(table, path, alpha, beta, common, file)
  })
}

/** What the file says of the agent's own log. */
export function agentAssignments(tables: FileTables, file: InFile): Assignment[] {
  return assignmentsOf(tables.preferences, ['preferences'], file).filter(({ name }) => name.startsWith('log'))
}

function pairOf(
  table: PairTable,
  path: TomlPath,
  alpha: NamedRoot,
  beta: NamedRoot,
  common: readonly Assignment[],
  file: InFile,
): PairConfig {
  const local = [alpha, beta].some(({ spec }) => spec.kind === 'local')
  const needsKey = [alpha, beta].some(({ spec }) => spec.kind === 'wss')
  if (!local) throw file.fail([...path, 'alpha'], `one of the roots of '${table.name}' must be on this machine`)
  if (needsKey && table.secret_file === undefined)
    throw file.fail(
      path,
      `the pair '${table.name}' needs secret_file, the key for its wss:// root, as tandem keygen made it`,
    )
  if (!needsKey && table.secret_file !== undefined)
    throw file.fail([...path, 'secret_file'], `secret_file is the key for a wss:// root, and '${table.name}' has none`)
  const secretFile = table.secret_file === undefined ? undefined : file.place(table.secret_file)
  const given = [...common, ...assignmentsOf(table.preferences, path, file)]
  const carriage = { secret: () => readSecret(secretFile ?? ''), insecure: table.insecure === true, given }
  const config = ({ spec }: NamedRoot, side: 'alpha' | 'beta'): RootConfig => {
    try {
      return rootConfigOf(spec, carriage)
    } catch (error) {
      if (!(error instanceof ConfigFailure) || error.code !== 'bad-root') throw error
      throw file.fail([...path, side], error.message)
    }
  }
  return rewording(() => ({
    name: table.name,
    alpha: config(alpha, 'alpha'),
    beta: config(beta, 'beta'),
    preferences: keptEqual(parsePreferences(given, alpha, beta)),
    ignoreArchives: flagOf(
      given.findLast(({ name }) => name === 'ignorearchives'),
      false,
    ),
  }))
}

function rootOf(text: string, path: TomlPath, file: InFile): NamedRoot {
  try {
    return { given: text, spec: parseRoot(text.startsWith('~/') ? file.place(text) : text, file.place('.')) }
  } catch (error) {
    if (!(error instanceof ConfigFailure)) throw error
    throw file.fail(path, error.message)
  }
}

function canonicalText({ spec }: NamedRoot): string {
  return specText(spec)
}

/** A wrong value in the file is a wrong configuration, whatever it would be on a command line. */
function rewording<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ConfigFailure) || error.code !== 'bad-preference') throw error
    throw new ConfigFailure('bad-config', error.message, error)
  }
}

function assignmentsOf(table: Readonly<Record<string, unknown>>, path: TomlPath, file: InFile): Assignment[] {
  return Object.entries(table).flatMap(([name, value]) => {
    const known = findPreference(name)
    if (known === undefined || value === undefined) return []
    const at = [...path, name]
    const texts = textsOf(known, value, file.written(at))
    if (texts === undefined) throw file.fail(at, `${name}: ${wanted(known)}`)
    return texts.map((text) => ({ name: known.name, value: text, from: file.from(at) }))
  })
}

/** Preferences of one text that are also something else. */
const alsoTaken: Readonly<Record<string, 'boolean' | 'number'>> = {
  repeat: 'number',
  links: 'boolean',
  keep: 'number',
  keepsize: 'number',
  minfree: 'number',
  maxdelete: 'number',
}

/** A value of TOML as the command line would give it; undefined: of the wrong type. */
function textsOf({ kind, name }: PreferenceKind, value: unknown, written: string | undefined): string[] | undefined {
  switch (kind) {
    case 'flag':
      return typeof value === 'boolean' ? [String(value)] : undefined
    case 'list':
      return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : undefined
    case 'integer':
      // The octal ones may be a text too, as on the command line.
      if (typeof value === 'string' && name === 'perms') return [value]
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) return undefined
      return [name === 'perms' ? (written ?? octal(value)) : String(value)]
    case 'string':
      if (typeof value === 'string') return [value]
      return typeof value === alsoTaken[name] && (typeof value === 'boolean' || Number.isSafeInteger(value))
        ? [String(value)]
        : undefined
  }
}

function octal(value: number): string {
  return value < 0 ? String(value) : `0o${value.toString(8)}`
}

function wanted({ kind, name }: PreferenceKind): string {
  switch (kind) {
    case 'flag':
      return 'is true or false'
    case 'list':
      return `is a list of texts: ${name} = ["..."]`
    case 'integer':
      return 'is a whole number'
    case 'string':
      return 'is a text, in quotation marks'
  }
}

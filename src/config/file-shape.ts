import type { z } from 'zod'
import { type Durability, durabilities } from '../core/durability.js'
import { type WatcherChoice, watcherChoices } from '../host/watcher.js'
import { bytesOf, durationOf } from './amounts.js'
import { closest } from './closest.js'
import { keepRule, keepSizeRule } from './keep.js'
import { maxDeleteOf, maxDeleteRule } from './max-delete.js'
import { minFreeIn, minFreeRule } from './min-free.js'
import { builtPreferences, findPreference, type PreferenceKind } from './preferences-table.js'
import type { TomlPath } from './toml-lines.js'

/** The tables of the file with the types of their values checked, but for preferences, whose values are as TOML has them. */
export interface FileTables {
  readonly listen?:
    | {
        /** One or several. */
        readonly address?: string | readonly string[] | undefined
        readonly socket?: string | undefined
        readonly insecure?: boolean | undefined
      }
    | undefined
  readonly serve: readonly {
    readonly name: string
    readonly path: string
    readonly watcher?: WatcherChoice | undefined
    readonly durability?: Durability | undefined
    readonly keep?: string | undefined
    readonly keepsize?: string | undefined
    readonly minfree?: string | undefined
    readonly maxdelete?: string | undefined
    readonly confirmbigdel?: boolean | undefined
  }[]
  readonly peers: readonly {
    readonly name: string
    readonly key_file: string
    readonly roots: readonly string[]
    readonly read_only?: boolean | undefined
    readonly bwlimit?: number | undefined
  }[]
  readonly preferences: Readonly<Record<string, unknown>>
  readonly pair: readonly PairTable[]
}

export interface PairTable {
  readonly name: string
  readonly alpha: string
  readonly beta: string
  readonly secret_file?: string | undefined
  readonly insecure?: boolean | undefined
  /** Everything else in the table. */
  readonly preferences: Readonly<Record<string, unknown>>
}

/** With less a link would not get its heartbeats through. */
const bwlimitMin = 1_024

/** What is wrong with a file, and where. */
export interface ShapeFault {
  readonly path: TomlPath
  readonly why: string
}

/** Keys of each table, preferences left out. */
const ownKeys = {
  listen: ['address', 'socket', 'insecure'],
  serve: ['name', 'path', 'watcher', 'durability', 'keep', 'keepsize', 'minfree', 'maxdelete', 'confirmbigdel'],
  peers: ['name', 'key_file', 'roots', 'read_only', 'bwlimit'],
  pair: ['name', 'alpha', 'beta', 'secret_file', 'insecure'],
  preferences: [],
} as const

/** The log is the agent's, not a pair's. */
const agentPreferences = ['log', 'logfile']

/** `alpha` and `beta` name the roots; the others end a command line before it begins. */
const elsewhere = ['root', 'testserver', 'help', 'version']

/** The preferences that a file may set for one pair. */
export function pairPreferences(): PreferenceKind[] {
  return builtPreferences().filter(({ name }) => !elsewhere.includes(name) && !agentPreferences.includes(name))
}

/** Every key that the file knows, by table. */
export function knownKeys(): Readonly<Record<keyof typeof ownKeys, readonly string[]>> {
  const names = pairPreferences().map(({ name }) => name)
  return { ...ownKeys, pair: [...ownKeys.pair, ...names], preferences: [...names, ...agentPreferences] }
}

/** zod takes 55 ms to load: only who reads a configuration file pays for it. */
export async function readShape(document: unknown): Promise<FileTables | ShapeFault> {
  const { z } = await import('zod')
  const text = z.string().min(1)
  const known = knownKeys()
  const open = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, z.unknown().optional()]))
  const shape = z.strictObject({
    listen: z
      .strictObject({
        address: z.union([text, z.array(text).min(1)], 'is an address, or a list of them').optional(),
        socket: text.optional(),
        insecure: z.boolean().optional(),
      })
      .optional(),
    serve: z
      .array(
        z.strictObject({
          name: text,
          path: text,
          watcher: z.enum(watcherChoices).optional(),
          durability: z.enum(durabilities).optional(),
          keep: text.refine((value) => durationOf(value) !== undefined, keepRule).optional(),
          keepsize: text.refine((value) => bytesOf(value) !== undefined, keepSizeRule).optional(),
          minfree: text.refine((value) => minFreeIn(value) !== undefined, minFreeRule).optional(),
          maxdelete: text.refine((value) => maxDeleteOf(value) !== undefined, maxDeleteRule).optional(),
          confirmbigdel: z.boolean().optional(),
        }),
      )
      .default([]),
    peers: z
      .array(
        z.strictObject({
          name: text,
          key_file: text,
          roots: z.array(text),
          read_only: z.boolean().optional(),
          bwlimit: z.number().int().min(bwlimitMin).optional(),
        }),
      )
      .default([]),
    preferences: z.strictObject(open(known.preferences)).default({}),
    pair: z
      .array(
        z.strictObject({
          ...open(known.pair),
          name: text,
          alpha: text,
          beta: text,
          secret_file: text.optional(),
          insecure: z.boolean().optional(),
        }),
      )
      .default([]),
  })
  const read = shape.safeParse(withTrueNames(document))
  if (!read.success) return faultOf(read.error)
  return {
    ...read.data,
    pair: read.data.pair.map(({ name, alpha, beta, secret_file, insecure, ...preferences }) => ({
      name,
      alpha,
      beta,
      secret_file,
      insecure,
      preferences,
    })),
  }
}

/** The other names of the manual are the same keys. */
function withTrueNames(document: unknown): unknown {
  if (!isTable(document)) return document
  const renamed = (table: unknown): unknown =>
    isTable(table)
      ? Object.fromEntries(
          Object.entries(table).map(([key, value]) => {
            const preference = findPreference(key)
            return [preference?.built === true && !(preference.name in table) ? preference.name : key, value]
          }),
        )
      : table
  const { preferences, pair } = document
  return {
    ...document,
    ...(preferences === undefined ? {} : { preferences: renamed(preferences) }),
    ...(Array.isArray(pair) ? { pair: pair.map(renamed) } : {}),
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function faultOf(error: z.ZodError): ShapeFault {
  // A misspelt table is both an unknown key and a missing one: the former says more.
  const issue = error.issues.find((one) => one.code === 'unrecognized_keys') ?? error.issues[0]
  if (issue === undefined) return { path: [], why: 'not a configuration' }
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  const name = path.filter((part) => typeof part === 'string').join('.')
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    return { path: [...path, key], why: unknownKey(key, name) }
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined && issue.message.includes('undefined')
  return { path, why: missing ? `${name} is missing` : `${name}: ${issue.message}` }
}

function unknownKey(key: string, table: string): string {
  const known: Readonly<Record<string, readonly string[]>> = knownKeys()
  if (table === 'pair' || table === 'preferences') {
    const preference = findPreference(key)
    if (preference !== undefined) {
      if (agentPreferences.includes(preference.name))
        return `'${key}' belongs in [preferences]: the log is the agent's, not a pair's`
      if (preference.name === 'root') return `'${key}' is no key here: the roots of a [[pair]] are alpha and beta`
      if (preference.built) return `'${key}' belongs on the command line`
      return `the preference '${key}' is known, but this version of tandem does not have it yet; leave it out`
    }
  }
  const candidates = known[table] ?? Object.keys(known)
  const near = closest(key, candidates) ?? closest(key, Object.values(known).flat())
  return `unknown key '${key}'${table === '' ? '' : ` in ${table}`}${near === undefined ? '' : `; did you mean '${near}'?`}`
}

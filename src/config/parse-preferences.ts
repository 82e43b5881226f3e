import type { MaxDelete } from '../core/budget.js'
import { type Durability, durabilities } from '../core/durability.js'
import { BadPath, isWithin, parentOf, type RelPath, relPath, rootPath } from '../core/path.js'
import { scopeOf } from '../core/paths.js'
import {
  BadPattern,
  ignorePredicate,
  type Pattern,
  parsePattern,
  parsePatternWithin,
  patternsSizeMax,
  TooManyPatterns,
} from '../core/pattern.js'
import type { Prefer } from '../core/rules.js'
import type { Side } from '../core/side.js'
import { type WatcherChoice, watcherChoices } from '../host/watcher.js'
import { bytesOf, durationOf } from './amounts.js'
import type { Assignment } from './assignment.js'
import { ConfigFailure } from './config.js'
import { keepOf, keepRule, keepSizeRule } from './keep.js'
import { maxDeleteDefault, maxDeleteOf, maxDeleteRule } from './max-delete.js'
import { minFreeIn, minFreeOf, minFreeRule } from './min-free.js'
import type { ForPaths, Preferences, Repeat } from './preferences.js'
import { realPlace } from './real-place.js'
import { type RootSpec, specText } from './root.js'

/** Between full scans while watching, when `repeat` does not say. They find what no event told. */
export const fullScanSecondsDefault = 3_600

/** The mode bits that `perms = -1` stands for. */
const allModeBits = 0o7777

/** A root under every name by which a preference may call it. */
export interface NamedRoot {
  readonly given: string
  readonly spec: RootSpec
}

/**
 * The preferences of a pair from what was given, in order: a later value wins, lists grow. So the profile's come first.
 * @throws ConfigFailure 'bad-preference' with where it was given
 */
export function parsePreferences(given: readonly Assignment[], alpha: NamedRoot, beta: NamedRoot): Preferences {
  const last = new Map(given.map((one) => [one.name, one]))
  const listed = (name: string) => given.filter((one) => one.name === name)
  const winner = (one: Assignment, value: string) => preferOf(one, value, alpha, beta)
  const side = (one: Assignment, value: string) => sideOf(one, value, alpha, beta)
  const sides = (name: string) => [...new Set(listed(name).map((one) => side(one, one.value)))]
  const [ignore = [], ignorenot = []] = checkedTogether(listed('ignore'), listed('ignorenot'))
  return {
    ignore,
    ignorenot,
    path: outermost(listed('path').map(checkedPath)),
    prefer: generalOf(last.get('prefer'), winner),
    force: generalOf(last.get('force'), winner),
    preferpartial: listed('preferpartial').map((one) => partialOf(one, winner)),
    forcepartial: listed('forcepartial').map((one) => partialOf(one, winner)),
    nocreation: sides('nocreation'),
    noupdate: sides('noupdate'),
    nodeletion: sides('nodeletion'),
    nocreationpartial: listed('nocreationpartial').map((one) => partialOf(one, side)),
    noupdatepartial: listed('noupdatepartial').map((one) => partialOf(one, side)),
    nodeletionpartial: listed('nodeletionpartial').map((one) => partialOf(one, side)),
    copyonconflict: flagOf(last.get('copyonconflict'), false),
    mountpoint: listed('mountpoint').map((one) => seenPath(one, given)),
    links: linksOf(last.get('links')),
    maxsizethreshold: integerOf(last.get('maxsizethreshold'), Number.NEGATIVE_INFINITY, -1),
    retry: integerOf(last.get('retry'), 0, 0),
    batch: flagOf(last.get('batch'), false),
    times: flagOf(last.get('times'), true),
    perms: permsOf(last.get('perms')),
    durability: durabilityOf(last.get('durability')),
    keep: keepOf(
      checkedAmount(last.get('keep'), durationOf, keepRule),
      checkedAmount(last.get('keepsize'), bytesOf, keepSizeRule),
    ),
    minFree: minFreeOf(checkedAmount(last.get('minfree'), minFreeIn, minFreeRule)),
    confirmbigdel: flagOf(last.get('confirmbigdel'), true),
    maxDelete: maxDeleteIn(last.get('maxdelete'), flagOf(last.get('confirmbigdel'), true)),
    maxthreads: integerOf(last.get('maxthreads'), 0, 0),
    ignorelocks: flagOf(last.get('ignorelocks'), false),
    repeat: repeatOf(last.get('repeat')),
    watcher: watcherOf(last.get('watcher')),
  }
}

export function flagOf(one: Assignment | undefined, otherwise: boolean): boolean {
  if (one === undefined) return otherwise
  switch (one.value.toLowerCase()) {
    case 'true':
    case 'yes':
      return true
    case 'false':
    case 'no':
      return false
    default:
      throw bad(one, 'is true or false')
  }
}

function integerOf(one: Assignment | undefined, least: number, otherwise: number): number {
  if (one === undefined) return otherwise
  const value = /^-?\d{1,9}$/.test(one.value) ? Number(one.value) : Number.NaN
  if (!(value >= least))
    throw bad(one, Number.isFinite(least) ? `is a whole number of at least ${least}` : 'is a whole number')
  return value
}

function checkedAmount(one: Assignment | undefined, read: (text: string) => unknown, rule: string): string | undefined {
  if (one !== undefined && read(one.value) === undefined) throw bad(one, rule)
  return one?.value
}

function maxDeleteIn(one: Assignment | undefined, isOn: boolean): MaxDelete | undefined {
  const limit = maxDeleteOf(one?.value ?? maxDeleteDefault)
  if (one !== undefined && limit === undefined) throw bad(one, maxDeleteRule)
  return isOn ? limit : undefined
}

function checkedPattern(one: Assignment): string {
  return measuredPattern(one, Number.POSITIVE_INFINITY).text
}

/** Patterns that every path is asked about: a peer takes no more of them either. */
function checkedTogether(...lists: Assignment[][]): string[][] {
  let room = patternsSizeMax
  return lists.map((list) =>
    list.map((one) => {
      const { text, size } = measuredPattern(one, room)
      room -= size
      return text
    }),
  )
}

function measuredPattern(one: Assignment, room: number): Pattern {
  try {
    return parsePatternWithin(one.value, room)
  } catch (error) {
    if (!(error instanceof BadPattern) && !(error instanceof TooManyPatterns)) throw error
    throw new ConfigFailure('bad-preference', `${one.from}: ${one.name}: ${error.message}`, error)
  }
}

function checkedPath(one: Assignment): RelPath {
  if (one.value.startsWith('/')) throw bad(one, 'is relative to the roots, without a leading slash')
  try {
    return relPath(one.value.replace(/^(?:\.(?:\/+|$))+/, '').replace(/\/+$/, ''))
  } catch (error) {
    if (!(error instanceof BadPath)) throw error
    throw new ConfigFailure('bad-preference', `${one.from}: ${one.name}: ${error.message}`, error)
  }
}

/** A path that is looked at: whether another one exists nobody could tell. */
function seenPath(one: Assignment, given: readonly Assignment[]): RelPath {
  const path = checkedPath(one)
  const valuesOf = (name: string) => given.filter((other) => other.name === name)
  const isIgnored = ignorePredicate(valuesOf('ignore').map(checkedPattern), valuesOf('ignorenot').map(checkedPattern))
  const scope = scopeOf(valuesOf('path').map(checkedPath))
  const isLookedAt = path === rootPath || scope.inScope(path) || scope.leadsToScope(path)
  for (let at = path; at !== rootPath; at = parentOf(at))
    if (isIgnored(at) || !isLookedAt) throw bad(one, 'names a path that is neither ignored nor left out by path')
  return path
}

/** Without those that another one holds. The root holds everything, so with it nothing is left out. */
function outermost(paths: readonly RelPath[]): RelPath[] {
  if (paths.includes(rootPath)) return []
  const distinct = [...new Set(paths)]
  return distinct.filter((path) => !distinct.some((other) => other !== path && holds(other, path)))
}

/** `a` holds a/b and a/*; `a/*` holds a/b and what is below it, but not a. */
function holds(outer: RelPath, inner: RelPath): boolean {
  if (outer === '*') return true
  if (!outer.endsWith('/*')) return isWithin(inner, outer)
  return inner.startsWith(outer.slice(0, -1))
}

/**
 * Octal, as 0o1777 or 01777; 0; -1 for all bits. A plain decimal number is what Unison would take and what nobody means: 755 would be
 * 0o1363. It is refused, so that nobody is surprised.
 */
function permsOf(one: Assignment | undefined): number {
  if (one === undefined) return 0o1777
  const { value } = one
  if (value === '-1') return allModeBits
  const digits = /^(?:0o|0O|0)?([0-7]*)$/.exec(value)?.[1]
  if (/^0[oO]?[0-7]*$/.test(value) && digits !== undefined && value !== '0o') {
    const bits = Number.parseInt(digits === '' ? '0' : digits, 8)
    if (bits <= allModeBits) return bits
  }
  throw bad(
    one,
    `is octal, as 0o1777, or 0 for none, or -1 for all${/^[0-7]{3,4}$/.test(value) ? `; write 0o${value}` : ''}`,
  )
}

function durabilityOf(one: Assignment | undefined): Durability {
  if (one === undefined) return 'power-loss'
  const choice = durabilities.find((word) => word === one.value)
  if (choice !== undefined) return choice
  throw bad(one, `is one of: ${durabilities.join(', ')}`)
}

function watcherOf(one: Assignment | undefined): WatcherChoice {
  if (one === undefined) return 'auto'
  const choice = watcherChoices.find((word) => word === one.value)
  if (choice !== undefined) return choice
  throw bad(one, `is one of: ${watcherChoices.join(', ')}`)
}

function repeatOf(one: Assignment | undefined): Repeat {
  if (one === undefined) return { kind: 'once' }
  const parts = /^(?:(watch)(?:\+(\d{1,9}))?|(\d{1,9}))$/.exec(one.value)
  if (parts === null) throw bad(one, 'is a number of seconds, watch, or watch+SECONDS')
  const seconds = Number(parts[2] ?? parts[3] ?? fullScanSecondsDefault)
  if (seconds < 1) throw bad(one, 'waits at least 1 second')
  return parts[1] === undefined ? { kind: 'every', seconds } : { kind: 'watch', fullScanSeconds: seconds }
}

/** Unison's third word, default, is true where links can be made: everywhere that tandem runs. */
function linksOf(one: Assignment | undefined): boolean {
  return one?.value.toLowerCase() === 'default' ? true : flagOf(one, true)
}

type Read<T> = (one: Assignment, value: string) => T

function generalOf(one: Assignment | undefined, read: Read<Prefer>): Prefer {
  return one === undefined ? 'nobody' : read(one, one.value)
}

/** `PATHSPEC -> value` */
function partialOf<T>(one: Assignment, read: Read<T>): ForPaths<T> {
  const pattern = checkedPattern(one)
  const { associated } = parsePattern(pattern)
  if (associated === undefined || associated === '') throw bad(one, 'is PATHSPEC -> root, as: Path a/b -> root')
  return { pattern, value: read(one, associated) }
}

function preferOf(one: Assignment, value: string, alpha: NamedRoot, beta: NamedRoot): Prefer {
  if (value === 'newer' || value === 'older') return value
  const side = sideNamed(value, alpha, beta)
  if (side === undefined) throw bad(one, `is newer, older, or one of the roots: ${alpha.given} or ${beta.given}`)
  return side
}

function sideOf(one: Assignment, value: string, alpha: NamedRoot, beta: NamedRoot): Side {
  const side = sideNamed(value, alpha, beta)
  if (side === undefined) throw bad(one, `is one of the roots: ${alpha.given} or ${beta.given}`)
  return side
}

function sideNamed(value: string, alpha: NamedRoot, beta: NamedRoot): Side | undefined {
  // As it was given, then its full name, then a part of it that only one of them has: the first of these that tells them apart.
  for (const ask of [isGivenAs, isNamed, isPartlyNamed]) {
    const isAlpha = ask(alpha, value)
    if (isAlpha !== ask(beta, value)) return isAlpha ? 'alpha' : 'beta'
  }
  return undefined
}

function isGivenAs(root: NamedRoot, name: string): boolean {
  return root.given === name
}

function isNamed(root: NamedRoot, name: string): boolean {
  const trimmed = name.length > 1 ? name.replace(/\/+$/, '') : name
  return namesOf(root).includes(trimmed)
}

function isPartlyNamed(root: NamedRoot, name: string): boolean {
  return name !== '' && namesOf(root).some((full) => full.startsWith(name) || full.endsWith(name))
}

function namesOf(root: NamedRoot): string[] {
  const given = root.given.replace(/\/+$/, '')
  const { spec } = root
  if (spec.kind === 'local') return [given, spec.path, realPlace(spec.path)]
  const full = specText(spec)
  return [given, full, full.slice(full.indexOf('//') + 2)]
}

function bad(one: Assignment, rule: string): ConfigFailure {
  return new ConfigFailure('bad-preference', `${one.from}: ${one.name} = ${one.value}: ${one.name} ${rule}`)
}

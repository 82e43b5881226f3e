import { BadPath, isWithin, type RelPath, relPath, rootPath } from '../core/path.js'
import { BadPattern, parsePattern } from '../core/pattern.js'
import type { Assignment } from './assignment.js'
import { ConfigFailure } from './config.js'
import type { Preferences, Repeat } from './preferences.js'
import { realPlace } from './real-place.js'
import { endpointText, type RootSpec } from './root.js'

/** Between full scans while watching, when `repeat` does not say. They find what no event told. */
export const fullScanSecondsDefault = 600

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
  return {
    ignore: listed('ignore').map(checkedPattern),
    ignorenot: listed('ignorenot').map(checkedPattern),
    path: outermost(listed('path').map(checkedPath)),
    prefer: preferOf(last.get('prefer'), alpha, beta),
    batch: flagOf(last.get('batch'), false),
    times: flagOf(last.get('times'), true),
    perms: permsOf(last.get('perms')),
    confirmbigdel: flagOf(last.get('confirmbigdel'), true),
    maxthreads: integerOf(last.get('maxthreads'), 0, 0),
    ignorelocks: flagOf(last.get('ignorelocks'), false),
    repeat: repeatOf(last.get('repeat')),
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
  if (!(value >= least)) throw bad(one, `is a whole number of at least ${least}`)
  return value
}

function checkedPattern(one: Assignment): string {
  try {
    parsePattern(one.value)
  } catch (error) {
    if (!(error instanceof BadPattern)) throw error
    throw new ConfigFailure('bad-preference', `${one.from}: ${one.name}: ${error.message}`, error)
  }
  return one.value
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

function repeatOf(one: Assignment | undefined): Repeat {
  if (one === undefined) return { kind: 'once' }
  const parts = /^(?:(watch)(?:\+(\d{1,9}))?|(\d{1,9}))$/.exec(one.value)
  if (parts === null) throw bad(one, 'is a number of seconds, watch, or watch+SECONDS')
  const seconds = Number(parts[2] ?? parts[3] ?? fullScanSecondsDefault)
  if (seconds < 1) throw bad(one, 'waits at least 1 second')
  return parts[1] === undefined ? { kind: 'every', seconds } : { kind: 'watch', fullScanSeconds: seconds }
}

function preferOf(one: Assignment | undefined, alpha: NamedRoot, beta: NamedRoot): Preferences['prefer'] {
  if (one === undefined) return 'nobody'
  if (one.value === 'newer' || one.value === 'older') return one.value
  // As it was given, then its full name, then a part of it that only one of them has: the first of these that tells them apart.
  for (const ask of [isGivenAs, isNamed, isPartlyNamed]) {
    const isAlpha = ask(alpha, one.value)
    if (isAlpha !== ask(beta, one.value)) return isAlpha ? 'alpha' : 'beta'
  }
  throw bad(one, `is newer, older, or one of the roots: ${alpha.given} or ${beta.given}`)
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
  if (root.spec.kind === 'wss')
    return [
      given,
      `wss://${endpointText(root.spec.endpoint)}/${root.spec.name}`,
      `${endpointText(root.spec.endpoint)}/${root.spec.name}`,
    ]
  return [given, root.spec.path, realPlace(root.spec.path)]
}

function bad(one: Assignment, rule: string): ConfigFailure {
  return new ConfigFailure('bad-preference', `${one.from}: ${one.name} = ${one.value}: ${one.name} ${rule}`)
}

import type { Agreement } from '../../src/core/agreement.js'
import { absent, type Content, type Fingerprint } from '../../src/core/content.js'
import type { Decision } from '../../src/core/decision.js'
import { type RelPath, relPath } from '../../src/core/path.js'
import type { Found, Problem } from '../../src/core/report.js'
import type { Rules } from '../../src/core/rules.js'
import { type AgreementTree, absentTree, noAgreement, type Touched, type Tree } from '../../src/core/tree.js'

/**
 * A tree as short as it can be written:
 *
 *     undefined  absent            '->x'   a symlink to x
 *     'x'        a file            '?xx'   a file of three bytes, not yet read
 *     {}         a directory       '!'     a problem
 *
 * or what was found, where properties matter, with members beside it for a directory.
 */
export type Drawn = undefined | string | Found | Dir | { readonly [name: string]: Drawn }

/** A directory with properties of its own. */
export class Dir {
  constructor(
    readonly mode: number,
    readonly members: { readonly [name: string]: Drawn },
  ) {}
}

export const fileMode = 0o644
export const directoryMode = 0o755
export const problem: Problem = { kind: 'problem', code: 'io', detail: 'read failed' }

export function file(text: string, mode: number = fileMode, mtimeNs = 1n): Content {
  return {
    kind: 'file',
    fingerprint: `sha256:${text}` as Fingerprint,
    sizeBytes: text.length,
    props: { mode, mtimeNs },
  }
}

export function unread(text: string, mode: number = fileMode, mtimeNs = 1n): Content {
  return { kind: 'file', fingerprint: undefined, sizeBytes: text.length, props: { mode, mtimeNs } }
}

export function directory(mode: number = directoryMode): Content {
  return { kind: 'directory', props: { mode, mtimeNs: undefined } }
}

export function foundOf(drawn: Drawn): Found {
  if (drawn === undefined) return absent
  if (drawn instanceof Dir) return directory(drawn.mode)
  if (typeof drawn === 'object') return isFound(drawn) ? drawn : directory()
  if (drawn === '!') return problem
  if (drawn.startsWith('->')) return { kind: 'symlink', target: drawn.slice(2) }
  return drawn.startsWith('?') ? unread(drawn) : file(drawn)
}

function isFound(drawn: Found | { readonly [name: string]: Drawn }): drawn is Found {
  return typeof drawn.kind === 'string' && !drawn.kind.startsWith('->')
}

export function membersOf(drawn: Drawn): { readonly [name: string]: Drawn } {
  if (drawn instanceof Dir) return drawn.members
  if (drawn === undefined || typeof drawn === 'string' || isFound(drawn)) return {}
  return drawn
}

export function tree(drawn: Drawn): Tree {
  if (drawn === undefined) return absentTree
  const members = membersOf(drawn)
  return {
    found: foundOf(drawn),
    names: () => Object.keys(members).filter((name) => members[name] !== undefined),
    member: (name) => tree(members[name]),
  }
}

export function agreed(drawn: Drawn): AgreementTree {
  const found = foundOf(drawn)
  if (found.kind === 'absent' || found.kind === 'problem') return noAgreement
  const members = membersOf(drawn)
  return {
    agreement: agreement(found),
    names: () => Object.keys(members).filter((name) => members[name] !== undefined),
    member: (name) => agreed(members[name]),
  }
}

export function agreement(content: Content): Agreement {
  return { content, alphaHolds: undefined, betaHolds: undefined }
}

/** Touched at these paths; one that ends in '/' with everything below. */
export function touchedAt(paths: readonly string[]): Touched {
  const own = paths.filter((path) => path !== '' && path !== '/')
  const names = [...new Set(own.map((path) => path.split('/')[0] ?? ''))]
  return {
    whole: paths.includes('/'),
    names: () => names,
    member: (name) =>
      names.includes(name)
        ? touchedAt(
            own
              .filter((path) => path.split('/')[0] === name)
              .map((path) => path.slice(name.length + 1) || (path.endsWith('/') ? '/' : '')),
          )
        : undefined,
  }
}

export const plainRules: Rules = {
  perms: 0o1777,
  times: true,
  links: true,
  prefer: 'nobody',
  force: 'nobody',
  deciderAt: () => undefined,
  spares: undefined,
  tooLargeBytes: Number.POSITIVE_INFINITY,
  skips: () => false,
}

export function skipping(...names: string[]): (path: RelPath) => boolean {
  return (path) => names.includes(path.slice(path.lastIndexOf('/') + 1))
}

/** Decisions in words, by path: '<-' alpha takes what beta has, '->' beta takes what alpha has. */
export function spoken(decisions: readonly Decision[]): string[] {
  return decisions.map(spokenOne).sort()
}

function spokenOne(decision: Decision): string {
  const where = decision.path === '' ? '.' : decision.path
  switch (decision.kind) {
    case 'settle': {
      const arrow = `${sameContents(decision.alpha, decision.goal) ? '' : '<'}-${sameContents(decision.beta, decision.goal) ? '' : '>'}`
      return `${where} ${arrow === '-' ? '=' : arrow} ${drawnContent(decision.goal)}`
    }
    case 'conflict':
      return decision.about === 'content' ? `${where} conflict` : `${where} conflict of modes`
    case 'problem':
      return `${where} problem on ${decision.side}`
    case 'unread':
      return `${where} read ${decision.sides.join(' and ')}${decision.undecided === decision.path ? '' : ` for ${decision.undecided}`}`
  }
}

export function drawnContent(content: Content): string {
  switch (content.kind) {
    case 'absent':
      return 'nothing'
    case 'directory':
      return 'directory'
    case 'symlink':
      return `->${content.target}`
    case 'file':
      return content.fingerprint === undefined ? `${content.sizeBytes} bytes` : content.fingerprint.slice(7)
  }
}

/** Equal but for properties; a file not read stands for itself. */
function sameContents(one: Content, other: Content): boolean {
  return one.kind === other.kind && drawnContent(one) === drawnContent(other)
}

export function at(path: string): RelPath {
  return relPath(path)
}

import { hash } from 'node:crypto'
import type { Content } from '../core/content.js'
import { join, type RelPath } from '../core/path.js'
import type { Found } from '../core/report.js'
import { BytesWriter } from './bytes.js'
import { writeFound } from './content.js'

/**
 * A digest of what lies below a directory, as a pair compares it. Of each directory the members that count, in the order of
 * their bytes, are hashed with its path; the digest of a subtree is the sum of all of these modulo 2^128, so that it can be
 * worked out a part at a time and in any order. It finds mistakes, not forgeries: who answers for a root can lie anyway.
 */
export interface FoldRules {
  /** Mode bits that count. */
  readonly perms: number
  /** The times of files count. */
  readonly times: boolean
  /** Paths that do not count, with all below. */
  readonly counts: (path: RelPath) => boolean
}

/** A directory that is still to be added to the digest of the directory `to`. */
export interface FoldStep {
  readonly path: RelPath
  /** Names its members' keys. */
  readonly id: number
  readonly to: RelPath
}

export interface FoldMember {
  readonly name: string
  readonly found: Found
  /** Of a directory; 0 for all others. */
  readonly id: number
}

/** A part of the digests of some directories: to be added up by path. */
export interface Folded {
  readonly sums: readonly (readonly [to: RelPath, sum: bigint])[]
  readonly rest: readonly FoldStep[]
}

/** Folds directories until about `foldMembersMax` members were looked at; one directory is never cut. */
export function fold(
  steps: readonly FoldStep[],
  membersOf: (id: number) => Iterable<FoldMember>,
  rules: FoldRules,
): Folded {
  const sums = new Map<RelPath, bigint>()
  const rest = [...steps].reverse()
  const bytes = new BytesWriter(64 * 1024)
  for (let looked = 0; looked < foldMembersMax; ) {
    const step = rest.pop()
    if (step === undefined) break
    const { path, id, to } = step
    bytes.reset()
    bytes.text(path)
    for (const member of membersOf(id)) {
      looked++
      const at = join(path, member.name)
      // A problem says nothing of what is there; its path is open.
      if (member.found.kind === 'problem' || !rules.counts(at)) continue
      bytes.text(member.name)
      writeFound(bytes, counted(member.found, rules))
      if (member.id !== 0 && member.found.kind === 'directory') rest.push({ path: at, id: member.id, to })
    }
    looked++
    const digest = BigInt(`0x${hash('sha256', bytes.view(), 'hex').slice(0, 32)}`)
    sums.set(to, addDigests(sums.get(to) ?? 0n, digest))
  }
  return { sums: [...sums], rest: rest.reverse() }
}

export function addDigests(one: bigint, other: bigint): bigint {
  return BigInt.asUintN(128, one + other)
}

/** 32 hex digits. */
export function digestText(digest: bigint): string {
  return digest.toString(16).padStart(32, '0')
}

/** Adds up what `part` answers, until nothing is left to fold. @throws what `part` throws */
export async function foldAll(
  steps: readonly FoldStep[],
  part: (steps: readonly FoldStep[]) => Promise<Folded>,
): Promise<Map<RelPath, bigint>> {
  const digests = new Map<RelPath, bigint>()
  for (let rest = steps; rest.length > 0; ) {
    const folded = await part(rest)
    for (const [to, sum] of folded.sums) digests.set(to, addDigests(digests.get(to) ?? 0n, sum))
    rest = folded.rest
  }
  return digests
}

/** Only what is compared. */
function counted(found: Content, { perms, times }: FoldRules): Content {
  switch (found.kind) {
    case 'file': {
      const { fingerprint, sizeBytes, props } = found
      const mtimeNs = times ? props.mtimeNs : undefined
      return { kind: 'file', fingerprint, sizeBytes, props: { mode: masked(props.mode, perms), mtimeNs } }
    }
    case 'directory':
      return { kind: 'directory', props: { mode: masked(found.props.mode, perms), mtimeNs: undefined } }
    default:
      return found
  }
}

function masked(mode: number | undefined, perms: number): number | undefined {
  return mode === undefined || perms === 0 ? undefined : mode & perms
}

/** Some tens of milliseconds of a worker. */
const foldMembersMax = 20_000

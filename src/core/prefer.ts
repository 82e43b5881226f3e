import type { Content } from './content.js'
import { join, type RelPath } from './path.js'
import type { Prefer, Rules } from './rules.js'
import type { Side } from './side.js'
import type { Tree } from './tree.js'

/**
 * Who wins a conflict between two trees by `prefer`, or undefined: it stays a conflict.
 *
 * newer and older compare the times of files; a directory counts as its newest file, a symlink has no time. Equal or unknown
 * times decide nothing. Against a deletion `newer` lets the change win, whenever it was made, and `older` decides nothing.
 */
export function preferredTree(rules: Rules, path: RelPath, alpha: Tree, beta: Tree): Side | undefined {
  const { prefer } = rules
  if (prefer === 'nobody') return undefined
  if (prefer === 'alpha' || prefer === 'beta') return prefer
  if (alpha.found.kind === 'absent') return prefer === 'newer' ? 'beta' : undefined
  if (beta.found.kind === 'absent') return prefer === 'newer' ? 'alpha' : undefined
  return byTime(prefer, newestIn(alpha, path, rules), newestIn(beta, path, rules))
}

/**
 * Who wins a difference between two trees by `force`, or undefined: it is decided as if nobody was forced to win. Where a
 * side holds nothing there are no two times to compare: `newer` and `older` then say nothing, and a deletion travels.
 */
export function forcedTree(rules: Rules, path: RelPath, alpha: Tree, beta: Tree): Side | undefined {
  const { force } = rules
  const isTimed = force === 'newer' || force === 'older'
  if (isTimed && (alpha.found.kind === 'absent' || beta.found.kind === 'absent')) return undefined
  return preferredTree({ ...rules, prefer: force }, path, alpha, beta)
}

/** The same between two contents of one kind, for their properties. A directory's own time says nothing. */
export function preferredContent(prefer: Prefer, alpha: Content, beta: Content): Side | undefined {
  if (prefer === 'nobody') return undefined
  if (prefer === 'alpha' || prefer === 'beta') return prefer
  return alpha.kind === 'file' && beta.kind === 'file'
    ? byTime(prefer, alpha.props.mtimeNs, beta.props.mtimeNs)
    : undefined
}

function byTime(prefer: 'newer' | 'older', alpha: bigint | undefined, beta: bigint | undefined): Side | undefined {
  if (alpha === undefined || beta === undefined || alpha === beta) return undefined
  return alpha > beta === (prefer === 'newer') ? 'alpha' : 'beta'
}

function newestIn(tree: Tree, path: RelPath, rules: Rules): bigint | undefined {
  const { found } = tree
  if (found.kind === 'file') return found.props.mtimeNs
  if (found.kind !== 'directory') return undefined
  let newest: bigint | undefined
  for (const name of tree.names()) {
    const memberPath = join(path, name)
    if (rules.skips(memberPath)) continue
    const time = newestIn(tree.member(name), memberPath, rules)
    if (time !== undefined && (newest === undefined || time > newest)) newest = time
  }
  return newest
}

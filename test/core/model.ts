/** A tree without properties: absent, a file or symlink (its text), or a directory. */
export type Node = undefined | string | { readonly [name: string]: Node }

/** What both roots agreed on, and what they hold. */
export interface World {
  readonly archive: Node
  readonly alpha: Node
  readonly beta: Node
}

/**
 * A synchronizer of its own, written from the state-based specification of Unison (Pierce and Vouillon) alone: agreement,
 * descent, propagation, conflict. Shares no line with what it checks.
 */
export function synchronize(path: string, { archive, alpha, beta }: World, conflicts: string[]): World {
  if (same(alpha, beta)) return { archive: alpha, alpha, beta }
  if (isDirectory(alpha) && isDirectory(beta)) {
    const before = isDirectory(archive) ? archive : {}
    const names = new Set([...Object.keys(alpha), ...Object.keys(beta), ...Object.keys(before)])
    const members = [...names].map((name): [string, World] => [
      name,
      synchronize(
        path === '' ? name : `${path}/${name}`,
        { archive: before[name], alpha: alpha[name], beta: beta[name] },
        conflicts,
      ),
    ])
    const gather = (side: keyof World): Node =>
      without(Object.fromEntries(members.map(([name, world]) => [name, world[side]])))
    return { archive: gather('archive'), alpha: gather('alpha'), beta: gather('beta') }
  }
  if (same(alpha, archive)) return { archive: beta, alpha: beta, beta }
  if (same(beta, archive)) return { archive: alpha, alpha, beta: alpha }
  conflicts.push(path)
  return { archive, alpha, beta }
}

export function isDirectory(node: Node): node is { readonly [name: string]: Node } {
  return typeof node === 'object'
}

export function same(one: Node, other: Node): boolean {
  if (!isDirectory(one) || !isDirectory(other)) return one === other
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].every((name) => same(one[name], other[name]))
}

/** Absent members are no members. */
function without(members: { [name: string]: Node }): Node {
  return Object.fromEntries(Object.entries(members).filter(([, node]) => node !== undefined))
}

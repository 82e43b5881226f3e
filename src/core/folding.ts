import type { Decision, Settle, Trouble } from './decision.js'
import { join, nameOf, parentOf, type RelPath, rootPath } from './path.js'
import type { Side } from './side.js'
import type { Tree } from './tree.js'

/**
 * The decisions as a side can carry them out that does not distinguish the case or the form of names. A new name is a problem
 * where another one is there that folds to the same, and so are two new ones that do: neither is made, and nothing below. A
 * name that goes makes way first: the other side has renamed it, perhaps, to the same in another case.
 */
export function holdApart(decisions: readonly Decision[], side: Side, tree: Tree): Decision[] {
  const made = new Map<RelPath, Settle[]>()
  const going = new Set<RelPath>()
  for (const decision of decisions) {
    if (decision.kind !== 'settle' || decision.path === rootPath) continue
    if (decision.goal.kind === 'absent') going.add(decision.path)
    else if (decision[side].kind === 'absent') {
      const parent = parentOf(decision.path)
      const beside = made.get(parent)
      if (beside === undefined) made.set(parent, [decision])
      else beside.push(decision)
    }
  }
  const troubles = new Map<RelPath, Trouble>()
  const first = new Set<RelPath>()
  for (const [parent, settles] of made) {
    const names = namesByFold(tree, parent)
    for (const { path } of settles) add(names, nameOf(path))
    for (const { path } of settles) {
      const others = [...(names.get(folded(nameOf(path))) ?? [])].filter((name) => name !== nameOf(path))
      const standing = others.filter((name) => !going.has(join(parent, name)))
      for (const name of others) if (!standing.includes(name)) first.add(join(parent, name))
      const [other] = standing
      if (other === undefined) continue
      const detail = `its name is the same as that of ${other} to the file system there`
      troubles.set(path, { kind: 'problem', path, side, problem: { kind: 'problem', code: 'name', detail } })
    }
  }
  if (troubles.size === 0 && first.size === 0) return [...decisions]
  const isBelow = (path: RelPath) => {
    for (let at = path; at !== rootPath; at = parentOf(at)) if (troubles.has(at)) return true
    return false
  }
  return [
    ...decisions.flatMap((decision): Decision[] => {
      if (decision.kind === 'settle' && first.has(decision.path)) return [{ ...decision, first: true }]
      return isBelow(decision.path) ? [] : [decision]
    }),
    ...[...troubles.values()].filter(({ path }) => !isBelow(parentOf(path))),
  ]
}

/** What is there on that side, by what the names fold to. */
function namesByFold(tree: Tree, directory: RelPath): Map<string, Set<string>> {
  let at = tree
  if (directory !== rootPath) for (const name of directory.split('/')) at = at.member(name)
  const names = new Map<string, Set<string>>()
  for (const name of at.names()) add(names, name)
  return names
}

function add(names: Map<string, Set<string>>, name: string): void {
  const key = folded(name)
  const same = names.get(key)
  if (same === undefined) names.set(key, new Set([name]))
  else same.add(name)
}

/** Case and canonical form, as APFS, HFS+ and ext4 with casefold take them: generously, for two names held apart for nothing are only a problem told. */
export function folded(name: string): string {
  return name.normalize('NFD').toUpperCase().toLowerCase().normalize('NFD')
}

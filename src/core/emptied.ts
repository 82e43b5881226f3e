import { componentsOf, join, nameOf, parentOf, type RelPath } from './path.js'
import type { Prefer } from './rules.js'
import type { Side } from './side.js'
import { type AgreementTree, agreedContent, type Tree } from './tree.js'

/**
 * The scopes that one side emptied: it is absent there or has no members left, while both had some when they last agreed and
 * the other side is not empty. Scopes are the root or the paths of `path`, a final `/*` standing for its directory. What
 * `skips` names does not count. What cannot be told is not empty.
 *
 * With `force` a root: that side, empty, would empty the other one whatever was agreed, and the other one is filled again.
 */
export function emptiedScopes(
  agreement: AgreementTree,
  alpha: Tree,
  beta: Tree,
  scopes: readonly RelPath[],
  skips: (path: RelPath) => boolean = () => false,
  force: Prefer = 'nobody',
): { path: RelPath; side: Side }[] {
  const emptied: { path: RelPath; side: Side }[] = []
  for (const scope of scopes) {
    const path = nameOf(scope) === '*' ? parentOf(scope) : scope
    const counts = (name: string): boolean => !skips(join(path, name))
    const archive = agreementAt(agreement, path)
    const wasFull = agreedContent(archive).kind === 'directory' && some(archive.names(), counts)
    const losing = force === 'alpha' ? treeAt(beta, path) : force === 'beta' ? treeAt(alpha, path) : undefined
    if (!wasFull && losing?.found.kind !== 'directory') continue
    const alphaEmpty = isEmpty(treeAt(alpha, path), counts)
    const betaEmpty = isEmpty(treeAt(beta, path), counts)
    if (alphaEmpty && !betaEmpty && force !== 'beta') emptied.push({ path, side: 'alpha' })
    if (betaEmpty && !alphaEmpty && force !== 'alpha') emptied.push({ path, side: 'beta' })
  }
  return emptied
}

function isEmpty(tree: Tree | undefined, counts: (name: string) => boolean): boolean {
  if (tree === undefined) return false
  if (tree.found.kind === 'absent') return true
  return tree.found.kind === 'directory' && !some(tree.names(), counts)
}

/** The tree at a path, or undefined if it lies under a problem. */
function treeAt(root: Tree, path: RelPath): Tree | undefined {
  let tree = root
  for (const name of componentsOf(path)) {
    if (tree.found.kind === 'problem') return undefined
    tree = tree.member(name)
  }
  return tree
}

function agreementAt(root: AgreementTree, path: RelPath): AgreementTree {
  return componentsOf(path).reduce((tree, name) => tree.member(name), root)
}

function some(names: Iterable<string>, counts: (name: string) => boolean): boolean {
  for (const name of names) if (counts(name)) return true
  return false
}

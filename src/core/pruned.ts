import { join, type RelPath, rootPath } from './path.js'
import { type AgreementTree, absentTree, noAgreement, type Tree } from './tree.js'

/** The same tree with nothing in the directories at these paths: to judge them alone, however much is in them. */
export function prunedTree(tree: Tree, paths: ReadonlySet<RelPath>, at: RelPath = rootPath): Tree {
  const { found } = tree
  if (paths.has(at)) return { found, names: () => [], member: () => absentTree }
  return {
    found,
    names: () => tree.names(),
    member: (name) => prunedTree(tree.member(name), paths, join(at, name)),
  }
}

/** The same of what was agreed. */
export function prunedAgreement(
  tree: AgreementTree,
  paths: ReadonlySet<RelPath>,
  at: RelPath = rootPath,
): AgreementTree {
  const { agreement } = tree
  if (paths.has(at)) return { agreement, names: () => [], member: () => noAgreement }
  return {
    agreement,
    names: () => tree.names(),
    member: (name) => prunedAgreement(tree.member(name), paths, join(at, name)),
  }
}

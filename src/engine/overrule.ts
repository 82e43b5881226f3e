import type { Decision } from '../core/decision.js'
import { compareContents } from '../core/judge.js'
import { componentsOf, isWithin, type RelPath } from '../core/path.js'
import { reconcile } from '../core/reconcile.js'
import type { Rules } from '../core/rules.js'
import { otherSide, type Side } from '../core/side.js'
import { type AgreementTree, type Touched, type Tree, wholeTouched } from '../core/tree.js'

/**
 * A person's choice for one path and all below: `winner`'s content goes to the other side. It is decided as if the other
 * side were as agreed, so that everything in which they differ is a change of the winner's.
 */
export function overrule(path: RelPath, winner: Side, alpha: Tree, beta: Tree, rules: Rules): Decision[] {
  const loser = winner === 'alpha' ? beta : alpha
  const chosen: Rules = { ...rules, prefer: winner, force: 'nobody', deciderAt: () => undefined }
  const decisions = reconcile(asAgreed(loser), alpha, beta, only(path), chosen)
  const side = otherSide(winner)
  return decisions.flatMap((decision) => {
    if (!isWithin(decision.path, path)) return []
    const isLost =
      decision.kind === 'settle' &&
      decision.path === path &&
      decision[side].kind !== 'absent' &&
      compareContents(decision.alpha, decision.beta) !== 'same'
    return [isLost ? { ...decision, overridden: side } : decision]
  })
}

function asAgreed(tree: Tree): AgreementTree {
  const { found } = tree
  return {
    agreement:
      found.kind === 'problem' || found.kind === 'absent'
        ? undefined
        : { content: found, alphaHolds: undefined, betaHolds: undefined },
    names: () => tree.names(),
    member: (name) => asAgreed(tree.member(name)),
  }
}

/** The way down to one path, and everything below it. */
function only(path: RelPath): Touched {
  return componentsOf(path).reduceRight<Touched>(
    (below, name) => ({
      whole: false,
      names: () => [name],
      member: (other) => (other === name ? below : undefined),
    }),
    wholeTouched,
  )
}

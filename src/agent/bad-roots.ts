import { Failure } from '../core/failure.js'
import { type AbsPath, isWithin, relPath } from '../core/path.js'

/** Roots that cannot be a pair, or a place for state. */
export class BadRoots extends Failure {
  override readonly name = 'BadRoots'
  constructor(
    readonly code: 'same-root' | 'nested-roots' | 'state-inside' | 'state-directory',
    detail: string,
    cause?: unknown,
  ) {
    super(detail, cause === undefined ? undefined : { cause })
  }
}

/** @throws BadRoots when the two directories of this machine cannot be a pair */
export function refuseNested(one: AbsPath, other: AbsPath): void {
  if (one === other)
    throw new BadRoots('same-root', `both roots are the same directory, ${one}: name two different ones`)
  if (isNested(one, other) || isNested(other, one))
    throw new BadRoots('nested-roots', `one root lies inside the other: ${one} and ${other}`)
}

/** @throws BadRoots when what we keep for ourselves would be synchronized */
export function refuseState(root: AbsPath, stateDir: AbsPath): void {
  if (!isNested(stateDir, root)) return
  throw new BadRoots(
    'state-inside',
    `the state directory ${stateDir} lies inside the root ${root}: choose another with --state-dir`,
  )
}

/** Whether one path of this machine lies in the other. */
export function isNested(one: AbsPath, other: AbsPath): boolean {
  return isWithin(relPath(one.slice(1)), relPath(other.slice(1)))
}

import { Failure } from '../core/failure.js'
import { componentsOf, type RelPath } from '../core/path.js'
import type { Side } from '../core/side.js'
import type { Tree } from '../core/tree.js'

/** A path without which nothing is to be done is not there: something is not mounted, or not plugged in. */
export class MountpointMissing extends Failure {
  override readonly name = 'MountpointMissing'
  readonly code = 'mountpoint-missing'
  constructor(
    readonly path: RelPath,
    side: Side,
  ) {
    super(`the mount point ${path} does not exist on ${side}: nothing is done without it`)
  }
  override get transient(): boolean {
    return true
  }
}

/** @throws MountpointMissing unless each path is there on both sides; one that cannot be told is not */
export function checkMountpoints(paths: readonly RelPath[], trees: Readonly<Record<Side, Tree>>): void {
  for (const path of paths)
    for (const side of ['alpha', 'beta'] as const) {
      const { found } = componentsOf(path).reduce((tree, name) => tree.member(name), trees[side])
      if (found.kind === 'absent' || found.kind === 'problem') throw new MountpointMissing(path, side)
    }
}

import type { PairConfig, RootConfig } from '../config/config.js'
import { Failure } from '../core/failure.js'
import { type RelPath, relPath } from '../core/path.js'
import { otherSide, type Side } from '../core/side.js'
import { canonicalOf } from '../replica/remote.js'
import type { ReachedRoot } from '../replica/replica.js'
import type { RootState } from '../wire/message.js'

/**
 * Whether two roots that meet for the first time are files: the name that they go by, or undefined for two directories. One that
 * is a file has the other one be a file, too, or become one. A far end is asked only where that matters.
 * @throws KindsDiffer, LinkFailure
 */
export async function oneFile(
  config: PairConfig,
  replicas: Readonly<Record<Side, ReachedRoot>>,
): Promise<RelPath | undefined> {
  const states: Partial<Record<Side, RootState>> = {}
  const isFar = (side: Side) => config[side].kind !== 'local'
  for (const side of [...sides].sort((one, two) => Number(isFar(one)) - Number(isFar(two)))) {
    states[side] = await replicas[side].look()
    if (states[side] === 'ready' && isFar(otherSide(side))) return undefined
  }
  const side = sides.find((one) => states[one] === 'file')
  if (side === undefined) return undefined
  const other = otherSide(side)
  if (states[other] === 'ready') throw new KindsDiffer(replicas[side].canonical, config[other], nameOf(config[side]))
  return relPath(nameOf(config[states.alpha === 'file' ? 'alpha' : 'beta']))
}

const sides: readonly Side[] = ['alpha', 'beta']

/** What says something of names in a directory says nothing of a root, whatever it is called. */
export function ofOneFile(config: PairConfig): PairConfig {
  return { ...config, preferences: { ...config.preferences, ignore: [], ignorenot: [], path: [], mountpoint: [] } }
}

/** One root is a file and the other a directory. */
export class KindsDiffer extends Failure {
  override readonly name = 'KindsDiffer'
  readonly code = 'kinds-differ'
  constructor(file: string, directory: RootConfig, name: string) {
    super(
      `${file} is a file, and the other root, ${rootText(directory)}, is a directory. ${
        directory.kind === 'local' || directory.kind === 'ssh'
          ? `To keep the file equal with one in it, name that: ${rootText(directory).replace(/\/$/, '')}/${name}`
          : `To keep one file of a directory equal with one there, name the two directories, with -path ${name}`
      }`,
    )
  }
}

function rootText(root: RootConfig): string {
  return root.kind === 'local' ? root.path : canonicalOf(root)
}

/** The last name in the path of a root, or the one that it is served under. */
function nameOf(root: RootConfig): string {
  const path = root.kind === 'local' ? root.path : root.name
  return path.slice(path.lastIndexOf('/') + 1)
}

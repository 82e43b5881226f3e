import type { RelPath } from '../core/path.js'
import type { Side } from '../core/side.js'
import type { Replica } from '../replica/replica.js'
import type { Overlay } from './overlay.js'

/** Paths of one request to read files. */
const identifyPathsMax = 2_000

/** Has the files read, and notes what they are. */
export async function identify(
  context: { readonly replicas: Readonly<Record<Side, Replica>> },
  overlay: Overlay,
  side: Side,
  paths: readonly RelPath[],
): Promise<void> {
  const chunks: Promise<void>[] = []
  for (let at = 0; at < paths.length; at += identifyPathsMax) {
    const chunk = paths.slice(at, at + identifyPathsMax)
    chunks.push(context.replicas[side].identify(chunk).then((reports) => overlay.note(side, reports)))
  }
  await Promise.all(chunks)
}

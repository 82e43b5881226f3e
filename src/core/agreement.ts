import { absent, type Content, type Props } from './content.js'
import type { Side } from './side.js'

/**
 * What both roots last agreed on at a path. A path without one was last agreed to be absent.
 *
 * A property in `content` may be unknown: its preference was off when this was written. A root that could not hold the
 * agreed properties holds others instead: these are here, and that side counts as changed only when it differs from its own.
 */
export interface Agreement {
  readonly content: Content
  readonly alphaHolds: Props | undefined
  readonly betaHolds: Props | undefined
}

/** What a side holds where nothing was reported since the agreement. */
export function heldBy(side: Side, agreement: Agreement | undefined): Content {
  if (agreement === undefined) return absent
  const holds = side === 'alpha' ? agreement.alphaHolds : agreement.betaHolds
  const { content } = agreement
  if (holds === undefined || content.kind === 'absent' || content.kind === 'symlink') return content
  return { ...content, props: holds }
}

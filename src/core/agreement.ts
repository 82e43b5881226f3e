import type { Content, Props } from './content.js'

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

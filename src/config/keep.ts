import type { Keep } from '../core/keep.js'
import { bytesOf, durationOf } from './amounts.js'

/** What is kept of old versions when nothing is said. */
export const keepDefault = '30d'
export const keepSizeDefault = '10GiB'

/** Of what the keys `keep` and `keepsize` take. */
export const keepRule = 'is a time, as 30d or 12h, or 0 for none'
export const keepSizeRule = 'is a size, as 10GiB or 500MB, or 0 for none'

/** The two keys together: nothing is kept when one of them is 0. They have been checked. */
export function keepOf(keep: string | undefined, keepSize: string | undefined): Keep | undefined {
  const ageMs = durationOf(keep ?? keepDefault) ?? 0
  const sizeBytes = bytesOf(keepSize ?? keepSizeDefault) ?? 0
  return ageMs === 0 || sizeBytes === 0 ? undefined : { ageMs, sizeBytes }
}

import type { MinFree } from '../core/min-free.js'
import { bytesOf } from './amounts.js'

/** What is kept free when nothing is said: 1 % of a small disk, of a large one no more than anybody misses. */
export const minFreeDefault: MinFree = { kind: 'share', share: 0.01, bytesMax: 256 * 1024 ** 2 }

/** Of what the key `minfree` takes. */
export const minFreeRule = 'is a size, as 1GiB, or a share of the disk, as 5%, or 0 for none'

/** '5%': a share of the file system; '1GiB': a size. undefined: it is neither. */
export function minFreeIn(text: string): MinFree | undefined {
  const parts = /^(\d{1,3}(?:\.\d{1,3})?)\s*%$/.exec(text.trim())
  if (parts !== null) {
    const share = Number(parts[1]) / 100
    return share <= 1 ? { kind: 'share', share, bytesMax: undefined } : undefined
  }
  const bytes = bytesOf(text)
  return bytes === undefined ? undefined : { kind: 'size', bytes }
}

/** The key, which has been checked, or the default; undefined: it is 0, and any room will do. */
export function minFreeOf(text: string | undefined): MinFree | undefined {
  const minFree = text === undefined ? minFreeDefault : minFreeIn(text)
  if (minFree === undefined) return undefined
  return (minFree.kind === 'size' ? minFree.bytes : minFree.share) === 0 ? undefined : minFree
}

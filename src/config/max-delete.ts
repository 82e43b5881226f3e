import type { MaxDelete } from '../core/budget.js'

export const maxDeleteDefault = '90%'
export const maxDeleteRule = 'is a share of the paths, as 90%, or a number of them'

/** '90%': a share of all paths; '5000': so many. undefined: it is neither. */
export function maxDeleteOf(text: string): MaxDelete | undefined {
  const parts = /^(\d{1,9}(?:\.\d{1,3})?)(\s*%)?$/.exec(text.trim())
  if (parts === null) return undefined
  const value = Number(parts[1])
  if (parts[2] === undefined) return Number.isSafeInteger(value) ? { kind: 'count', count: value } : undefined
  return value > 0 && value <= 100 ? { kind: 'share', share: value / 100 } : undefined
}

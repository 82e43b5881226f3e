import { randomFillSync } from 'node:crypto'
import type { Random } from '../clock.js'

export function nodeRandom(): Random {
  return { bytes: (count) => randomFillSync(new Uint8Array(count)), fraction: Math.random }
}

import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import type { Compression } from '../../src/host/compression.js'
import type { Network } from './network.js'
import type { Process } from './process.js'

/** Brotli as the real one, in a time that the seed decides. */
export function simCompression(process: Process, { scheduler, dice }: Network): Compression {
  const later = <T>(work: () => T) =>
    new Promise<T>((resolve) => {
      scheduler.after(dice.skewed(20_000, 3_000_000), `${process.name} shortens`, () => {
        if (!process.dead) resolve(work())
      })
    })
  return {
    formats: ['brotli'],
    shorten: (_, bytes) => later(() => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })),
    restore: (_, bytes, sizeBytes) =>
      later(() => {
        const whole = brotliDecompressSync(bytes, { maxOutputLength: sizeBytes })
        return whole.length === sizeBytes ? whole : undefined
      }),
  }
}

import * as zlib from 'node:zlib'
import type { Compression, Format } from '../compression.js'

/** zstd where this Node has it (22.15, 23.8 and later), and brotli at its quickest; both in Node's thread pool. */
export function nodeCompression(): Compression {
  const zstd = zstdOfNode()
  const coders: Readonly<Partial<Record<Format, Coder>>> = zstd === undefined ? { brotli } : { zstd, brotli }
  const coderOf = (format: Format): Coder => {
    const coder = coders[format]
    if (coder === undefined) throw new Error(`${format} is not among the formats of this machine`)
    return coder
  }
  return {
    formats: zstd === undefined ? ['brotli'] : ['zstd', 'brotli'],
    shorten: (format, bytes) =>
      new Promise((resolve, reject) => {
        // One step of the thread pool: nothing that is sent on is longer than what was given.
        coderOf(format).shorten(bytes, { chunkSize: Math.max(chunkBytesMin, bytes.length) }, (error, shorter) =>
          error === null ? resolve(shorter) : reject(error),
        )
      }),
    restore: (format, bytes, sizeBytes) =>
      new Promise((resolve) => {
        const limits = { chunkSize: Math.max(chunkBytesMin, sizeBytes), maxOutputLength: Math.max(1, sizeBytes) }
        coderOf(format).restore(bytes, limits, (error, whole) =>
          resolve(error === null && whole.length === sizeBytes ? whole : undefined),
        )
      }),
  }
}

interface Limits {
  readonly chunkSize: number
  readonly maxOutputLength?: number
}

type Code = (bytes: Uint8Array, limits: Limits, done: (error: Error | null, result: Buffer) => void) => void

interface Coder {
  readonly shorten: Code
  readonly restore: Code
}

/** The least that zlib takes. */
const chunkBytesMin = 64

const brotli: Coder = {
  shorten: (bytes, limits, done) => zlib.brotliCompress(bytes, { ...limits, params: brotliParams }, done),
  restore: (bytes, limits, done) => zlib.brotliDecompress(bytes, limits, done),
}
const brotliParams = { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 }

/** The window that a frame may ask its reader to hold: 2^20 bytes, as long as a frame. */
const zstdWindowLog = 20

type ZstdCode = (
  bytes: Uint8Array,
  options: Limits & { readonly params: Readonly<Record<number, number>> },
  done: (error: Error | null, result: Buffer) => void,
) => void

/** The types of Node 20 do not know it. */
function zstdOfNode(): Coder | undefined {
  const { zstdCompress, zstdDecompress } = zlib as { zstdCompress?: ZstdCode; zstdDecompress?: ZstdCode }
  const { ZSTD_c_compressionLevel: level, ZSTD_d_windowLogMax: windowLogMax } = zlib.constants as Readonly<
    Record<string, number>
  >
  if (zstdCompress === undefined || zstdDecompress === undefined) return undefined
  if (level === undefined || windowLogMax === undefined) return undefined
  return {
    shorten: (bytes, limits, done) => zstdCompress(bytes, { ...limits, params: { [level]: 1 } }, done),
    restore: (bytes, limits, done) =>
      zstdDecompress(bytes, { ...limits, params: { [windowLogMax]: zstdWindowLog } }, done),
  }
}

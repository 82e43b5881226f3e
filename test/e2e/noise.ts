import { randomBytes } from 'node:crypto'
import { closeSync, openSync, statSync, writeSync } from 'node:fs'

/** Noise in every page of a store but the first two: LMDB knows its files by these, and follows what is behind them wherever it leads. */
export function noiseInside(store: string): void {
  for (let at = 8_192; at < statSync(store).size; at += 4_096) overwrite(store, at + 16, randomBytes(64))
}

export function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const fd = openSync(path, 'r+')
  writeSync(fd, bytes, 0, bytes.length, at)
  closeSync(fd)
}

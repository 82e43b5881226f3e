import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach } from 'vitest'

const mounted: string[] = []
afterEach(() => {
  for (const place of mounted.splice(0)) spawnSync('umount', ['-l', place])
})

/** A file system of its own, in memory, until the test is over. Answers whether that is allowed. */
export function mountSmall(place: string, sizeMib: number): boolean {
  mkdirSync(place, { recursive: true })
  const options = `size=${sizeMib}m,mode=755`
  return spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', place]).status === 0 && mounted.push(place) > 0
}

export function mayMount(): boolean {
  const place = mkdtempSync(`${tmpdir()}/tandem-mount-`)
  const may = mountSmall(place, 1)
  for (const one of mounted.splice(0)) spawnSync('umount', [one])
  rmSync(place, { recursive: true })
  return may
}

/** Makes it read-only or writable again; refused while somebody has a file open for writing. */
export function remount(place: string, how: 'ro' | 'rw'): boolean {
  return spawnSync('mount', ['-o', `remount,${how}`, place]).status === 0
}

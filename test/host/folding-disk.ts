import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AbsPath, absPath } from '../../src/core/path.js'

/** A small real file system with a directory in which case does not count. */
export interface FoldingDisk {
  /** Folds case, and so does what is made in it. */
  readonly path: AbsPath
  dispose(): void
}

/** ext4 with casefold on a loop device, or in words why there is none: it takes root, and a kernel with CONFIG_UNICODE. */
export function foldingDisk(): FoldingDisk | string {
  if (process.platform !== 'linux') return 'not Linux'
  if (process.getuid?.() !== 0) return 'not root'
  const home = mkdtempSync(join(tmpdir(), 'tandem-folding-'))
  const image = join(home, 'image')
  const mountPoint = join(home, 'disk')
  const path = join(mountPoint, 'folding')
  let mounted = false
  const dispose = () => {
    if (mounted) spawnSync('umount', [mountPoint])
    rmSync(home, { recursive: true, force: true })
  }
  const run = (command: string, ...given: readonly string[]): string | undefined => {
    const { status, stderr, error } = spawnSync(command, given, { encoding: 'utf8' })
    return status === 0 ? undefined : `${command}: ${error?.message ?? stderr.split('\n')[0]}`
  }
  writeFileSync(image, '')
  truncateSync(image, 32 << 20)
  mkdirSync(mountPoint)
  let why = run('mkfs.ext4', '-q', '-O', 'casefold', image) ?? run('mount', '-o', 'loop', image, mountPoint)
  mounted = why === undefined
  if (mounted) {
    mkdirSync(path)
    why = run('chattr', '+F', path)
  }
  if (why === undefined) return { path: absPath(path), dispose }
  dispose()
  return why
}

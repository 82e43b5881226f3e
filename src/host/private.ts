import { type AbsPath, absPath } from '../core/path.js'
import { FileFailure, type Files } from './files.js'
import type { World } from './workers.js'

/** Makes a directory that only its owner can use, if it is not there; its parent must be. */
export function ensureDirectory(files: Files, path: AbsPath): void {
  try {
    files.makeDirectory(path, 0o700)
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'exists') throw error
  }
}

/** Renames a store that cannot be used, so that nothing is lost that somebody may want to look at. */
export function moveAside(world: World, directory: AbsPath, name: string): AbsPath {
  const seconds = world.clock.wallNs() / 1_000_000_000n
  const aside = `${name}.aside-${seconds}-${Buffer.from(world.random.bytes(2)).toString('hex')}`
  const opened = world.files.openDirectory(directory)
  try {
    opened.replace(name, aside)
    if (opened.statAt(`${name}-lock`) !== undefined) opened.removeFile(`${name}-lock`)
    opened.sync()
  } finally {
    opened.close()
  }
  return absPath(`${directory}/${aside}`)
}

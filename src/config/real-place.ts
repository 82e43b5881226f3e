import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** An absolute path with the links in it resolved as far as it exists. */
export function realPlace(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    const parent = dirname(path)
    return parent === path ? path : join(realPlace(parent), basename(path))
  }
}

import { existsSync } from 'node:fs'

/** The directory of this program's package.json, ending in '/': the same for a source, a compiled file and a bundle. */
export const packageRoot = above(new URL('.', import.meta.url))

function above(directory: URL): URL {
  return existsSync(new URL('package.json', directory)) ? directory : above(new URL('..', directory))
}

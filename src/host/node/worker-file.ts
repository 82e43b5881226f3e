import { packageRoot } from './package-root.js'

/**
 * The compiled file of a worker thread, named from the root of the sources: 'agent/disk-worker'. Node starts no thread from
 * a .ts file, so code that runs from its source (vitest, tsx) takes the file of the last build.
 */
export function workerFile(name: string): URL {
  return new URL(`dist/${name}.js`, packageRoot)
}

import { readFileSync } from 'node:fs'
import { packageRoot } from '../host/node/package-root.js'

/** The version of this program, from the package.json that it was installed with. */
export function programVersion(): string {
  known ??= readVersion()
  return known
}

/** It is told again and again, and stays what the program was started with. */
let known: string | undefined

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8'))
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) return String(manifest.version)
  return 'unknown'
}

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { ConfigFailure } from '../../src/config/config.js'

const made: string[] = []
afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true })
})

/** An empty directory of this test, for its owner only. */
export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-config-'))
  made.push(directory)
  return directory
}

/** A file with this text and mode, whatever the umask. */
export function write(file: string, text: string, mode = 0o600): string {
  writeFileSync(file, text)
  chmodSync(file, mode)
  return file
}

export function keyText(identity: string): string {
  return `identity = "${identity}"\nkey = "${'5a'.repeat(32)}"\n`
}

export async function failureOf(act: () => unknown): Promise<ConfigFailure> {
  try {
    await act()
  } catch (error) {
    if (error instanceof ConfigFailure) return error
    throw error
  }
  throw new Error('it was taken')
}

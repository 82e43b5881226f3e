import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type AbsPath, absPath } from '../../../src/core/path.js'

/** A fresh directory, removed when the tests of the file are over. */
export function freshDirectory(): AbsPath {
  const root = mkdtempSync(join(tmpdir(), 'tandem-host-'))
  afterAll(() => rmSync(root, { recursive: true, force: true }))
  return absPath(root)
}

export const isRoot = process.getuid?.() === 0
export const nobody = 65_534

/** Runs `act` with the rights of an ordinary user. Root only. */
export function asNobody<T>(act: () => T): T {
  process.setegid?.(nobody)
  process.seteuid?.(nobody)
  try {
    return act()
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
  }
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type AbsPath, absPath } from '../../src/core/path.js'
import { nodeClock } from '../../src/host/node/clock.js'
import { nodeFiles } from '../../src/host/node/files.js'
import { nodeMachine } from '../../src/host/node/machine.js'
import { nodeRandom } from '../../src/host/node/random.js'
import { nodeStores } from '../../src/host/node/store.js'
import type { World } from '../../src/host/workers.js'

/** A job's world on the real machine. */
export function nodeWorld(): World {
  return {
    files: nodeFiles(),
    stores: nodeStores(),
    clock: nodeClock(),
    random: nodeRandom(),
    machine: nodeMachine(),
  }
}

/** Directories for tests, removed after the file. Call at the top level of a test file. */
export function temporaryDirectories(): () => AbsPath {
  const made: string[] = []
  afterAll(() => {
    for (const path of made) rmSync(path, { recursive: true, force: true })
  })
  return () => {
    const path = mkdtempSync(join(tmpdir(), 'tandem-test-'))
    made.push(path)
    return absPath(path)
  }
}

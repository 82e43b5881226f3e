import { mkdtempSync, rmSync } from 'node:fs'
import { afterAll, test } from 'vitest'
import { absPath } from '../../src/core/path.js'
import { nodeFiles } from '../../src/host/node/files.js'
import { describeFolding } from './folding.suite.js'
import { foldingDisk } from './folding-disk.js'

const disk = foldingDisk()

if (typeof disk === 'string') test.skip(`a file system that folds case: ${disk}`, () => {})
else {
  afterAll(() => disk.dispose())
  describeFolding('ext4 with casefold', () => {
    const root = absPath(mkdtempSync(`${disk.path}/root-`))
    return { files: nodeFiles(), root, dispose: () => rmSync(root, { recursive: true }) }
  })
}

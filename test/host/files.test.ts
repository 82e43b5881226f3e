import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { absPath } from '../../src/core/path.js'
import { nodeFiles } from '../../src/host/node/files.js'
import { describeFiles } from './files.suite.js'

describeFiles('node', () => {
  const root = absPath(mkdtempSync(join(tmpdir(), 'tandem-files-')))
  return {
    files: nodeFiles(),
    root,
    openWriter: process.platform === 'linux' ? openWriter : null,
    anyBytes: process.platform === 'linux',
    dispose: () => rmSync(root, { recursive: true, force: true }),
  }
})

function openWriter(path: string): () => void {
  const fd = openSync(path, 'r+')
  return () => closeSync(fd)
}

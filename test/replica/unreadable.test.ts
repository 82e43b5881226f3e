import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { relPath, rootPath } from '../../src/core/path.js'
import { fileFailure } from '../../src/host/node/file-failure.js'
import { LocalRootFixture } from './local-root.js'
import { Reader } from './replica.suite.js'

/** What the kernel says, and what a path is told as for it. */
const errors = [
  ['EACCES', 'denied'],
  ['EPERM', 'denied'],
  ['EIO', 'io'],
  ['ESTALE', 'io'],
  ['ELOOP', 'loop'],
] as const

/** Where it says so: the call, the path it is made for, and the path that has the problem then. */
const levels: readonly [string, string, string, string][] = [
  // what cannot be done               call             for          problem at
  ['a file is looked at', 'statAt', 'd/e/f', 'd/e/f'],
  ['a file is opened', 'openFile', 'd/e/f', 'd/e/f'],
  ['a file is read', 'read', 'd/e/f', 'd/e/f'],
  ['a link is read', 'readSymlink', 'd/e/l', 'd/e/l'],
  ['a directory is looked at', 'statAt', 'd/e', 'd/e'],
  ['a directory is opened', 'openDirectory', 'd/e', 'd/e'],
  ['a directory is listed', 'names', 'd/e', 'd/e'],
  ['a directory at the top is listed', 'names', 'd', 'd'],
]

let root: LocalRootFixture
beforeEach(() => {
  root = new LocalRootFixture()
})
afterEach(() => root.dispose())

describe.each(errors)('%s', (errno, code) => {
  test.each(levels)('when %s: a problem at its path, and nothing is taken for gone', async (_, call, at, path) => {
    root.write('d/e/f', 'v1')
    root.write('d/e/kept', 'k')
    root.link('d/e/l', 'old')
    root.write('beside', 'v1')
    const reader = await Reader.open(root.replica())
    await reader.replica.identify(['d/e/f', 'beside'].map(relPath))
    const before = reader.tree()
    root.write('d/e/f', 'v2')
    root.remove('d/e/l')
    root.link('d/e/l', 'new')
    root.write('beside', 'version 2')
    root.trap.fail((made, where) =>
      made === call && where === root.abs(at) ? fileFailure(call, where, errno) : undefined,
    )
    await reader.replica.rescan([rootPath])
    expect(reader.tree()).toEqual({ ...before, beside: 'file of 9', [path]: `problem ${code}` })
    expect(reader.failure).toBeUndefined()

    root.trap.release()
    await reader.replica.rescan([rootPath])
    expect(reader.tree()).toEqual({ ...before, beside: 'file of 9' })
    expect(reader.known.get(relPath('d/e/l'))).toMatchObject({ kind: 'symlink', target: 'new' })
  })
})

// Calls follow no links, so one answer like this is a race: what was a file a moment ago is a link by now.
test.each(levels.filter(([, , at]) => at === 'd/e/f'))(
  'ELOOP once when %s: it is looked at again',
  async (_, call, at) => {
    root.write('d/e/f', 'v1')
    const reader = await Reader.open(root.replica())
    await reader.replica.identify([relPath('d/e/f')])
    // Of the same size, so that it is read by the scan itself.
    root.write('d/e/f', 'v2')
    root.tell('d/e/f')
    let answers = 0
    root.trap.fail((made, where) =>
      made === call && where === root.abs(at) && answers++ === 0 ? fileFailure(call, where, 'ELOOP') : undefined,
    )
    expect(await reader.replica.flush()).toEqual([])
    expect(answers).toBeGreaterThan(1)
    expect(reader.tree()).toMatchObject({ 'd/e/f': 'file of 2' })
  },
)

test('ELOOP for ever: the problem is over when the file system answers again', async () => {
  root.write('d/e/f', 'v1')
  const reader = await Reader.open(root.replica())
  root.write('d/e/f', 'version 2')
  root.tell('d/e/f')
  root.trap.fail((made, where) =>
    made === 'statAt' && where === root.abs('d/e/f') ? fileFailure('statAt', where, 'ELOOP') : undefined,
  )
  await reader.replica.flush()
  expect(reader.tree()).toMatchObject({ 'd/e/f': 'problem loop' })
  root.trap.release()
  await reader.replica.flush()
  expect(reader.tree()).toMatchObject({ 'd/e/f': 'file of 9' })
})

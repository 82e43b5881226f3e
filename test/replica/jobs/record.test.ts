import { expect, test } from 'vitest'
import { absPath, relPath } from '../../../src/core/path.js'
import { Index } from '../../../src/index/index.js'
import type { RecordFields } from '../../../src/index/record.js'
import { unread } from '../../../src/replica/jobs/look.js'
import { recordAll } from '../../../src/replica/jobs/record.js'
import { freshRoot } from './fixture.js'

/** An index with the root and a file `a` in it. */
function freshIndex() {
  const { world, root } = freshRoot()
  const index = new Index(world.stores.open(absPath(`${root}/../other.mdb`)))
  index.write((edit) => {
    const { directoryId } = edit.put(0, '', fields('directory', 1n))
    edit.put(directoryId, 'a', fields('file', 2n))
  })
  const kindAt = (path: string) => index.find(relPath(path))?.record.kind
  return { index, before: index.find(relPath('a'))?.record, kindAt }
}

test('S1-3 a path that one batch removes and makes anew is recorded as it is in the end', () => {
  // Else the lead knows of the directory and the index of nothing: that the user removes it next would be told to nobody.
  const { index, before, kindAt } = freshIndex()
  const path = relPath('a')
  const { dirty } = recordAll(index, [
    { path, before, fields: undefined },
    { path, before, fields: fields('directory', 3n) },
    { path: relPath('a/b'), before: undefined, fields: fields('directory', 4n) },
    { path: relPath('a/b/c'), before: undefined, fields: fields('file', 5n) },
    { path: relPath('a/b/d'), before: undefined, fields: fields('file', 6n) },
    { path: relPath('a/b/c'), before: undefined, fields: undefined },
    { path: relPath('a/b/c'), before: undefined, fields: fields('directory', 7n) },
  ])
  expect(dirty).toEqual([])
  const kinds = ['a', 'a/b', 'a/b/c', 'a/b/d'].map(kindAt)
  expect(kinds).toEqual(['directory', 'directory', 'directory', 'file'])
})

test('S1-4 what is made in a directory that took the place of another is not taken for what was made in that one', () => {
  const { index } = freshIndex()
  const [a, b, c] = [relPath('a'), relPath('a/b'), relPath('a/b/c')]
  index.write((edit) => edit.put(index.directoryId(relPath('')) ?? 0, 'a', fields('directory', 2n)))
  const before = index.find(a)?.record
  // Its user removes a/b before a is removed; the next one gets its inode, on a file system that knows no time of birth.
  const { dirty } = recordAll(index, [
    { path: b, before: undefined, fields: fields('directory', 3n) },
    { path: a, before, fields: undefined },
    { path: a, before, fields: fields('directory', 4n) },
    { path: b, before: undefined, fields: fields('directory', 3n) },
    { path: c, before: undefined, fields: fields('file', 5n) },
  ])
  expect(dirty).toEqual([b, c])
  expect(index.find(b)).toBeUndefined()
})

test('S1-3 a record that came meanwhile stays, with all that hangs on it', () => {
  const { index, before, kindAt } = freshIndex()
  const path = relPath('a')
  index.write((edit) => edit.put(index.directoryId(relPath('')) ?? 0, 'a', fields('file', 9n)))
  const { dirty } = recordAll(index, [
    { path, before, fields: undefined },
    { path, before, fields: fields('directory', 3n) },
    { path: relPath('a/b'), before: undefined, fields: fields('file', 4n) },
  ])
  expect(dirty).toEqual(['a', 'a', 'a/b'])
  expect([kindAt('a'), index.find(path)?.record.inode]).toEqual(['file', 9n])
})

function fields(kind: 'file' | 'directory', inode: bigint): RecordFields {
  return {
    kind,
    mode: 0o644,
    inode,
    birthNs: 1n,
    sizeBytes: 0,
    mtimeNs: 1n,
    ctimeNs: inode,
    boundary: false,
    problem: undefined,
    ...unread,
  }
}

import { expect, test } from 'vitest'
import { relPath } from '../../../src/core/path.js'
import { openIndex } from '../../../src/index/index.js'
import { acceptableJob } from '../../../src/replica/jobs/accept.js'
import { unread } from '../../../src/replica/jobs/look.js'
import { setGenerationJob } from '../../../src/replica/jobs/marker.js'
import { fieldsOf } from '../../../src/replica/jobs/stamp.js'
import { type Fixture, freshRoot } from './fixture.js'

const ours = 'a'.repeat(32)
const another = 'b'.repeat(32)
const path = relPath('usb')

/** A root of these pairs, in which a file system came at `usb`. */
function rootOf(pairs: readonly string[]): Fixture {
  const root = freshRoot()
  root.write('usb/f', 'f')
  root.scan(['usb'], true)
  openIndex(root.world, root.place.index).write((tx) => {
    const located = tx.find(path)
    if (located === undefined) throw new Error('not known')
    const problem = { kind: 'problem', code: 'boundary', detail: 'another file system was mounted here' } as const
    tx.put(located.directoryId, 'usb', { ...fieldsOf(root.stat(path), unread), problem })
  })
  for (const pair of pairs) setGenerationJob.run(root.world, { place: root.place, pair, generation: 1 })
  return root
}

test.each<[what: string, pairs: readonly string[], said: readonly string[], confirmed: boolean, answer: string]>([
  ['the only pair says so', [ours], [ours], false, 'accepted'],
  ['all pairs say so', [ours, another], [ours, another], false, 'accepted'],
  ['another pair would take what is missing for removed', [ours, another], [ours], false, 'refused'],
  ['somebody knows and means it', [ours, another], [ours], true, 'accepted'],
])('S1-14 a boundary may be accepted: %s', (_, pairs, said, confirmed, answer) => {
  const root = rootOf(pairs)
  expect(acceptableJob.run(root.world, { place: root.place, path, pairs: said, confirmed })).toMatchObject({
    kind: answer,
    ...(answer === 'refused' ? { detail: expect.stringContaining('--confirm') } : {}),
  })
})

test('S1-14 where no file system came or went there is nothing to accept', () => {
  const root = rootOf([ours])
  for (const other of ['usb/f', 'nothing', ''])
    expect(
      acceptableJob.run(root.world, { place: root.place, path: relPath(other), pairs: [ours], confirmed: true }),
    ).toEqual({ kind: 'nothing' })
})

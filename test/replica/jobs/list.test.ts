import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { relPath } from '../../../src/core/path.js'
import { openIndex } from '../../../src/index/index.js'
import { catchUpJob } from '../../../src/replica/jobs/list.js'
import { scanJob } from '../../../src/replica/jobs/scan.js'
import { type Fixture, freshRoot } from './fixture.js'

function scan({ world, place }: Fixture): void {
  const run = (directory: string, names: string[] | undefined, placed: boolean): void => {
    const targets = [{ directory: relPath(directory), names, placed, settled: [] }]
    const output = scanJob.run(world, { place, targets, full: true, sealing: true, reporting: true })
    for (const below of output.deeper) run(below.directory, undefined, below.placed)
  }
  run('', [''], false)
  run('', undefined, false)
}

/** The steps of a reader who had been told all before `change`. */
function stepsAfter(change: (at: string) => void): string[] {
  const root = freshRoot()
  fs.mkdirSync(`${root.root}/d/e/f`, { recursive: true })
  fs.mkdirSync(`${root.root}/other`)
  scan(root)
  const index = openIndex(root.world, root.place.index)
  const run = '7'.repeat(32)
  index.write((edit) => {
    edit.setFact('id', 'i')
    edit.beginRun(run)
  })
  const cursor = { index: 'i', run, sequence: index.sequence(), view: '' }
  change(root.root)
  scan(root)
  const { steps } = catchUpJob.run(root.world, { place: root.place, cursor })
  return steps.map(({ path, entry, members }) => `${path}:${entry ? 'entry ' : ''}${members}`)
}

const rows: readonly (readonly [string, (at: string) => void, string[]])[] = [
  ['nothing', () => {}, [':entry none']],
  ['a file in a directory', (at) => fs.writeFileSync(`${at}/d/e/x`, ''), [':entry none', 'd/e:own']],
  [
    'a tree that came, with changes in it: listed from its top, once',
    (at) => fs.mkdirSync(`${at}/d/new/a/b`, { recursive: true }),
    [':entry none', 'd/new:entry deep', 'd:own'],
  ],
  [
    'a tree that was moved',
    (at) => fs.renameSync(`${at}/d/e`, `${at}/other/e`),
    [':entry none', 'other/e:entry deep', 'd:own', 'other:own'],
  ],
]
test.each(rows)('a reader who was told all before is told of %s', (_, change, expected) => {
  expect(stepsAfter(change)).toEqual(expected)
})

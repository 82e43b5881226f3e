import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absent } from '../../../src/core/content.js'
import { FileFailure } from '../../../src/host/files.js'
import { acknowledgeJob } from '../../../src/replica/jobs/acknowledge.js'
import { sweepJob } from '../../../src/replica/jobs/sweep.js'
import { dayNs, type Fixture, freshRoot, pair, remove, type Told, writeFile } from './fixture.js'
import { crashes, everyCall } from './stepping.js'

/** What lies beside its target, on a file system in the root that is not mounted when the next process begins. */

const second = 1_100_000_000n

function withMount(): Fixture {
  const root = freshRoot()
  for (const name of ['a', 'b']) root.write(`mount/${name}`, `old ${name}`)
  root.scan(['mount/a', 'mount/b'])
  crossing(root)
  return root
}

/** A process, and the file system that rename does not cross. */
function crossing(root: Fixture): void {
  root.trap.fail((call, path) => {
    const inside = path.split(' -> ').filter((one) => one.startsWith(root.abs('mount/'))).length
    return call.startsWith('rename') && inside === 1 ? new FileFailure('crosses', 'a', 'rename', 'EXDEV') : undefined
  })
}

function restarted(root: Fixture): void {
  root.restart()
  crossing(root)
}

const away = (root: Fixture) => `${root.root}-mounted`

function unmount(root: Fixture): void {
  fs.renameSync(root.abs('mount'), away(root))
  fs.mkdirSync(root.abs('mount'))
}

function mountAgain(root: Fixture): void {
  fs.rmdirSync(root.abs('mount'))
  fs.renameSync(away(root), root.abs('mount'))
}

function sweep(root: Fixture) {
  root.aheadNs += second
  return sweepJob.run(root.world, { place: root.place })
}

const paths = ({ unacknowledged }: Told) =>
  unacknowledged.flatMap(({ outcomes }) => outcomes).map(({ outcome }) => outcome.path as string)

/** The texts of all versions. */
function versions(root: Fixture): string[] {
  return fs
    .readdirSync(root.abs('.tandem/versions'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => fs.readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8'))
    .sort()
}

test('nothing is concluded while it is away, and when it is back all is as it would have been', () => {
  for (const n of everyCall()) {
    const root = withMount()
    const operations = [
      writeFile('mount/a', root.content('mount/a'), 0, 'new a'),
      writeFile('mount/n', absent, 1, 'new n'),
      remove('mount/b', root.content('mount/b')),
    ]
    root.trap.crash(n)
    const crashed = crashes(() => root.apply(operations, ['new a', 'new n']))
    unmount(root)
    // What it finds later of those that were told is as it was: the batch was over.
    restarted(root)
    const early = paths(root.recover())
    sweep(root)
    expect(fs.readdirSync(root.abs('mount'))).toEqual([])
    mountAgain(root)
    restarted(root)
    const told = paths(root.recover())
    const tree = root.tree()
    expect(told).toEqual(expect.arrayContaining(early))
    expect(['old a', 'new a']).toContain(tree['mount/a'])
    expect(told.includes('mount/a')).toBe(tree['mount/a'] === 'new a')
    expect(told.includes('mount/n')).toBe(tree['mount/n'] === 'new n')
    expect(told.includes('mount/b')).toBe(tree['mount/b'] === undefined)
    sweep(root)
    expect(root.tree()).toEqual(tree)
    expect(root.has('mount/.tandem')).toBe(false)
    expect(versions(root)).toEqual([
      ...(tree['mount/a'] === 'new a' ? ['old a'] : []),
      ...(tree['mount/b'] === undefined ? ['old b'] : []),
    ])
    root.dispose()
    if (!crashed) break
  }
})

/** Acknowledged, and unmounted before the second look. */
function acknowledged(): Fixture {
  const root = withMount()
  root.apply([writeFile('mount/a', root.content('mount/a'), 0, 'new a')], ['new a'])
  acknowledgeJob.run(root.world, { place: root.place, pair, batches: [root.batch] })
  return root
}

test('what came out of a path there is kept when it is back, after the batch was acknowledged and by another process, too', () => {
  const root = acknowledged()
  unmount(root)
  expect(sweep(root)).toMatchObject({ pending: 0, dirty: [] })
  restarted(root)
  root.recover()
  sweep(root)
  mountAgain(root)
  root.recover()
  expect(versions(root)).toEqual(['old a'])
  expect(root.has('mount/.tandem')).toBe(false)
  expect(root.slots('intents')).toEqual([])
})

test('what its user was writing into it comes beside the path when it is back', () => {
  const root = acknowledged()
  const [slot = ''] = fs.readdirSync(root.abs(`mount/.tandem/stage/${root.place.folder}/out`))
  fs.writeFileSync(root.abs(`mount/.tandem/stage/${root.place.folder}/out/${slot}`), 'the user\u2019s')
  unmount(root)
  sweep(root)
  restarted(root)
  root.recover()
  mountAgain(root)
  expect(root.recover().dirty).toHaveLength(2)
  expect(Object.values(root.tree()).sort()).toEqual(['/', 'new a', 'old b', 'the user\u2019s'])
})

test('what was settled is not waited for, and a month later nothing is', () => {
  const settled = acknowledged()
  sweep(settled)
  expect(settled.slots('intents')).toEqual([])
  const root = acknowledged()
  unmount(root)
  sweep(root)
  expect(root.slots('intents')).toHaveLength(1)
  root.aheadNs += 31n * dayNs
  sweep(root)
  expect(root.slots('intents')).toEqual([])
})

import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeWatcher } from '../../src/host/node/watcher.js'
import type { DirtyPath, WatchBatch } from '../../src/host/watcher.js'
import type { WatcherFixture } from './watcher.suite.js'
import { watcherFixture } from './watcher-fixture.js'

let fixture: WatcherFixture
beforeEach(() => {
  fixture = watcherFixture(nodeWatcher())
})
afterEach(async () => {
  await fixture.watcher.close()
  fixture.release()
})

const at = (path: string) => `${fixture.root}/${path}`

describe.skipIf(process.platform !== 'linux')('inotify, of one name', () => {
  test('everything that happens to it is told, and nothing else, also of what is below', async () => {
    writeFileSync(at('one'), '')
    mkdirSync(at('sub'))
    const batches: WatchBatch[] = []
    const watch = await fixture.watcher.watch(fixture.root, (batch) => batches.push(batch), 'inotify', 'one')
    const told = async (step: () => void): Promise<readonly DirtyPath[]> => {
      batches.length = 0
      step()
      await watch.drain()
      for (const { lost, gone, unwatched } of batches) expect([lost, gone, unwatched]).toEqual([false, false, []])
      // What happened in one step may be told at once or bit by bit.
      return [...new Map(batches.flatMap(({ dirty }) => dirty.map((one) => [one.path, one]))).values()]
    }
    const beside = () => {
      writeFileSync(at('other'), 'x')
      mkdirSync(at('new'))
      writeFileSync(at('sub/one'), 'x')
      writeFileSync(at('new/one'), 'x')
      renameSync(at('other'), at('one.new'))
    }
    expect(await told(beside)).toEqual([])
    const one = { path: 'one', depth: 'entry' }
    expect(await told(() => appendFileSync(at('one'), 'x'))).toMatchObject([{ ...one, closed: true }])
    expect(await told(() => renameSync(at('one.new'), at('one')))).toMatchObject([one])
    expect(await told(() => rmSync(at('one')))).toMatchObject([one])
    // A directory in its place is told, and not watched.
    expect(await told(() => mkdirSync(at('one')))).toMatchObject([one])
    expect(await told(() => writeFileSync(at('one/below'), 'x'))).toEqual([])
    await watch.close()
  })

  test('of a directory that is not there any more it is told', async () => {
    const batches: WatchBatch[] = []
    const watch = await fixture.watcher.watch(fixture.root, (batch) => batches.push(batch), 'inotify', 'one')
    rmSync(fixture.root, { recursive: true })
    await watch.drain()
    expect(batches.some(({ gone }) => gone)).toBe(true)
    await watch.close()
  })
})

test('one file is polled more often than a tree', async () => {
  const every = async (only?: string) =>
    (await fixture.watcher.watch(fixture.root, () => {}, 'poll', only)).fullScanSeconds ?? 0
  expect(await every('one')).toBeLessThan(await every())
})

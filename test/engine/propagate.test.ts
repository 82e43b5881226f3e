import { expect, test } from 'vitest'
import { absent, type Content } from '../../src/core/content.js'
import type { Operation } from '../../src/core/operation.js'
import { nameOf, relPath } from '../../src/core/path.js'
import { propagate } from '../../src/engine/propagate.js'
import type { Delivery } from '../../src/replica/replica.js'
import { besideOf, packBytesMax, readNewFiles } from '../../src/wire/pack.js'
import { FakeReplica, FakeRoot } from './fake-root.js'

const props = { mode: 0o644, mtimeNs: 7n }

class Noting extends FakeReplica {
  readonly deliveries: Delivery[] = []
  override async stage(batch: number, delivery: Delivery): Promise<void> {
    this.deliveries.push(delivery)
    await super.stage(batch, delivery)
  }
}

const make = (path: string): Operation => {
  return { op: 'create-directory', path: relPath(path), expect: absent, props: { mode: 0o755, mtimeNs: undefined } }
}

function write(path: string, sizeBytes = 3, expect: Content = absent): Operation {
  return { op: 'write-file', path: relPath(path), expect, want: 0, sizeBytes, props }
}

/** What the target is told of the files of one batch, by name: the number of its directory. */
async function told(operations: readonly Operation[]): Promise<Map<string, number | undefined>> {
  const source = new FakeRoot('source')
  for (const operation of operations)
    if (operation.op === 'write-file') source.write(operation.path, 'x'.repeat(operation.sizeBytes), props.mtimeNs)
  const target = new Noting(new FakeRoot('target'))
  let batch = 0
  const flow = {
    target,
    source: source.replica(),
    sourceBoot: 'boot',
    operations,
    isWhole: () => true,
    wantOf: ({ path, sizeBytes }: Operation & { op: 'write-file' }) => {
      return { path, sizeBytes, mtimeNs: props.mtimeNs, fingerprint: undefined }
    },
  }
  const options = { nextBatch: () => ++batch, batchesMax: 1, stop: new AbortController().signal, sent: () => {} }
  await propagate(flow, options, async () => {})
  const files = target.deliveries.flatMap((delivery) => [...readNewFiles(besideOf(delivery))])
  for (const [want, { place }] of files)
    if (place !== undefined) expect(place.name).toBe(nameOf(operations[want]?.path ?? relPath('')))
  return new Map(files.map(([want, { place }]) => [String(operations[want]?.path), place?.folder]))
}

test('files of a directory that their batch makes are told where they belong; others are not', async () => {
  const operations = [make('d'), write('d/a'), write('d/b'), make('d/e'), write('d/e/c'), write('f')]
  expect(await told(operations)).toEqual(
    new Map([
      ['d/a', 0],
      ['d/b', 0],
      ['d/e/c', 3],
      ['f', undefined],
    ]),
  )
})

test('nor are those that come in pieces: they have begun when it is told', async () => {
  const operations = [make('d'), write('d/a', packBytesMax), write('d/b', packBytesMax - 1)]
  expect(await told(operations)).toEqual(
    new Map([
      ['d/a', undefined],
      ['d/b', 0],
    ]),
  )
})

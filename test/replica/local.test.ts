import * as fs from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { absent } from '../../src/core/content.js'
import type { Operation } from '../../src/core/operation.js'
import { type AbsPath, relPath, rootPath } from '../../src/core/path.js'
import { FileFailure } from '../../src/host/files.js'
import type { Job } from '../../src/host/workers.js'
import { openIndex } from '../../src/index/index.js'
import { digestOf } from '../../src/replica/jobs/digest.js'
import type { RootPlace } from '../../src/replica/jobs/place.js'
import { isRoot } from '../host/node/fixture.js'
import { packOf, writeFile } from './jobs/fixture.js'
import { LocalRootFixture } from './local-root.js'
import { pair, Reader, supplier } from './replica.suite.js'
import { turns, until } from './wire-pair.js'

let root: LocalRootFixture
beforeEach(() => {
  root = new LocalRootFixture()
})
afterEach(() => root.dispose())

/** The n-th job of that name, from now on, waits until it is let go. */
function gate(name: string, count = 1): { readonly reached: () => boolean; open(): void } {
  let open = () => {}
  let reached = false
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  let left = count
  root.beforeJob = async (job) => {
    if (job !== name || --left !== 0) return
    reached = true
    await opened
  }
  return { reached: () => reached, open }
}

/** The same for the scan of what came to a place, which follows the one that found it there. */
async function betweenScans(): Promise<{ open(): void; ended: Promise<void> }> {
  root.rename('d', '../old')
  root.write('d/y', 'new')
  const scan = gate('scan', 2)
  await root.tell({ path: relPath('d'), depth: 'subtree', closed: false })
  const ended = (async () => {
    for (let i = 0; i < 40 && !scan.reached(); i++) await root.clock.pass(5)
  })()
  await until(scan.reached, 'the second scan')
  return { open: scan.open, ended }
}

test('S1-4 of a directory whose members are being looked at nothing is said: it is not empty', async () => {
  root.write('d/x', 'x')
  const reader = await Reader.open(root.replica())
  const { open, ended } = await betweenScans()
  expect(reader.tree()).toEqual({ d: 'directory', 'd/x': 'file of 1' })
  expect(await reader.replica.list([relPath('d')])).toMatchObject([{ kind: 'entry', found: { kind: 'directory' } }])
  open()
  await ended
  await until(() => reader.tree()['d/y'] !== undefined, 'the listing')
  expect(reader.tree()).toEqual({ d: 'directory', 'd/y': 'file of 3' })
})

test('S1-6 a cursor taken between the two scans is behind what the second one finds, an empty directory included', async () => {
  root.write('d/x', 'x')
  const reader = await Reader.open(root.replica())
  root.rename('d', '../old')
  root.write('d/y', 'gone at once')
  root.remove('d/y')
  await root.tell({ path: relPath('d'), depth: 'subtree', closed: false })
  // The agent dies before the second scan.
  let scans = 0
  root.beforeJob = (job) => {
    if (job === 'scan' && ++scans === 2) throw new FileFailure('io', 'd', 'getdents64', 'EIO')
  }
  for (let i = 0; i < 40 && reader.failure === undefined; i++) await root.clock.pass(5)
  expect(reader.failure).toBeInstanceOf(FileFailure)
  const { cursor } = reader
  await reader.replica.close()
  root.beforeJob = () => {}
  const next = await Reader.open(root.replica(), { cursor })
  expect(next.reports).toContainEqual({ kind: 'listing', path: 'd', members: [], more: false })
})

test('S2-18 who opens the root for a pair waits for what the one before is still applying, and is told of it', async () => {
  root.write('f', 'f')
  const first = await Reader.open(root.replica())
  const found = first.known.get(relPath('f'))
  if (found?.kind !== 'file') throw new Error('no file')
  const apply = gate('apply')
  const remove: Operation = { op: 'remove', path: relPath('f'), expect: found }
  const applied = first.replica.apply(9, [remove], supplier)
  await until(apply.reached, 'the apply')
  // The link of the first was cut; nobody has noticed here.
  const second = Reader.open(root.replica())
  await turns(50)
  apply.open()
  expect(await applied).toMatchObject([{ kind: 'done' }])
  expect((await second).opened.unacknowledged).toMatchObject([{ batch: 9, outcome: { path: 'f' } }])
  // And the first does nothing any more.
  await expect(first.replica.apply(10, [remove], supplier)).rejects.toMatchObject({ code: 'missing' })
  await until(() => first.over, 'the end of its changes')
})

test('a supply that fails while its reader is busy is told to the reader, and to nobody else', async () => {
  for (const name of ['a', 'b', 'c']) root.write(name, name.repeat(600_000))
  const reader = await Reader.open(root.replica())
  const wants = ['a', 'b', 'c'].map((name, want) => {
    const found = reader.known.get(relPath(name))
    if (found?.kind !== 'file') throw new Error('no file')
    return {
      want,
      path: relPath(name),
      sizeBytes: found.sizeBytes,
      mtimeNs: found.props.mtimeNs ?? 0n,
      fingerprint: undefined,
    }
  })
  let asked = 0
  root.beforeJob = (job) => {
    if (job === 'supply-next' && ++asked === 2) throw new FileFailure('io', 'b', 'read', 'EIO')
  }
  const supply = async () => {
    for await (const _ of reader.replica.supply(wants, new AbortController().signal)) await turns(20)
  }
  await expect(supply()).rejects.toThrow(FileFailure)
})

test('a first scan that failed is made again by who opens next', async () => {
  root.write('f', 'f')
  const first = root.replica()
  root.beforeJob = (job) => {
    if (job === 'scan') throw new FileFailure('io', 'f', 'statx', 'EIO')
  }
  await expect(Reader.open(first)).rejects.toThrow(FileFailure)
  await first.close()
  root.beforeJob = () => {}
  expect((await Reader.open(root.replica())).tree()).toEqual({ f: 'file of 1' })
})

test('a replica that is closed while it is being opened gives its root back', async () => {
  const replica = root.replica()
  const open = gate('open-root')
  const opened = replica.open({
    pair,
    from: '',
    cursor: undefined,
    view: { ignore: [], ignorenot: [], paths: [] },
    create: true,
    watch: true,
  })
  await until(open.reached, 'the opening')
  const closed = replica.close()
  open.open()
  await expect(opened).rejects.toMatchObject({ code: 'missing' })
  await closed
})

test('S2-25 a directory that can be read again has the mode it has now, and what was below it all the time', async () => {
  root.write('d/f', 'f')
  const reader = await Reader.open(root.replica())
  root.trap.fail((call, path) =>
    call === 'names' && path.endsWith('/d') ? new FileFailure('denied', 'd', 'getdents64', 'EACCES') : undefined,
  )
  await reader.replica.rescan([rootPath])
  expect(reader.tree()).toEqual({ d: 'problem denied', 'd/f': 'file of 1' })
  root.trap.release()
  root.chmod('d', 0o700)
  await reader.replica.rescan([rootPath])
  expect(reader.known.get(relPath('d'))).toMatchObject({ kind: 'directory', props: { mode: 0o700 } })
  expect(reader.tree()).toEqual({ d: 'directory', 'd/f': 'file of 1' })
})

test('events that were lost are made up for by looking at everything', async () => {
  root.write('f', 'v1')
  const reader = await Reader.open(root.replica())
  root.write('f', 'version 2')
  root.lose('lost')
  await until(() => reader.tree().f === 'file of 9', 'the change')
})

test('S2-21 a flush waits for the full scan that makes up for lost events, also while another one is under way', async () => {
  root.write('d/f', 'v1')
  root.write('g', 'v1')
  const reader = await Reader.open(root.replica())
  // After those of the root's entry and of the root.
  const scan = gate('scan', 3)
  root.lose('lost')
  await until(scan.reached, 'the scan of d')
  root.write('g', 'version 2')
  root.queued.push(() => root.lose('lost'))
  const flushed = reader.replica.flush()
  await turns(50)
  scan.open()
  expect(await flushed).toEqual([])
  expect(reader.tree()).toMatchObject({ g: 'file of 9' })
})

test('a root that moved away under its watcher is a failure, not a removal', async () => {
  root.write('f', 'f')
  const reader = await Reader.open(root.replica())
  root.exchangeRoot()
  root.lose('gone')
  await until(() => reader.failure !== undefined, 'the failure')
  expect(reader.tree()).toEqual({ f: 'file of 1' })
})

test('an index that says something untrue of a file is put right once the file is doubted', async () => {
  root.write('f', 'true')
  const { replica } = await Reader.open(root.replica())
  let index: AbsPath | undefined
  root.beforeJob = (_, input) => {
    if (typeof input === 'object' && input !== null && 'place' in input) index = (input.place as RootPlace).index
  }
  const [before] = await replica.identify([relPath('f')])
  const untrue: Job<AbsPath, null> = {
    name: 'untrue',
    run: (world, path) => {
      openIndex(world, path).write((edit) => {
        const located = edit.find(relPath('f'))
        if (located === undefined) throw new Error('no record')
        const { directoryId, name, record } = located
        edit.amend(directoryId, name, { ...record, fingerprint: digestOf(Buffer.from('fals')), racy: false })
      })
      return null
    },
  }
  if (index === undefined) throw new Error('no index')
  await root.host.workers.run(untrue, index, 'edit')
  expect(await replica.identify([relPath('f')])).not.toEqual([before])
  await replica.doubt([relPath('f')])
  expect(await replica.identify([relPath('f')])).toEqual([before])
})

test('a root that failed is opened anew when its other users have left, on the index that is its own', async () => {
  root.write('f', 'f')
  const [one, other] = [root.replica(), root.replica()]
  const first = await Reader.open(one)
  const second = await Reader.open(other, { pair: 'b2'.repeat(16) })
  root.lose('gone')
  await until(() => first.failure !== undefined && second.failure !== undefined, 'the failure')
  await one.close()
  let again: Reader | undefined
  const opening = Reader.open(root.replica(), { create: false }).then((reader) => {
    again = reader
  })
  await turns(50)
  expect(again).toBeUndefined()
  await other.close()
  await opening
  expect(again?.opened.index).toBe(first.opened.index)
})

describe('of what was received and not published nothing stays in staging', () => {
  const staging = () => root.all('.tandem/stage').filter((path) => path.includes('/in/'))
  const delivered = { bytes: packOf(['its bytes']), props: new Uint8Array(0) }
  const write = writeFile('new', absent, 0, 'its bytes')

  test('after a batch that could not be applied, by when its pair is closed', async () => {
    const { replica } = await Reader.open(root.replica())
    await replica.stage(1, delivered)
    root.beforeJob = (name) => {
      if (name === 'apply') throw new FileFailure('io', root.root, 'open', 'EIO')
    }
    await expect(replica.apply(1, [write], supplier)).rejects.toThrow('EIO')
    expect(staging()).toHaveLength(1)
    await replica.close()
    expect(staging()).toEqual([])
  })

  test('after one whose outcomes could not be written down, soon after they are acknowledged', async () => {
    const { replica } = await Reader.open(root.replica())
    await replica.stage(1, delivered)
    root.trap.before('rename:no-replace', 1, () => root.write('new', 'its user was faster'))
    root.trap.fail((call, path) =>
      call === 'reopenFile' && path.includes('/intents')
        ? new FileFailure('disk-full', path, 'write', 'ENOSPC')
        : undefined,
    )
    expect(await replica.apply(1, [write], supplier)).toMatchObject([{ kind: 'superseded' }])
    root.trap.release()
    expect(staging()).toHaveLength(1)
    await replica.acknowledge([1])
    await swept()
    await replica.close()
  })

  test('after one that failed on the way, also while the pair stays open and others follow', async () => {
    const { replica } = await Reader.open(root.replica())
    const link: Operation = { op: 'write-symlink', path: relPath('l'), expect: absent, target: 'somewhere' }
    root.trap.fail((call, path) =>
      call === 'names' && path.includes('/intents') ? new FileFailure('stale', path, call, 'ESTALE') : undefined,
    )
    await expect(replica.apply(1, [link], supplier)).rejects.toThrow('ESTALE')
    root.trap.release()
    expect(staging()).toHaveLength(1)
    // What is received now is not taken for a stray.
    await replica.stage(2, delivered)
    await root.pass(1_100)
    await root.pass(1_100)
    expect(await replica.apply(2, [write], supplier)).toMatchObject([{ kind: 'done' }])
    await swept()
    await replica.close()
  })

  test('of one that is given up while it waits to be applied, and never of another pair', async () => {
    const { replica } = await Reader.open(root.replica())
    const { replica: other } = await Reader.open(root.replica(), { pair: 'b2'.repeat(16) })
    const first = gate('stage')
    const received = [replica.stage(1, delivered)]
    await until(first.reached, 'the first pack')
    const applied = replica.apply(1, [write], supplier).catch(() => undefined)
    await turns(5)
    for (let batch = 2; batch < 12; batch++) received.push(replica.stage(batch, delivered))
    await turns(5)
    first.open()
    await Promise.allSettled([...received, applied])
    await replica.close()
    await other.stage(1, delivered)
    for (let sweeps = 0; sweeps < 3; sweeps++) {
      await root.pass(1_100)
      await turns(200)
    }
    expect(staging()).toHaveLength(1)
    expect(await other.apply(1, [writeFile('its', absent, 0, 'its bytes')], supplier)).toMatchObject([{ kind: 'done' }])
    await other.close()
  })

  async function swept(): Promise<void> {
    // Seen by one sweep, removed by the next.
    for (let sweeps = 0; sweeps < 3 && staging().length > 0; sweeps++) {
      await root.pass(1_100)
      await turns(200)
    }
    expect(staging()).toEqual([])
  }
})

test('what another process left in staging is finished by a later full scan, once that can be told', async () => {
  const folder = '.tandem/stage/1-other'
  for (const name of ['owner', 'in/half', 'out/a', 'intents/none']) root.write(`${folder}/${name}`, '{"version":2}')
  const { replica } = await Reader.open(root.replica())
  const told = () => root.events.filter(({ event }) => event === 'process-unclear')
  expect(told()).toHaveLength(1)
  await replica.rescan([rootPath])
  expect(told()).toHaveLength(1)
  expect(root.all(folder)).toContain(`${folder}/out/a`)
  // As it was told to.
  root.remove(`${folder}/owner`)
  await replica.rescan([rootPath])
  expect(root.all(folder)).toEqual([])
  await replica.close()
})

test.runIf(isRoot)('what could not be taken over from a directory is told', async () => {
  root.write('d/x', 'x')
  fs.chownSync(root.abs('d'), -1, 4_321)
  fs.chmodSync(root.abs('d'), 0o2775)
  const { replica } = await Reader.open(root.replica())
  root.trap.fail((call, path) =>
    call === 'setGroup' ? new FileFailure('not-permitted', path, call, 'EPERM') : undefined,
  )
  const link: Operation = { op: 'write-symlink', path: relPath('d/l'), expect: absent, target: 'somewhere' }
  expect(await replica.apply(1, [link], supplier)).toMatchObject([{ kind: 'done' }])
  const detail = 'group 4321 (EPERM)'
  expect(root.events).toContainEqual({ event: 'not-taken-over', root: root.root, path: 'd/l', detail })
  await replica.close()
})

test('T19: two pairs of one peer change a root in turn, as what they remove is counted together', async () => {
  const begun: string[] = []
  // In directories of their own: those of one directory take turns anyway.
  for (const directory of ['a', 'b', 'c']) root.write(`${directory}/x`, 'x')
  const replicas = ['b'.repeat(8), 'b'.repeat(8), 'c'.repeat(8)].map(async (peer, at) => {
    const reader = await Reader.open(root.replica(), { pair: peer + String(at).repeat(24) })
    return reader.replica
  })
  const [one, same, other] = await Promise.all(replicas)
  const first = gate('apply')
  const making = (replica: typeof one, path: string) => {
    const props = { mode: 0o755, mtimeNs: 0n }
    return replica
      ?.apply(1, [{ op: 'create-directory', path: relPath(path), expect: { kind: 'absent' }, props }], supplier)
      .then(() => begun.push(path))
  }
  const all = [making(one, 'a/one'), making(same, 'b/same'), making(other, 'c/other')]
  await until(() => begun.length === 1, 'the other peer')
  await turns(20)
  expect(begun).toEqual(['c/other'])
  first.open()
  await Promise.all(all)
  expect(begun).toEqual(['c/other', 'a/one', 'b/same'])
})

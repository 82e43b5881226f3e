import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { absent } from '../../src/core/content.js'
import type { Operation } from '../../src/core/operation.js'
import { relPath } from '../../src/core/path.js'
import { FileFailure } from '../../src/host/files.js'
import { LocalRootFixture } from './local-root.js'
import { Reader, supplier } from './replica.suite.js'

const mib = 1024 ** 2
const dayMs = 86_400_000

let root: LocalRootFixture
beforeEach(() => {
  root = new LocalRootFixture()
  root.care = { keep: { ageMs: 30 * dayMs, sizeBytes: 100 * mib }, minFree: { kind: 'size', bytes: 10 * mib } }
})
afterEach(() => root.dispose())

/** A disk of 100 MiB on which `others` fill all but this, and versions of `sizesMib`, the oldest first. */
function withVersions(leftMib: number, sizesMib: readonly number[]): void {
  const nowMs = Number(root.host.clock.wallNs() / 1_000_000n)
  for (const [at, size] of sizesMib.entries()) {
    const iso = new Date(nowMs - dayMs * (sizesMib.length - at)).toISOString()
    root.write(`.tandem/versions/${iso.slice(0, 10)}/v${at}~${iso.replace(/[-:]/g, '')}`, 'v'.repeat(size * mib))
  }
  const total = sizesMib.reduce((sum, size) => sum + size, 0)
  root.trap.room = () => ({ freeBytes: (leftMib + total) * mib - keptBytes(), totalBytes: 100 * mib })
}

/** Names and sizes of what is kept. */
function kept(): string[] {
  return versions().map((path) => path.replace(/^.*\/(v\d)~.*$/, '$1'))
}

function versions(): string[] {
  return root.all('.tandem/versions').filter((path) => /\/v\d~/.test(path))
}

function keptBytes(): number {
  return versions().reduce((sum, path) => sum + root.read(path).length, 0)
}

const count = (job: string) => root.jobs.filter((one) => one === job).length

describe('31: what is kept of old versions goes before anybody has to wait', () => {
  const rows: [what: string, leftMib: number, outcome: string, left: string[]][] = [
    ['there is room: nothing goes', 10, 'opened', ['v0', 'v1', 'v2']],
    ['the oldest goes, as it is enough', 9, 'opened', ['v1', 'v2']],
    ['all of them, as it takes all of them', 4, 'opened', []],
    ['all of them, and it is not enough', 3, 'low-space', []],
  ]
  test.each(rows)('%s', async (_, leftMib, outcome, left) => {
    withVersions(leftMib, [1, 2, 3])
    const replica = root.replica()
    const opened = await Reader.open(replica).then(
      () => 'opened',
      (error: { readonly code: string }) => error.code,
    )
    expect([opened, kept()]).toEqual([outcome, left])
    await replica.close()
  })

  test('before them what is there of transfers that were cut: that can be received again', async () => {
    const part = `.tandem/parts/${'a'.repeat(16)}-${'b'.repeat(32)}`
    root.write(part, 'p'.repeat(4 * mib))
    const partBytes = () => (root.all('.tandem/parts').length === 0 ? 0 : 4 * mib)
    withVersions(9, [1, 2, 3])
    const { room } = root.trap
    root.trap.room = () => {
      const { freeBytes = 0, totalBytes = 0 } = room?.() ?? {}
      return { freeBytes: freeBytes + 4 * mib - partBytes(), totalBytes }
    }
    await Reader.open(root.replica())
    expect([partBytes(), kept()]).toEqual([0, ['v0', 'v1', 'v2']])
  })

  test('not those of a root that stands in the place of ours', async () => {
    withVersions(10, [1, 2, 3])
    const reader = await Reader.open(root.replica())
    const { room } = root.trap
    root.exchangeRoot()
    withVersions(0, [1])
    await root.pass(1_000)
    root.trap.room = () => ({ freeBytes: 0, totalBytes: 100 * mib })
    await expect(reader.replica.stage(1, noPack)).rejects.toMatchObject({ code: 'in-doubt' })
    expect(kept()).toEqual(['v0'])
    root.trap.room = room
  })
})

test('a pair that waits for room pays for one scan, and for none while it waits', async () => {
  root.write('f', 'f')
  withVersions(3, [])
  for (let attempt = 0; attempt < 5; attempt++) {
    const replica = root.replica()
    await expect(Reader.open(replica)).rejects.toMatchObject({ code: 'low-space' })
    await replica.close()
    await root.pass(5_000)
  }
  expect([count('open-root'), count('scan')]).toEqual([1, 0])
  withVersions(10, [])
  const reader = await Reader.open(root.replica())
  expect(reader.tree()).toEqual({ f: 'file of 1' })
  const scans = count('scan')
  await root.pass(1_000)
  withVersions(3, [])
  await expect(reader.replica.stage(1, noPack)).rejects.toMatchObject({ code: 'low-space' })
  await reader.replica.close()
  for (let attempt = 0; attempt < 5; attempt++) {
    const replica = root.replica()
    await expect(Reader.open(replica)).rejects.toMatchObject({ code: 'low-space' })
    await replica.close()
    await root.pass(5_000)
  }
  withVersions(10, [])
  await Reader.open(root.replica())
  expect([count('open-root'), count('scan')]).toEqual([1, scans])
})

test('the disk is asked once a second, however much comes', async () => {
  const reader = await Reader.open(root.replica())
  const before = count('space')
  for (let pack = 0; pack < 5; pack++) await reader.replica.stage(1, noPack)
  expect(count('space')).toBe(before)
  await root.pass(1_000)
  for (let pack = 0; pack < 5; pack++) await reader.replica.stage(1, noPack)
  expect(count('space')).toBe(before + 1)
})

test('a disk that does not tell its room is one with room', async () => {
  const { replica } = await Reader.open(root.replica())
  await root.pass(1_000)
  root.trap.room = () => {
    throw new FileFailure('io', 'root', 'fstatfs', 'EIO')
  }
  await replica.stage(1, noPack)
})

describe('31: what found no room finds it when it is tried again', () => {
  const make: Operation = {
    op: 'create-directory',
    path: relPath('d'),
    expect: absent,
    props: { mode: 0o755, mtimeNs: undefined },
  }

  test('old versions went for it', async () => {
    root.care = { keep: root.care.keep }
    withVersions(3, [1, 2, 3])
    const { replica } = await Reader.open(root.replica())
    root.trap.fail((call, path) =>
      call === 'makeDirectory' && path.endsWith('/d') && kept().length > 0
        ? new FileFailure('disk-full', path, 'mkdirat', 'ENOSPC')
        : undefined,
    )
    expect(await replica.apply(1, [make], supplier)).toMatchObject([{ kind: 'failed', code: 'disk-full' }])
    expect(kept()).toEqual([])
    expect(await replica.apply(2, [make], supplier)).toMatchObject([{ kind: 'done' }])
  })

  test('another failure costs none', async () => {
    root.care = { keep: root.care.keep }
    withVersions(3, [1, 2, 3])
    const { replica } = await Reader.open(root.replica())
    root.trap.fail((call, path) =>
      call === 'makeDirectory' && path.endsWith('/d')
        ? new FileFailure('denied', path, 'mkdirat', 'EACCES')
        : undefined,
    )
    expect(await replica.apply(1, [make], supplier)).toMatchObject([{ kind: 'failed', code: 'denied' }])
    expect(kept()).toEqual(['v0', 'v1', 'v2'])
  })
})

test('31: a root whose disk is full of old versions can be opened', async () => {
  withVersions(0, [1, 2, 3])
  root.care = { keep: root.care.keep }
  root.trap.fail((call, path) =>
    call === 'makeDirectory' && path.endsWith('/stage') && kept().length > 2
      ? new FileFailure('disk-full', path, 'mkdirat', 'ENOSPC')
      : undefined,
  )
  await Reader.open(root.replica())
  expect(kept()).toEqual(['v1', 'v2'])
})

test('a root whose disk is full of other things is not: it says so in numbers', async () => {
  root.trap.room = () => ({ freeBytes: 512, totalBytes: 100 * mib })
  root.trap.fail((call, path) =>
    call === 'makeDirectory' && path.endsWith('/stage')
      ? new FileFailure('disk-full', path, 'mkdirat', 'ENOSPC')
      : undefined,
  )
  await expect(Reader.open(root.replica())).rejects.toMatchObject({
    code: 'low-space',
    message: expect.stringMatching(/\/root: 512 bytes free of 100\.0 MiB: mkdirat .*stage: ENOSPC$/),
  })
})

const noPack = { bytes: new Uint8Array(0), props: new Uint8Array(0) }

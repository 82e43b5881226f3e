import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Content } from '../../src/core/content.js'
import type { Operation } from '../../src/core/operation.js'
import { type RelPath, relPath, rootPath } from '../../src/core/path.js'
import type { Found, Report } from '../../src/core/report.js'
import { FileFailure } from '../../src/host/files.js'
import type { AuditRequest, Cursor, Opened, OpenRequest, Replica, Want } from '../../src/replica/replica.js'
import type { RootFixture } from './root-fixture.js'
import { until } from './wire-pair.js'

export const pair = 'a1'.repeat(16)
export const supplier = 'boot-of-the-supplier'

/** What one reader of a root knows. */
export class Reader {
  readonly reports: Report[] = []
  /** As a lead would see it. */
  readonly known = new Map<RelPath, Found>()
  sequence = 0
  isCurrent = false
  failure: unknown
  over = false
  private readonly ending = new AbortController()

  private constructor(
    readonly replica: Replica,
    readonly opened: Opened,
  ) {}

  /** `wait`: how a test waits where the replica is; by turns of the event loop if not given. */
  static async open(replica: Replica, more: Partial<OpenRequest> = {}, wait = until): Promise<Reader> {
    const view = { ignore: [], ignorenot: [], paths: [] }
    const opened = await replica.open({
      pair,
      from: '//lead//root',
      cursor: undefined,
      view,
      create: true,
      watch: true,
      ...more,
    })
    const reader = new Reader(replica, opened)
    void reader.follow()
    await wait(() => reader.isCurrent || reader.failure !== undefined, 'current')
    return reader
  }

  get cursor(): Cursor {
    return { index: this.opened.index, run: this.opened.run, sequence: this.sequence, view: '' }
  }

  /** What is known, by path, in short: a file by its size. */
  tree(): Record<string, string> {
    const tree: Record<string, string> = {}
    for (const [path, found] of [...this.known].sort(([a], [b]) => (a < b ? -1 : 1)))
      if (path !== '') tree[path] = spoken(found)
    return tree
  }

  stop(): void {
    this.ending.abort(new Error('enough'))
  }

  private async follow(): Promise<void> {
    try {
      for await (const { reports, sequence, current } of this.replica.changes(this.ending.signal)) {
        for (const report of reports) this.take(report)
        // What is in a directory that was renamed is asked for.
        const moved = reports.flatMap(({ kind, path }) => (kind === 'moved' ? [path] : []))
        if (moved.length > 0) for (const report of await this.replica.list(moved)) this.take(report)
        expect(sequence).toBeGreaterThanOrEqual(this.sequence)
        this.sequence = sequence
        if (current) this.isCurrent = true
      }
      this.over = true
    } catch (error) {
      this.failure = error
    }
  }

  private take(report: Report): void {
    this.reports.push(report)
    const { path } = report
    if (report.kind === 'entry') {
      if (report.found.kind !== 'directory' && report.found.kind !== 'problem') this.forget(path)
      if (report.found.kind === 'absent') this.known.delete(path)
      else this.known.set(path, report.found)
      return
    }
    if (report.kind === 'moved') return
    const names = new Set(report.members.map(({ name }) => name))
    for (const at of [...this.known.keys()]) {
      if (at === path || !(path === '' || at.startsWith(`${path}/`))) continue
      const name = at.slice(path === '' ? 0 : path.length + 1).split('/')[0] ?? ''
      if (!names.has(name)) this.known.delete(at)
    }
    for (const { name, found } of report.members) this.known.set(relPath(path === '' ? name : `${path}/${name}`), found)
  }

  private forget(path: RelPath): void {
    for (const at of [...this.known.keys()]) if (at.startsWith(`${path}/`)) this.known.delete(at)
  }
}

export function spoken(found: Found): string {
  switch (found.kind) {
    case 'file':
      return `file of ${found.sizeBytes}`
    case 'problem':
      return `problem ${found.code}`
    default:
      return found.kind
  }
}

/** What one implementation of Replica is made of: a new, empty root, and replicas of it. */
export interface ReplicaWorld<Root extends RootFixture> {
  fresh(): Root
  connect(root: Root): Promise<Replica>
}

/** The contract of Replica, on a root of the real machine or of the simulated one. */
export function describeReplica<Root extends RootFixture>(name: string, { fresh, connect }: ReplicaWorld<Root>): void {
  describe(`replica: ${name}`, () => {
    let root: Root
    beforeEach(() => {
      root = fresh()
    })
    afterEach(() => root.dispose())

    const open = (replica: Replica, more: Partial<OpenRequest> = {}) =>
      Reader.open(replica, more, (condition, what) => root.until(condition, what))
    const openRoot = async (more: Partial<OpenRequest> = {}) => open(await connect(root), more)

    const content = (reader: Reader, path: string): Content => {
      const found = reader.known.get(relPath(path))
      return found === undefined || found.kind === 'problem' ? { kind: 'absent' } : found
    }
    const wantOf = (reader: Reader, path: string, want = 0): Want => {
      const found = content(reader, path)
      if (found.kind !== 'file') throw new Error(`no file ${path}`)
      return {
        want,
        path: relPath(path),
        sizeBytes: found.sizeBytes,
        mtimeNs: found.props.mtimeNs ?? 0n,
        fingerprint: found.fingerprint,
      }
    }

    test('a first reader gets everything, complete from the root down', async () => {
      root.write('d/e/f', 'four')
      root.write('g', 'x')
      const reader = await openRoot()
      expect(reader.tree()).toEqual({ d: 'directory', 'd/e': 'directory', 'd/e/f': 'file of 4', g: 'file of 1' })
      expect(reader.opened).toMatchObject({ created: false, fresh: true, generation: 0, unacknowledged: [] })
    })

    test('changes are told as they become known, removals included, and the sequence goes along', async () => {
      root.write('d/f', 'v1')
      const reader = await openRoot()
      const before = reader.sequence
      root.write('d/f', 'version 2')
      root.write('new/n', 'n')
      await reader.replica.rescan([rootPath])
      expect(reader.tree()).toEqual({ d: 'directory', 'd/f': 'file of 9', new: 'directory', 'new/n': 'file of 1' })
      expect(reader.sequence).toBeGreaterThan(before)
      root.remove('d')
      await reader.replica.rescan([rootPath])
      expect(reader.tree()).toEqual({ new: 'directory', 'new/n': 'file of 1' })
    })

    test('S1-4 a directory that another one replaced is told complete', async () => {
      root.write('d/a', 'a')
      root.write('d/b', 'b')
      const reader = await openRoot()
      root.rename('d', 'old')
      root.write('d/b', 'longer')
      await reader.replica.rescan([rootPath])
      expect(reader.tree()).toEqual({
        d: 'directory',
        'd/b': 'file of 6',
        old: 'directory',
        'old/a': 'file of 1',
        'old/b': 'file of 1',
      })
    })

    test('S1-4 a reader that comes back is told all that changed since, and a renamed directory all the way down', async () => {
      root.write('d/e/f', 'f')
      root.write('kept/k', 'k')
      const first = await openRoot()
      const known = [...first.known]
      const { cursor } = first
      await first.replica.close()
      root.rename('d', 'moved')
      const second = await connect(root)
      const reader = await open(second, { cursor })
      await reader.replica.rescan([rootPath])
      expect(reader.reports.filter(({ path }) => path === 'kept')).toEqual([])
      for (const [path, found] of known)
        if (!reader.known.has(path) && path.startsWith('kept')) reader.known.set(path, found)
      expect(reader.tree()).toMatchObject({ moved: 'directory', 'moved/e': 'directory', 'moved/e/f': 'file of 1' })
      expect(reader.tree()).not.toHaveProperty('d')
    })

    test('S1-4 what another reader has seen come meanwhile, and move, is told all the way down', async () => {
      root.write('d/e/f', 'f')
      const first = await openRoot()
      const { cursor } = first
      await first.replica.close()
      root.rename('d', 'moved')
      root.write('new/deep/leaf', 'l')
      // The index knows of it before the reader comes: what it is told is what is listed for it.
      const other = await openRoot()
      await other.replica.rescan([rootPath])
      await other.replica.close()
      const reader = await openRoot({ cursor })
      await reader.replica.rescan([rootPath])
      expect(reader.tree()).toMatchObject({
        'moved/e/f': 'file of 1',
        'new/deep': 'directory',
        'new/deep/leaf': 'file of 1',
      })
    })

    test('a reader that comes back is listed no directory in which nothing changed', async () => {
      for (let at = 0; at < 300; at++) root.write(`d${at % 30}/deep/${at}`, `${at}`)
      const first = await openRoot()
      const { cursor } = first
      await first.replica.close()
      root.write('d7/deep/7', 'edited')
      root.write('d8/new', 'n')
      root.remove('d9/deep/9')
      const reader = await openRoot({ cursor })
      await reader.replica.rescan([rootPath])
      const listed = new Set(reader.reports.flatMap((report) => (report.kind === 'listing' ? [report.path] : [])))
      expect([...listed].filter((path) => !['d7/deep', 'd8', 'd9/deep'].includes(path))).toEqual([])
      // The root's own entry is told always: nothing else would tell of it.
      const told = reader.reports.flatMap(({ path }) => (/^d[789]/.test(path) ? [] : [path]))
      expect(told).toEqual([rootPath])
      expect(reader.tree()).toMatchObject({ 'd7/deep/7': 'file of 6', 'd8/new': 'file of 1' })
    })

    const unvouched: readonly [string, (cursor: Cursor) => Cursor][] = [
      ['of another index', (cursor) => ({ ...cursor, index: '00'.repeat(16) })],
      ['of a run that is not known', (cursor) => ({ ...cursor, run: '00'.repeat(16) })],
      ['past the last sequence of its run', (cursor) => ({ ...cursor, sequence: cursor.sequence + 1_000 })],
    ]
    test.each(unvouched)('S1-5 a cursor %s gets everything', async (_, change) => {
      root.write('d/f', 'f')
      const first = await openRoot()
      await first.replica.close()
      const reader = await openRoot({ cursor: change(first.cursor) })
      expect(reader.tree()).toEqual({ d: 'directory', 'd/f': 'file of 1' })
    })

    test('a view leaves out what a lead does not want to see', async () => {
      root.write('a/x.o', 'x')
      root.write('a/y', 'y')
      root.write('b/z', 'z')
      const view = { ignore: ['Name *.o'], ignorenot: [], paths: ['a'] }
      const reader = await openRoot({ view })
      expect(reader.tree()).toEqual({ a: 'directory', 'a/y': 'file of 1' })
    })

    test('list tells what is held at and below a path, and that nothing is', async () => {
      root.write('d/e/f', 'f')
      const { replica } = await openRoot()
      const reports = await replica.list([relPath('d'), relPath('no')])
      expect(reports.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
        'entry d',
        'listing d',
        'listing d/e',
        'entry no',
      ])
      expect(reports.at(-1)).toMatchObject({ found: { kind: 'absent' } })
    })

    test('identify tells the fingerprint, or what is there instead', async () => {
      root.write('f', 'same')
      root.write('g', 'same')
      const { replica } = await openRoot()
      const reports = await replica.identify(['f', 'g', 'no'].map(relPath))
      const [f, g, no] = ['f', 'g', 'no'].map((path) => reports.find((report) => report.path === path))
      const fingerprint = (report: Report | undefined) =>
        report?.kind === 'entry' && report.found.kind === 'file' ? report.found.fingerprint : undefined
      expect(fingerprint(f)).toMatch(/^sha256:[0-9a-f]{64}$/)
      expect(fingerprint(g)).toBe(fingerprint(f))
      expect(no).toMatchObject({ found: { kind: 'absent' } })
    })

    test('an audit tells one digest of a directory, and of its members what each of them is', async () => {
      root.write('d/e/f', 'f')
      root.write('d/x.o', 'o')
      root.write('g', 'g')
      const view = { ignore: ['Name *.o'], ignorenot: [], paths: [] }
      const { replica } = await openRoot({ view })
      const request = { paths: [rootPath], members: false, perms: 0o1777, times: true, except: [] }
      const digest = async (more: Partial<AuditRequest> = {}) => {
        const rows = await replica.audit({ ...request, ...more })
        expect(rows).toMatchObject([{ directory: '', name: '', found: { kind: 'directory' } }])
        return rows[0]?.digest
      }
      const first = await digest()
      expect(first).toMatch(/^[0-9a-f]{32}$/)
      const without = await digest({ except: [relPath('d/e/f')] })
      expect(without).not.toBe(first)
      root.write('d/x.o', 'not in view')
      await replica.rescan([rootPath])
      expect(await digest()).toBe(first)
      root.write('d/e/f', 'far below')
      await replica.rescan([rootPath])
      expect(await digest()).not.toBe(first)
      expect(await digest({ except: [relPath('d/e/f')] })).toBe(without)

      const rows = await replica.audit({
        ...request,
        paths: [relPath('d'), relPath('g'), relPath('no')],
        members: true,
      })
      expect(rows.map(({ directory, name, found, digest }) => [directory, name, spoken(found), digest === ''])).toEqual(
        [
          ['d', '', 'directory', true],
          ['d', 'e', 'directory', false],
        ],
      )
      for (const { sequence } of rows) expect(sequence).toBeGreaterThan(0)
    })

    test('a file that is doubted is read again, and is as it was', async () => {
      root.write('f', 'same')
      const { replica } = await openRoot()
      const [before] = await replica.identify([relPath('f')])
      await replica.doubt([relPath('f'), relPath('no')])
      expect(await replica.identify([relPath('f')])).toEqual([before])
    })

    test('what was staged of a large file is gone on with by who comes back, whatever the batch is called', async () => {
      const text = Array.from({ length: 90_000 }, (_, at) => String(at).padStart(8, '.')).join('')
      root.write('from', text)
      const first = await Reader.open(await connect(root))
      const want = { ...wantOf(first, 'from', 3), fingerprint: undefined }
      const to = { want: 3, path: relPath('to'), sizeBytes: want.sizeBytes }
      expect(await first.replica.resume(1, [to])).toEqual({ parts: [], others: false })
      const before = root.trap.calls.length
      const enough = new AbortController()
      let packs = 0
      for await (const { bytes } of first.replica.supply([want], enough.signal)) {
        await first.replica.stage(1, { bytes, props: new Uint8Array(0) })
        if (++packs === 2) enough.abort()
      }
      await root.until(
        () => root.trap.calls.slice(before).filter(({ call }) => call === 'write').length >= packs,
        'staged',
      )
      await first.replica.close()

      const { replica } = await Reader.open(await connect(root))
      const { parts } = await replica.resume(1, [to])
      const prefixes = parts[0]?.prefixes ?? []
      expect(prefixes.at(-1)?.sizeBytes).toBeGreaterThan(500_000)
      let sentBytes = 0
      for await (const { bytes } of replica.supply([{ ...want, prefixes }], new AbortController().signal)) {
        sentBytes += bytes.length
        await replica.stage(1, { bytes, props: new Uint8Array(0) })
      }
      expect(sentBytes).toBeLessThan(text.length - 500_000)
      const props = { mode: 0o640, mtimeNs: 5n }
      const operation: Operation = { op: 'write-file', ...to, expect: { kind: 'absent' }, props }
      expect(await replica.apply(1, [operation], supplier)).toMatchObject([{ kind: 'done' }])
      expect(root.read('to') === text).toBe(true)
    })

    test('what is supplied here, staged and applied there, is there; its own reader is not told', async () => {
      root.write('from', 'the bytes')
      const reader = await openRoot()
      const { replica } = reader
      const operations: Operation[] = [
        {
          op: 'create-directory',
          path: relPath('d'),
          expect: { kind: 'absent' },
          props: { mode: 0o755, mtimeNs: undefined },
        },
        {
          op: 'write-file',
          path: relPath('d/to'),
          expect: { kind: 'absent' },
          want: 1,
          sizeBytes: 9,
          props: { mode: 0o640, mtimeNs: 5n },
        },
      ]
      for await (const pack of replica.supply([wantOf(reader, 'from', 1)], new AbortController().signal))
        if (pack.bytes.length > 0) await replica.stage(7, { bytes: pack.bytes, props: new Uint8Array(0) })
      const outcomes = await replica.apply(7, operations, supplier)
      expect(outcomes.map(({ kind, path }) => `${kind} ${path}`)).toEqual(['done d', 'done d/to'])
      expect(root.read('d/to')).toBe('the bytes')
      await replica.sync(operations.map(({ path }) => path))
      await replica.sync('all')
      await replica.rescan([rootPath])
      expect(reader.tree()).toEqual({ from: 'file of 9' })
    })

    test('a root whose disk has less room than it is to keep is opened when there is room, and not before', async () => {
      root.write('f', 'f')
      root.keepFree({ kind: 'share', share: 0.05, bytesMax: undefined })
      root.trap.room = () => ({ freeBytes: 49 * 1024, totalBytes: 1000 * 1024 })
      const low = await connect(root)
      await expect(open(low)).rejects.toMatchObject({
        code: 'low-space',
        transient: true,
        message: expect.stringContaining('49.0 KiB free of 1000.0 KiB, and minfree = 5% asks for 50.0 KiB'),
      })
      await low.close()
      root.trap.room = () => ({ freeBytes: 50 * 1024, totalBytes: 1000 * 1024 })
      expect((await openRoot()).tree()).toEqual({ f: 'file of 1' })
    })

    test('a root whose disk has less room than it is to keep takes nothing in', async () => {
      root.write('from', 'the bytes')
      root.keepFree({ kind: 'size', bytes: 50 * 1024 })
      const reader = await openRoot()
      const { replica } = reader
      const bring = async (batch: number) => {
        for await (const pack of replica.supply([wantOf(reader, 'from')], new AbortController().signal))
          if (pack.bytes.length > 0) await replica.stage(batch, { bytes: pack.bytes, props: new Uint8Array(0) })
        const file = content(reader, 'from')
        if (file.kind !== 'file') throw new Error('no file')
        const { props, sizeBytes } = file
        const expectNothing = { kind: 'absent' } as const
        const write: Operation = {
          op: 'write-file',
          path: relPath('to'),
          expect: expectNothing,
          want: 0,
          sizeBytes,
          props,
        }
        return replica.apply(batch, [write], supplier)
      }
      await root.pass(1_000)
      root.trap.room = () => ({ freeBytes: 49 * 1024, totalBytes: 1000 * 1024 })
      await expect(bring(5)).rejects.toMatchObject({
        code: 'low-space',
        message: expect.stringContaining('49.0 KiB free of 1000.0 KiB, and minfree asks for 50.0 KiB'),
      })
      root.trap.room = undefined
      expect(await bring(6)).toMatchObject([{ kind: 'done', path: 'to' }])
      expect(root.read('to')).toBe('the bytes')
    })

    test('S2-18 outcomes are told again until they are acknowledged', async () => {
      root.write('f', 'f')
      const first = await openRoot()
      const remove: Operation = { op: 'remove', path: relPath('f'), expect: content(first, 'f') }
      expect(await first.replica.apply(3, [remove], supplier)).toMatchObject([{ kind: 'done' }])
      await first.replica.close()
      const second = await openRoot()
      expect(second.opened.unacknowledged).toEqual([
        { batch: 3, supplier, outcome: { kind: 'done', path: 'f', content: { kind: 'absent' } } },
      ])
      await second.replica.acknowledge([3])
      await second.replica.close()
      const third = await openRoot()
      expect(third.opened.unacknowledged).toEqual([])
    })

    test('what is not as expected stays, and is told', async () => {
      root.write('f', 'seen')
      const reader = await openRoot()
      root.write('f', 'by the user')
      const remove: Operation = { op: 'remove', path: relPath('f'), expect: content(reader, 'f') }
      expect(await reader.replica.apply(4, [remove], supplier)).toMatchObject([{ kind: 'superseded', path: 'f' }])
      expect(root.read('f')).toBe('by the user')
    })

    test('a file that is not as wanted any more is finished as superseded', async () => {
      root.write('f', 'seen')
      const reader = await openRoot()
      const want = wantOf(reader, 'f')
      root.write('f', 'by the user')
      const finished = []
      for await (const pack of reader.replica.supply([want], new AbortController().signal))
        finished.push(...pack.finished)
      expect(finished).toEqual([{ want: 0, kind: 'superseded' }])
    })

    test('S1-13 a generation that was noted is known to who opens next, while the root stays open', async () => {
      const first = await openRoot()
      await first.replica.setGeneration(pair, 5)
      await first.replica.close()
      const second = await openRoot()
      expect(second.opened).toMatchObject({ generation: 5, fresh: true, rootId: first.opened.rootId })
    })

    test('S2-21 a flush tells what the watcher had heard of before it, and looks at nothing else', async () => {
      root.write('d/f', 'v1')
      const reader = await openRoot()
      root.write('d/f', 'version 2')
      root.heard('d/f')
      root.unheard(() => root.write('unheard', 'of'))
      expect(await reader.replica.flush()).toEqual([])
      expect(reader.tree()).toEqual({ d: 'directory', 'd/f': 'file of 9' })
    })

    test('S2-21 a flush tells what waits its turn: a path that keeps changing, a file that is being written', async () => {
      root.write('log', '1')
      const reader = await openRoot()
      for (let lines = 2; lines < 20; lines++) {
        root.append('log', '.')
        await root.tell('log')
      }
      const close = root.keepOpen('new/part', 'half of it')
      root.append('log', 'all')
      await root.tell('log', { path: relPath('new'), depth: 'subtree', closed: false })
      expect(await reader.replica.flush()).toEqual([])
      expect(reader.tree()).toEqual({ log: 'file of 22', new: 'directory', 'new/part': 'file of 10' })
      close()
    })

    test('S2-21 a path that changes each time it is looked at is the answer of a flush', async () => {
      root.write('f', 'v1')
      const reader = await openRoot()
      root.trap.fail((call, path) =>
        call === 'statAt' && path.endsWith('/f') ? new FileFailure('absent', path, 'statx', 'ENOENT') : undefined,
      )
      root.write('f', 'v2')
      root.write('g', 'g')
      await root.tell('f', 'g')
      expect(await reader.replica.flush()).toEqual(['f'])
      expect(reader.tree()).toEqual({ f: 'file of 2', g: 'file of 1' })
    })

    const unheard: readonly [string, (root: RootFixture) => void, Partial<OpenRequest>][] = [
      ['where the watcher may miss changes', (root) => root.mayMissChanges(), {}],
      ['where nobody watches', () => {}, { watch: false }],
      ['where events were lost', (root) => root.loseEvents(), {}],
    ]
    test.each(unheard)('S2-21 a flush looks at everything %s', async (_, prepare, request) => {
      root.write('d/f', 'v1')
      prepare(root)
      const reader = await openRoot(request)
      root.remove('d/f')
      root.write('d/g', 'g')
      expect(await reader.replica.flush()).toEqual([])
      expect(reader.tree()).toEqual({ d: 'directory', 'd/g': 'file of 1' })
    })

    test('S1-14 another directory in the place of the root is a failure, and nothing is told of it', async () => {
      root.write('f', 'f')
      root.write('d/g', 'g')
      const reader = await openRoot()
      const before = reader.tree()
      root.exchangeRoot()
      await expect(reader.replica.rescan([rootPath])).rejects.toMatchObject({ code: 'in-doubt' })
      await root.until(() => reader.failure !== undefined, 'the failure')
      expect(reader.tree()).toEqual(before)
    })

    test('S1-14 a root that was in doubt is as before when it is back', async () => {
      root.write('f', 'f')
      const first = await openRoot()
      await first.replica.close()
      const bringBack = root.exchangeRoot()
      const doubtful = await connect(root)
      await expect(open(doubtful, { create: false })).rejects.toMatchObject({ code: 'in-doubt' })
      await doubtful.close()
      bringBack()
      const reader = await openRoot({ create: false })
      expect(reader.opened.rootId).toBe(first.opened.rootId)
      expect(reader.tree()).toEqual({ f: 'file of 1' })
    })
  })
}

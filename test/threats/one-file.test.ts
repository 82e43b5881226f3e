import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absent, type Content } from '../../src/core/content.js'
import type { Operation } from '../../src/core/operation.js'
import { rootPath } from '../../src/core/path.js'
import type { Message } from '../../src/wire/message.js'
import { until } from '../replica/wire-pair.js'
import { hostileLead } from './fresh-lead.js'
import { type HostileLead, unchecked } from './hostile-lead.js'

const props = { mode: 0o644, mtimeNs: 1n }
const directory: Content = { kind: 'directory', props }
const file: Content = { kind: 'file', fingerprint: undefined, sizeBytes: 4, props }

/** Everything beside the file that is served, and the directory itself. The file is served under another name. */
const beside = ['dir', 'dir/inner', 'way-out', 'way-out/secret', 'new', 'mine.tmp', 'shown/below'].map(unchecked)
const shown = unchecked('shown')

async function servingOneFile(): Promise<HostileLead> {
  const lead = await hostileLead({ mine: 'mine' })
  await lead.cut()
  await lead.begin(true, 'shown')
  return lead
}

const besideIt = (message: Message) =>
  JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? `${value}` : value))

test('one file: who is served one file is told of nothing beside it, whatever is asked', async () => {
  const lead = await servingOneFile()
  const all = [...beside, unchecked('mine')]
  const told = await lead.ask({ kind: 'list', id: lead.id(), more: false, paths: [rootPath] })
  expect(told).toMatchObject({
    reports: [
      { kind: 'entry', path: '', found: { kind: 'directory', props: { mode: 0o755 } } },
      { kind: 'listing', path: '', members: [{ name: 'shown', found: { kind: 'file', sizeBytes: 4 } }] },
    ],
  })
  for (const kind of ['list', 'identify'] as const)
    for (const path of all)
      expect(await lead.ask({ kind, id: lead.id(), more: false, paths: [path] })).toMatchObject({
        kind: 'reports',
        reports: [{ kind: 'entry', path, found: absent }],
      })
  for (const kind of ['rescan', 'sync', 'doubt'] as const)
    expect(await lead.ask({ kind, id: lead.id(), more: false, paths: [...all] })).toMatchObject({ kind: 'done' })
  // As they really are: nothing but the name is in the way. The file itself is asked for too.
  const wants = [...all, shown].map((path, want) => {
    const stat = fs.statSync(lead.there.abs(path === shown ? 'mine' : path), { bigint: true, throwIfNoEntry: false })
    const { size, mtimeNs } = stat ?? { size: 1n, mtimeNs: 1n }
    return { want, path, sizeBytes: Number(size), mtimeNs, fingerprint: undefined }
  })
  await lead.ask({ kind: 'supply', id: lead.id(), more: false, wants })
  const packs = lead.seen.filter((message) => message.kind === 'pack')
  const ended = packs.flatMap(({ finished }) => finished.map(({ want, kind }) => `${wants[want]?.path}: ${kind}`))
  expect(ended.sort()).toEqual([...all.map((path) => `${path}: problem`), 'shown: whole'].sort())
  const bytes = Buffer.concat(packs.map((pack) => pack.bytes)).toString('latin1')
  expect(bytes).toContain('mine')
  expect(bytes).not.toMatch(/inner|secret/)
  for (const members of [true, false]) {
    const paths = [rootPath, unchecked('dir')].map((path) => ({ path, isLeftOut: false }))
    const id = lead.id()
    // The directory is asked for beside the root that it lies in: an audit of its own.
    lead.send({ kind: 'audit', id, more: false, members, perms: 0, times: true, paths: paths.slice(0, 1) })
    await until(() => lead.seen.some((one) => one.kind === 'audited' && one.id === id), 'audited')
    lead.send({ kind: 'audit', id: id + 1_000, more: false, members, perms: 0, times: true, paths: paths.slice(1) })
    await until(() => lead.seen.some((one) => one.kind === 'audited' && one.id === id + 1_000), 'audited')
  }
  lead.send({ kind: 'changes', id: lead.id() })
  lead.there.write('dir/inner', 'inner')
  await lead.ask({ kind: 'rescan', id: lead.id(), more: false, paths: [rootPath] })
  const answers = lead.seen.filter(({ kind }) => kind === 'changed' || kind === 'audited' || kind === 'reports')
  for (const answer of answers) expect(besideIt(answer)).not.toMatch(/"target"|"sizeBytes":5/)
  const rows = lead.seen.flatMap((message) => (message.kind === 'audited' ? message.rows : []))
  expect(new Set(rows.map(({ directory: at, name }) => `${at}/${name}`))).toEqual(new Set(['/', '/shown']))
  lead.expectUnharmed()
})

test('one file: who is served one file changes nothing beside it, nor the directory, nor makes anything else of it', async () => {
  const lead = await servingOneFile()
  const operations: Operation[] = [...beside, unchecked('mine'), rootPath].flatMap((path): Operation[] => [
    { op: 'create-directory', path, expect: absent, props },
    { op: 'write-file', path, expect: absent, want: 0, sizeBytes: 0, props },
    { op: 'write-file', path, expect: file, want: 0, sizeBytes: 0, props },
    { op: 'write-symlink', path, expect: absent, target: '../canary' },
    { op: 'remove', path, expect: file },
    { op: 'remove', path, expect: directory },
    { op: 'set-props', path, expect: directory, props: { mode: 0o777, mtimeNs: undefined } },
    { op: 'rename', path, from: shown, expect: file },
    { op: 'rename', path: shown, from: path, expect: file },
  ])
  const others: Operation[] = [
    { op: 'create-directory', path: shown, expect: absent, props },
    { op: 'write-symlink', path: shown, expect: absent, target: '../canary' },
    { op: 'remove', path: shown, expect: directory },
    { op: 'set-props', path: shown, expect: directory, props: { mode: 0o777, mtimeNs: undefined } },
  ]
  const mode = fs.statSync(lead.there.root).mode
  for (const [at, operation] of [...operations, ...others].entries()) {
    const apply = { kind: 'apply', id: lead.id(), more: false, batch: at + 1, supplier: 'boot' } as const
    const answer = await lead.ask({ ...apply, operations: [operation] })
    expect([operation.op, answer]).toMatchObject([operation.op, { outcomes: [{ kind: 'failed', code: 'denied' }] }])
  }
  const files = [...beside, unchecked('mine')].map((path, want) => ({ want, path, sizeBytes: 1 << 20 }))
  lead.send({ kind: 'resume', id: lead.id(), batch: 999, files })
  await until(() => lead.seen.some(({ kind }) => kind === 'resumed'), 'resumed')
  expect(lead.seen.find(({ kind }) => kind === 'resumed')).toMatchObject({ parts: [], others: false })
  expect(fs.statSync(lead.there.root).mode).toBe(mode)
  lead.expectUnharmed()
})

test.each([
  ['a file as a directory', 'mine', null],
  ['a directory as a file', undefined, 'shown'],
] as const)('one file: %s is not to be had', async (_, served, asked) => {
  const lead = await hostileLead({ mine: served })
  await lead.cut()
  const before = fs.readdirSync(lead.there.home).sort()
  await expect(lead.begin(true, asked)).rejects.toThrow(/did not open: failed/)
  expect(fs.readdirSync(lead.there.home).sort()).toEqual(before)
  lead.expectUnharmed()
})

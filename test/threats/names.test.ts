import * as fs from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { absent } from '../../src/core/content.js'
import { BadPath, isReserved, relPath } from '../../src/core/path.js'
import { Malformed } from '../../src/wire/bytes.js'
import { decode, encode, type Message } from '../../src/wire/message.js'
import { hostileLead } from './fresh-lead.js'
import { type HostileLead, unchecked } from './hostile-lead.js'

const props = { mode: 0o644, mtimeNs: 1n }

/** Every request that names a path. */
function requests(text: string, id: number): Message[] {
  const path = unchecked(text)
  const apply = { kind: 'apply' as const, id, more: false, batch: 1, supplier: 'boot' }
  return [
    { kind: 'list', id, more: false, paths: [path] },
    { kind: 'identify', id, more: false, paths: [path] },
    { kind: 'rescan', id, more: false, paths: [path] },
    { kind: 'sync', id, more: false, paths: [path] },
    { kind: 'doubt', id, more: false, paths: [path] },
    { kind: 'audit', id, more: false, members: true, perms: 0, times: true, paths: [{ path, isLeftOut: false }] },
    { kind: 'audit', id, more: false, members: true, perms: 0, times: true, paths: [{ path, isLeftOut: true }] },
    { kind: 'supply', id, more: false, wants: [{ want: 0, path, sizeBytes: 1, mtimeNs: 1n, fingerprint: undefined }] },
    { ...apply, operations: [{ op: 'create-directory', path, expect: absent, props }] },
    { ...apply, operations: [{ op: 'write-file', path, expect: absent, want: 0, sizeBytes: 0, props }] },
    { ...apply, operations: [{ op: 'write-symlink', path, expect: absent, target: 'x' }] },
    { ...apply, operations: [{ op: 'remove', path, expect: { kind: 'symlink', target: '../canary' } }] },
    { ...apply, operations: [{ op: 'set-props', path, expect: { kind: 'directory', props }, props }] },
    { ...apply, operations: [{ op: 'rename', path, from: relPath('dir'), expect: { kind: 'directory', props } }] },
    {
      ...apply,
      operations: [{ op: 'rename', path: relPath('new'), from: path, expect: { kind: 'directory', props } }],
    },
    { kind: 'resume', id, batch: 1, files: [{ want: 0, path, sizeBytes: 1 }] },
    { kind: 'accept', id, path, pairs: [], confirmed: true, asksOnly: false },
  ]
}

const hostile: readonly string[] = [
  '..',
  '.',
  '../canary/planted',
  'dir/../../canary/planted',
  'dir/..',
  '/etc/passwd',
  'dir//inner',
  'dir/',
  '/',
  'a\0b',
  `${'x'.repeat(256)}`,
  `${'d/'.repeat(3_000)}x`,
]

test('T1: a path with a way up, an empty name, a NUL or too many bytes ends the link, whatever asks for it', async () => {
  const lead = await hostileLead()
  for (const text of hostile)
    for (const message of requests(text, 50)) {
      lead.send(message)
      await lead.refused(`${message.kind} ${JSON.stringify(text)}`)
      lead.expectUnharmed()
      await lead.begin()
    }
})

test('T5: the private folder cannot be named, in any folding', async () => {
  const lead = await hostileLead()
  const reserved = ['.tandem', '.TANDEM/marker', '.Tandem/stage/x', 'dir/.tandem', '.tan\u200bdem/x', '.ta\ufeffndem']
  for (const text of reserved)
    for (const message of requests(text, 50)) {
      lead.send(message)
      await lead.refused(`${message.kind} ${JSON.stringify(text)}`)
      lead.expectUnharmed()
      await lead.begin()
    }
})

test('T1, T5: a root is not opened for paths, or for a file, of such names', async () => {
  const lead = await hostileLead()
  const request = { pair: 'a'.repeat(32), from: '', cursor: undefined, create: true, watch: false }
  const view = { ignore: [], ignorenot: [], paths: [] }
  for (const text of [...hostile, '.tandem', '.TANDEM/marker']) {
    const path = unchecked(text)
    for (const asked of [
      { ...request, view: { ...view, paths: [path] } },
      { ...request, view, file: path },
    ]) {
      await lead.cut()
      await lead.begin(false)
      lead.send({ kind: 'open', id: 1, more: false, root: 'docs', request: asked })
      await lead.refused(JSON.stringify(asked))
      lead.expectUnharmed()
    }
  }
})

test('T1: whatever name a frame holds, what comes out of the decoder names something inside the root, or nothing comes out', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), fc.nat(16), (bytes, which) => {
      const frame = encode(requestNumber(which))
      const at = Buffer.from(frame).indexOf('PLACEHOLDER')
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.length)
      const forged = Buffer.concat([frame.subarray(0, at - 4), length, bytes, frame.subarray(at + 11)])
      for (const path of pathsOf(forged)) {
        expect(relPath(path)).toBe(path)
        expect(isReserved(path)).toBe(false)
        expect(path.split('/').some((name) => name === '..' || name === '.')).toBe(false)
      }
    }),
    { numRuns: 20_000 },
  )
})

test('T3: nothing is made, changed or removed through a link, neither one that was there nor one just made', async () => {
  const lead = await hostileLead()
  const answer = await lead.ask({
    kind: 'apply',
    id: lead.id(),
    more: false,
    batch: 1,
    supplier: 'boot',
    operations: [
      { op: 'create-directory', path: relPath('way-out/planted'), expect: absent, props },
      { op: 'write-symlink', path: relPath('way-out/planted'), expect: absent, target: 'x' },
      { op: 'remove', path: relPath('way-out/secret'), expect: fileThere(lead) },
      {
        op: 'set-props',
        path: relPath('way-out/secret'),
        expect: fileThere(lead),
        props: { mode: 0o777, mtimeNs: 1n },
      },
      { op: 'write-symlink', path: relPath('mine-too'), expect: absent, target: '../canary' },
      { op: 'create-directory', path: relPath('mine-too/planted'), expect: absent, props },
    ],
  })
  if (answer.kind !== 'outcomes') throw new Error(`${answer.kind}`)
  expect(answer.outcomes.map(({ kind }) => kind === 'done')).toEqual([false, false, false, false, true, false])
  fs.unlinkSync(lead.there.abs('mine-too'))
  lead.expectUnharmed()
})

test('what is behind a link is neither listed, read nor sent', async () => {
  const lead = await hostileLead()
  const paths = [relPath('way-out/secret')]
  const listed = await lead.ask({ kind: 'list', id: lead.id(), more: false, paths })
  const identified = await lead.ask({ kind: 'identify', id: lead.id(), more: false, paths })
  for (const answer of [listed, identified])
    expect(answer).toMatchObject({ kind: 'reports', reports: [{ kind: 'entry', found: { kind: 'absent' } }] })
  const want = { want: 0, path: relPath('way-out/secret'), sizeBytes: 6, mtimeNs: 1n, fingerprint: undefined }
  await lead.ask({ kind: 'supply', id: lead.id(), more: false, wants: [want] })
  const packs = lead.seen.flatMap((message) => (message.kind === 'pack' ? [message] : []))
  expect(packs.map(({ finished }) => finished)).toEqual([[{ want: 0, kind: 'superseded' }]])
  expect(Buffer.concat(packs.map(({ bytes }) => bytes)).includes('secret')).toBe(false)
})

function fileThere(lead: HostileLead) {
  const stat = fs.statSync(`${lead.there.home}/canary/secret`, { bigint: true })
  return {
    kind: 'file' as const,
    fingerprint: undefined,
    sizeBytes: Number(stat.size),
    props: { mode: Number(stat.mode & 0o7777n), mtimeNs: stat.mtimeNs },
  }
}

function requestNumber(which: number): Message {
  const message = requests('PLACEHOLDER', 50)[which]
  if (message === undefined) throw new Error(`no request ${which}`)
  return message
}

function pathsOf(frame: Uint8Array) {
  try {
    const message = decode(frame)
    if (message.kind === 'audit') return message.paths.map(({ path }) => path)
    if ('paths' in message) return message.paths
    if ('wants' in message) return message.wants.map(({ path }) => path)
    if ('operations' in message)
      return message.operations.flatMap((one) => (one.op === 'rename' ? [one.path, one.from] : [one.path]))
    if ('files' in message) return message.files.map(({ path }) => path)
    return 'path' in message ? [message.path] : []
  } catch (error) {
    if (error instanceof Malformed || error instanceof BadPath) return []
    throw error
  }
}

import * as fs from 'node:fs'
import { describe, expect, test } from 'vitest'
import { absent, type Content } from '../../src/core/content.js'
import type { Operation } from '../../src/core/operation.js'
import { relPath, rootPath } from '../../src/core/path.js'
import { digestOf } from '../../src/replica/jobs/digest.js'
import { sandbox, serve } from '../e2e/harness.js'
import { packOf } from '../replica/jobs/fixture.js'
import { hostileLead } from './fresh-lead.js'
import type { HostileLead } from './hostile-lead.js'

const times = { mtimeNs: 1_700_000_000_000_000_000n }

describe('T15: a peer plants no bits that give away rights', () => {
  test.each<[string, number, (mode: number) => Operation[], number]>([
    // what it asks for                 mode     how                                                     what there is then
    [
      'a new file with setuid',
      0o4755,
      (mode) => [
        { op: 'write-file', path: relPath('n'), expect: absent, want: 0, sizeBytes: 3, props: { mode, ...times } },
      ],
      0o755,
    ],
    [
      'a new file with setgid',
      0o2755,
      (mode) => [
        { op: 'write-file', path: relPath('n'), expect: absent, want: 0, sizeBytes: 3, props: { mode, ...times } },
      ],
      0o755,
    ],
    [
      'a new directory with both and the sticky bit',
      0o7777,
      (mode) => [{ op: 'create-directory', path: relPath('n'), expect: absent, props: { mode, mtimeNs: undefined } }],
      0o1777,
    ],
  ])('%s', async (_, asked, operations, mode) => {
    const lead = await hostileLead()
    await apply(lead, operations(asked))
    expect(fs.statSync(lead.there.abs('n')).mode & 0o7777).toBe(mode)
  })

  test('setuid on a file that is there', async () => {
    const lead = await hostileLead()
    lead.there.chmod('mine', 0o755)
    const props = { mode: 0o4755, mtimeNs: undefined }
    await apply(lead, [{ op: 'set-props', path: relPath('mine'), expect: there(lead, 'mine'), props }])
    expect(fs.statSync(lead.there.abs('mine')).mode & 0o7777).toBe(0o755)
  })

  test('bytes of its own in a file of the user that has setuid: the bit goes', async () => {
    const lead = await hostileLead()
    lead.there.chmod('mine', 0o4755)
    const expected = there(lead, 'mine')
    const props = { mode: 0o4755, ...times }
    await apply(lead, [{ op: 'write-file', path: relPath('mine'), expect: expected, want: 0, sizeBytes: 3, props }])
    expect(lead.there.read('mine')).toBe('new')
    expect(fs.statSync(lead.there.abs('mine')).mode & 0o7777).toBe(0o755)
  })

  test('a lead takes no such bits from the peer that it leads, and keeps none under its bytes, whatever perms says', async () => {
    const box = sandbox()
    box.write('alpha/mine', 'mine', { mode: 0o755 })
    box.write('beta/theirs', 'theirs', { mode: 0o755 })
    const serving = await serve(box, { docs: 'beta' })
    const options = ['--batch', '--perms', '-1', '--secret-file', serving.keyFile]
    const sync = () => box.tandem(['sync', 'alpha', serving.url('docs'), ...options])
    expect((await sync()).code).toBe(0)
    const bits = (path: string) => fs.statSync(box.at(path)).mode & 0o7777
    fs.chmodSync(box.at('alpha/mine'), 0o4755)
    expect((await sync()).code).toBe(0)

    box.write('beta/mine', 'bytes of the peer')
    fs.chmodSync(box.at('beta/theirs'), 0o6755)
    box.write('beta/new', 'new', { mode: 0o4755 })
    expect((await sync()).code).toBe(0)
    expect(box.read('alpha/mine')).toBe('bytes of the peer')
    for (const name of ['mine', 'theirs', 'new']) expect([name, bits(`alpha/${name}`)]).toEqual([name, 0o755])
    // And that is no change which would go back.
    expect((await sync()).stdout).toMatch(/Nothing to do/)
    expect([bits('beta/theirs'), bits('beta/new')]).toEqual([0o6755, 0o4755])
  })

  test('the user\u2019s own setuid and setgid stay when a peer changes other bits', async () => {
    const lead = await hostileLead()
    lead.there.chmod('mine', 0o4755)
    lead.there.chmod('dir', 0o2755)
    await apply(lead, [
      {
        op: 'set-props',
        path: relPath('mine'),
        expect: there(lead, 'mine'),
        props: { mode: 0o4700, mtimeNs: undefined },
      },
      {
        op: 'set-props',
        path: relPath('dir'),
        expect: there(lead, 'dir'),
        props: { mode: 0o2700, mtimeNs: undefined },
      },
    ])
    expect(fs.statSync(lead.there.abs('mine')).mode & 0o7777).toBe(0o4700)
    expect(fs.statSync(lead.there.abs('dir')).mode & 0o7777).toBe(0o2700)
  })
})

function there(lead: HostileLead, path: string): Content {
  const stat = fs.statSync(lead.there.abs(path), { bigint: true })
  const props = { mode: Number(stat.mode & 0o7777n), mtimeNs: stat.mtimeNs }
  if (stat.isDirectory()) return { kind: 'directory', props }
  const fingerprint = digestOf(fs.readFileSync(lead.there.abs(path)))
  return { kind: 'file', fingerprint, sizeBytes: Number(stat.size), props }
}

async function apply(lead: HostileLead, operations: Operation[]): Promise<void> {
  await lead.ask({ kind: 'rescan', id: lead.id(), more: false, paths: [rootPath] })
  lead.send({ kind: 'stage', batch: 1, props: new Uint8Array(0), bytes: packOf(['new']) })
  const id = lead.id()
  const answer = await lead.ask({ kind: 'apply', id, more: false, batch: 1, supplier: 'boot', operations })
  expect(answer).toMatchObject({ kind: 'outcomes', outcomes: operations.map(() => ({ kind: 'done' })) })
}

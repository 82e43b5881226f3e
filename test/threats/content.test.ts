import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { absent } from '../../src/core/content.js'
import { relPath, rootPath } from '../../src/core/path.js'
import { digestOf } from '../../src/replica/jobs/digest.js'
import { openRootJob } from '../../src/replica/jobs/open-root.js'
import { BytesWriter } from '../../src/wire/bytes.js'
import { writeItem } from '../../src/wire/pack.js'
import { freshRoot, packOf } from '../replica/jobs/fixture.js'
import { hostileLead } from './fresh-lead.js'
import type { HostileLead } from './hostile-lead.js'

const props = { mode: 0o644, mtimeNs: 1_700_000_000_000_000_000n }

test('T6: bytes that are not those of their fingerprint, or come with gaps, never become a file, and nothing of them stays', async () => {
  const lead = await hostileLead()
  const lying = new BytesWriter()
  writeItem(lying, { want: 0, position: 0, data: Buffer.from('bad'), fingerprint: digestOf(Buffer.from('new')) })
  writeItem(lying, { want: 1, position: 0, data: Buffer.from('ne'), fingerprint: undefined })
  writeItem(lying, { want: 1, position: 3, data: Buffer.from('w'), fingerprint: digestOf(Buffer.from('new')) })
  lead.send({ kind: 'stage', batch: 1, props: new Uint8Array(0), bytes: lying.finish() })
  const operations = [0, 1, 2].map((want) => {
    return { op: 'write-file' as const, path: relPath(`n${want}`), expect: absent, want, sizeBytes: 3, props }
  })
  const id = lead.id()
  const answer = await lead.ask({ kind: 'apply', id, more: false, batch: 1, supplier: 'boot', operations })
  expect(answer).toMatchObject({ kind: 'outcomes', outcomes: Array(3).fill({ kind: 'failed' }) })
  lead.expectUnharmed()
  expect(slots(lead)).toEqual([])
})

test('T7: a pack that is none ends nothing but its batch', async () => {
  const lead = await hostileLead()
  lead.send({ kind: 'stage', batch: 1, props: new Uint8Array(0), bytes: Buffer.from('no pack at all') })
  const id = lead.id()
  const operations = [{ op: 'write-file' as const, path: relPath('n'), expect: absent, want: 0, sizeBytes: 3, props }]
  const answer = await lead.ask({ kind: 'apply', id, more: false, batch: 1, supplier: 'boot', operations })
  expect(answer).toMatchObject({ kind: 'failed' })
  const listed = await lead.ask({ kind: 'list', id: lead.id(), more: false, paths: [rootPath] })
  expect(listed).toMatchObject({ kind: 'reports' })
  lead.expectUnharmed()
})

test.each([-(2n ** 63n), 2n ** 63n - 1n, -1n, 4_294_967_296_999_999_999n])(
  'T23: a time of %d ns is set or refused, told as it then is, and stays so',
  async (mtimeNs) => {
    const lead = await hostileLead()
    const bytes = packOf(['new'])
    lead.send({ kind: 'stage', batch: 1, props: new Uint8Array(0), bytes })
    const path = relPath('n')
    const operations = [
      { op: 'write-file' as const, path, expect: absent, want: 0, sizeBytes: 3, props: { ...props, mtimeNs } },
    ]
    const id = lead.id()
    const answer = await lead.ask({ kind: 'apply', id, more: false, batch: 1, supplier: 'boot', operations })
    if (answer.kind !== 'outcomes') throw new Error(answer.kind)
    const [outcome] = answer.outcomes
    if (outcome?.kind !== 'done') {
      expect(outcome).toMatchObject({ kind: 'failed', path })
      return
    }
    const listed = await lead.ask({ kind: 'list', id: lead.id(), more: false, paths: [path] })
    expect(listed).toMatchObject({ kind: 'reports', reports: [{ kind: 'entry', path, found: outcome.content }] })
  },
)

test('T20: a private folder that is a link to elsewhere is refused, and nothing is made there', () => {
  const root = freshRoot()
  const planted = root.abs('../planted')
  fs.mkdirSync(planted)
  fs.rmSync(root.abs('.tandem'), { recursive: true })
  fs.symlinkSync('../planted', root.abs('.tandem'))
  const opening = () =>
    openRootJob.run(root.world, { root: root.root, folder: 'process-9', locks: root.locks, create: true })
  expect(opening).toThrow(expect.objectContaining({ name: 'ReplicaFailure' }))
  expect(fs.readdirSync(planted)).toEqual([])
})

test('T20: a folder of staging that is a link to elsewhere is refused, and nothing is written or removed there', () => {
  const root = freshRoot()
  const planted = root.abs('../planted')
  fs.mkdirSync(planted)
  fs.writeFileSync(`${planted}/mine`, 'mine')
  fs.rmSync(root.abs('.tandem/stage'), { recursive: true })
  fs.symlinkSync('../../planted', root.abs('.tandem/stage'))
  const opening = () =>
    openRootJob.run(root.world, { root: root.root, folder: 'process-9', locks: root.locks, create: true })
  expect(opening).toThrow(expect.objectContaining({ name: 'ReplicaFailure' }))
  expect(fs.readdirSync(planted)).toEqual(['mine'])
})

test('T24: what is installed is pinned by its hash, and nowhere from', () => {
  const lock: unknown = JSON.parse(fs.readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'))
  const packages = Object.entries(Object(lock).packages as Record<string, Record<string, unknown>>)
  expect(packages.length).toBeGreaterThan(50)
  for (const [name, facts] of packages) {
    expect(facts.resolved, name).toBeUndefined()
    if (name !== '') expect(facts.integrity, name).toMatch(/^sha512-/)
  }
})

function slots(lead: HostileLead): string[] {
  const stage = lead.there.abs('.tandem/stage')
  return fs.readdirSync(stage).flatMap((process) => fs.readdirSync(`${stage}/${process}/in`))
}

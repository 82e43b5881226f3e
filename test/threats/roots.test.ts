import * as fs from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { keepOf } from '../../src/config/keep.js'
import { absent } from '../../src/core/content.js'
import { holdApart } from '../../src/core/folding.js'
import type { Operation } from '../../src/core/operation.js'
import { relPath, rootPath } from '../../src/core/path.js'
import { planOf } from '../../src/core/plan.js'
import { reconcile } from '../../src/core/reconcile.js'
import { wholeTouched } from '../../src/core/tree.js'
import { openRootJob } from '../../src/replica/jobs/open-root.js'
import { agreed, plainRules, tree } from '../core/fixtures.js'
import { type Sandbox, sandbox, tree as treeOf } from '../e2e/harness.js'
import { foldingDisk } from '../host/folding-disk.js'
import { freshRoot, packOf } from '../replica/jobs/fixture.js'
import { describeHarms, usualHarms } from './archives.suite.js'
import { hostileLead } from './fresh-lead.js'
import type { HostileLead } from './hostile-lead.js'

const props = { mode: 0o644, mtimeNs: 1_700_000_000_000_000_000n }

describe('T4: names that a root cannot hold apart', () => {
  test.each([
    ['.git', '.GIT'],
    ['k', '\u212a'],
    ['\u00e9', 'e\u0301'],
    ['strasse', 'stra\u00dfe'],
    ['\ufb01le', 'file'],
  ])('%s and %s: the second is told, and nothing is written at either', (one, other) => {
    const decisions = reconcile(
      agreed({ [one]: 'x' }),
      tree({ [one]: 'x', [other]: 'y' }),
      tree({ [one]: 'x' }),
      wholeTouched,
      plainRules,
    )
    const apart = holdApart(decisions, 'beta', tree({ [one]: 'x' }))
    expect(planOf(apart, plainRules).beta).toEqual([])
    expect(apart).toMatchObject([{ kind: 'problem', side: 'beta', path: other, problem: { code: 'name' } }])
  })

  const disk = foldingDisk()
  if (typeof disk === 'string') test.skip(`a real disk that folds case: ${disk}`, () => {})
  else {
    afterAll(() => disk.dispose())
    test('on a real disk that folds case nothing is written over, and both names are told', async () => {
      const box = sandbox()
      const folding = fs.mkdtempSync(`${disk.path}/root-`)
      box.write('exact/.git/hooks', 'of the user')
      expect((await box.tandem(['sync', 'exact', folding])).code).toBe(0)
      box.write('exact/.GIT/hooks', 'planted')
      box.write('exact/.git/HOOKS', 'planted')
      const end = await box.tandem(['sync', 'exact', folding])
      expect(end.code).toBe(1)
      for (const name of ['.GIT', '.git/HOOKS']) expect(end.stdout + end.stderr).toContain(name)
      expect(fs.readFileSync(`${folding}/.git/hooks`, 'utf8')).toBe('of the user')
      expect(fs.readdirSync(`${folding}/.git`)).toEqual(['hooks'])
    })
  }
})

test('T17: a hard link to a file outside the root is parted from it by an edit of a peer, which leaves the outside alone', async () => {
  const lead = await hostileLead()
  fs.linkSync(`${lead.there.home}/canary/secret`, lead.there.abs('same'))
  fs.linkSync(`${lead.there.home}/canary/secret`, lead.there.abs('again'))
  const before = fs.statSync(`${lead.there.home}/canary/secret`, { bigint: true })
  await lead.ask({ kind: 'rescan', id: lead.id(), more: false, paths: [rootPath] })
  const expected = {
    kind: 'file',
    fingerprint: undefined,
    sizeBytes: 6,
    props: { mode: 0o644, mtimeNs: before.mtimeNs },
  } as const
  lead.send({ kind: 'stage', batch: 1, props: new Uint8Array(0), bytes: packOf(['new']) })
  const write = { op: 'write-file', path: relPath('same'), expect: expected, want: 0, sizeBytes: 3, props } as const
  expect(await apply(lead, [write])).toEqual(['done'])
  await lead.ask({ kind: 'rescan', id: lead.id(), more: false, paths: [rootPath] })
  expect(await apply(lead, [{ op: 'remove', path: relPath('again'), expect: expected }], 2)).toEqual(['done'])
  expect(lead.there.read('same')).toBe('new')
  lead.expectNothingOutside()
  const after = fs.statSync(`${lead.there.home}/canary/secret`, { bigint: true })
  expect([after.mode, after.mtimeNs, after.size]).toEqual([before.mode, before.mtimeNs, before.size])
})

const away: [string, (box: Sandbox) => void][] = [
  // what became of the root       how
  ['it is gone', (box) => fs.renameSync(box.at('b'), box.at('elsewhere'))],
  [
    'an empty directory stands there, as under a disk that is not mounted',
    (box) => {
      fs.renameSync(box.at('b'), box.at('elsewhere'))
      fs.mkdirSync(box.at('b'))
    },
  ],
  [
    'another root stands there',
    (box) => {
      fs.renameSync(box.at('b'), box.at('elsewhere'))
      fs.renameSync(box.at('d'), box.at('b'))
    },
  ],
  [
    'everything in it is gone',
    (box) => {
      for (const name of fs.readdirSync(box.at('b')))
        if (name !== '.tandem') fs.rmSync(box.at('b', name), { recursive: true })
    },
  ],
]
test.each(away)('T18: nothing is removed from the other root when %s', async (_, change) => {
  const box = sandbox()
  for (const [one, other] of [
    ['a', 'b'],
    ['c', 'd'],
  ] as const) {
    for (let at = 0; at < 20; at++) box.write(`${one}/dir-${at % 3}/${at}`, `${one} ${at}`)
    expect((await box.tandem(['sync', one, other])).code).toBe(0)
  }
  const before = treeOf(box.at('a'))
  change(box)
  const end = await box.tandem(['sync', 'a', 'b', '--batch'])
  expect(end.code, end.stdout).toBe(3)
  expect(treeOf(box.at('a'))).toEqual(before)
})

test('T19: a lead that removes or replaces everything is held at the budget, and what it did is kept', async () => {
  const lead = await hostileLead({
    prepare: ({ there }) => {
      there.care = { maxDelete: { kind: 'count', count: 5 }, keep: keepOf(undefined, undefined) }
      for (let at = 0; at < 30; at++) there.write(`many/${at}`, 'the user')
    },
  })
  await lead.ask({ kind: 'rescan', id: lead.id(), more: false, paths: [rootPath] })
  const listed = await lead.ask({ kind: 'list', id: lead.id(), more: false, paths: [rootPath] })
  expect(listed.kind).toBe('reports')
  const removals = Array.from({ length: 30 }, (_, at): Operation => {
    return { op: 'remove', path: relPath(`many/${at}`), expect: fileAt(lead, `many/${at}`) }
  })
  // One at a time, as who hopes that only batches are counted.
  const outcomes: string[] = []
  for (const [at, removal] of removals.entries()) outcomes.push(...(await apply(lead, [removal], at + 1)))
  expect(outcomes.filter((one) => one === 'done')).toHaveLength(5)
  expect(outcomes.filter((one) => one === 'held')).toHaveLength(25)
  expect(fs.readdirSync(lead.there.abs('many'))).toHaveLength(25)
  // As ransomware would: what it writes over is a version.
  lead.send({ kind: 'stage', batch: 99, props: new Uint8Array(0), bytes: packOf(['cipher']) })
  const write = { op: 'write-file', path: relPath('mine'), want: 0, sizeBytes: 6, props } as const
  expect(await apply(lead, [{ ...write, expect: fileAt(lead, 'mine') }], 99)).toEqual(['done'])
  await lead.ask({ kind: 'acknowledge', id: lead.id(), more: false, batches: [99] })
  await lead.there.pass(5_000)
  await lead.cut()
  const kept = lead.there
    .all('.tandem')
    .filter((path) => fs.statSync(lead.there.abs(path)).isFile())
    .map((path) => lead.there.read(path))
  expect(kept).toContain('mine')
  expect(kept.filter((text) => text === 'the user')).toHaveLength(5)
})

test('T19: a lead that calls its pair by ever new names has one budget, and so has what it removes at once', async () => {
  const lead = await hostileLead({
    prepare: ({ there }) => {
      there.care = { maxDelete: { kind: 'count', count: 5 }, keep: keepOf(undefined, undefined) }
      for (let at = 0; at < 30; at++) there.write(`many/${at}`, 'the user')
    },
  })
  await lead.ask({ kind: 'rescan', id: lead.id(), more: false, paths: [rootPath] })
  const outcomes: string[] = []
  for (let round = 0; round < 6; round++) {
    await lead.cut()
    lead.pair = String(round).repeat(32)
    await lead.begin()
    const removals = Array.from({ length: 4 }, (_, at): Operation => {
      const path = `many/${round * 4 + at}`
      return { op: 'remove', path: relPath(path), expect: fileAt(lead, path) }
    })
    outcomes.push(...(await apply(lead, removals, round + 1)))
  }
  expect(outcomes.filter((one) => one === 'done')).toHaveLength(4)
  expect(fs.readdirSync(lead.there.abs('many'))).toHaveLength(26)
})

test('T19: junk in the place of what is removed is like writing over it: never fewer paths than the budget leaves, and all is kept', async () => {
  const lead = await hostileLead({
    prepare: ({ there }) => {
      there.care = { maxDelete: { kind: 'count', count: 5 }, keep: keepOf(undefined, undefined) }
      for (let at = 0; at < 30; at++) there.write(`many/${at}`, `the user ${at}`)
    },
  })
  const directory = { mode: 0o755, mtimeNs: 1_700_000_000_000_000_000n }
  await lead.ask({ kind: 'rescan', id: lead.id(), more: false, paths: [rootPath] })
  for (let at = 0; at < 30; at++) {
    const path = `many/${at}`
    const removal: Operation = { op: 'remove', path: relPath(path), expect: fileAt(lead, path) }
    const junk: Operation = { op: 'create-directory', path: relPath(`junk-${at}`), expect: absent, props: directory }
    expect(await apply(lead, [removal], 2 * at + 1)).toEqual(['done'])
    expect(await apply(lead, [junk], 2 * at + 2)).toEqual(['done'])
  }
  // What was created before is no credit for what is removed later.
  for (let at = 0; at < 30; at++) {
    const { mtimeNs } = fs.statSync(lead.there.abs(`junk-${at}`), { bigint: true })
    const expected = { kind: 'directory', props: { ...directory, mtimeNs } } as const
    const removal: Operation = { op: 'remove', path: relPath(`junk-${at}`), expect: expected }
    const [outcome] = await apply(lead, [removal], at + 100)
    expect(outcome).toBe(at < 5 ? 'done' : 'held')
  }
  await lead.ask({
    kind: 'acknowledge',
    id: lead.id(),
    more: false,
    batches: Array.from({ length: 200 }, (_, at) => at),
  })
  await lead.there.pass(5_000)
  await lead.cut()
  const kept = lead.there
    .all('.tandem')
    .filter((path) => fs.statSync(lead.there.abs(path)).isFile())
    .map((path) => lead.there.read(path))
  expect(kept.filter((text) => text.startsWith('the user'))).toHaveLength(30)
})

describe.runIf(process.getuid?.() === 0)(
  'T20: where everybody may write, a folder that another user made is not ours',
  () => {
    test.each(['.tandem', '.tandem/stage', '.tandem/versions'])('%s', (planted) => {
      const root = freshRoot()
      const opening = (name: string) =>
        openRootJob.run(root.world, { root: root.root, folder: `process-${name}`, locks: root.locks, create: true })
      opening('good')
      fs.chownSync(root.abs(planted), 65_534, 65_534)
      const before = root.slots('in')
      expect(() => opening('bad')).toThrow(
        expect.objectContaining({
          code: 'unwritable',
          message: expect.stringContaining(`${planted} belongs to user 65534`),
        }),
      )
      expect(fs.readdirSync(root.abs('.tandem/stage')).sort()).toEqual(['process-1', 'process-good'])
      expect(root.slots('in')).toEqual(before)
      // In a root of that very user it is his to give: whoever syncs it for him may use what he began.
      fs.chownSync(root.root, 65_534, 65_534)
      opening('his own')
    })
  },
)

describeHarms((what) => usualHarms.has(what))

function fileAt(lead: HostileLead, path: string) {
  const { size, mode, mtimeNs } = fs.statSync(lead.there.abs(path), { bigint: true })
  const held = { mode: Number(mode & 0o7777n), mtimeNs }
  return { kind: 'file' as const, fingerprint: undefined, sizeBytes: Number(size), props: held }
}

/** 'done', or the code of what was not. */
async function apply(lead: HostileLead, operations: readonly Operation[], batch = 1): Promise<string[]> {
  const id = lead.id()
  const answer = await lead.ask({ kind: 'apply', id, more: false, batch, supplier: 'boot', operations })
  if (answer.kind !== 'outcomes') throw new Error(`${answer.kind}: ${JSON.stringify(answer)}`)
  return answer.outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.code : outcome.kind))
}

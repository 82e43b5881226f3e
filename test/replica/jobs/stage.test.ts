import { expect, test } from 'vitest'
import { absent, type Props } from '../../../src/core/content.js'
import { digestOf } from '../../../src/replica/jobs/digest.js'
import { dropBatchJob, forgetReceived, stageJob } from '../../../src/replica/jobs/stage.js'
import { BytesWriter, Malformed } from '../../../src/wire/bytes.js'
import { type Item, writeItem, writeWantProps } from '../../../src/wire/pack.js'
import { type Fixture, freshRoot, pair, writeFile } from './fixture.js'

const whole = Buffer.from('the whole of it')
const none = new Uint8Array(0)
const fingerprint = digestOf(whole)

/** Items of one want in order, cut at these places. */
function cut(...places: number[]): Item[] {
  const bounds = [0, ...places, whole.length]
  return bounds.slice(1).map((end, at) => {
    const position = bounds[at] ?? 0
    return {
      want: 0,
      position,
      data: whole.subarray(position, end),
      fingerprint: end === whole.length ? fingerprint : undefined,
    }
  })
}

const lost = (items: Item[], at: number) => items.filter((_, index) => index !== at)

const rows: [what: string, items: Item[], outcome: object][] = [
  ['in one piece', cut(), { kind: 'done' }],
  ['in three', cut(3, 9), { kind: 'done' }],
  ['begun, cut off, and begun again', [...cut(3).slice(0, 1), ...cut(5)], { kind: 'done' }],
  ['whole, and then once more', [...cut(), ...cut(4)], { kind: 'done' }],
  ['with a gap', lost(cut(3, 9), 1), { kind: 'failed', code: 'changing', transient: true }],
  ['without its beginning', lost(cut(3, 9), 0), { kind: 'failed', code: 'changing', transient: true }],
  ['without its end', lost(cut(3, 9), 2), { kind: 'failed', code: 'changing', transient: true }],
  [
    'with bytes that are not those of the fingerprint',
    cut().map((item) => ({ ...item, data: Buffer.from('THE WHOLE OF IT') })),
    { kind: 'failed', code: 'changing', transient: true },
  ],
]

test.each(rows)('T6: a file that comes %s', (_, items, outcome) => {
  const root = freshRoot()
  root.scan([''])
  for (const item of items) stage(root, [item])
  const applied = root.apply([writeFile('a', absent, 0, whole.toString())], [], 5)
  expect(applied.outcomes).toMatchObject([outcome])
  expect(root.tree()).toEqual('kind' in outcome && outcome.kind === 'done' ? { a: whole.toString() } : {})
  expect(root.slots('in')).toEqual([])
})

test('slots are private, and named by a mark of the batch and the want', () => {
  const root = freshRoot()
  stage(root, cut(3).slice(0, 1))
  const [slot] = root.slots('in')
  expect(slot).toMatch(/^[0-9a-f]{16}-0$/)
  expect(root.stat(`.tandem/stage/${root.place.folder}/in/${slot}`).mode).toBe(0o600)
})

test('what is received under the same numbers in another life takes no slot that may be in an intent', () => {
  const root = freshRoot()
  const names = new Set<string>()
  for (let life = 0; life < 3; life++) {
    stage(root, cut())
    for (const slot of root.slots('in')) names.add(slot)
    forgetReceived(root.world, root.place, pair, 5)
  }
  expect(names.size).toBe(3)
  expect(root.slots('in').sort()).toEqual([...names].sort())
})

test('a batch that is dropped leaves nothing', () => {
  const root = freshRoot()
  stage(root, cut())
  dropBatchJob.run(root.world, { place: root.place, pair, batch: 5 })
  expect(root.slots('in')).toEqual([])
  expect(root.apply([writeFile('a', absent, 0, whole.toString())], [], 5).outcomes).toMatchObject([{ kind: 'failed' }])
})

const given: [what: string, sent: Props, operation: Props, items: Item[], mode: number, mtimeNs: bigint | undefined][] =
  [
    ['what was sent with it', { mode: 0o640, mtimeNs: 5n }, { mode: 0o640, mtimeNs: 5n }, cut(), 0o640, 5n],
    ['a mode that nobody may write', { mode: 0o444, mtimeNs: 5n }, { mode: 0o444, mtimeNs: 5n }, cut(4), 0o444, 5n],
    ['bits that a umask takes away', { mode: 0o666, mtimeNs: 5n }, { mode: 0o666, mtimeNs: 5n }, cut(), 0o666, 5n],
    ['bits that a write takes away', { mode: 0o6755, mtimeNs: 5n }, { mode: 0o6755, mtimeNs: 5n }, cut(4), 0o6755, 5n],
    ['what the operation says', { mode: 0o640, mtimeNs: 5n }, { mode: 0o600, mtimeNs: 6n }, cut(), 0o600, 6n],
    [
      'no mode',
      { mode: undefined, mtimeNs: 7n },
      { mode: undefined, mtimeNs: 7n },
      cut(),
      0o666 & ~process.umask(),
      7n,
    ],
  ]
test.each(given)('a new file has %s', (_, sent, props, items, mode, mtimeNs) => {
  const root = freshRoot()
  root.scan([''])
  const beside = new BytesWriter()
  writeWantProps(beside, 0, sent)
  for (const item of items) stage(root, [item], item.fingerprint === undefined ? none : beside.finish())
  const applied = root.apply([writeFile('a', absent, 0, whole.toString(), props)], [], 5)
  expect(applied.outcomes).toMatchObject([{ kind: 'done', content: { props: { mode, mtimeNs } } }])
  expect(root.stat('a')).toMatchObject({ mode, mtimeNs })
})

test.each([
  ['a mode and a time are there before the batch is applied', 0o640, 0o640],
  ['setuid is not', 0o4755, 0o600],
  ['setgid is not', 0o2755, 0o600],
])('of what is sent with the bytes %s', (_, mode, staged) => {
  const root = freshRoot()
  const beside = new BytesWriter()
  writeWantProps(beside, 0, { mode, mtimeNs: 5n })
  stage(root, cut(), beside.finish())
  const [slot] = root.slots('in')
  const stat = root.stat(`.tandem/stage/${root.place.folder}/in/${slot}`)
  expect(stat.mode).toBe(staged)
  if (staged === mode) expect(stat.mtimeNs).toBe(5n)
})

test('what is no pack is refused', () => {
  const root = freshRoot()
  const pack = Buffer.from([1, 2, 3])
  const props = none
  expect(() => stageJob.run(root.world, { place: root.place, pair, batch: 5, pack, props })).toThrow(Malformed)
  const stage = { place: root.place, pair, batch: 5, pack: none, props: pack }
  expect(() => stageJob.run(root.world, stage)).toThrow(Malformed)
})

function stage(root: Fixture, items: readonly Item[], props: Uint8Array = none): void {
  const pack = new BytesWriter()
  for (const item of items) writeItem(pack, item)
  stageJob.run(root.world, { place: root.place, pair, batch: 5, pack: pack.finish(), props })
}

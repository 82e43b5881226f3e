import { expect, test } from 'vitest'
import { turns, until } from '../replica/wire-pair.js'
import { FakePair } from './fake-pair.js'
import { fingerprintOf } from './fake-root.js'

const file = (text: string) =>
  ({
    kind: 'file',
    fingerprint: fingerprintOf(text),
    sizeBytes: text.length,
    props: { mode: 0o644, mtimeNs: 7n },
  }) as const
const agreed = (text: string) => ({ content: file(text), alphaHolds: undefined, betaHolds: undefined })

/** A pair that is kept equal, with a full scan, and so an audit, every 20 seconds or so. */
async function resident(files: Record<string, string>) {
  const pair = new FakePair().prefer({ repeat: { kind: 'watch', fullScanSeconds: 20 } })
  for (const [path, text] of Object.entries(files))
    for (const root of [pair.alpha, pair.beta]) root.write(path, text, 7n)
  const finish = new AbortController()
  const ended = pair.open().run(finish.signal, new AbortController().signal)
  await until(() => pair.events.some(({ event }) => event === 'pair-current'), 'current')
  const audits = () => pair.events.flatMap((event) => (event.event === 'audit-finished' ? [event.differences] : []))
  return {
    pair,
    audits,
    /** Until one more audit is over, and what it found has been dealt with. */
    async audit() {
      const before = audits().length
      for (let i = 0; i < 600 && audits().length === before; i++) {
        await pair.clock.pass(100)
        await turns(20)
      }
      expect(audits().length).toBe(before + 1)
      for (let i = 0; i < 10; i++) {
        await pair.clock.pass(100)
        await turns(40)
      }
    },
    async end() {
      finish.abort(new Error('enough'))
      await ended
      await pair.stop()
    },
  }
}

const rows = [
  // what is wrong in the archive            path    what it says        what is told of it, once a side
  ['a content that nobody holds', 'd/f', 'other', ['changed', 'changed']],
  ['a path that nobody has', 'd/no', 'x', ['deleted', 'deleted']],
  ['a path that both have and it does not', 'd/f', undefined, ['new file', 'new file']],
  ['a whole directory that it does not have', 'd', undefined, ['new dir', 'new dir']],
] as const

test.each(rows)('%s is found, told and repaired, and nothing travels', async (_, path, text, told) => {
  const { pair, audit, audits, end } = await resident({ 'd/f': 'v1', 'd/g': 'g', h: 'h' })
  await audit()
  // One digest of each root says that all is well.
  for (const root of [pair.alpha, pair.beta])
    expect(root.calls.filter((call) => call.startsWith('audit'))).toHaveLength(1)
  const before = { alpha: pair.alpha.tree(), beta: pair.beta.tree() }
  await pair.falsify(path, text === undefined ? undefined : agreed(text))
  await audit()
  expect(pair.events.flatMap((event) => (event.event === 'audit-differed' ? [event.detail] : []))).toEqual(told)
  await audit()
  expect(audits()).toEqual([0, told.length, 0])
  expect({ alpha: pair.alpha.tree(), beta: pair.beta.tree() }).toEqual(before)
  expect(pair.open().standing.state()).toMatchObject({ auditDifferences: told.length, conflicts: 0, problems: 0 })
  await end()
  expect(pair.opens()).toEqual([])
  expect(pair.agreed('d/f')?.content).toEqual({ ...file('v1') })
  expect(pair.agreed('d/g')?.content).toMatchObject({ kind: 'file' })
  expect(pair.agreed('d/no')).toBeUndefined()
})

test('where the sides are not equal nothing is removed or replaced: it is a conflict', async () => {
  const { pair, audit, end } = await resident({ f: 'v1', g: 'g' })
  // A change that was never reported.
  pair.alpha.changeUnheard('f', 'secret')
  await audit()
  expect(pair.alpha.tree()).toEqual({ f: 'secret', g: 'g' })
  expect(pair.beta.tree()).toEqual({ f: 'v1', g: 'g' })
  expect(pair.opens()).toMatchObject([{ path: 'f', why: 'conflict' }])
  await end()
})

test('a path that is open, and one that changes while it is looked at, are no mistakes', async () => {
  const { pair, audit, audits, end } = await resident({ f: 'v1', g: 'g' })
  pair.alpha.write('f', 'v2')
  pair.beta.write('f', 'v3')
  await until(() => pair.events.some(({ event }) => event === 'conflict-found'), 'the conflict')
  let edits = 0
  pair.beta.before = (call) => {
    if (call === 'audit') pair.alpha.write('g', `edit ${++edits}`)
  }
  await audit()
  expect(edits).toBeGreaterThan(0)
  expect(audits()).toEqual([0])
  await end()
})

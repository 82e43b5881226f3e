import { expect, test } from 'vitest'
import type { OpenPath } from '../../src/archive/archive.js'
import type { Preferences } from '../../src/config/preferences.js'
import { absent } from '../../src/core/content.js'
import { relPath } from '../../src/core/path.js'
import type { PairLoop } from '../../src/engine/loop.js'
import type { PassResult } from '../../src/engine/pass.js'
import { turns, until } from '../replica/wire-pair.js'
import { FakePair } from './fake-pair.js'

/** A pair that is kept equal until the test ends it. */
class Resident {
  readonly pair = new FakePair()
  private readonly finish = new AbortController()
  private readonly now = new AbortController()
  private ended: Promise<PassResult> | undefined

  constructor(repeat: Preferences['repeat'] = { kind: 'watch', fullScanSeconds: 3_600 }) {
    this.pair.prefer({ repeat })
  }

  get loop(): PairLoop {
    return this.pair.open()
  }

  /** Both sides hold these, and it is agreed. */
  async begin(files: Record<string, string>): Promise<FakePair> {
    const { alpha, beta } = this.pair
    for (const [path, text] of Object.entries(files)) for (const root of [alpha, beta]) root.write(path, text, 7n)
    this.ended = this.pair.open().run(this.finish.signal, this.now.signal)
    await until(() => this.current > 0, 'current')
    return this.pair
  }

  /** How often the pair was brought up to date after an opening. */
  get current(): number {
    return this.pair.events.filter(({ event }) => event === 'pair-current').length
  }

  /** Time passes, a little at a time, until it is so. */
  async until(condition: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < 400 && !condition(); i++) {
      await this.pair.clock.pass(100)
      await turns(20)
    }
    expect(condition(), what).toBe(true)
  }

  async end(): Promise<PassResult | undefined> {
    this.finish.abort(new Error('enough'))
    const result = await this.ended
    await this.pair.stop()
    return result
  }
}

test('an edit travels by itself, and what comes while a cycle runs is the next one', async () => {
  const resident = new Resident()
  const { alpha, beta } = await resident.begin({ f: 'v1' })
  beta.before = (call) => {
    if (call !== 'apply') return
    beta.before = () => {}
    alpha.write('late', 'l')
  }
  alpha.write('f', 'v2')
  await until(() => beta.tree().late === 'l', 'both edits')
  expect(beta.tree()).toEqual({ f: 'v2', late: 'l' })
  expect(await resident.end()).toMatchObject({ skipped: 0, failed: 0 })
})

/** When a full scan of both roots began, in seconds from the first moment in which the pair was current. */
async function scansOf(repeat: Preferences['repeat'], count: number, stepMs: number): Promise<number[]> {
  const resident = new Resident(repeat)
  const { clock, alpha, beta } = await resident.begin({ f: 'v1' })
  const began = clock.now()
  const times: number[] = []
  let others = 0
  for (const root of [alpha, beta])
    root.before = (call) => {
      if (call !== 'rescan') return
      if (root === alpha) times.push((clock.now() - began) / 1_000)
      else others++
    }
  for (let steps = 0; steps < 2_000 && times.length < count; steps++) {
    await clock.pass(stepMs)
    await turns(20)
  }
  expect(others).toBe(times.length)
  await resident.end()
  return times
}

test('repeat = watch+N: a full scan every N seconds, each time between three and five quarters of it', async () => {
  const times = await scansOf({ kind: 'watch', fullScanSeconds: 3_600 }, 12, 60_000)
  const between = times.map((at, n) => at - (times[n - 1] ?? 0))
  expect(between).toHaveLength(12)
  for (const seconds of between) {
    expect(seconds).toBeGreaterThanOrEqual(2_640)
    expect(seconds).toBeLessThanOrEqual(4_560)
  }
  // Many pairs that began together do not go on together.
  expect(new Set(between).size).toBeGreaterThan(3)
})

test('repeat = N: a full scan every N seconds', async () => {
  const times = await scansOf({ kind: 'every', seconds: 30 }, 4, 5_000)
  expect(times).toEqual([30, 60, 90, 120])
})

test('many outcomes are acknowledged at once: telling them again would cost the next life a long message', async () => {
  const resident = new Resident()
  const { alpha, beta } = await resident.begin({ f: 'v1' })
  for (let at = 0; at < 150; at++) alpha.write(`n${at}`, `${at}`)
  await until(() => beta.tree().n149 === '149' && beta.past.length < 100, 'the acknowledgement')
  await resident.end()
})

test('what a root reported of a path before we changed it may come after what became of the change', async () => {
  const resident = new Resident()
  const { alpha, beta } = await resident.begin({ f: 'v1' })
  beta.before = (call, replica) => {
    if (call !== 'sync') return
    beta.before = () => {}
    // Somebody had made it and removed it again.
    replica.tell([{ kind: 'entry', path: relPath('p'), found: absent }], beta.sequence)
  }
  alpha.write('p', 'new')
  await until(() => beta.tree().p === 'new', 'the edit')
  await turns(100)
  expect([alpha.tree().p, beta.tree().p]).toEqual(['new', 'new'])
  expect(resident.pair.agreed('p')).toBeDefined()
  await resident.end()
})

test('batches that are settled within a second are acknowledged together, the last ones when the pair ends', async () => {
  const resident = new Resident()
  const { alpha, beta, clock } = await resident.begin({ f: 'v1' })
  let told = 0
  beta.before = (call) => {
    if (call === 'acknowledge') told++
  }
  const save = async (text: string) => {
    alpha.write('f', text)
    await until(() => beta.tree().f === text, text)
    await turns(50)
  }
  for (const text of ['v2', 'v3', 'v4']) await save(text)
  expect([told, beta.past.length]).toEqual([0, 3])
  await clock.pass(1_000)
  await until(() => beta.past.length === 0, 'the acknowledgement')
  await save('v5')
  expect([told, beta.past.length]).toEqual([1, 1])
  await resident.end()
  expect([told, beta.past.length]).toEqual([2, 0])
})

test('what is superseded again and again is tried ever more seldom, and in the end', async () => {
  const resident = new Resident()
  const { alpha, beta } = await resident.begin({ f: 'v1' })
  let tries = 0
  beta.beforeOperation = () => {
    tries++
    const content = beta.at('f')
    if (tries < 6 && content.kind === 'file') beta.touch('f', content.props.mtimeNs === 8n ? 9n : 8n)
  }
  alpha.write('f', 'v2')
  await resident.until(() => beta.tree().f === 'v2', 'the edit')
  expect(tries).toBe(6)
  await resident.end()
})

test('a root in which a conflict is left is not empty', async () => {
  const resident = new Resident()
  const { alpha, beta } = await resident.begin({ f: 'v1' })
  alpha.write('p', 'one')
  beta.write('p', 'two')
  await until(() => resident.pair.events.some(({ event }) => event === 'conflict-found'), 'the conflict')
  await turns(50)
  alpha.remove('f')
  await resident.until(() => beta.tree().f === undefined, 'the removal')
  expect([alpha.tree(), beta.tree()]).toEqual([{ p: 'one' }, { p: 'two' }])
  await resident.end()
})

test('removals of an emptied root are held while the rest travels', async () => {
  const resident = new Resident()
  const { alpha, beta } = await resident.begin({ f: 'v1', g: 'v1' })
  alpha.remove('f')
  alpha.remove('g')
  beta.write('n', 'n')
  await until(() => alpha.tree().n === 'n', 'the new file')
  expect(beta.tree()).toMatchObject({ f: 'v1', g: 'v1' })
  await resident.end()
})

test('something new in an emptied root does not let go of what is held; what comes back is no longer held', async () => {
  const resident = new Resident()
  const { alpha, beta } = await resident.begin({ f: 'v1', g: 'v1' })
  alpha.remove('f')
  alpha.remove('g')
  alpha.write('n', 'n')
  await resident.until(() => beta.tree().n === 'n', 'the new file')
  alpha.write('m', 'm')
  await resident.until(() => beta.tree().m === 'm', 'another new file')
  expect(beta.tree()).toMatchObject({ f: 'v1', g: 'v1' })
  alpha.write('f', 'v1')
  alpha.write('g', 'v1')
  alpha.write('o', 'o')
  await resident.until(() => beta.tree().o === 'o', 'a last file')
  alpha.remove('f')
  await resident.until(() => beta.tree().f === undefined, 'an ordinary removal')
  await resident.end()
})

test('S2-20 the word that lets go is about what is held when it is said, and is not kept for what comes later', async () => {
  const resident = new Resident()
  const { alpha, beta } = await resident.begin({ f: 'v1', g: 'v1' })
  const { standing } = resident.loop
  standing.letGo()
  alpha.remove('f')
  alpha.remove('g')
  beta.write('n', 'n')
  await until(() => alpha.tree().n === 'n', 'the new file')
  await resident.until(() => standing.open().length > 0, 'the hold')
  expect(beta.tree()).toMatchObject({ f: 'v1', g: 'v1' })
  expect(standing.open().map(({ path, why, detail }) => `${path} ${why} ${detail}`)).toEqual([
    expect.stringMatching(
      /^ emptied it would remove all 2 paths of it, which are gone from .*copying it back from .* takes it back/,
    ),
  ])
  standing.letGo()
  await resident.until(() => beta.tree().f === undefined && beta.tree().g === undefined, 'what was let go')
  expect(alpha.tree()).toEqual({ n: 'n' })
  await resident.end()
})

test('S2-20 many removals in a flat root are held for their number, at every later look too, and the rest travels', async () => {
  const resident = new Resident()
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`f${at}`, 'v1']))
  const { alpha, beta } = await resident.begin({ ...many, kept: 'v1', later: 'v1' })
  beta.holds = (count) => (count > 250 ? { detail: `it would remove ${count} paths` } : undefined)
  for (const path of Object.keys(many)) alpha.remove(path)
  await resident.until(() => resident.loop.standing.open().length > 0, 'the hold')
  alpha.remove('later')
  alpha.write('n', 'n')
  await resident.until(() => beta.tree().n === 'n', 'what comes later')
  expect(Object.keys(beta.tree()).length).toBeGreaterThan(250)
  expect(resident.loop.standing.open().map(({ path, why, detail }) => `${path} ${why} ${detail}`)).toEqual([
    expect.stringMatching(/^ held it would remove \d+ paths; /),
  ])
  resident.loop.standing.letGo()
  await resident.until(() => Object.keys(beta.tree()).length === 2, 'what was let go')
  await resident.end()
})

test('S2-21 a flush looks at neither root as a whole, tries what is dirty once, and names what stays open', async () => {
  const resident = new Resident()
  const { alpha, beta } = await resident.begin({ f: 'v1', g: 'v1', h: 'v1' })
  alpha.calls.length = 0
  beta.calls.length = 0
  alpha.write('f', 'from alpha')
  beta.write('f', 'from beta')
  alpha.write('g', 'v2')
  beta.restless = [relPath('h')]
  let open: readonly OpenPath[] | undefined
  void resident.loop.standing.flush(new AbortController().signal).then((answer) => {
    open = answer
  })
  await resident.until(() => open !== undefined, 'the answer')
  expect(open?.map(({ path, why }) => `${path} ${why}`).toSorted()).toEqual(['f conflict', 'h superseded'])
  expect(beta.tree().g).toBe('v2')
  expect([...alpha.calls, ...beta.calls].filter((call) => /^(rescan|flush)/.test(call))).toEqual(['flush', 'flush'])
  await resident.end()
})

test('a long pause keeps no more than so much in memory: the pair is left closed, and told again what changed', async () => {
  const resident = new Resident()
  const { alpha, beta } = await resident.begin({ f: 'v1', g: 'v1' })
  const { standing } = resident.loop
  standing.pause(true)
  alpha.write('g', 'v2')
  for (let at = 0; at <= 100_000; at++) alpha.touch('f', BigInt(1_000 + at))
  await resident.until(() => alpha.sessions.size === 0 && beta.sessions.size === 0, 'both sides closed')
  expect(standing.state()).toMatchObject({ word: 'paused', code: '' })
  beta.write('h', 'while it is closed')
  expect(beta.tree().g).toBe('v1')
  standing.pause(false)
  await resident.until(() => alpha.tree().h !== undefined && beta.tree().g === 'v2', 'what changed')
  expect(beta.at('f')).toEqual(alpha.at('f'))
  expect(await resident.end()).toMatchObject({ skipped: 0, failed: 0 })
})

test('a root that stops reporting is opened again, and nothing was missed', async () => {
  const resident = new Resident()
  const { alpha, beta, events } = await resident.begin({ f: 'v1' })
  for (const session of [...alpha.sessions]) await session.close()
  alpha.write('f', 'v2')
  await resident.until(() => beta.tree().f === 'v2', 'the edit')
  expect(events).toContainEqual(expect.objectContaining({ event: 'pair-halted', code: 'not-answering' }))
  expect(resident.current).toBe(2)
  await resident.end()
})

import { appendFileSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually, eventuallyEqual, expectEqual, type Running, type Sandbox, sandbox, serve } from './harness.js'

type Told = Readonly<Record<string, unknown>>

const told = (stdout: string): Told[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Told)

const applied = (events: readonly Told[]) => events.filter(({ event }) => event === 'path-applied')

/** A directory with two files and one that is ignored on both sides, and a file beside it; in sync. */
async function inSync(): Promise<Sandbox> {
  const box = sandbox()
  box.write('a/d/one', 'one, as it was')
  box.write('a/d/deep/two', 'two, as it was')
  box.write('a/f', 'a file that is moved')
  expect((await pass(box)).code).toBe(0)
  box.write('b/d/kept.tmp', 'only b has this')
  return box
}

function pass(box: Sandbox) {
  return box.tandem(['sync', 'a', 'b', '--json', '--ignore', 'Name *.tmp'])
}

describe('one pass', () => {
  test('a directory and a file that were renamed are two renames, and no byte travels', async () => {
    const box = await inSync()
    const inode = statSync(box.at('b/d/one')).ino
    renameSync(box.at('a/d'), box.at('a/e'))
    mkdirSync(box.at('a/new'))
    renameSync(box.at('a/f'), box.at('a/new/g'))
    const end = await pass(box)
    expect(end.code).toBe(0)
    const events = told(end.stdout)
    expect(applied(events).map(({ what, from, path, bytes }) => [what, from, path, bytes])).toEqual([
      ['moved', 'd', 'e', 0],
      ['created', undefined, 'new', 0],
      ['moved', 'f', 'new/g', 0],
    ])
    expect(events.at(-1)).toMatchObject({ event: 'pass-finished', moved: 2, copied: 1, deleted: 0, bytes: 0 })
    expect(statSync(box.at('b/e/one')).ino).toBe(inode)
    expect(box.read('b/e/kept.tmp')).toBe('only b has this')
    expect([box.exists('b/d'), box.exists('b/f')]).toEqual([false, false])
    expect(applied(told((await pass(box)).stdout))).toEqual([])
  })

  test('edits inside travel along: here, there, and a conflict stays one', async () => {
    const box = await inSync()
    renameSync(box.at('a/d'), box.at('a/e'))
    box.write('a/e/one', 'edited where it was moved')
    box.write('a/e/three', 'new where it was moved')
    box.write('b/d/deep/two', 'edited on the other side')
    box.write('b/d/four', 'new on the other side')
    const end = await pass(box)
    expect(end.code).toBe(0)
    expect(box.read('b/e/one')).toBe('edited where it was moved')
    expect(box.read('b/e/three')).toBe('new where it was moved')
    expect(box.read('a/e/deep/two')).toBe('edited on the other side')
    expect(box.read('a/e/four')).toBe('new on the other side')
    expect(box.exists('b/d')).toBe(false)

    renameSync(box.at('b/e'), box.at('b/x'))
    box.write('a/e/one', 'edited on a')
    box.write('b/x/one', 'edited on b, longer')
    expect((await pass(box)).code).toBe(1)
    expect([box.read('a/x/one'), box.read('b/x/one')]).toEqual(['edited on a', 'edited on b, longer'])
  })

  test('names that differ only in case', async () => {
    const box = await inSync()
    renameSync(box.at('a/d'), box.at('a/D'))
    renameSync(box.at('a/f'), box.at('a/F'))
    const events = told((await pass(box)).stdout)
    expect(applied(events).map(({ what, from, path }) => [what, from, path])).toEqual([
      ['moved', 'd', 'D'],
      ['moved', 'f', 'F'],
    ])
    expect(box.read('b/D/deep/two')).toBe('two, as it was')
  })

  test('what both sides moved is on both sides at both places', async () => {
    const box = await inSync()
    renameSync(box.at('a/f'), box.at('a/from a'))
    renameSync(box.at('b/f'), box.at('b/from b'))
    expect((await pass(box)).code).toBe(0)
    for (const path of ['a/from a', 'b/from a', 'a/from b', 'b/from b'])
      expect(box.read(path)).toBe('a file that is moved')
  })

  test('a dry run shows a move as one, and moves nothing', async () => {
    const box = await inSync()
    renameSync(box.at('a/d'), box.at('a/e'))
    const { stdout } = await box.tandem(['sync', 'a', 'b', '--dry-run', '--batch', '--ignore', 'Name *.tmp'])
    expect(stdout).toMatch(/^moved +---> +d -> e$/m)
    expect(stdout).toContain(': 1 to propagate, 0 to be skipped')
    expect(box.exists('b/d/one')).toBe(true)
  })
})

describe('while it runs, over the link', () => {
  async function linked(): Promise<{ box: Sandbox; lead: Running }> {
    const box = sandbox()
    for (let at = 0; at < 300; at++) box.write(`a/d/${at % 7}/${at}`, `file ${at}`)
    mkdirSync(box.at('b'))
    const serving = await serve(box, { photos: 'b' })
    const lead = box.start(['watch', 'a', serving.url('photos'), '--secret-file', serving.keyFile])
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('b/d/6/6'))
    return { box, lead }
  }

  test('renames on both sides, one after the other, with an edit in each', async () => {
    const { box, lead } = await linked()
    for (let round = 0; round < 6; round++) {
      const [here, there] = round % 2 === 0 ? ['a', 'b'] : ['b', 'a']
      const from = lead.events().length
      renameSync(box.at(here, round === 0 ? 'd' : `d${round}`), box.at(here, `d${round + 1}`))
      appendFileSync(box.at(here, `d${round + 1}/3/3`), `, round ${round}`)
      await eventually(
        () =>
          lead.hasAgreed(({ path }) => path === `d${round + 1}/3/3`, from) &&
          box.exists(`${there}/d${round + 1}/3/3`) &&
          box.read(`${there}/d${round + 1}/3/3`).endsWith(`round ${round}`),
        () => lead.stderr,
      )
    }
    await eventuallyEqual(box.at('a'), box.at('b'))
    const moves = lead.events().filter(({ event, what }) => event === 'path-applied' && what === 'moved')
    expect(moves.map(({ path }) => path)).toEqual(['d1', 'd2', 'd3', 'd4', 'd5', 'd6'])
    expect(lead.events().filter(({ event, what }) => event === 'path-applied' && what === 'removed')).toEqual([])
  })

  test('an edit below the old path on the other side, at the same moment', async () => {
    const { box, lead } = await linked()
    for (let round = 0; round < 5; round++) {
      const old = round === 0 ? 'd' : `e${round}`
      const from = lead.events().length
      let isEdited = false
      renameSync(box.at('a', old), box.at('a', `e${round + 1}`))
      try {
        writeFileSync(box.at('b', old, '5/5'), `from b, round ${round}`, { flag: 'r+' })
        isEdited = true
      } catch (error) {
        // The rename was there first.
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
      }
      await eventuallyEqual(
        box.at('a'),
        box.at('b'),
        () =>
          lead.hasAgreed(({ path }) => path === `e${round + 1}`, from) &&
          (!isEdited || lead.hasAgreed(({ path }) => String(path).endsWith('/5/5'), from)) &&
          box.exists(`b/e${round + 1}/5/5`) &&
          !box.exists(`b/${old}`),
      )
    }
    expectEqual(box.at('a'), box.at('b'))
  })
})

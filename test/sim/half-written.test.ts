import { expect, test } from 'vitest'
import { relPath } from '../../src/core/path.js'
import { plainWorld } from './plain-world.js'
import type { SimWorld, Topology } from './world.js'

const f = relPath('f')
const msNs = 1e6

interface Watched {
  readonly world: SimWorld
  /** Time passes; everything that beta held at f meanwhile, once each, in order. */
  pass(durationMs: number): Promise<string[]>
}

/** A pair at rest, of which alpha's user is about to write. */
async function resting(topology: Topology): Promise<Watched> {
  const world = plainWorld(7, topology)
  for (const agent of world.agents) agent.startAfter(1e6)
  await world.scheduler.pass(20e9)
  const [, beta] = world.users
  const held = () => {
    const inode = beta.files.find(f)
    return inode === undefined ? 'absent' : inode.text
  }
  const pass = async (durationMs: number) => {
    const seen = [held()]
    for (let left = durationMs; left > 0; left -= 10) {
      await world.scheduler.pass(10 * msNs)
      if (seen.at(-1) !== held()) seen.push(held())
    }
    return seen
  }
  return { world, pass }
}

const topologies: Topology[] = ['local', 'linked']

test.each(topologies)('S2-22: a file that is being written travels when it is closed, whole: %s', async (topology) => {
  const { world, pass } = await resting(topology)
  const { files } = world.users[0]
  files.create(f, '')
  const writer = files.open(f)
  writer.append('first half, ')
  const seen = await pass(400)
  writer.append('second half')
  seen.push(...(await pass(900)))
  expect(new Set(seen)).toEqual(new Set(['absent']))
  writer.close()
  expect(await pass(500)).toEqual(['absent', 'first half, second half'])
})

test.each(topologies)('S2-22: an edit in place travels when it is closed, whole: %s', async (topology) => {
  const { world, pass } = await resting(topology)
  const { files } = world.users[0]
  files.create(f, 'old')
  expect(await pass(2_000)).toEqual(['absent', 'old'])
  const writer = files.open(f)
  writer.truncate(0)
  writer.append('new, half')
  expect(await pass(900)).toEqual(['old'])
  writer.append(' and half')
  writer.close()
  expect(await pass(500)).toEqual(['old', 'new, half and half'])
})

test.each(topologies)('S2-22: one that is never closed travels as it is, after 2 s: %s', async (topology) => {
  const { world, pass } = await resting(topology)
  const { files } = world.users[0]
  files.create(f, '')
  const writer = files.open(f)
  writer.append('of a log')
  expect(await pass(900)).toEqual(['absent'])
  expect(await pass(2_500)).toEqual(['absent', 'of a log'])
  // So does what comes later.
  writer.append(', and more')
  expect((await pass(4_000)).at(-1)).toBe('of a log, and more')
  writer.close()
})

import { expect, test } from 'vitest'
import { absPath, relPath } from '../../src/core/path.js'
import { partName } from '../../src/replica/jobs/part.js'
import { largeBytesMin } from '../../src/replica/replica.js'
import { agentHouse } from './agent-house.js'
import { simulate } from './simulate.js'
import { alphaRoot, betaRoot, type SimWorld } from './world.js'

/** What is found in a world at rest to which somebody has added this. */
async function foundAfter(inspect: (world: SimWorld) => void): Promise<readonly string[]> {
  const script = [{ atMs: 500, act: ({ users }: SimWorld) => users[0].files.create(relPath('large'), large) }]
  let found: readonly string[] = []
  const { violations } = await simulate({
    seed: 1,
    topology: 'linked',
    house: agentHouse(),
    script,
    chaosMs: 1_000,
    inspect(world) {
      expect(world.staging.piledUp()).toEqual([])
      inspect(world)
      found = world.staging.piledUp()
    },
  })
  expect(violations).toEqual([])
  return found
}

const large = 'large '.padEnd(largeBytesMin + 1, '.')

test('a world at rest has nothing in staging, and what is put there is found', async () => {
  const found = await foundAfter(({ agents, machines: [machine] }) => {
    if (machine === undefined) throw new Error('no machine')
    const staging = `${alphaRoot}/.tandem/stage`
    const [folder] = machine.find(absPath(staging))?.entries.keys() ?? []
    machine.makeDirectories(absPath(`${staging}/${folder}/in/slot`))
    machine.makeDirectories(absPath(`${staging}/${folder}/out/pair-1-x.0`))
    machine.makeDirectories(absPath(`${staging}/${folder}/intents/pair-1-x.acknowledged`))
    machine.makeDirectories(absPath(`${staging}/other/out`))
    expect(agents[0]?.alive).toBe(true)
  })
  expect(found).toEqual([
    expect.stringMatching(/^alpha has 2 folders of staging: /),
    expect.stringMatching(/^alpha keeps .*\/in\/slot in staging$/),
    expect.stringMatching(/^alpha keeps .*\/out\/pair-1-x\.0 in staging$/),
    expect.stringMatching(/^alpha keeps .*\/intents\/pair-1-x\.acknowledged in staging$/),
  ])
})

test('what lies ahead of a clock that was set back stays, with what tells of it', async () => {
  const found = await foundAfter(({ machines: [machine] }) => {
    if (machine === undefined) throw new Error('no machine')
    const staging = `${alphaRoot}/.tandem/stage`
    const [folder] = machine.find(absPath(staging))?.entries.keys() ?? []
    machine.makeDirectories(absPath(`${staging}/${folder}/out/pair-1-x.0`))
    machine.makeDirectories(absPath(`${staging}/${folder}/intents/pair-1-x.acknowledged`))
    machine.makeDirectories(absPath(`${staging}/${folder}/intents/pair-2-y`))
    machine.skewNs -= 1_000_000n
    machine.setBackMs += 1
  })
  expect(found).toEqual([expect.stringMatching(/\/intents\/pair-2-y in staging$/)])
})

test('a part stays of what came in another way, and not of what came whole', async () => {
  const found = await foundAfter(({ scheduler, machines: [, machine] }) => {
    for (const path of ['large', 'gone']) {
      const part = machine?.makeDirectories(absPath(`${betaRoot}/.tandem/parts/${partName('pair', relPath(path))}`))
      // Put aside 100 ms after the beginning.
      if (part !== undefined) part.ctimeNs -= BigInt(scheduler.timeNs) - 100_000_000n
    }
  })
  expect(found).toEqual([expect.stringMatching(/^beta keeps .*, a part of large, which has come whole since$/)])
})

import { truncateSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventuallyEqual } from './harness.js'
import { archive, describeDamages, indices, known, usualDamages } from './stores.suite.js'

describeDamages((what) => usualDamages.has(what))

test('a resident pair whose stores are of no use says so in its log, and goes on', async () => {
  const box = await known()
  for (const path of [archive(box), ...indices(box)]) truncateSync(path, 4_096)
  const agent = box.start(['watch', 'a', 'b'])
  await agent.event('pair-current')
  expect(agent.events().filter(({ event }) => event === 'store-moved-aside')).toHaveLength(3)
  box.write('a/edited', 'edited on a')
  await eventuallyEqual(box.at('a'), box.at('b'), () => box.read('b/edited') === 'edited on a')
  expect(agent.events().filter(({ event }) => event === 'pair-halted')).toEqual([])
})

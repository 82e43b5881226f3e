import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually, eventuallyEqual, portOf, sandbox, serve } from './harness.js'
import { overRelay, type Setting, startLead } from './over-relay.js'

/** Two roots of 3,000 files in 150 directories, in sync over a relay: their names alone are more than 100 KB. */
async function linked(): Promise<Setting> {
  const box = sandbox()
  for (let at = 0; at < 3_000; at++) box.write(`a/directory-${at % 150}/a file with a number ${at}`, `${at}`)
  rmSync(box.at('b'), { recursive: true, force: true })
  box.write('b/from-b', 'b')
  const setting = await overRelay(box)
  await setting.lead.event('pair-current')
  await eventuallyEqual(box.at('a'), box.at('b'))
  return setting
}

/** What ends and begins again, with the work of a user in between. */
const breaks: readonly [string, (setting: Setting, meanwhile: () => void) => Promise<void>][] = [
  [
    'a link that was cut',
    async ({ relay, lead }, meanwhile) => {
      relay.cut()
      await lead.event('link-lost')
      meanwhile()
      relay.mend()
    },
  ],
  [
    'a lead that was started again',
    async (setting, meanwhile) => {
      setting.lead.signal('SIGTERM')
      await setting.lead.ended
      meanwhile()
      setting.relay.bytes = 0
      setting.lead = startLead(setting.box, setting.relay)
    },
  ],
  [
    'a peer that was started again',
    async (setting, meanwhile) => {
      const { box, relay, serving } = setting
      serving.process.signal('SIGTERM')
      await serving.process.ended
      meanwhile()
      setting.serving = await serve(box, { r: 'b' })
      relay.mend(portOf(setting.serving.address))
    },
  ],
]
test.each(breaks)('what crosses the wire is what changed: %s', async (_, pause) => {
  const setting = await linked()
  const { box, relay } = setting
  await pause(setting, () => {
    relay.bytes = 0
    for (let at = 0; at < 5; at++) {
      box.write(`a/directory-${at * 7}/a file with a number ${at * 7}`, `edited on a: ${at}`)
      box.write(`b/directory-${at * 11 + 1}/a file with a number ${at * 11 + 1}`, `edited on b: ${at}`)
    }
    rmSync(box.at('b/directory-149/a file with a number 149'))
  })
  await eventuallyEqual(box.at('a'), box.at('b'), () => !box.exists('a/directory-149/a file with a number 149'))
  await eventually(
    () => box.read('b/directory-28/a file with a number 28') === 'edited on a: 4',
    () => setting.lead.stderr,
  )
  expect(relay.bytes).toBeGreaterThan(1_000)
  expect(relay.bytes).toBeLessThan(50_000)
})

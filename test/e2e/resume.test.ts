import { randomBytes } from 'node:crypto'
import { mkdirSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually, eventuallyEqual, namesBelow, portOf, sandbox, serve } from './harness.js'
import { overRelay, type Setting, startLead } from './over-relay.js'

/** What of the file is on disk at the target, visible or not. */
function presentBytes(root: string): number {
  let most = 0
  for (const name of namesBelow(root) ?? []) {
    const stat = statSync(`${root}/${name}`, { throwIfNoEntry: false })
    if (stat?.isFile()) most = Math.max(most, stat.size)
  }
  return most
}

const breaks: readonly [
  what: string,
  sizeBytes: number,
  from: 'a' | 'b',
  broken: (setting: Setting) => Promise<void>,
][] = [
  ['a link that is cut', 80_000_000, 'a', async ({ relay }) => relay.cut()],
  [
    'a kill of the peer that receives',
    200_000_000,
    'a',
    async ({ serving, relay }) => {
      await serving.process.kill()
      relay.cut()
    },
  ],
  [
    'a kill of the peer that sends',
    80_000_000,
    'b',
    async ({ serving, relay }) => {
      await serving.process.kill()
      relay.cut()
    },
  ],
  [
    'a kill of the lead that sends',
    80_000_000,
    'a',
    async ({ lead, relay }) => {
      await lead.kill()
      relay.cut()
    },
  ],
  [
    'a kill of the lead that receives',
    80_000_000,
    'b',
    async ({ lead, relay }) => {
      await lead.kill()
      relay.cut()
    },
  ],
]
test.each(breaks)(
  'after %s in the middle of a file, what crosses the wire is the rest of it',
  { timeout: 120_000 },
  async (_, sizeBytes, from, broken) => {
    const box = sandbox()
    const to = from === 'a' ? 'b' : 'a'
    for (const root of ['a', 'b']) mkdirSync(box.at(root))
    box.write(`${from}/large`, randomBytes(sizeBytes))
    const setting = await overRelay(box)
    const { relay } = setting
    // Nothing more gets through, however late this test sees it; and what did has to get as far as the disk.
    relay.fallSilentAfter(sizeBytes / 2)
    await eventually(
      () => presentBytes(box.at(to)) > sizeBytes / 4,
      () => setting.lead.stderr,
    )
    await broken(setting)
    await eventually(
      () => setting.lead.events().some(({ event }) => event === 'link-lost') || setting.lead.hasEnded,
      () => setting.lead.stderr,
    )
    const present = presentBytes(box.at(to))
    expect(present).toBeGreaterThan(sizeBytes / 4)
    expect(present).toBeLessThan(sizeBytes)
    if (setting.serving.process.hasEnded) setting.serving = await serve(box, { r: 'b' })
    relay.bytes = 0
    relay.mend(portOf(setting.serving.address))
    if (setting.lead.hasEnded) setting.lead = startLead(box, relay)
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists(`${to}/large`))
    expect(relay.bytes).toBeLessThan((sizeBytes - present) * 1.1)
    // Nothing of it is left in staging.
    expect(presentBytes(box.at(`${to}/.tandem`))).toBeLessThan(100_000)
  },
)

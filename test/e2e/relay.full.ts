import { networkInterfaces } from 'node:os'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually, eventuallyEqual, portOf, sandbox, serve } from './harness.js'
import { type Line, Relay } from './relay.js'

const relays: Relay[] = []
afterEach(() => {
  for (const relay of relays.splice(0)) relay.close()
})

const slow: Line = { delayMs: 50, bytesPerSecond: 6.25e6 }
/** An address of this machine that is not the loopback's: a link to it is one over a network. */
const outer = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.internal === false && address.family === 'IPv4')?.address

/** 400 files of text in alpha, a served beta, and what stands between them. */
async function apart(line: Line, host: string) {
  const box = sandbox()
  for (let at = 0; at < 400; at++) box.write(`a/d${at % 20}/f${at}`, `the text of file ${at}, `.repeat(100))
  box.write('b/from-b', 'b')
  const serving = await serve(box, { r: 'b' })
  const relay = await Relay.to(portOf(serving.address), line, host)
  relays.push(relay)
  const lead = box.start(['watch', 'a', `wss://${host}:${relay.port}/r`, '--secret-file', 'lead.key'])
  await lead.event('pair-current')
  await eventuallyEqual(box.at('a'), box.at('b'))
  return { box, relay, lead, serving }
}

describe('over a line with a delay and a bandwidth', () => {
  test('both sides become equal, edits travel both ways, and inside one machine nothing is compressed', async () => {
    const { box, relay } = await apart(slow, '127.0.0.1')
    expect(relay.bytes).toBeGreaterThan(800_000)
    box.write('a/d1/f1', 'edited on a')
    box.write('b/d2/f2', 'edited on b')
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.read('a/d2/f2') === 'edited on b')
    expect(box.read('b/d1/f1')).toBe('edited on a')
  })

  test.skipIf(outer === undefined)('over a network text travels compressed', async () => {
    const { box, relay } = await apart(slow, outer ?? '')
    expect(relay.bytes).toBeLessThan(300_000)
    const url = `wss://${outer}:${relay.port}/r`
    const told = await box.tandem(['check', url, '--secret-file', 'lead.key'])
    expect(told.stdout).toMatch(/both: {2}inquire, join, resume, file, accept, why, folders, (zstd, )?brotli\n/)
  })
})

test('a link that fell silent is found out, and edits made meanwhile arrive', async () => {
  const { box, relay, lead } = await apart(slow, '127.0.0.1')
  relay.fallSilent()
  box.write('a/d1/f1', 'edited meanwhile')
  expect(await lead.event('link-lost')).toMatchObject({ code: 'timed-out' })
  relay.mend()
  await eventually(
    () => box.read('b/d1/f1') === 'edited meanwhile',
    () => lead.stderr,
  )
})

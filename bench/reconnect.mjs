// What a cut costs: the bytes that cross the wire from when a link is back until both sides are equal again.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tsImport } from 'tsx/esm/api'
import { until } from './agents.mjs'

/** Cuts the link of two agents that are in sync for so long, edits the paths meanwhile, half of them on each side. */
export async function reconnect(agents, paths, seconds) {
  const { Relay } = await tsImport('../test/e2e/relay.ts', import.meta.url)
  agents.lead?.kill('SIGUSR2')
  await agents.lead?.gone
  const relay = await Relay.to(agents.port)
  try {
    agents.via = relay.port
    const times = agents.log('lead').split('"pair-current"').length
    agents.startLead()
    await agents.current(times)
    relay.cut()
    const back = Date.now() + seconds * 1_000
    const edits = paths.map((path, at) => {
      const [from, to] = at % 2 === 0 ? [agents.alpha, agents.beta] : [agents.beta, agents.alpha]
      const text = `edited while the link was cut: ${at}\n`
      writeFileSync(join(from, path), text)
      return { place: join(to, path), text }
    })
    await new Promise((resolve) => setTimeout(resolve, back - Date.now()))
    relay.bytes = 0
    relay.mend()
    await until(() => edits.every(({ place, text }) => readFileSync(place, 'utf8') === text), 60_000, 'the edits')
    // What is settled after the content is visible counts too.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    return relay.bytes
  } finally {
    relay.close()
  }
}

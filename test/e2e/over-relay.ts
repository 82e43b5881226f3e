import { afterEach } from 'vitest'
import { portOf, type Running, type Sandbox, type Serving, serve } from './harness.js'
import { Relay } from './relay.js'

const relays: Relay[] = []
afterEach(() => {
  for (const relay of relays.splice(0)) relay.close()
})

/** The roots a and b of a sandbox as a pair, with a relay between their agents. What is started again takes the place of before. */
export interface Setting {
  readonly box: Sandbox
  readonly relay: Relay
  serving: Serving
  lead: Running
}

export async function overRelay(box: Sandbox): Promise<Setting> {
  const serving = await serve(box, { r: 'b' })
  const relay = await Relay.to(portOf(serving.address))
  relays.push(relay)
  return { box, relay, serving, lead: startLead(box, relay) }
}

export function startLead(box: Sandbox, { port }: Relay): Running {
  return box.start(['watch', 'a', `wss://127.0.0.1:${port}/r`, '--secret-file', 'lead.key'])
}

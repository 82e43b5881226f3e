// What a slow line makes of tandem: a first sync, edits, and a cut, over a relay with a delay and a bandwidth.
//   node bench/relay.mjs [FILES] [ROUND TRIP ms] [MBIT/S] [PLACE]
// FILES files of 0 to 8 KiB (10,000) that do not compress; the share of the line is of all bytes that crossed it, from the first to the last.
// The same with files that do compress is run too where this machine has an address that is not the loopback's.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { tsImport } from 'tsx/esm/api'
import { Agents, cpuSeconds, percentile, until } from './agents.mjs'
import { makeTree, pathOf } from './files.mjs'
import { freshPlace } from './place.mjs'
import { differences } from './tree.mjs'

const [count = '10000', roundTrip = '100', mbits = '50', place = '/dev/shm/tandem-relay'] = process.argv.slice(2)
const files = Number(count)
const line = { delayMs: Number(roundTrip) / 2, bytesPerSecond: (Number(mbits) * 1e6) / 8 }
const { Relay } = await tsImport('../test/e2e/relay.ts', import.meta.url)
const outer = Object.values(networkInterfaces())
  .flat()
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address

await measure('bytes that do not compress', '127.0.0.1', true)
if (outer !== undefined) await measure('text, compressed', outer, false)
freshPlace(place)

async function measure(what, host, isNoise) {
  rmSync(place, { recursive: true, force: true })
  const [alpha, beta] = ['alpha', 'beta'].map((name) => join(place, name))
  const bytes = makeTree(alpha, files, isNoise)
  mkdirSync(beta)
  const agents = new Agents(join(place, 'agents'), alpha, beta, 4800 + (process.pid % 500))
  agents.startPeer()
  await until(() => agents.log('peer').includes('"listening"'), 20_000, 'the peer to listen')
  const relay = await Relay.to(agents.port, line, host)
  agents.via = relay.port
  agents.host = host
  const begun = performance.now()
  let first
  const watching = setInterval(() => {
    if (relay.bytes > 20_000) first ??= performance.now()
  }, 1)
  agents.startLead()
  await agents.current(0)
  await until(() => agents.log('lead').includes('"cycle-committed"'), 600_000, 'the first sync')
  clearInterval(watching)
  const ended = performance.now()
  const crossed = relay.bytes
  const share = (crossed / ((ended - first) / 1_000) / line.bytesPerSecond).toFixed(2)
  const unequal = differences(alpha, beta).length
  console.log(`${what}: ${files} files, ${(bytes / 1e6).toFixed(1)} MB, round trip ${roundTrip} ms, ${mbits} Mbit/s`)
  console.log(
    `  first sync  ${seconds(ended - begun)}, ${(crossed / 1e6).toFixed(1)} MB crossed in ${seconds(ended - first)}: ${share} of the line, ${unequal} paths differ, ${cpu(agents)} s of processor`,
  )
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  for (const [name, from, to] of [
    ['lead to peer', alpha, beta],
    ['peer to lead', beta, alpha],
  ]) {
    const latencies = []
    for (let n = 0; n < 20; n++) {
      const path = pathOf((n * 7919) % files)
      const text = `edit ${name} ${n}\n`
      const begunEdit = performance.now()
      writeFileSync(join(from, path), text)
      await until(() => readFileSync(join(to, path), 'utf8') === text, 20_000, `edit ${n}`, 0.5)
      latencies.push(performance.now() - begunEdit)
      await new Promise((resolve) => setTimeout(resolve, 600))
    }
    console.log(
      `  edit, ${name}  p50 ${percentile(latencies, 0.5).toFixed(0)} ms, max ${Math.max(...latencies).toFixed(0)} ms`,
    )
  }
  const returns = []
  for (let n = 0; n < 3; n++) {
    relay.cut()
    await new Promise((resolve) => setTimeout(resolve, 1_500 + 700 * n))
    const path = pathOf((n * 31) % files)
    writeFileSync(join(alpha, path), `edit while cut ${n}`)
    relay.mend()
    const mended = performance.now()
    await until(() => readFileSync(join(beta, path), 'utf8') === `edit while cut ${n}`, 40_000, 'the edit', 0.5)
    returns.push(performance.now() - mended)
  }
  console.log(
    `  edit after a cut of 1.5, 2.2, 2.9 s  ${returns.map((ms) => `${ms.toFixed(0)} ms`).join(', ')} from the mending`,
  )
  await agents.stop()
  relay.close()
}

function cpu({ lead, peer }) {
  return (cpuSeconds(lead.pid) + cpuSeconds(peer.pid)).toFixed(1)
}

function seconds(ms) {
  return `${(ms / 1_000).toFixed(2)} s`
}

// One serving agent with many peers, each with a root of its own: what it uses at rest, and how long an edit takes.
//   node bench/peers.mjs [PEERS] [FILES EACH] [PLACE]
// The peers are links of one leading agent with as many keys, so that the machine is not measured by its number of processes.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agents, cli, cpuSeconds, memoryOf, percentile, until } from './agents.mjs'
import { makeTree, pathOf } from './files.mjs'
import { freshPlace } from './place.mjs'

const [peers = '50', files = '1000', place = '/dev/shm/tandem-peers'] = process.argv.slice(2)
const names = Array.from({ length: Number(peers) }, (_, at) => `p${at}`)
freshPlace(place)
const agents = new Agents(join(place, 'agents'), place, place, 4800 + (process.pid % 500))
for (const name of names) {
  makeTree(join(place, 'alpha', name), Number(files), false)
  mkdirSync(join(place, 'beta', name), { recursive: true })
  const key = join(place, 'agents', 'peer', `${name}.key`)
  execFileSync(process.execPath, [cli, 'keygen', name, '--out', key], { stdio: 'ignore' })
  copyFileSync(key, join(place, 'agents', 'lead', `${name}.key`))
}
write('peer', [
  `[listen]\naddress = "127.0.0.1:${agents.port}"\n`,
  ...names.map((name) => `[[serve]]\nname = "${name}"\npath = "${join(place, 'beta', name)}"\n`),
  ...names.map((name) => `[[peers]]\nname = "${name}"\nkey_file = "${name}.key"\nroots = ["${name}"]\n`),
])
write(
  'lead',
  names.map(
    (name) =>
      `[[pair]]\nname = "${name}"\nalpha = "${join(place, 'alpha', name)}"\n` +
      `beta = "wss://127.0.0.1:${agents.port}/${name}"\nsecret_file = "${name}.key"\n`,
  ),
)
agents.peer = start('peer', 'serve')
await until(() => agents.log('peer').includes('"listening"'), 20_000, 'the peer to listen')
const begun = performance.now()
agents.lead = start('lead', 'run')
await until(() => agents.log('lead').split('"pair-current"').length > names.length, 200_000, 'all to be current', 50)
console.log(
  `${peers} peers, ${files} files each: all current after ${((performance.now() - begun) / 1_000).toFixed(1)} s`,
)
// What follows a first sync is over then: files that were young are looked at again, and memory is given back.
await pause(25_000)
const before = [agents.peer, agents.lead].map(({ pid }) => cpuSeconds(pid))
await pause(20_000)
const [peerIdle, leadIdle] = [agents.peer, agents.lead].map(({ pid }, at) => (cpuSeconds(pid) - before[at]) / 0.2)
console.log(`at rest     serving ${peerIdle.toFixed(2)} %, leading ${leadIdle.toFixed(2)} % of one core`)
for (const [what, from, to] of [
  ['to the serving agent', 'alpha', 'beta'],
  ['from it', 'beta', 'alpha'],
]) {
  const latencies = []
  for (let n = 0; n < 60; n++) {
    const path = join(names[(n * 7) % names.length] ?? '', pathOf((n * 131) % Number(files)))
    const text = `edit ${what} ${n}`
    const edited = performance.now()
    writeFileSync(join(place, from, path), text)
    await until(() => readFileSync(join(place, to, path), 'utf8') === text, 20_000, 'the edit', 0.5)
    latencies.push(performance.now() - edited)
    await pause(40)
  }
  console.log(
    `an edit ${what}  p50 ${percentile(latencies, 0.5).toFixed(1)} ms, p95 ${percentile(latencies, 0.95).toFixed(1)} ms, max ${Math.max(...latencies).toFixed(1)} ms`,
  )
}
console.log(
  `memory, MiB  serving ${JSON.stringify(memoryOf(agents.peer.pid))}, leading ${JSON.stringify(memoryOf(agents.lead.pid))}`,
)
await agents.stop()
rmSync(place, { recursive: true, force: true })

function write(name, tables) {
  writeFileSync(join(place, 'agents', name, 'tandem.toml'), tables.join('\n'), { mode: 0o600 })
}

function start(name, command) {
  return agents.spawn(name, [command, '--config', join(place, 'agents', name, 'tandem.toml')])
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

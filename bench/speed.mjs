// The figures of the README: first sync, nothing changed, latency of an edit, a renamed directory, processor time and memory.
//   node bench/speed.mjs [FILES] [PLACE] [RUNS] [SECONDS CUT]
// FILES files of 0 to 8 KiB (100,000), in PLACE (a fresh directory on tmpfs or a journaling file system).
// The floor is cp -a of the same tree in the same run: quote the ratio, these are medians on a machine that is never quiet.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agents, cli, cpuSeconds, median, memoryOf, percentile, until } from './agents.mjs'
import { freshPlace } from './place.mjs'
import { reconnect } from './reconnect.mjs'
import { differences } from './tree.mjs'

const [count = '100000', place = '/dev/shm/tandem-speed', runs = '3', cutSeconds = '60'] = process.argv.slice(2)
const files = Number(count)
freshPlace(place)
const alpha = join(place, 'alpha')
make(alpha, files)

const ratios = []
const firsts = []
const nothing = []
const local = []
let agents
for (let run = 0; run < Number(runs); run++) {
  await agents?.stop()
  for (const name of ['beta', 'agents', 'copy', 'alpha/.tandem'])
    rmSync(join(place, name), { recursive: true, force: true })
  const copied = timed(() => execFileSync('cp', ['-a', alpha, join(place, 'copy')]))
  rmSync(join(place, 'copy'), { recursive: true })
  mkdirSync(join(place, 'beta'))
  agents = new Agents(join(place, 'agents'), alpha, join(place, 'beta'), 4800 + (process.pid % 500))
  agents.startPeer()
  await until(() => agents.log('peer').includes('"listening"'), 20_000, 'the peer to listen')
  const first = timed(() => sync(agents.url, agents.leadOptions()))
  firsts.push(first)
  ratios.push(first / copied)
  console.log(`first sync ${ms(first)}, cp -a ${ms(copied)}, ratio ${(first / copied).toFixed(2)}`)
  for (let n = 0; n < 3; n++) nothing.push(timed(() => sync(agents.url, agents.leadOptions())))
}
const unequal = differences(alpha, join(place, 'beta')).length
console.log(`unequal paths: ${unequal}`)
// Both roots in one process, as `tandem sync A B` on one machine: each is scanned.
for (let n = 0; n < 4; n++) local.push(timed(() => sync(join(place, 'beta'), [])))
local.shift()

agents.startLead()
await agents.current()
const latencies = []
const cpuBefore = cpuSeconds(agents.lead.pid) + cpuSeconds(agents.peer.pid)
const edits = 200
for (let n = 0; n < edits; n++) {
  const side = n % 2 === 0 ? [alpha, join(place, 'beta')] : [join(place, 'beta'), alpha]
  const path = pathOf((n * 7919) % files)
  const text = `edit ${n} ${Math.random()}\n`
  const begun = performance.now()
  writeFileSync(join(side[0], path), text)
  await until(() => readFileSync(join(side[1], path), 'utf8') === text, 20_000, `edit ${n}`, 0.5)
  latencies.push(performance.now() - begun)
  await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 30))
}
const cpu = (cpuSeconds(agents.lead.pid) + cpuSeconds(agents.peer.pid) - cpuBefore) / edits
// A directory of 10,000 files, renamed on one side after the other: equal on the other side when its last file is at the new path.
make(join(alpha, 'm0'), 10_000)
await until(() => existsSync(join(place, 'beta', 'm0', pathOf(9_999))), 60_000, 'the directory to be renamed')
await new Promise((resolve) => setTimeout(resolve, 3_000))
const renames = []
for (let n = 0; n < 7; n++) {
  const [here, there] = n % 2 === 0 ? [alpha, join(place, 'beta')] : [join(place, 'beta'), alpha]
  const begun = performance.now()
  renameSync(join(here, `m${n}`), join(here, `m${n + 1}`))
  await until(
    () => existsSync(join(there, `m${n + 1}`, pathOf(9_999))) && !existsSync(join(there, `m${n}`)),
    60_000,
    `rename ${n}`,
    0.5,
  )
  renames.push(performance.now() - begun)
  await new Promise((resolve) => setTimeout(resolve, 1_500))
}
// What the work has left behind is given back after a while.
await new Promise((resolve) => setTimeout(resolve, 13_000))
const idleBefore = cpuSeconds(agents.lead.pid) + cpuSeconds(agents.peer.pid)
await new Promise((resolve) => setTimeout(resolve, 5_000))
const idle = (cpuSeconds(agents.lead.pid) + cpuSeconds(agents.peer.pid) - idleBefore) / 5
console.log(
  [
    `files                      ${files}`,
    `first sync over the link   median ${ms(median(firsts))}, ratio to cp -a median ${median(ratios).toFixed(2)} (${ratios.map((ratio) => ratio.toFixed(2)).join(' ')})`,
    `nothing changed, link      median ${ms(median(nothing))} (${nothing.map(ms).join(' ')})`,
    `nothing changed, one machine median ${ms(median(local))} (${local.map(ms).join(' ')})`,
    `edit to visible            p50 ${ms(percentile(latencies, 0.5))}, p95 ${ms(percentile(latencies, 0.95))}, max ${ms(Math.max(...latencies))}`,
    `10,000 files renamed       median ${ms(median(renames))} (${renames.map(ms).join(' ')})`,
    `processor time an edit     ${ms(cpu * 1000)} (both agents)`,
    `idle                       ${(idle * 100).toFixed(2)} % of one core (both agents)`,
    `memory at rest, MiB        lead ${JSON.stringify(memoryOf(agents.lead.pid))}, peer ${JSON.stringify(memoryOf(agents.peer.pid))}`,
  ].join('\n'),
)
const cutPaths = Array.from({ length: 10 }, (_, at) => pathOf((at * 9_973 + 5) % files))
const bytes = await reconnect(agents, cutPaths, Number(cutSeconds))
console.log(`a cut of ${cutSeconds} s, 10 edits   ${(bytes / 1024).toFixed(1)} KiB crossed the wire`)
await agents.stop()
rmSync(place, { recursive: true, force: true })

function sync(root, options) {
  const state = join(place, 'agents', root.startsWith('wss') ? 'lead' : 'local', 'state')
  const done = spawnSync(process.execPath, [cli, 'sync', alpha, root, '--batch', '--state-dir', state, ...options], {
    encoding: 'utf8',
  })
  if (done.status !== 0) throw new Error(`sync ended with ${done.status}: ${done.stdout}${done.stderr}`)
}

function make(root, wanted) {
  const bytes = Buffer.alloc(8192)
  let seed = 7
  const next = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    return seed / 0x7fffffff
  }
  for (let at = 0; at < bytes.length; at++) bytes[at] = 32 + next() * 90
  for (let n = 0; n < wanted; n++) {
    if (n % 20 === 0) mkdirSync(join(root, pathOf(n), '..'), { recursive: true })
    bytes.writeUInt32LE(n, 0)
    writeFileSync(join(root, pathOf(n)), bytes.subarray(0, Math.floor(next() * 8192)))
  }
}

function pathOf(n) {
  const directory = Math.floor(n / 20)
  return `d${directory % 50}/e${directory}/f${n % 20}.txt`
}

function timed(work) {
  const begin = performance.now()
  work()
  return performance.now() - begin
}

function ms(value) {
  return value < 100 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`
}

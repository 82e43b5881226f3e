// Two agents on a real source tree: first sync, bursts on both sides, kills in the middle of each, cut links.
//   node bench/real.mjs TREE [PLACE]     PLACE: a fresh directory on the file system to measure on
// Every step ends when both roots are equal, bytes, modes, times and links included; it prints how long that took.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Agents, memoryOf, until } from './agents.mjs'
import { freshPlace } from './place.mjs'
import { differences } from './tree.mjs'

const [tree, place = '/dev/shm/tandem-real'] = process.argv.slice(2)
if (tree === undefined) throw new Error('usage: node bench/real.mjs TREE [PLACE]')
freshPlace(place)
const alpha = join(place, 'alpha')
const beta = join(place, 'beta')
const started = performance.now()
const say = (text) => console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(7)} s  ${text}`)

const copyMs = timed(() => execFileSync('cp', ['-a', tree, join(place, 'copy')]))
rmSync(join(place, 'copy'), { recursive: true })
execFileSync('cp', ['-a', tree, alpha])
mkdirSync(beta)
const files = filesOf(alpha)
say(`${files.length} files; cp -a takes ${seconds(copyMs)}`)

const agents = new Agents(join(place, 'agents'), alpha, beta, 4300 + (process.pid % 500))
agents.startPeer()
const begun = performance.now()
agents.startLead()
await agents.current()
const first = performance.now() - begun
check('first sync', first)
say(
  `first sync ${seconds(first)}, ${(first / copyMs).toFixed(2)} times cp -a; memory lead ${JSON.stringify(memoryOf(agents.lead.pid))}, peer ${JSON.stringify(memoryOf(agents.peer.pid))}`,
)

let round = 0
await step('a checkout-like rewrite of 3,000 files with deletions and renames', () => checkout(alpha))
await step('the same on the other side', () => checkout(beta))
await step('an archive of 2,000 files unpacked', () => unpack(alpha))
await step('1,000 disjoint edits on each side at once', () => disjointEdits())
for (const who of ['lead', 'peer']) {
  await killed(who, 'a checkout-like rewrite', () => checkout(who === 'lead' ? alpha : beta))
  await killed(who, 'an archive unpacked', () => unpack(who === 'lead' ? beta : alpha))
  await killed(who, 'disjoint edits on both sides', () => disjointEdits())
}
await peerRestarted()
await cut()
await agents.stop()
say(`exit codes: lead ${agents.lead.exitCode}, peer ${agents.peer.exitCode}`)
rmSync(place, { recursive: true, force: true })

async function step(what, change) {
  const changed = change()
  const made = performance.now()
  await equalAt(changed)
  const took = performance.now() - made
  check(what, took)
  say(`${what}: equal ${seconds(took)} after the last change`)
}

/** SIGKILL while the change is on its way, then the same agent again. */
async function killed(who, what, change) {
  const before = agents.log('lead').split('"path-applied"').length
  const changed = change()
  await until(
    () => agents.log('lead').split('"path-applied"').length > before + 50,
    60_000,
    'the change to be on its way',
    2,
  )
  agents[who].kill('SIGKILL')
  await agents[who].gone
  const open = differences(alpha, beta, { only: changed }).length
  const again = performance.now()
  if (who === 'lead') agents.startLead()
  else agents.startPeer()
  await equalAt(changed)
  check(`${what}, ${who} killed`, performance.now() - again)
  say(
    `${what}, ${who} killed with ${open} of ${changed.length} paths unequal: equal ${seconds(performance.now() - again)} after its restart`,
  )
}

async function peerRestarted() {
  agents.peer.kill('SIGTERM')
  await agents.peer.gone
  const changed = disjointEdits()
  agents.startPeer()
  const again = performance.now()
  await equalAt(changed)
  check('peer stopped and started', performance.now() - again)
  say(`peer stopped, 2,000 edits meanwhile, started: equal after ${seconds(performance.now() - again)}`)
}

/** The connection is cut by the kernel, as a broken network does (ss -K); both agents stay. */
async function cut() {
  const changed = disjointEdits()
  const killedSockets = spawnSync('ss', ['-K', 'dport', '=', `:${agents.port}`], { encoding: 'utf8' })
  if (killedSockets.status !== 0) return say('the socket could not be cut here (ss -K): left out')
  const again = performance.now()
  await equalAt(changed)
  check('link cut', performance.now() - again)
  const lost = agents.log('lead').split('"link-lost"').length - 1
  say(`link cut during 2,000 edits (lost ${lost} times): equal after ${seconds(performance.now() - again)}`)
}

function checkout(root) {
  round++
  const mine = filesOf(root)
  const changed = []
  for (let n = 0; n < 3_000; n++) {
    const path = mine[(n * 17 + round * 7_919) % mine.length]
    const full = join(root, path)
    if (statSync(full, { throwIfNoEntry: false }) === undefined) continue
    changed.push(path)
    if (n % 10 === 0) rmSync(full)
    else if (n % 10 === 1) {
      renameSync(full, `${full}.renamed-${round}`)
      changed.push(`${path}.renamed-${round}`)
    } else if (n % 10 === 2) {
      // In place, as an editor without temporary files does.
      writeFileSync(full, `${readFileSync(full, 'latin1')}\n// round ${round}\n`, 'latin1')
    } else {
      writeFileSync(`${full}.tmp`, `round ${round} of ${path}\n`)
      renameSync(`${full}.tmp`, full)
    }
  }
  return changed
}

function unpack(root) {
  round++
  const folder = `unpacked-${round}`
  const changed = []
  const source = filesOf(alpha).slice(round * 100, round * 100 + 2_000)
  for (const path of source) {
    const target = `${folder}/${path}`
    mkdirSync(dirname(join(root, target)), { recursive: true })
    cpSync(join(alpha, path), join(root, target), { preserveTimestamps: true })
    changed.push(target)
  }
  return changed
}

function disjointEdits() {
  round++
  const shared = filesOf(alpha).filter((path) => statSync(join(beta, path), { throwIfNoEntry: false }) !== undefined)
  const changed = []
  for (let n = 0; n < 1_000; n++) {
    for (const [at, root] of [alpha, beta].entries()) {
      const path = shared[((n * 2 + at) * 31 + round * 101) % shared.length]
      if (changed.includes(path)) continue
      writeFileSync(join(root, path), `edit ${n} of round ${round} on side ${at}\n`)
      changed.push(path)
    }
  }
  return changed
}

async function equalAt(changed) {
  await until(
    () => differences(alpha, beta, { only: changed }).length === 0,
    300_000,
    `${changed.length} paths to be equal`,
    50,
  )
}

function check(what) {
  const found = differences(alpha, beta)
  const diff = spawnSync('diff', ['-r', '-x', '.tandem', '--no-dereference', alpha, beta], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (found.length > 0 || diff.status !== 0) {
    console.log(`NOT EQUAL after ${what}:\n${found.slice(0, 10).join('\n')}\n${diff.stdout.slice(0, 1000)}`)
    process.exitCode = 1
  }
}

function filesOf(root) {
  const files = []
  const visit = (path) => {
    for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
      if (entry.name === '.tandem') continue
      const below = path === '' ? entry.name : `${path}/${entry.name}`
      if (entry.isDirectory()) visit(below)
      else if (entry.isFile()) files.push(below)
    }
  }
  visit('')
  return files.sort()
}

function timed(work) {
  const begin = performance.now()
  work()
  return performance.now() - begin
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`
}

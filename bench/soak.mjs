// Two real agents on two real folders over the real link, users at work on both sides, and agents that are killed and stopped
// at random. Every version that a user writes is followed: none may be lost, torn or made up.
//   npm run soak -- [--minutes N] [--place DIR] [--seed N] [--frames N]
// DIR: a fresh directory on the file system to try.
// Before that the decoder, a served root and a lead get a million frames (--frames) that are bent, cut or made up: see soak-frames.mjs.
// Rounds: chaos, then quiet; then both roots must be equal but for what the lead calls a conflict at that moment, which a user
// settles. At the end nothing is left in staging.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ready } from '../scripts/ready.mjs'
import { askAgent } from '../src/cli/control-client.ts'
import { Agents, until } from './agents.mjs'
import { freshPlace } from './place.mjs'
import { soakFrames } from './soak-frames.mjs'
import { Book, User } from './soak-users.mjs'
import { differences } from './tree.mjs'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    place: { type: 'string', default: join(tmpdir(), `tandem-soak-${process.pid}`) },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    frames: { type: 'string', default: '1000000' },
  },
})
ready()
if (Number(values.frames) > 0) await soakFrames(Number(values.frames), Number(values.seed))
const place = values.place
const random = chance(Number(values.seed))
const started = performance.now()
const endsAt = started + Number(values.minutes) * 60_000
const convergeMs = 90_000
/** What was displaced has its last look after a minute at most (where no lease tells of writers). */
const stagingMs = 75_000
const chaosMs = 10_000
const counts = { rounds: 0, steps: 0, kills: 0, killsOfBoth: 0, stops: 0, fullDisks: 0, conflicts: 0 }

freshPlace(place)
const small = mountSmall(join(place, 'small'))
const alpha = join(place, 'alpha')
const beta = join(place, 'small', 'beta')
for (const root of [alpha, beta]) mkdirSync(root, { recursive: true })
const book = new Book()
book.born('kept')
book.born('')
writeFileSync(join(alpha, 'kept'), 'kept')
const users = [
  new User('alpha', alpha, join(place, 'aside'), book, random),
  new User('beta', beta, join(place, 'small', 'aside'), book, random),
]
const agents = new Agents(join(place, 'agents'), alpha, beta, 4800 + (process.pid % 400))
agents.startPeer()
agents.startLead()
say(
  `seed ${values.seed}, ${small ? 'beta on a tmpfs of its own, which is filled now and then' : 'no mounting here: no full disk'}`,
)

try {
  await agents.current()
  while (performance.now() < endsAt && book.violations.length === 0) await round()
  if (book.violations.length === 0) await tidy()
} finally {
  await agents.stop().catch(() => undefined)
  if (book.violations.length === 0)
    for (const { name, root } of users)
      for (const left of staged(root)) book.violate(`${name} keeps ${left} in staging after its agent has ended`)
  for (const child of [agents.lead, agents.peer]) {
    child?.kill('SIGKILL')
    await child?.gone
  }
  for (const { name, done } of users) {
    say(`${name}: ${[...done].map(([act, times]) => `${act} ${times}`).join(', ')}`)
    // Users who do nothing lose nothing.
    for (const [act, times] of done)
      if (times === 0 && counts.rounds > 3) book.violate(`the user of ${name} never succeeded with: ${act}`)
  }
  if (book.violations.length === 0) {
    if (small) execFileSync('umount', ['-l', join(place, 'small')])
    rmSync(place, { recursive: true, force: true })
  } else console.log(`left as it is: ${place}`)
}
const minutes = ((performance.now() - started) / 60_000).toFixed(1)
console.log(
  `soak: ${minutes} min, ${counts.rounds} rounds, ${counts.steps} steps of users, ${book.written} versions, ${counts.kills} kills, of both ${counts.killsOfBoth} times, ` +
    `${counts.stops} stops, ${counts.fullDisks} full disks, ${counts.conflicts} conflicts settled: ` +
    `${book.violations.length === 0 ? 'nothing lost, torn or made up' : `${book.violations.length} VIOLATIONS`}`,
)
process.exitCode = book.violations.length === 0 ? 0 : 1

async function round() {
  counts.rounds++
  const until = performance.now() + chaosMs
  while (performance.now() < until) {
    const burst = 1 + Math.floor(random() * 6)
    for (let n = 0; n < burst; n++) {
      users[random() < 0.5 ? 0 : 1].act()
      counts.steps++
    }
    if (random() < 0.03) await kill()
    if (random() < 0.03) await stop()
    if (small && random() < 0.01) await fill()
    await rest(random() ** 3 * 150)
  }
  for (const user of users) user.finish()
  await alive()
  await settle('after the chaos')
  for (let again = 0; again < 3; again++) {
    const left = pathsOf(differences(alpha, beta))
    if (left.length === 0) break
    for (const path of topmost(left)) {
      counts.conflicts++
      const [from, to] = random() < 0.5 ? users : [...users].reverse()
      to.copyFrom(from, path)
    }
    await settle('after conflicts were settled')
  }
  const left = differences(alpha, beta)
  if (left.length > 0) book.violate(`still differing: ${left.slice(0, 5).join('; ')}`)
  book.check([alpha, beta])
  say(`round ${counts.rounds}: ${JSON.stringify(counts)}`)
}

/** Until the roots are equal but for what the lead calls conflicts, twice with a pause between. */
async function settle(when) {
  let quiet = 0
  try {
    await until(
      async () => {
        const left = pathsOf(differences(alpha, beta))
        quiet = left.length === 0 || isExplained(left, await openConflicts()) ? quiet + 1 : 0
        return quiet >= 8
      },
      convergeMs,
      'both to be equal',
      200,
    )
  } catch {
    book.violate(`not settled ${when}: ${differences(alpha, beta).slice(0, 5).join('; ')}`)
  }
}

/** One of the agents, or both at once. */
async function kill() {
  counts.kills++
  const both = random() < 0.3
  if (both) counts.killsOfBoth++
  const dying = both ? ['lead', 'peer'] : [random() < 0.5 ? 'lead' : 'peer']
  for (const who of dying) agents[who].kill('SIGKILL')
  for (const who of dying) await agents[who].gone
  await rest(random() * 500)
  for (const who of random() < 0.5 ? dying : dying.reverse()) start(who)
}

async function stop() {
  counts.stops++
  const child = random() < 0.5 ? agents.lead : agents.peer
  child.kill('SIGSTOP')
  const pausedMs = random() ** 2 * 3_000
  const steps = Math.floor(random() * 8)
  for (let n = 0; n < steps; n++) users[n % 2].act()
  counts.steps += steps
  await rest(pausedMs)
  child.kill('SIGCONT')
}

/** Beta's disk is full for a while. */
async function fill() {
  counts.fullDisks++
  const filler = join(place, 'small', 'filler')
  const { bavail, bsize } = statfsSync(join(place, 'small'))
  try {
    writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - Math.floor(random() * 65_536))))
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error
  }
  for (let n = 0; n < 6; n++) {
    users[n % 2].act()
    counts.steps++
    await rest(random() * 200)
  }
  rmSync(filler, { force: true })
}

async function alive() {
  for (const who of ['peer', 'lead']) if (agents[who].exitCode !== null || agents[who].signalCode !== null) start(who)
}

function start(who) {
  if (who === 'lead') agents.startLead()
  else agents.startPeer()
}

/** Paths that the lead calls conflicts now; none while it is not at work. */
async function openConflicts() {
  try {
    const stateDir = join(place, 'agents', 'lead', 'state')
    const text = await askAgent(stateDir, { method: 'GET', path: '/v1/conflicts', timeoutMs: 5_000 })
    const open = JSON.parse(text).pairs.flatMap((pair) => pair.open)
    return open.flatMap(({ path, why }) => (why === 'conflict' ? [path] : []))
  } catch (error) {
    if (error.code === undefined) throw error
    return []
  }
}

function isExplained(paths, conflicts) {
  return paths.every((path) => conflicts.some((conflict) => isWithin(path, conflict) || isWithin(conflict, path)))
}

/** Staging comes to nothing but a folder for each agent: what waits has its second look, what was told is acknowledged. */
async function tidy() {
  try {
    await until(() => users.every(({ root }) => untidy(root).length === 0), stagingMs, 'staging to be empty', 500)
  } catch {
    for (const { name, root } of users)
      for (const left of untidy(root)) book.violate(`${name} keeps ${left} in staging at rest`)
  }
}

/** What is in a root's staging beside the empty folder of one agent. No user writes a file of which a part would be kept. */
function untidy(root) {
  const found = staged(root)
  const [folder] = found
  return found.filter(
    (path) => ![folder, ...['owner', 'in', 'out', 'intents'].map((name) => `${folder}/${name}`)].includes(path),
  )
}

/** Whatever lies in staging, and the parts. */
function staged(root) {
  return ['stage', 'parts'].flatMap((name) => {
    try {
      return readdirSync(join(root, '.tandem', name), { recursive: true }).sort()
    } catch (error) {
      if (error.code !== 'ENOENT') throw error
      return []
    }
  })
}

function pathsOf(lines) {
  return lines.map((line) => line.slice(0, line.indexOf(': ')))
}

function topmost(paths) {
  return paths.filter((path) => !paths.some((other) => other !== path && isWithin(path, other)))
}

function isWithin(path, directory) {
  return path === directory || path.startsWith(`${directory}/`)
}

/** A tmpfs of 24 MiB, where this process may mount. */
function mountSmall(at) {
  mkdirSync(at, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', at], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function rest(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function say(text) {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(7)} s  ${text}`)
}

/** mulberry32. */
function chance(seed) {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

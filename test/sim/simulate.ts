import type { RelPath } from '../../src/core/path.js'
import type { AgentEvent } from '../../src/status/event.js'
import { Chaos, type FailPlan, type Faults, type Meeting, noFaults } from './faults.js'
import type { OpenHouse } from './house.js'
import { Dice } from './random.js'
import { Scheduler } from './scheduler.js'
import { type CrashPlan, SimWorld, type Topology, type Traits, usualTraits } from './world.js'

/** A step that a test names itself, at a virtual time after the agents have started, or on a call of an agent. */
export type ScriptStep = { readonly atMs: number; act(world: SimWorld): void } | Meeting

export interface SimOptions {
  readonly seed: number
  readonly house: OpenHouse
  /** The house keeps versions of what it replaces and removes; it does if not given. */
  readonly keeps?: boolean
  readonly topology?: Topology
  /** Steps of the two users together in the chaos phase. */
  readonly steps?: number
  /** Of these steps, by number, only some: to see which of them matter. */
  readonly only?: ReadonlySet<number>
  readonly chaosMs?: number
  readonly faults?: Partial<Faults>
  readonly traits?: Traits
  /** Instead of users who act at random. */
  readonly script?: readonly ScriptStep[]
  /** Before the agents start. */
  readonly prepare?: (world: SimWorld) => void
  /** Ends the agent at this effect, counted from 1 over its lives; it is started again soon. */
  readonly crashAt?: CrashPlan
  readonly failAt?: FailPlan
  /** Effects and calls before this time do not count. */
  readonly countAfterMs?: number
  /** So long after all is equal nothing that was displaced waits for its last look any more. */
  readonly lingerMs?: number
  /** It ends when all is equal: no conflict is resolved, and no quiet time waited for. */
  readonly brief?: boolean
  /** Keep every line of the history, for reading. */
  readonly keepLines?: boolean
  /** Called when all is over and quiet: further checks. */
  readonly inspect?: (world: SimWorld) => void
}

export interface SimResult {
  readonly seed: number
  /** Digest of the whole history: equal for two runs of one seed. */
  readonly trace: string
  /** What the oracle and the phases found wrong; empty is the promise kept. */
  readonly violations: readonly string[]
  readonly virtualMs: number
  /** Scheduler steps. */
  readonly steps: number
  /** Effects of the agents, or of the one that `crashAt` names; and calls that could have failed as `failAt` says. */
  readonly effects: number
  readonly calls: number
  readonly conflicts: readonly RelPath[]
  readonly lives: number
  readonly lines: readonly string[]
  readonly events: readonly AgentEvent[]
  readonly world: SimWorld
}

/** After the healing everything must be settled within this much virtual time. */
const convergeNs = 120e9
/** Equal for as long: sweeps, back-offs and late commits have had their time. */
const stableNs = 4e9
const checkNs = 200e6
/** By then a link that had fallen silent has been opened again (15 s), and a full scan has read again what was written last (38 s at most). */
const restedNs = 60e9
/** A quiet pair does no work (R1). */
const quietNs = 20e9
const rounds = 3

/**
 * One history of the whole house: chaos, healing, and then all must be equal but for conflicts; these are resolved by a user
 * who copies one side to the other, and then all must be equal. Deterministic in its options.
 */
export async function simulate(options: SimOptions): Promise<SimResult> {
  // Errors of every kind are in the course of things here; a trace of the stack costs more than the call that fails.
  const { stackTraceLimit } = Error
  if (options.keepLines !== true) Error.stackTraceLimit = 0
  try {
    return await history(options)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

async function history(options: SimOptions): Promise<SimResult> {
  const dice = new Dice(options.seed)
  const scheduler = new Scheduler(dice.stream('ties'), options.keepLines ?? false)
  const { topology = 'linked', house, crashAt, traits = usualTraits } = options
  const world = new SimWorld(scheduler, dice, topology, house, crashAt, traits)
  world.oracle.keeps = options.keeps ?? true
  const faults = { ...noFaults, ...options.faults }
  const chaos = new Chaos(world, faults, dice, options.failAt)
  options.prepare?.(world)
  if (options.countAfterMs !== undefined) {
    world.counting = false
    scheduler.after(options.countAfterMs * 1e6, 'count', () => {
      world.counting = true
    })
  }

  const chaosNs = (options.chaosMs ?? 4_000) * 1e6
  const start = dice.stream('start')
  for (const agent of world.agents) agent.startAfter(start.skewed(0, 300_000_000))
  if (options.script === undefined) plan(world, dice, options, chaosNs)
  else
    for (const step of options.script) {
      if ('before' in step) chaos.meetings.push(step)
      else scheduler.after(step.atMs * 1e6, 'script', () => step.act(world))
    }
  chaos.begin(chaosNs)
  await scheduler.pass(chaosNs)

  scheduler.note('heal')
  for (const user of world.users) user.finish()
  chaos.end()
  for (const agent of world.agents) if (!agent.alive) agent.startAfter(1e6)
  // What befell a life in the chaos may end it later; one that begins now has no reason to.
  const livesBefore = world.agents.map(({ lives }) => lives)

  const violations: string[] = []
  let conflicts = await settle(world, violations, 'after the healing')
  const { lingerMs = 0 } = options
  if (lingerMs > 0 && violations.length === 0) {
    // What an agent has put off for a time by a clock that was set back comes later by as much.
    const setBackMs = Math.max(...world.machines.map((machine) => machine.setBackMs))
    await scheduler.pass((lingerMs + setBackMs) * 1e6)
    conflicts = await settle(world, violations, 'after the last looks')
  }
  world.oracle.checkEnd(conflicts, heldApart(world))
  const found = world.oracle.differences()
  const { brief = false } = options
  for (
    let round = 1;
    !brief && world.oracle.differences().length > 0 && round <= rounds && violations.length === 0;
    round++
  ) {
    resolve(world, dice.stream(`resolve ${round}`))
    await settle(world, violations, `after resolving ${round}`)
  }
  const left = world.oracle.differences()
  if (violations.length === 0 && left.length > 0 && !brief)
    violations.push(`still differing after resolving: ${left.join(', ')}`)
  if (violations.length === 0 && !brief) await beQuiet(world, violations)
  if (violations.length === 0 && !brief) violations.push(...world.staging.piledUp(faults.calls > 0))
  for (const [index, agent] of world.agents.entries())
    for (const { life, why } of agent.endings)
      if (life > (livesBefore[index] ?? 0)) violations.push(`${agent.name} ended by itself ${why}`)
  for (const agent of world.agents)
    for (const event of agent.events)
      if (event.event === 'audit-differed')
        violations.push(`the audit found ${event.path} not as agreed on ${event.side}: ${event.detail}`)
  options.inspect?.(world)
  for (const agent of world.agents) agent.kill()
  await scheduler.settle()
  return {
    seed: options.seed,
    trace: scheduler.trace,
    violations: [...world.oracle.violations, ...violations],
    virtualMs: scheduler.timeNs / 1e6,
    steps: scheduler.steps,
    effects: world.effects,
    calls: world.calls,
    conflicts: found,
    lives: world.agents.reduce((sum, agent) => sum + agent.lives, 0),
    lines: scheduler.lines,
    events: world.agents.flatMap((agent) => agent.events),
    world,
  }
}

/** Spreads the users' steps over the chaos phase, in bursts as people work. */
function plan(world: SimWorld, dice: Dice, { steps = 40, only }: SimOptions, chaosNs: number): void {
  let number = 0
  for (const user of world.users) {
    const times = dice.stream(`${user.name} times`)
    let left = Math.ceil(steps / 2)
    while (left > 0) {
      const burst = Math.min(left, times.between(1, 6))
      const from = times.fraction() * chaosNs * 0.95
      for (let index = 0; index < burst; index++) {
        const step = number++
        const at = from + index * times.skewed(0, 30_000_000)
        if (only?.has(step) === false) continue
        world.scheduler.after(at, `${user.name} acts`, () => user.act(`${step}`))
      }
      left -= burst
    }
  }
}

/**
 * Runs until the roots have been equal but for conflicts for a while. Answers the paths that the agents call conflicts.
 * Not settling in time is a violation.
 */
async function settle(world: SimWorld, violations: string[], when: string): Promise<RelPath[]> {
  const { oracle, scheduler } = world
  const deadline = scheduler.timeNs + convergeNs
  let due = false
  let settled = false
  const look = (): void => {
    due = true
    // A house at rest has no task of its own.
    if (!settled && scheduler.timeNs < deadline) scheduler.after(checkNs, 'look', look)
  }
  look()
  let changes = -1
  let differences: readonly RelPath[] = []
  let agentChanges = -1
  let differing = ''
  let sinceNs = 0
  settled = await scheduler.run(() => {
    if (!due) return false
    due = false
    if (oracle.changes !== changes) differences = oracle.differences()
    changes = oracle.changes
    // Conflicts are told after the last change, so differences are looked at until there are none left.
    const now =
      differences.length === 0 ? '' : oracle.unexplained(differences, conflictsOf(world), heldApart(world)).join(', ')
    if (oracle.agentChanges !== agentChanges || now !== differing) {
      agentChanges = oracle.agentChanges
      differing = now
      sinceNs = scheduler.timeNs
    }
    return differing === '' && scheduler.timeNs - sinceNs >= stableNs
  }, deadline)
  if (!settled) {
    const words = differing === '' ? 'the roots keep changing' : `the roots differ at ${differing}`
    violations.push(`not settled ${when} within ${convergeNs / 1e9} s: ${words}`)
  }
  return conflictsOf(world)
}

function conflictsOf(world: SimWorld): RelPath[] {
  return world.agents.flatMap((agent) => agent.conflictPaths())
}

function heldApart(world: SimWorld): RelPath[] {
  return world.agents.flatMap((agent) => agent.heldApart())
}

/** A user looks at each difference and makes both sides what one of them is; of two names that cannot be held apart one goes. */
function resolve(world: SimWorld, dice: Dice): void {
  const [alpha, beta] = world.users
  for (const path of world.oracle.differences()) {
    if (world.oracle.hasLike(path)) {
      const owner = world.users.find(({ files }) => files.paths().has(path))
      world.scheduler.note(`resolve ${path}: it goes`)
      owner?.files.removeTree(path)
      continue
    }
    const [from, to] = dice.chance(0.5) ? [alpha, beta] : [beta, alpha]
    world.scheduler.note(`resolve ${path} as ${from.name} has it`)
    to.files.copyFrom(from.files, path)
  }
  for (const agent of world.agents) agent.forgetConflicts()
}

async function beQuiet(world: SimWorld, violations: string[]): Promise<void> {
  const atFirst = world.oracle.agentChanges
  await world.scheduler.pass(restedNs)
  // What a watcher had not told was found by that scan, and what was written for it is read again by the next.
  if (world.oracle.agentChanges !== atFirst) await world.scheduler.pass(restedNs)
  const { commits } = world
  const changes = world.oracle.agentChanges
  const lives = () => world.agents.reduce((sum, agent) => sum + agent.lives, 0)
  const before = lives()
  await world.scheduler.pass(quietNs)
  // An agent that died at an effect of this quiet time (it looks for its roots) has begun anew, which it may write down.
  if (lives() !== before) return
  if (world.oracle.agentChanges !== changes) violations.push('a quiet pair changed its roots')
  // Stamps of the future are trusted, and that is written down, when the clock has caught up with them.
  if (world.machines.some(({ setBackMs }) => setBackMs > 0)) return
  if (world.commits !== commits) violations.push(`a quiet pair wrote ${world.commits - commits} transactions`)
}

/** A table row for every effect of a history, to crash at each. */
export async function effectsOf(options: SimOptions, agent: string): Promise<number[]> {
  // No effect has this number: the history runs undisturbed, and counts.
  const { effects } = await simulate({ ...options, crashAt: { agent, effect: -1, powerLoss: false } })
  return Array.from({ length: effects }, (_, index) => index + 1)
}

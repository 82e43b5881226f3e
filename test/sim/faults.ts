import type { FileCode } from '../../src/host/files.js'
import type { Agent } from './agent.js'
import { usualSpeed } from './network.js'
import type { Call } from './process.js'
import type { Dice } from './random.js'
import { calm } from './watcher.js'
import type { SimWorld } from './world.js'

/** How often what goes wrong in the chaos phase. Numbers of events over the phase, or a probability per call. */
export interface Faults {
  /** Per call of a job: a user's step or a whole other job comes first. More often where a root is changed. */
  readonly interleave: number
  /** Per call of a job: it fails with some code of the kernel. */
  readonly calls: number
  /** Per write to a store: its disk is full, or fails. Nothing of the transaction is there afterwards. */
  readonly stores: number
  /** Of any agent's process, at any effect. */
  readonly crashes: number
  /** Of any machine. */
  readonly powerLosses: number
  readonly cuts: number
  /** Connections that fall silent without a word. */
  readonly silences: number
  /** Times in which the machines do not reach each other. */
  readonly partings: number
  /** Times in which the network is slow: seconds of latency, a few kilobytes a second. */
  readonly slowness: number
  /** Per watcher event: the kernel's queue overflows. */
  readonly overflow: number
  /** Per watcher event: it is told to nobody, ever. A full scan finds what it was of. */
  readonly drops: number
  /** Times in which the watcher is seconds late. */
  readonly lateness: number
  /** Syncs that fail, once each. */
  readonly syncFailures: number
  /** Times in which a disk is full. */
  readonly fullDisks: number
  /** Crashes after which the stores are those of an earlier time: a backup, or a machine that was rolled back. */
  readonly rollbacks: number
  /** The same of the archive alone, and of the indexes alone. */
  readonly archiveRollbacks: number
  readonly indexRollbacks: number
  /** The machines' clocks differ by hours. */
  readonly skew: boolean
  /** Times at which a machine's wall clock is set, forward or back: by milliseconds or by hours. */
  readonly clockJumps: number
}

export const noFaults: Faults = {
  interleave: 0,
  calls: 0,
  stores: 0,
  crashes: 0,
  powerLosses: 0,
  cuts: 0,
  silences: 0,
  partings: 0,
  slowness: 0,
  overflow: 0,
  drops: 0,
  lateness: 0,
  syncFailures: 0,
  fullDisks: 0,
  rollbacks: 0,
  archiveRollbacks: 0,
  indexRollbacks: 0,
  skew: false,
  clockJumps: 0,
}

const reading: readonly FileCode[] = ['io', 'denied', 'too-many-open', 'stale', 'interrupted']
const writing: readonly FileCode[] = ['io', 'disk-full', 'denied', 'read-only', 'too-many-open']
const renaming: readonly FileCode[] = ['io', 'busy', 'denied', 'disk-full']

/** What each call may fail with. Calls that are not here do not fail, or fail by other means (sync, stores). */
const failures: Readonly<Record<string, readonly FileCode[]>> = {
  'open-directory': reading,
  names: reading,
  stat: reading,
  open: reading,
  read: ['io', 'stale', 'interrupted'],
  'read-symlink': reading,
  create: writing,
  reopen: writing,
  'make-directory': writing,
  'make-symlink': writing,
  write: ['io', 'disk-full'],
  'set-mode': ['io', 'not-permitted', 'read-only'],
  'set-time': ['io', 'not-permitted', 'read-only'],
  'take-over': ['io', 'not-permitted'],
  rename: renaming,
  exchange: renaming,
  replace: renaming,
  remove: ['io', 'busy', 'denied'],
  'remove-directory': ['io', 'busy', 'denied'],
  'sync-file': ['io'],
  'sync-directory': ['io'],
  'sync-filesystem': ['io'],
}

/** What else fails when it is the turn of a call, and its code's: the dice of the histories know nothing of these. */
const failuresInTurn: Readonly<Record<string, readonly FileCode[]>> = {
  // Where room is given to bytes only as they are written back.
  'sync-file': ['disk-full'],
  'sync-directory': ['disk-full'],
  'sync-filesystem': ['disk-full'],
  'store-open': ['io', 'disk-full'],
  'store-write': ['io', 'disk-full'],
  lock: writing,
  'lock-write': ['io', 'disk-full'],
  space: ['io', 'denied'],
  'real-path': ['io', 'denied'],
}

/** A call that fails: the n-th, from 1, of those that can fail with the code. */
export interface FailPlan {
  readonly call: number
  readonly code: FileCode
}

/** What a user does just before a job makes such a call for the first time, once the script counts. */
export interface Meeting {
  readonly before: { readonly call: string; readonly job: string; readonly subject?: string }
  act(world: SimWorld): void
}

/** A crash comes at one of the next effects, so that it falls into the middle of work. */
const effectsToCrashMax = 12
/** One that waits for a user to come between the calls of a change falls on the heels of that. */
const effectsAfterMeetingMax = 3
const armedNs = 300e6
const meetingAwaitedNs = 2_000e6
/** Users' steps between calls, per second and at most at once, of each kind of job: the first scan must not use them all up. */
const meetingsPerSecond = 8
const meetingsMax = 5
/** Jobs in which a step that comes between is worth most. */
const changingJobs = new Set(['apply', 'recover', 'sweep'])
/** Calls in them before which it is worth most of all: what was checked is changed. */
const publishing = new Set(['exchange', 'rename', 'remove-directory'])
/** Calls whose names a user's step may pick up. */
const recentMax = 8

interface Allowance {
  left: number
  atNs: number
}

type Way = 'death' | 'power' | keyof typeof restored

/** Which stores come back as they were. */
const restored = {
  rollback: () => true,
  archiveRollback: (name: string) => name.startsWith('archive'),
  indexRollback: (name: string) => name.startsWith('index'),
}

interface Armed {
  effects: number
  readonly way: Way
  /** Until a user has come between two calls of a change. */
  waits: boolean
}

/** Brings the faults about, each kind from a stream of its own. */
export class Chaos {
  /** Each comes about once. */
  readonly meetings: Meeting[] = []
  private on = false
  private readonly changing: Allowance = { left: meetingsMax, atNs: 0 }
  private readonly looking: Allowance = { left: meetingsMax, atNs: 0 }
  private recent: string[] = []
  private readonly callDice: Dice
  private readonly meetDice: Dice
  private readonly restDice: Dice
  private readonly armed = new Map<Agent, Armed>()

  constructor(
    private readonly world: SimWorld,
    private readonly faults: Faults,
    dice: Dice,
    private readonly failPlan?: FailPlan,
  ) {
    this.callDice = dice.stream('calls')
    this.meetDice = dice.stream('meetings')
    this.restDice = dice.stream('chaos')
    for (const machine of world.machines) machine.onCall = (call) => this.answer(call)
    if (faults.skew)
      for (const machine of world.machines) machine.skewNs = BigInt(this.restDice.between(-6, 6)) * 3_600_000_000_000n
  }

  /** Spreads the faults over the coming time. */
  begin(durationNs: number): void {
    this.on = true
    const { faults, world } = this
    world.watching.overflow = faults.overflow
    world.watching.drops = faults.drops
    const spread = (count: number, label: string, happen: (dice: Dice) => void): void => {
      // A stream for each kind: one that is left out shifts none of the others.
      const dice = this.restDice.stream(label)
      for (let index = 0; index < count; index++)
        world.scheduler.after(dice.fraction() * durationNs, label, () => {
          if (this.on) happen(dice)
        })
    }
    spread(faults.crashes, 'arm a crash', (dice) => this.arm(dice, 'death'))
    spread(faults.powerLosses, 'arm a power loss', (dice) => this.arm(dice, 'power'))
    spread(faults.rollbacks, 'arm a rollback', (dice) => this.arm(dice, 'rollback'))
    spread(faults.archiveRollbacks, 'arm a rollback of the archive', (dice) => this.arm(dice, 'archiveRollback'))
    spread(faults.indexRollbacks, 'arm a rollback of indexes', (dice) => this.arm(dice, 'indexRollback'))
    spread(faults.cuts, 'cut', () => world.network.cutAll())
    spread(faults.silences, 'silence', () => world.network.silenceAll())
    spread(faults.partings, 'part', (dice) => this.part(dice))
    spread(faults.slowness, 'slow network', (dice) => this.slow(dice))
    spread(faults.lateness, 'late watchers', (dice) => this.late(dice))
    spread(faults.syncFailures, 'a sync will fail', (dice) => {
      dice.pick(world.disks).failNextSync = 'io'
    })
    spread(faults.fullDisks, 'full disk', (dice) => this.fill(dice))
    spread(faults.clockJumps, 'clock jumps', (dice) => this.jump(dice))
    if (faults.rollbacks + faults.archiveRollbacks + faults.indexRollbacks > 0)
      world.scheduler.after(durationNs * 0.2, 'snapshot', () => world.takeSnapshots())
  }

  /** From here on nothing goes wrong. What went wrong stays to be found out. */
  end(): void {
    this.on = false
    this.armed.clear()
    const { watching, disks, network } = this.world
    Object.assign(watching, calm)
    for (const disk of disks) {
      disk.failNextSync = undefined
      disk.capacityBytes = Number.MAX_SAFE_INTEGER
    }
    Object.assign(network, usualSpeed)
    this.world.joinNetwork()
  }

  /** Before a call is answered. */
  private answer(call: Call): FileCode | undefined {
    this.world.crashAtEffect(call)
    if (this.meetings.length > 0) this.meetAsPlanned(call)
    const planned = this.planned(call)
    if (planned !== undefined || !this.on) return planned
    this.crashIfDue(call)
    const { process } = call
    if (process.dead) return undefined
    if (call.name === 'store-write') return this.storeFailure(call)
    if (process.depth === 0) return undefined
    this.recent.push(call.subject)
    if (this.recent.length > recentMax) this.recent.shift()
    const changing = changingJobs.has(process.job)
    const weight = changing ? (publishing.has(call.name) ? 12 : 4) : 1
    if (process.transactions === 0 && this.meetDice.chance(weight * this.faults.interleave)) this.meet(call, changing)
    if (process.dead) return undefined
    if (!this.callDice.chance(this.faults.calls)) return undefined
    return this.failing(call, failures[call.name])
  }

  private meetAsPlanned({ process, name, subject }: Call): void {
    if (!this.world.counting || process.dead || process.depth === 0) return
    const at = this.meetings.findIndex(
      ({ before }) => before.call === name && before.job === process.job && subject.includes(before.subject ?? ''),
    )
    for (const meeting of at < 0 ? [] : this.meetings.splice(at, 1)) {
      this.world.scheduler.note(`a user comes before ${name} ${subject}`)
      meeting.act(this.world)
    }
  }

  /** Counts the calls that can fail as the plan says; the one that it names does. */
  private planned(call: Call): FileCode | undefined {
    const { failPlan: plan, world } = this
    if (plan === undefined || !world.counting || call.process.dead || call.process.depth === 0) return undefined
    if (![failures, failuresInTurn].some((table) => table[call.name]?.includes(plan.code))) return undefined
    world.calls += 1
    if (world.calls !== plan.call) return undefined
    return this.fail(call, plan.code)
  }

  private storeFailure(call: Call): FileCode | undefined {
    if (call.process.depth === 0 || !this.callDice.chance(this.faults.stores)) return undefined
    return this.failing(call, ['disk-full', 'io'])
  }

  private failing(call: Call, codes: readonly FileCode[] | undefined): FileCode | undefined {
    if (codes === undefined) return undefined
    return this.fail(call, this.callDice.pick(codes))
  }

  private fail(call: Call, code: FileCode): FileCode | undefined {
    this.world.scheduler.note(`${call.process.name} ${call.name} ${call.subject}: ${code}`)
    if (!call.name.startsWith('sync-')) return code
    // The disk itself fails: what the sync should have saved is given up.
    const { disks } = call.process.machine
    for (const disk of this.world.disks) if (disks.includes(disk)) disk.failNextSync = code
    return undefined
  }

  private meet(call: Call, changing: boolean): void {
    const agent = this.world.agentOf(call.process)
    if (this.meetDice.chance(0.35) && agent?.runNested() === true) return
    const allowance = changing ? this.changing : this.looking
    const { timeNs } = this.world.scheduler
    allowance.left = Math.min(meetingsMax, allowance.left + ((timeNs - allowance.atNs) / 1e9) * meetingsPerSecond)
    allowance.atNs = timeNs
    if (allowance.left < 1) return
    allowance.left -= 1
    // A rename names two: 'from to to'.
    this.meetDice.pick(this.world.users).meet(new Set(this.recent.flatMap((subject) => subject.split(' to '))))
    const armed = agent === undefined ? undefined : this.armed.get(agent)
    if (changing && armed !== undefined) armed.waits = false
  }

  private arm(dice: Dice, way: Way): void {
    const agent = dice.pick(this.world.agents)
    const waits = this.faults.interleave > 0 && dice.chance(0.5)
    const effects = dice.below(waits ? effectsAfterMeetingMax : effectsToCrashMax)
    const armed: Armed = { effects, way, waits }
    if (!agent.alive) return
    this.armed.set(agent, armed)
    this.world.scheduler.after(waits ? meetingAwaitedNs : armedNs, 'crash at rest', () => {
      if (this.on && this.armed.get(agent) === armed) this.crash(agent, way)
    })
  }

  private crashIfDue(call: Call): void {
    if (!call.effect) return
    const agent = this.world.agentOf(call.process)
    const armed = agent === undefined ? undefined : this.armed.get(agent)
    if (agent === undefined || armed === undefined || armed.waits) return
    armed.effects -= 1
    if (armed.effects >= 0) return
    this.world.scheduler.note(`${agent.name} dies at ${call.name} ${call.subject}`)
    this.crash(agent, armed.way)
  }

  private crash(agent: Agent, way: Way): void {
    this.armed.delete(agent)
    if (way === 'power') this.world.losePower(agent.machine)
    else this.world.kill(agent)
    if (way !== 'power' && way !== 'death') this.world.restoreSnapshot(agent.machine, restored[way])
    for (const each of this.world.agents) if (!each.alive) each.startAfter(this.restDice.skewed(5_000_000, 800_000_000))
  }

  private part(dice: Dice): void {
    this.world.partNetwork()
    this.world.scheduler.after(dice.between(50, 4_000) * 1e6, 'join', () => this.world.joinNetwork())
  }

  private slow(dice: Dice): void {
    const { network, scheduler } = this.world
    const most = dice.between(50, 2_000) * 1e6
    Object.assign(network, { latencyNs: { least: most / 20, most }, bytesPerSecond: dice.between(5, 200) * 1e3 })
    scheduler.after(dice.between(200, 3_000) * 1e6, 'network as usual', () => Object.assign(network, usualSpeed))
  }

  private late(dice: Dice): void {
    const { watching, scheduler } = this.world
    watching.delayNs = { least: 50e6, most: dice.between(200, 3_000) * 1e6 }
    scheduler.after(dice.between(200, 2_000) * 1e6, 'watchers as usual', () => {
      watching.delayNs = calm.delayNs
    })
  }

  private fill(dice: Dice): void {
    const disk = dice.pick(this.world.disks)
    disk.capacityBytes = disk.usedBytes + dice.below(200)
    this.world.scheduler.after(dice.between(20, 1_000) * 1e6, 'room again', () => {
      disk.capacityBytes = Number.MAX_SAFE_INTEGER
    })
  }

  private jump(dice: Dice): void {
    const machine = dice.pick(this.world.machines)
    const byMs = dice.chance(0.5) ? dice.between(-50, 50) : dice.between(-7_200_000, 7_200_000)
    this.world.scheduler.note(`${machine.name}'s clock jumps by ${byMs} ms`)
    machine.skewNs += BigInt(byMs) * 1_000_000n
    if (byMs < 0) machine.setBackMs -= byMs
  }
}

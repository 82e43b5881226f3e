import type { FileCode } from '../../src/host/files.js'
import type { Agent } from './agent.js'
import type { Call } from './process.js'
import type { Dice } from './random.js'
import type { SimWorld } from './world.js'

/** How often what goes wrong in the chaos phase. Numbers of events over the phase, or a probability per call. */
export interface Faults {
  /** Per call of a job: a user's step or a whole other job comes first. More often where a root is changed. */
  readonly interleave: number
  /** Per call of a job: it fails with some code of the kernel. */
  readonly calls: number
  /** Of any agent's process, at any effect. */
  readonly crashes: number
  /** Of any machine. */
  readonly powerLosses: number
  readonly cuts: number
  /** Connections that fall silent without a word. */
  readonly silences: number
  /** Times in which the machines do not reach each other. */
  readonly partings: number
  /** Per watcher event: the kernel's queue overflows. */
  readonly overflow: number
  /** Syncs that fail, once each. */
  readonly syncFailures: number
  /** Times in which a disk is full. */
  readonly fullDisks: number
  /** Crashes after which the stores are those of an earlier time: a backup, or a machine that was rolled back. */
  readonly rollbacks: number
  /** The machines' clocks differ by hours. */
  readonly skew: boolean
}

export const noFaults: Faults = {
  interleave: 0,
  calls: 0,
  crashes: 0,
  powerLosses: 0,
  cuts: 0,
  silences: 0,
  partings: 0,
  overflow: 0,
  syncFailures: 0,
  fullDisks: 0,
  rollbacks: 0,
  skew: false,
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
}

/** A crash comes at one of the next effects, so that it falls into the middle of work. */
const effectsToCrashMax = 12
const armedNs = 300e6
/** Users' steps between calls, per second and at most at once, of each kind of job: the first scan must not use them all up. */
const meetingsPerSecond = 8
const meetingsMax = 5
/** Jobs in which a step that comes between is worth most. */
const changingJobs = new Set(['apply', 'recover', 'sweep'])
/** Calls whose names a user's step may pick up. */
const recentMax = 8

interface Allowance {
  left: number
  atNs: number
}

/** Brings the faults about, each kind from a stream of its own. */
export class Chaos {
  private on = false
  private readonly changing: Allowance = { left: meetingsMax, atNs: 0 }
  private readonly looking: Allowance = { left: meetingsMax, atNs: 0 }
  private recent: string[] = []
  private readonly callDice: Dice
  private readonly meetDice: Dice
  private readonly restDice: Dice
  private readonly armed = new Map<Agent, { effects: number; powerLoss: boolean; rollback: boolean }>()

  constructor(
    private readonly world: SimWorld,
    private readonly faults: Faults,
    dice: Dice,
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
    this.world.watching.overflow = this.faults.overflow
    const { faults, restDice, world } = this
    const spread = (count: number, label: string, happen: () => void): void => {
      for (let index = 0; index < count; index++)
        world.scheduler.after(restDice.fraction() * durationNs, label, () => {
          if (this.on) happen()
        })
    }
    spread(faults.crashes, 'arm a crash', () => this.arm(false, false))
    spread(faults.powerLosses, 'arm a power loss', () => this.arm(true, false))
    spread(faults.rollbacks, 'arm a rollback', () => this.arm(false, true))
    spread(faults.cuts, 'cut', () => world.network.cutAll())
    spread(faults.silences, 'silence', () => world.network.silenceAll())
    spread(faults.partings, 'part', () => this.part())
    spread(faults.syncFailures, 'a sync will fail', () => {
      restDice.pick(world.disks).failNextSync = true
    })
    spread(faults.fullDisks, 'full disk', () => this.fill())
    if (faults.rollbacks > 0) world.scheduler.after(durationNs * 0.2, 'snapshot', () => world.takeSnapshots())
  }

  /** From here on nothing goes wrong. What went wrong stays to be found out. */
  end(): void {
    this.on = false
    this.armed.clear()
    this.world.watching.overflow = 0
    for (const disk of this.world.disks) {
      disk.failNextSync = false
      disk.capacityBytes = Number.MAX_SAFE_INTEGER
    }
    this.world.joinNetwork()
  }

  /** Before a call is answered. */
  private answer(call: Call): FileCode | undefined {
    this.world.crashAtEffect(call)
    if (!this.on) return undefined
    this.crashIfDue(call)
    const { process } = call
    if (process.dead || process.depth === 0) return undefined
    this.recent.push(call.subject)
    if (this.recent.length > recentMax) this.recent.shift()
    const changing = changingJobs.has(process.job)
    if (process.transactions === 0 && this.meetDice.chance((changing ? 4 : 1) * this.faults.interleave))
      this.meet(call, changing ? this.changing : this.looking)
    if (process.dead) return undefined
    if (!this.callDice.chance(this.faults.calls)) return undefined
    const codes = failures[call.name]
    if (codes === undefined) return undefined
    const code = this.callDice.pick(codes)
    this.world.scheduler.note(`${process.name} ${call.name} ${call.subject}: ${code}`)
    return code
  }

  private meet(call: Call, allowance: Allowance): void {
    const agent = this.world.agentOf(call.process)
    if (this.meetDice.chance(0.35) && agent?.runNested() === true) return
    const { timeNs } = this.world.scheduler
    allowance.left = Math.min(meetingsMax, allowance.left + ((timeNs - allowance.atNs) / 1e9) * meetingsPerSecond)
    allowance.atNs = timeNs
    if (allowance.left < 1) return
    allowance.left -= 1
    // A rename names two: 'from to to'.
    this.meetDice.pick(this.world.users).meet(new Set(this.recent.flatMap((subject) => subject.split(' to '))))
  }

  private arm(powerLoss: boolean, rollback: boolean): void {
    const agent = this.restDice.pick(this.world.agents)
    if (!agent.alive) return
    const plan = { effects: this.restDice.below(effectsToCrashMax), powerLoss, rollback }
    this.armed.set(agent, plan)
    this.world.scheduler.after(armedNs, 'crash at rest', () => {
      if (this.on && this.armed.get(agent) === plan) this.crash(agent, powerLoss, rollback)
    })
  }

  private crashIfDue(call: Call): void {
    if (!call.effect) return
    const agent = this.world.agentOf(call.process)
    const plan = agent === undefined ? undefined : this.armed.get(agent)
    if (agent === undefined || plan === undefined) return
    plan.effects -= 1
    if (plan.effects >= 0) return
    this.world.scheduler.note(`${agent.name} dies at ${call.name} ${call.subject}`)
    this.crash(agent, plan.powerLoss, plan.rollback)
  }

  private crash(agent: Agent, powerLoss: boolean, rollback: boolean): void {
    this.armed.delete(agent)
    if (powerLoss) this.world.losePower(agent.machine)
    else this.world.kill(agent)
    if (rollback) this.world.restoreSnapshot(agent.machine)
    for (const each of this.world.agents) if (!each.alive) each.startAfter(this.restDice.skewed(5_000_000, 800_000_000))
  }

  private part(): void {
    this.world.partNetwork()
    this.world.scheduler.after(this.restDice.between(50, 4_000) * 1e6, 'join', () => this.world.joinNetwork())
  }

  private fill(): void {
    const disk = this.restDice.pick(this.world.disks)
    disk.capacityBytes = disk.usedBytes + this.restDice.below(200)
    this.world.scheduler.after(this.restDice.between(20, 1_000) * 1e6, 'room again', () => {
      disk.capacityBytes = Number.MAX_SAFE_INTEGER
    })
  }
}

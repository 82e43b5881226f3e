import { type AbsPath, absPath } from '../../src/core/path.js'
import { Agent } from './agent.js'
import type { Disk, DiskOptions } from './disk.js'
import type { Place } from './host.js'
import type { OpenHouse, Role } from './house.js'
import { Machine } from './machine.js'
import { Network } from './network.js'
import { Oracle, type OracleSide } from './oracle.js'
import type { Call, Process } from './process.js'
import type { Dice } from './random.js'
import type { Scheduler } from './scheduler.js'
import { StagingWatch } from './staging.js'
import { StoreShelf } from './store.js'
import { UserFiles } from './user-files.js'
import { kept, namesInBothCases, User } from './users.js'
import { calm, type Watching } from './watcher.js'

export type Topology = 'linked' | 'local'

export const alphaRoot = absPath('/alpha/root')
export const betaRoot = absPath('/beta/root')
const stateDir = absPath('/state')
const port = 4242

/** Everything there is: machines with their disks, a network, two roots with a user each, and the agents that keep them equal. */
export class SimWorld {
  readonly machines: readonly Machine[]
  readonly network: Network
  readonly watching: Watching = { ...calm }
  /** Of the roots. */
  readonly disks: readonly Disk[]
  readonly users: readonly [User, User]
  readonly agents: readonly Agent[]
  readonly oracle: Oracle
  readonly staging: StagingWatch
  /** Effects of the agents that `crashPlan` names, over their lives. */
  effects = 0
  /** Calls of jobs that could have failed. */
  calls = 0
  /** Effects and calls count from now on. */
  counting = true
  private readonly places: readonly Place[]
  private readonly snapshots = new Map<Machine, ReturnType<StoreShelf['snapshot']>>()

  constructor(
    readonly scheduler: Scheduler,
    dice: Dice,
    topology: Topology,
    open: OpenHouse,
    private readonly crashPlan?: CrashPlan,
    traits: Traits = usualTraits,
  ) {
    this.network = new Network(scheduler, dice)
    const names = topology === 'linked' ? ['alpha', 'beta'] : ['alpha']
    this.machines = names.map((name) => new Machine(scheduler, name, dice))
    this.places = this.machines.map((machine) => ({
      machine,
      shelf: new StoreShelf(machine),
      network: this.network,
      watching: this.watching,
    }))
    for (const machine of this.machines) this.network.add(machine)
    const [first, second = first] = this.places
    if (first === undefined || second === undefined) throw new Error('no machine')
    this.disks = [
      withRoot(first.machine, alphaRoot, traits.alphaDisk),
      withRoot(second.machine, betaRoot, traits.betaDisk),
    ]
    for (const machine of this.machines) {
      machine.makeDirectories(stateDir)
      for (const disk of machine.disks) disk.syncFilesystem()
    }
    const sides: [OracleSide, OracleSide] = [
      { name: 'alpha', machine: first.machine, root: alphaRoot },
      { name: 'beta', machine: second.machine, root: betaRoot },
    ]
    this.oracle = new Oracle(scheduler, sides)
    this.staging = new StagingWatch(sides)
    const [alpha, beta] = sides
    const vocabulary = this.disks.some((disk) => disk.folds) ? namesInBothCases : undefined
    const userOf = ({ name, machine, root }: OracleSide) =>
      new User(name, new UserFiles(machine, root), dice.stream(`${name} user`), scheduler, vocabulary)
    this.users = [userOf(alpha), userOf(beta)]
    const peer = { host: 'beta', port, identity: 'lead', key: new Uint8Array(32).fill(7) }
    const role = (kind: Role['kind'], roots: readonly AbsPath[]): Role => ({ kind, roots, stateDir, peer })
    this.agents =
      topology === 'linked'
        ? [
            new Agent('lead', first, role('lead', [alphaRoot]), open, dice),
            new Agent('peer', second, role('peer', [betaRoot]), open, dice),
          ]
        : [new Agent('solo', first, role('solo', [alphaRoot, betaRoot]), open, dice)]
    for (const agent of this.agents) agent.onStart = () => this.oracle.noteStart(agent.machine)
    // The lead's stores: it alone has an archive.
    first.shelf.onCommit = (path, records) => {
      if (path.endsWith('/archive.mdb')) this.oracle.checkClaims(records)
    }
    // No root is ever emptied: that would be held until somebody says something.
    for (const user of this.users) user.files.create(kept, 'kept by all\n')
    for (const disk of this.disks) disk.syncFilesystem()
  }

  /** Few records are several transactions then. Before the agents start. */
  limitTransactions(recordsMax: number): void {
    for (const { shelf } of this.places) shelf.recordsMax = recordsMax
  }

  agentOf(process: Process): Agent | undefined {
    return this.agents.find((agent) => agent.owns(process))
  }

  kill(agent: Agent): void {
    agent.kill()
    this.oracle.noteEnd(agent.machine)
  }

  losePower(machine: Machine): void {
    this.scheduler.note(`${machine.name} loses its power`)
    for (const user of this.users) if (user.files.machine === machine) user.forget()
    machine.losePower()
  }

  partNetwork(): void {
    const [one, other] = this.machines
    if (one !== undefined && other !== undefined) this.network.part(one, other)
  }

  joinNetwork(): void {
    const [one, other] = this.machines
    if (one !== undefined && other !== undefined) this.network.join(one, other)
  }

  takeSnapshots(): void {
    for (const place of this.places) this.snapshots.set(place.machine, place.shelf.snapshot())
  }

  /** Puts the stores of a machine back to the snapshot, if there is one. Its agents must be dead. */
  restoreSnapshot(machine: Machine, which: (name: string) => boolean): void {
    const snapshot = this.snapshots.get(machine)
    const place = this.places.find((each) => each.machine === machine)
    if (snapshot === undefined) return
    this.scheduler.note(`${machine.name} is rolled back`)
    place?.shelf.restore(snapshot, which)
    this.oracle.noteRollback()
  }

  /** Transactions of all stores so far. */
  get commits(): number {
    return this.places.reduce((sum, place) => sum + place.shelf.commits, 0)
  }

  /** Counts the effects of the agent in question, and ends it at the one that the plan names. */
  crashAtEffect(call: Call): void {
    const { crashPlan: plan } = this
    if (!call.effect || !this.counting) return
    const agent = this.agentOf(call.process)
    const all = plan === undefined || plan.agent === 'all'
    if (agent === undefined || (!all && agent.name !== plan.agent)) return
    this.effects += 1
    if (plan === undefined || this.effects !== plan.effect) return
    this.scheduler.note(`${plan.agent} dies at effect ${plan.effect}: ${call.name} ${call.subject}`)
    for (const each of all ? this.agents : [agent]) {
      if (!plan.powerLoss) this.kill(each)
      else this.losePower(each.machine)
    }
    for (const each of this.agents) if (!each.alive) each.startAfter(20e6)
  }
}

export interface CrashPlan {
  /** Its name, or 'all': the effects of all are counted, and all die at once. */
  readonly agent: string
  /** Counted from 1. */
  readonly effect: number
  readonly powerLoss: boolean
}

/** What the file systems of the roots are like, where that is not as usual. */
export interface Traits {
  readonly alphaDisk: Partial<DiskOptions>
  readonly betaDisk: Partial<DiskOptions>
}

export const usualTraits: Traits = { alphaDisk: {}, betaDisk: {} }

/** A disk of its own for each root, mounted where the root's parent is: a rename between the roots crosses file systems. */
function withRoot(machine: Machine, root: AbsPath, options: Partial<DiskOptions>): Disk {
  const disk = machine.addDisk(options)
  const mountPoint = absPath(root.slice(0, root.lastIndexOf('/')))
  machine.makeDirectories(mountPoint)
  machine.mount(disk, mountPoint)
  machine.makeDirectories(root)
  return disk
}

import type { RelPath } from '../../src/core/path.js'
import type { AgentEvent } from '../../src/status/event.js'
import { type Place, type SimHost, simHost } from './host.js'
import { conflictOf, type House, heldApartOf, type OpenHouse, type Role } from './house.js'
import type { Machine } from './machine.js'
import type { Process } from './process.js'
import type { Dice } from './random.js'

/** How long a service unit waits before it starts an agent that ended by itself. */
const restartNs = 1e9

/** One agent over its lives: started, killed, started again on the same machine and state. */
export class Agent {
  /** What it said, over all lives. Kept for reading a failing seed. */
  readonly events: AgentEvent[] = []
  /** Why it ended by itself, each time. */
  readonly endings: { readonly life: number; readonly why: string }[] = []
  lives = 0
  private conflicts = new Set<RelPath>()
  private apart = new Set<RelPath>()
  private life: SimHost | undefined
  private house: House | undefined
  private starting = false
  /** Told of each life. */
  onStart: () => void = () => {}

  constructor(
    readonly name: string,
    readonly place: Place,
    readonly role: Role,
    private readonly open: OpenHouse,
    private readonly dice: Dice,
  ) {}

  get machine(): Machine {
    return this.place.machine
  }

  get alive(): boolean {
    return this.life !== undefined && !this.life.process.dead
  }

  start(): void {
    this.lives += 1
    const life = simHost(this.place, this.name, this.dice)
    this.life = life
    this.onStart()
    this.machine.scheduler.note(`${this.name} starts as ${life.process.pid}`)
    void this.live(life)
  }

  startAfter(delayNs: number): void {
    if (this.starting) return
    this.starting = true
    this.machine.scheduler.after(delayNs, `start ${this.name}`, () => {
      this.starting = false
      if (!this.alive) this.start()
    })
  }

  /** SIGKILL. */
  kill(): void {
    this.life?.process.crash()
    this.machine.scheduler.note(`${this.name} is killed`)
  }

  stop(): void {
    this.house?.stop()
  }

  owns(process: Process): boolean {
    return this.life?.process === process
  }

  /** Effects of the present life. */
  get effects(): number {
    return this.life?.process.effects ?? 0
  }

  runNested(): boolean {
    return this.life?.workers.runNested() ?? false
  }

  /** What is in conflict there, or was called so since the last call of `forgetConflicts` where only that can be known. */
  conflictPaths(): readonly RelPath[] {
    return this.house?.conflicts?.() ?? [...this.conflicts]
  }

  /** Every path of which it said that its root cannot hold the name beside others: told once, though a user resolves what is above. */
  heldApart(): RelPath[] {
    return [...this.apart]
  }

  forgetConflicts(): void {
    this.conflicts = new Set()
  }

  private async live(life: SimHost): Promise<void> {
    const number = this.lives
    let why = 'without a word'
    try {
      const house = await this.open(life.host, this.role, (event) => this.hear(life, event))
      this.house = house
      const last = await house.ended
      why = `with ${JSON.stringify(last, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))}`
    } catch (error) {
      why = error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error)
    }
    if (life.process.dead) return
    this.endings.push({ life: number, why })
    this.machine.scheduler.note(`${this.name} ended`)
    life.process.crash()
    this.startAfter(restartNs)
  }

  private hear(life: SimHost, event: AgentEvent): void {
    if (life.process.dead) return
    this.events.push(event)
    this.machine.scheduler.note(`${this.name} says ${event.event}`)
    const path = conflictOf(event)
    if (path !== undefined) this.conflicts.add(path)
    const apart = heldApartOf(event)
    if (apart !== undefined) this.apart.add(apart)
  }
}

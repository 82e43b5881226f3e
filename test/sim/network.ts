import type { Machine } from './machine.js'
import type { Dice } from './random.js'
import type { Scheduler } from './scheduler.js'
import type { Connection, Listening } from './sockets.js'

/** Latency of one message, mostly near the least. */
export const usualSpeed = { latencyNs: { least: 20_000, most: 400_000 }, bytesPerSecond: 100e6 }

/** What carries messages between machines: how long it takes, who reaches whom, and every way in which it breaks. */
export class Network {
  readonly dice: Dice
  readonly connections = new Set<Connection>()
  latencyNs = usualSpeed.latencyNs
  bytesPerSecond = usualSpeed.bytesPerSecond
  private readonly machines = new Map<string, Machine>()
  private readonly listenings = new Map<string, Listening>()
  private readonly parted = new Set<string>()
  private nextPort = 40_000

  constructor(
    readonly scheduler: Scheduler,
    dice: Dice,
  ) {
    this.dice = dice.stream('network')
  }

  add(machine: Machine): void {
    this.machines.set(machine.name, machine)
  }

  /** The machine that `host` means, seen from `from`. */
  machineAt(host: string, from: Machine): Machine | undefined {
    return isLoopback(host) ? from : this.machines.get(host)
  }

  freePort(): number {
    return this.nextPort++
  }

  listening(machine: Machine, port: number): Listening | undefined {
    return this.listenings.get(`${machine.name}:${port}`)
  }

  setListening(machine: Machine, port: number, listening: Listening | undefined): void {
    if (listening === undefined) this.listenings.delete(`${machine.name}:${port}`)
    else this.listenings.set(`${machine.name}:${port}`, listening)
  }

  delayNs(bytes: number): number {
    return this.dice.skewed(this.latencyNs.least, this.latencyNs.most) + (bytes / this.bytesPerSecond) * 1e9
  }

  /** No new connection comes about between the two, and nothing more is heard on those that are there. */
  part(one: Machine, other: Machine): void {
    this.parted.add(pairOf(one, other))
    for (const connection of this.connections) if (connection.joins(one, other)) connection.fallSilent()
  }

  /** They reach each other again. What had fallen silent stays so: its ends find out by themselves. */
  join(one: Machine, other: Machine): void {
    this.parted.delete(pairOf(one, other))
  }

  isParted(one: Machine, other: Machine): boolean {
    return this.parted.has(pairOf(one, other))
  }

  /** Every connection breaks; both ends are told, each in its time. */
  cutAll(): void {
    for (const connection of [...this.connections]) connection.cut()
  }

  /** Every connection becomes half-open: nothing arrives any more, and nobody is told. */
  silenceAll(): void {
    for (const connection of this.connections) connection.fallSilent()
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function pairOf(one: Machine, other: Machine): string {
  return [one.name, other.name].sort().join('|')
}

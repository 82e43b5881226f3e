import {
  bufferedLowBytes,
  type Endpoint,
  frameBytesMax,
  LinkFailure,
  type Listener,
  type Place,
  type Refused,
  type Secret,
  type Socket,
  type Sockets,
  type Target,
} from '../../src/host/sockets.js'
import { simCompression } from './compression.js'
import type { Machine } from './machine.js'
import { isLoopback, type Network } from './network.js'
import type { Process } from './process.js'
import type { Task } from './scheduler.js'

export interface Listening {
  readonly process: Process
  readonly host: string
  secretOf(identity: string): Uint8Array | undefined
  accept(socket: Socket): void
  readonly refused: Refused
}

/** From connect to an open connection, as the real ones have it. */
const connectNs = 10e9
/** What hangs is dialled again beside it. */
const dialNs = 500e6
/** What kernels hold of one direction: the rest waits at the sender. */
const windowBytes = 256 * 1024

/** The sockets of one process. */
export class SimSockets implements Sockets {
  constructor(
    private readonly process: Process,
    private readonly network: Network,
  ) {}

  connect(to: Target, signal: AbortSignal): Promise<Socket> {
    if (to.kind !== 'wss') throw new Error(`no ${to.kind} in the simulation`)
    const { endpoint, secret } = to
    const { network, process } = this
    const target = `${endpoint.host}:${endpoint.port}`
    return new Promise((resolve, reject) => {
      const givenUp = (): LinkFailure => new LinkFailure('closed', `${target}: the attempt was given up`)
      if (signal.aborted) return reject(givenUp())
      if (!process.act('connect', target)) return
      const machine = network.machineAt(endpoint.host, process.machine)
      const isSilent = (): boolean => machine !== undefined && network.isParted(machine, process.machine)
      let task: Task
      const dial = (leftNs: number): void => {
        const delayNs = isSilent() ? Math.min(dialNs, leftNs) : 3 * network.delayNs(300)
        task = network.scheduler.after(delayNs, `${process.name} connects`, () => {
          if (process.dead) return
          if (isSilent() && leftNs > delayNs) return dial(leftNs - delayNs)
          signal.removeEventListener('abort', abort)
          if (isSilent()) return reject(new LinkFailure('timed-out', `${target}: no answer in time`))
          try {
            resolve(this.arrive(machine, endpoint, secret, target))
          } catch (error) {
            reject(error)
          }
        })
      }
      const abort = (): void => {
        task.cancel()
        if (!process.dead) reject(givenUp())
      }
      dial(connectNs)
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  listen(
    place: Place,
    secretOf: Listening['secretOf'],
    accept: Listening['accept'],
    refused: Listening['refused'],
  ): Promise<Listener> {
    if (place.kind !== 'wss') throw new Error(`no ${place.kind} in the simulation`)
    const { endpoint } = place
    const { network, process } = this
    const { machine } = process
    return new Promise((resolve, reject) => {
      if (!process.act('listen', `${endpoint.port}`)) return
      const anywhere = endpoint.host === '0.0.0.0' || endpoint.host === '::'
      if (!anywhere && network.machineAt(endpoint.host, machine) !== machine)
        return reject(new LinkFailure('unreachable', `${endpoint.host} is not an address of this machine`))
      const port = endpoint.port === 0 ? network.freePort() : endpoint.port
      if (network.listening(machine, port) !== undefined)
        return reject(new LinkFailure('port-in-use', `port ${port} is taken`))
      const listening: Listening = { process, host: endpoint.host, secretOf, accept, refused }
      network.setListening(machine, port, listening)
      const end = (): void => {
        if (network.listening(machine, port) === listening) network.setListening(machine, port, undefined)
      }
      process.onEnd(end)
      resolve({ place: { kind: 'wss', endpoint: { host: endpoint.host, port } }, close: async () => end() })
    })
  }

  private arrive(machine: Machine | undefined, endpoint: Endpoint, secret: Secret, target: string): Socket {
    if (machine === undefined) throw new LinkFailure('unreachable', `${target}: name not known`)
    const listening = this.network.listening(machine, endpoint.port)
    const hidden = machine !== this.process.machine && listening !== undefined && isLoopback(listening.host)
    if (listening === undefined || hidden) throw new LinkFailure('refused', `${target}: nobody listens there`)
    const key = listening.secretOf(secret.identity)
    const fault = key === undefined ? 'unknown-peer' : Buffer.compare(key, secret.key) !== 0 ? 'wrong-key' : undefined
    if (fault !== undefined) {
      const { name } = this.process.machine
      listening.refused(new LinkFailure(fault, `${name}: ${fault}`), name)
      throw new LinkFailure(fault, `${target}: ${fault}`)
    }
    const connection = new Connection(this.network, this.process, listening.process, secret.identity, endpoint.port)
    listening.accept(connection.far)
    return connection.near
  }
}

/** Two ends and what is under way between them. */
export class Connection {
  readonly near: SimSocket
  readonly far: SimSocket
  private silentSinceNs = Number.POSITIVE_INFINITY

  constructor(
    readonly network: Network,
    caller: Process,
    callee: Process,
    identity: string,
    port: number,
  ) {
    this.near = new SimSocket(this, caller, identity, `${callee.machine.name}:${port}`)
    this.far = new SimSocket(this, callee, identity, `${caller.machine.name}:${network.freePort()}`)
    this.near.other = this.far
    this.far.other = this.near
    network.connections.add(this)
    for (const end of [this.near, this.far]) end.forgetEnd = end.process.onEnd(() => this.processEnded(end))
  }

  joins(one: Machine, other: Machine): boolean {
    const near = this.near.process.machine
    const far = this.far.process.machine
    return (near === one && far === other) || (near === other && far === one)
  }

  /** Both ends are told, each in its time; what was under way may or may not have arrived. */
  cut(): void {
    this.network.connections.delete(this)
    for (const end of [this.near, this.far]) {
      this.network.scheduler.after(this.network.delayNs(0), `cut ${end.process.name}`, () =>
        end.end(new LinkFailure('lost', `${end.remote}: the connection ended`)),
      )
    }
  }

  fallSilent(): void {
    this.silentSinceNs = Math.min(this.silentSinceNs, this.network.scheduler.timeNs)
  }

  /** Of a message that is sent from one moment to another, what has arrived by now. */
  arrivedOf(bytes: number, fromNs: number, toNs: number): number {
    const nowNs = Math.min(this.network.scheduler.timeNs, this.silentSinceNs)
    return Math.floor(bytes * Math.max(0, Math.min(1, (nowNs - fromNs) / (toNs - fromNs))))
  }

  /** Carries a message, or the end, to `to` unless the line is dead. */
  carry(to: SimSocket, atNs: number, label: string, arrive: () => void): void {
    this.network.scheduler.after(atNs - this.network.scheduler.timeNs, label, () => {
      if (this.network.scheduler.timeNs < this.silentSinceNs) arrive()
    })
    to.lastArrivalNs = atNs
  }

  private processEnded(end: SimSocket): void {
    this.network.connections.delete(this)
    // A killed process's kernel resets the connection; a machine that lost its power says nothing.
    if (end.process.machine.losingPower) {
      this.fallSilent()
      return
    }
    const other = end.other
    if (other === undefined) return
    this.carry(other, this.network.scheduler.timeNs + this.network.delayNs(0), `reset ${other.process.name}`, () =>
      other.end(new LinkFailure('lost', `${other.remote}: the connection was reset`)),
    )
  }
}

type Listeners = Parameters<Socket['start']>[0]

class SimSocket implements Socket {
  readonly compression: Socket['compression']
  other: SimSocket | undefined
  /** The connection is over: its end needs no telling when the process ends. */
  forgetEnd: () => void = () => {}
  /** When the last message under way to this end arrives: order is kept. */
  lastArrivalNs = 0
  private on: Listeners | undefined
  private paused = false
  private delivering = false
  private aboveMark = false
  private closedHere = false
  private ended: LinkFailure | undefined
  private told = false
  /** Accepted by send, not yet on its way; the last may be the end, with its reason. */
  private readonly outgoing: (Uint8Array | { readonly reason: string })[] = []
  private outgoingBytes = 0
  /** On the way to the other end, or arrived there and not taken. */
  private windowUsed = 0
  private readonly waiting: Uint8Array[] = []
  /** What came whole, and what is on its way to this end. */
  private wholeBytes = 0
  private readonly underWay: { readonly bytes: number; readonly fromNs: number; readonly toNs: number }[] = []

  constructor(
    private readonly connection: Connection,
    readonly process: Process,
    readonly identity: string,
    readonly remote: string,
  ) {
    this.compression = simCompression(process, connection.network)
  }

  get bufferedBytes(): number {
    return this.outgoingBytes
  }

  get receivedBytes(): number {
    const { connection, underWay } = this
    return underWay.reduce(
      (sum, { bytes, fromNs, toNs }) => sum + connection.arrivedOf(bytes, fromNs, toNs),
      this.wholeBytes,
    )
  }

  send(frame: Uint8Array): void {
    if (this.closedHere || this.ended !== undefined || !this.process.act('send', this.remote)) return
    // A copy: the two ends share no memory.
    this.outgoing.push(new Uint8Array(frame))
    this.outgoingBytes += frame.length
    this.pump()
    if (this.outgoingBytes >= bufferedLowBytes) this.aboveMark = true
  }

  start(on: Listeners): void {
    this.on = on
    this.wake()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.wake()
  }

  close(reason: string): void {
    if (this.closedHere || this.ended !== undefined || !this.process.act('close', reason)) return
    this.closedHere = true
    this.waiting.length = 0
    this.outgoing.push({ reason: reason.slice(0, 64) })
    this.pump()
    const { network } = this.connection
    network.scheduler.after(network.delayNs(0) * 2, `${this.process.name} closed`, () =>
      this.end(new LinkFailure('closed', `${this.remote}: closed here: ${reason}`)),
    )
  }

  /** The connection is over for this end; what has arrived is delivered first. */
  end(why: LinkFailure): void {
    if (this.ended !== undefined) return
    this.ended = why
    this.forgetEnd()
    this.connection.network.connections.delete(this.connection)
    this.deliver()
  }

  private pump(): void {
    const { other } = this
    if (other === undefined) return
    const { network } = this.connection
    while (this.windowUsed < windowBytes || this.outgoing[0] instanceof Uint8Array === false) {
      const next = this.outgoing.shift()
      if (next === undefined) break
      const size = next instanceof Uint8Array ? next.length : 0
      this.outgoingBytes -= size
      this.windowUsed += size
      const atNs = Math.max(network.scheduler.timeNs + network.delayNs(size), other.lastArrivalNs + 1)
      // One after the other goes over the line.
      other.underWay.push({ bytes: size, fromNs: Math.max(network.scheduler.timeNs, other.lastArrivalNs), toNs: atNs })
      this.connection.carry(other, atNs, `to ${other.process.name} ${size}`, () => other.arrived(next))
    }
    if (this.aboveMark && this.outgoingBytes < bufferedLowBytes) {
      this.aboveMark = false
      network.scheduler.after(1_000, `${this.process.name} drained`, () => {
        if (!this.process.dead && this.ended === undefined) this.on?.drained()
      })
    }
  }

  private arrived(what: Uint8Array | { readonly reason: string }): void {
    this.wholeBytes += this.underWay.shift()?.bytes ?? 0
    if (this.process.dead || this.ended !== undefined) return
    if (!(what instanceof Uint8Array)) {
      this.end(new LinkFailure('lost', `${this.remote}: closed by the far end: ${what.reason}`))
    } else if (what.length > frameBytesMax) {
      this.other?.end(new LinkFailure('protocol', `${this.other.remote}: closed by the far end: frame too long`))
      this.end(new LinkFailure('protocol', `${this.remote}: a frame of ${what.length} bytes`))
    } else if (!this.closedHere) {
      this.waiting.push(what)
      this.deliver()
    }
  }

  /** Delivery never happens inside a call of the house. */
  private wake(): void {
    this.connection.network.scheduler.after(1_000, `${this.process.name} reads`, () => this.deliver())
  }

  private deliver(): void {
    if (this.on === undefined || this.delivering || this.process.dead) return
    this.delivering = true
    while (!this.paused || this.ended !== undefined) {
      const frame = this.waiting.shift()
      if (frame === undefined) break
      this.other?.taken(frame.length)
      this.on.frame(frame)
    }
    this.delivering = false
    if (this.ended === undefined || this.told) return
    this.told = true
    this.on.closed(this.ended)
  }

  private taken(bytes: number): void {
    this.windowUsed -= bytes
    this.pump()
  }
}

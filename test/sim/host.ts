import { absPath } from '../../src/core/path.js'
import type { Host } from '../../src/host/host.js'
import { SimClock, SimRandom } from './clock.js'
import { SimFiles } from './files.js'
import type { Machine } from './machine.js'
import type { Network } from './network.js'
import type { Process } from './process.js'
import type { Dice } from './random.js'
import { SimSockets } from './sockets.js'
import { SimStores, type StoreShelf } from './store.js'
import { SimWatcher, type Watching } from './watcher.js'
import { SimWorkers } from './workers.js'

/** A machine with what belongs to it for its whole life. */
export interface Place {
  readonly machine: Machine
  readonly shelf: StoreShelf
  readonly network: Network
  readonly watching: Watching
}

/** One life of an agent: its process, and the Host that openAgent is given. */
export interface SimHost {
  readonly process: Process
  readonly host: Host
  readonly workers: SimWorkers
}

/** Starts a process on the machine. `name` is the agent's and stays over its lives; its choices come from streams of its own. */
export function simHost(place: Place, name: string, dice: Dice): SimHost {
  const { machine, network } = place
  const process = machine.start(name)
  const own = dice.stream(`${name} ${process.pid}`)
  const workers = new SimWorkers(process, own.stream('workers'))
  const clock = new SimClock(process, own.stream('clock'))
  const random = new SimRandom(own.stream('random'))
  const stores = new SimStores(process, place.shelf)
  const host: Host = {
    clock,
    random,
    machine: {
      hostName: machine.name,
      pid: process.pid,
      uid: 0,
      bootId: machine.bootId,
      bootKnown: true,
      machineId: machine.name,
      pidNamespace: 'pid',
      homeDirectory: absPath('/home'),
      platform: 'linux',
      kernel: '6.1.0',
      filesystemAt: () => undefined,
      mountsBelow: () => [],
      networkSign: () => machine.networkSign,
      processAt: (pid) => machine.processAt(pid),
    },
    workers,
    stores,
    sockets: new SimSockets(process, network),
    watcher: new SimWatcher(process, own.stream('watcher'), place.watching),
  }
  workers.provide({ files: new SimFiles(process), stores, clock, random, machine: host.machine })
  return { process, host, workers }
}

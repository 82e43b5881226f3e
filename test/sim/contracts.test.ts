import { absPath } from '../../src/core/path.js'
import { describeArchive } from '../archive/archive.suite.js'
import { describeFiles } from '../host/files.suite.js'
import { describeSockets } from '../host/sockets.suite.js'
import { describeStore } from '../host/store.suite.js'
import { describeIndex } from '../index/index.suite.js'
import { driven } from './driven.js'
import { SimFiles } from './files.js'
import { simHost } from './host.js'
import { Machine } from './machine.js'
import { Network } from './network.js'
import { Dice } from './random.js'
import { Scheduler } from './scheduler.js'
import { StoreShelf } from './store.js'
import { UserFiles } from './user-files.js'

const dice = new Dice(1)

function machine(): Machine {
  return new Machine(new Scheduler(dice), 'alpha', dice)
}

describeFiles('simulated', () => {
  const one = machine()
  const root = absPath('/root')
  one.makeDirectories(root)
  const users = new UserFiles(one, absPath('/'))
  return {
    files: new SimFiles(one.start('agent')),
    root,
    openWriter: (path) => {
      const handle = users.openAt(path)
      return () => handle.close()
    },
    anyBytes: true,
    sparse: false,
    dispose: () => {},
  }
})

describeStore('simulated', () => {
  const one = machine()
  const { host } = hostOn(one, new Network(one.scheduler, dice))
  return { stores: host.stores, path: absPath('/records'), release: () => {} }
})

describeIndex('the simulated store', () => {
  const one = machine()
  const { host } = hostOn(one, new Network(one.scheduler, dice))
  return { stores: host.stores, path: absPath('/index') }
})

describeArchive('the simulated store', () => {
  const one = machine()
  const { host } = hostOn(one, new Network(one.scheduler, dice))
  const { stores, clock, random, machine: facts } = host
  return {
    world: { files: new SimFiles(one.start('agent')), stores, clock, random, machine: facts },
    path: absPath('/archive'),
  }
})

describeSockets('simulated', () => {
  const one = machine()
  const network = new Network(one.scheduler, dice)
  network.add(one)
  driven(one.scheduler)
  return {
    sockets: hostOn(one, network).host.sockets,
    place: { kind: 'wss', endpoint: { host: '127.0.0.1', port: 0 } },
  }
})

function hostOn(one: Machine, network: Network): ReturnType<typeof simHost> {
  const watching = { delayNs: { least: 0, most: 2_000_000 }, overflow: 0, drops: 0 }
  return simHost({ machine: one, shelf: new StoreShelf(one), network, watching }, 'agent', dice)
}

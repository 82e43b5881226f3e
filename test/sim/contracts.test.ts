import { describe } from 'vitest'
import { absPath } from '../../src/core/path.js'
import type { Socket } from '../../src/host/sockets.js'
import { openRemote } from '../../src/replica/remote.js'
import { serve } from '../../src/replica/serving.js'
import { describeArchive } from '../archive/archive.suite.js'
import { describeFiles } from '../host/files.suite.js'
import { describeFolding } from '../host/folding.suite.js'
import { describeMachine } from '../host/machine.suite.js'
import { describeSockets } from '../host/sockets.suite.js'
import { describeStore } from '../host/store.suite.js'
import { describeIndex } from '../index/index.suite.js'
import { describeReplica } from '../replica/replica.suite.js'
import { nothingElse } from '../replica/wire-pair.js'
import { driven } from './driven.js'
import { SimFiles } from './files.js'
import { simHost } from './host.js'
import { Machine } from './machine.js'
import { Network } from './network.js'
import { Dice } from './random.js'
import { SimRootFixture } from './root.js'
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

describe.each(['case', 'case-and-form'] as const)('folding %s', (folding) => {
  describeFolding('simulated', () => {
    const one = machine()
    const root = absPath('/folding')
    one.makeDirectories(root)
    one.mount(one.addDisk({ folding }), root)
    return { files: new SimFiles(one.start('agent')), root, dispose: () => {} }
  })
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

describeReplica('simulated', { fresh: () => new SimRootFixture(), connect: async (root) => root.replica() })

describeReplica('simulated, over the network', {
  fresh: () => new SimRootFixture(),
  connect: async (root) => {
    const { clock, sockets } = root.host
    const secret = { identity: 'laptop', key: new Uint8Array(32) }
    const self = (run: string) => ({ agent: 'tandem', version: '0.1.0', run })
    const stop = new AbortController().signal
    const rootFor = async () => root.replica()
    const options = { clock, self: self('peer'), rootFor, ...nothingElse, emit: () => {}, stop }
    const place = { kind: 'wss', endpoint: { host: '0.0.0.0', port: 0 } } as const
    const accept = (socket: Socket) => void serve(socket, options)
    const listener = await sockets.listen(
      place,
      () => secret.key,
      accept,
      () => {},
    )
    if (listener.place.kind !== 'wss') throw new Error('another kind of place')
    const { port } = listener.place.endpoint
    const target = { kind: 'wss', endpoint: { host: 'peer', port }, name: 'docs', secret } as const
    return openRemote(root.elsewhere.host, target, self('lead'), stop)
  },
})

describeMachine('simulated', () => {
  const one = machine()
  const { host } = hostOn(one, new Network(one.scheduler, dice))
  const start = () => {
    const other = one.start('other')
    return { pid: other.pid, end: async () => other.crash() }
  }
  return { machine: host.machine, start, dispose: () => {} }
})

function hostOn(one: Machine, network: Network): ReturnType<typeof simHost> {
  const watching = { delayNs: { least: 0, most: 2_000_000 }, overflow: 0, drops: 0 }
  return simHost({ machine: one, shelf: new StoreShelf(one), network, watching }, 'agent', dice)
}

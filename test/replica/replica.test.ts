import { openRemote } from '../../src/replica/remote.js'
import { serve } from '../../src/replica/serving.js'
import { LocalRootFixture } from './local-root.js'
import { describeReplica } from './replica.suite.js'
import { nothingElse, WirePair } from './wire-pair.js'

const fresh = () => new LocalRootFixture()

describeReplica('local', { fresh, connect: async (root) => root.replica() })

describeReplica('remote', {
  fresh,
  connect: async (root) => {
    const wire = new WirePair()
    const self = (run: string) => ({ agent: 'tandem', version: '0.1.0', run })
    const { clock } = root.host
    const stop = new AbortController().signal
    void serve(wire.far, {
      clock,
      self: self('peer'),
      rootFor: async () => root.replica(),
      ...nothingElse,
      emit: () => {},
      stop,
    })
    const sockets = { connect: async () => wire.near, listen: () => Promise.reject(new Error('not here')) }
    const secret = { identity: 'laptop', key: new Uint8Array(32) }
    return openRemote(
      { sockets, clock },
      { kind: 'wss', endpoint: { host: 'hub', port: 1 }, name: 'docs', secret },
      self('lead'),
      stop,
    )
  },
})

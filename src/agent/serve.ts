import type { Config } from '../config/config.js'
import type { AbsPath } from '../core/path.js'
import type { Host } from '../host/host.js'
import { type Endpoint, LinkFailure, type Listener } from '../host/sockets.js'
import type { Self } from '../replica/greeting.js'
import { serve } from '../replica/serving.js'
import type { Emit } from '../status/event.js'
import type { Roots } from './roots.js'

/**
 * Serves the configured roots to the configured peers, each with its own key and only the roots named for it.
 * @throws LinkFailure 'port-in-use', 'denied', 'unreachable'
 */
export async function listen(
  config: Config,
  endpoint: Endpoint,
  host: Host,
  self: Self,
  emit: Emit,
  roots: Roots,
  paths: ReadonlyMap<string, AbsPath>,
): Promise<Listener> {
  const peers = new Map(config.peers.map((peer) => [peer.name, peer]))
  const rootFor = async (identity: string, name: string) => {
    const path = paths.get(name)
    // A root that is not for this peer is as unknown to it as one that is not there.
    if (path === undefined || peers.get(identity)?.roots.includes(name) !== true)
      return new LinkFailure('unknown-root', `no root ${JSON.stringify(name)} is served to ${identity}`)
    return roots.replica(path)
  }
  const links = new Set<Promise<void>>()
  const stop = new AbortController()
  const listener = await host.sockets.listen(
    endpoint,
    (identity) => peers.get(identity)?.key,
    (socket) => {
      const link = serve(socket, { clock: host.clock, self, rootFor, emit, stop: stop.signal }).finally(() =>
        links.delete(link),
      )
      links.add(link)
    },
    (failure) => emit({ event: 'peer-refused', remote: '', code: failure.code, detail: failure.message }),
  )
  emit({ event: 'listening', address: `${listener.endpoint.host}:${listener.endpoint.port}` })
  return {
    endpoint: listener.endpoint,
    close: async () => {
      stop.abort()
      await listener.close()
      await Promise.all(links)
    },
  }
}

import { openAgent } from '../../src/agent/agent.js'
import type { Agent } from '../../src/agent/agent-types.js'
import type { Config, PairConfig, RootConfig } from '../../src/config/config.js'
import { parsePreferences } from '../../src/config/parse-preferences.js'
import type { Preferences } from '../../src/config/preferences.js'
import { type AbsPath, absPath } from '../../src/core/path.js'
import { type OpenHouse, type Role, servedName } from './house.js'

/** As the command line gives them when nothing is said, but with full scans often enough for a history. */
export const usual: Preferences = {
  ...parsePreferences([], named('alpha'), named('beta')),
  batch: true,
  repeat: { kind: 'watch', fullScanSeconds: 30 },
}

function named(name: string): Parameters<typeof parsePreferences>[1] {
  return { given: `/${name}`, spec: { kind: 'local', path: absPath(`/${name}`) } }
}

/** The house itself, on whatever host it is given. */
export function agentHouse(
  preferences: Partial<Preferences> = {},
  opened: (agent: Agent, role: Role) => void = () => {},
): OpenHouse {
  return async (host, role, emit) => {
    const agent = await openAgent(configOf(role, { ...usual, ...preferences }), host, emit)
    opened(agent, role)
    const conflicts = () =>
      agent.pairs.flatMap((pair) => pair.open().flatMap(({ path, why }) => (why === 'conflict' ? [path] : [])))
    return { ended: agent.run(), stop: () => agent.stop('now'), conflicts }
  }
}

function configOf(role: Role, preferences: Preferences): Config {
  const { stateDir, peer } = role
  const [first, second] = role.roots
  if (first === undefined) throw new Error('an agent without a root')
  const { keep, minFree, maxDelete, durability } = preferences
  if (role.kind === 'peer')
    return {
      pairs: [],
      serves: [{ name: servedName, path: first, keep, minFree, maxDelete, durability }],
      listen: [{ kind: 'wss', endpoint: { host: '0.0.0.0', port: peer.port } }],
      peers: [{ name: peer.identity, key: peer.key, roots: [servedName] }],
      stateDir,
    }
  const beta: RootConfig =
    second === undefined
      ? {
          kind: 'wss',
          endpoint: { host: peer.host, port: peer.port },
          name: servedName,
          secret: { identity: peer.identity, key: peer.key },
        }
      : local(second)
  const pair: PairConfig = { name: 'pair', alpha: local(first), beta, preferences, ignoreArchives: false }
  return { pairs: [pair], serves: [], listen: [], peers: [], stateDir }
}

function local(path: AbsPath): RootConfig {
  return { kind: 'local', path }
}

import { dirname, join, resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { absPath } from '../core/path.js'
import { type Endpoint, endpointText, type Place } from '../host/sockets.js'
import type { Assignment } from './assignment.js'
import { closest } from './closest.js'
import { ConfigFailure, type PairConfig, type PeerConfig, type ServeConfig } from './config.js'
import { type FileTables, readShape } from './file-shape.js'
import { keepOf } from './keep.js'
import { maxDeleteDefault, maxDeleteOf } from './max-delete.js'
import { minFreeOf } from './min-free.js'
import { agentAssignments, type InFile, pairsOf } from './pair-tables.js'
import { readPrivateFile } from './private-file.js'
import { isLoopback } from './remote-root.js'
import { defaultPort, parseEndpoint } from './root.js'
import { peerNamePattern, peerNameRule, readSecret } from './secret.js'
import { lineOf, numberAt, type TomlPath } from './toml-lines.js'

/** What the configuration file says. */
export interface FileConfig {
  readonly pairs: readonly PairConfig[]
  /** None: nothing is served. */
  readonly listen: readonly Place[]
  readonly serves: readonly ServeConfig[]
  readonly peers: readonly PeerConfig[]
  /** `log` and `logfile`, which belong to the agent; a file's name is absolute. */
  readonly log: readonly Assignment[]
}

/**
 * The configuration file, TOML, version 1 (the first): see config.example.toml. Relative paths begin at the file's directory, `~/` at
 * the home directory. Unknown keys are errors. The file must be private, and so must every key file it names.
 *
 * @throws ConfigFailure with file and line
 */
export async function readConfigFile(file: string, homeDirectory: string): Promise<FileConfig> {
  return parseConfigFile(readPrivateFile(file), file, homeDirectory)
}

export async function parseConfigFile(toml: string, file: string, homeDirectory: string): Promise<FileConfig> {
  const document = parseToml(toml, file)
  const inFile = inFileOf(toml, file, homeDirectory)
  const tables = await readShape(document)
  if ('why' in tables) throw inFile.fail(tables.path, tables.why)
  const serving = servingOf(tables, inFile)
  if (tables.serve.length + tables.pair.length === 0)
    throw inFile.fail([], 'there is nothing to do: name a [[pair]] to keep equal, or a root to [[serve]]')
  return {
    pairs: pairsOf(tables, inFile),
    ...serving,
    log: agentAssignments(tables, inFile).map((one) =>
      one.name === 'logfile' && one.value !== '' ? { ...one, value: inFile.place(one.value) } : one,
    ),
  }
}

function servingOf(tables: FileTables, file: InFile): Pick<FileConfig, 'listen' | 'serves' | 'peers'> {
  const { listen, serve, peers } = tables
  if (serve.length === 0) {
    // Whoever wrote one of these expects that somebody can connect.
    if (listen !== undefined)
      throw file.fail(['listen'], 'serve is missing: [listen] without a [[serve]] has nothing to offer')
    if (peers.length > 0)
      throw file.fail(['peers', 0], 'serve is missing: [[peers]] without a [[serve]] have nothing to use')
    return { listen: [], serves: [], peers: [] }
  }
  const names = new Set<string>()
  for (const [at, one] of serve.entries()) {
    if (!peerNamePattern.test(one.name))
      throw file.fail(['serve', at, 'name'], `name: a served root's name is ${peerNameRule}`)
    if (names.has(one.name)) throw file.fail(['serve', at, 'name'], `two served roots are named '${one.name}'`)
    names.add(one.name)
  }
  return {
    listen: placesOf(tables, file),
    serves: serve.map(({ name, path, watcher, durability, keep, keepsize, minfree, maxdelete, confirmbigdel }) => ({
      name,
      path: absPath(file.place(path)),
      watcher,
      durability,
      keep: keepOf(keep, keepsize),
      minFree: minFreeOf(minfree),
      maxDelete: confirmbigdel === false ? undefined : maxDeleteOf(maxdelete ?? maxDeleteDefault),
    })),
    peers: peersOf(tables, names, file),
  }
}

/** Where the file says to listen: for peers at addresses, if there are any or it says one, and for this user at a Unix socket. */
function placesOf({ listen, serve, peers }: FileTables, file: InFile): Place[] {
  const places: Place[] = []
  const insecure = listen?.insecure === true
  if (listen?.address !== undefined || peers.length > 0 || insecure) {
    if (insecure && peers.length > 0)
      throw file.fail(['listen', 'insecure'], 'insecure: nobody asks for the keys of [[peers]]; leave one of them out')
    for (const endpoint of endpointsOf(listen?.address, file)) {
      if (insecure && !isLoopback(endpoint.host))
        throw file.fail(
          ['listen', 'insecure'],
          `insecure: whoever reaches ${endpointText(endpoint)} could use everything; it goes with an address of the loopback, as 127.0.0.1`,
        )
      places.push({ kind: insecure ? 'ws' : 'wss', endpoint })
    }
  }
  if (listen?.socket !== undefined) places.push({ kind: 'socket', path: absPath(file.place(listen.socket)) })
  if (places.length === 0)
    throw file.fail(
      ['serve', 0],
      `nobody can use '${serve[0]?.name}': name who may under [[peers]], or a socket under [listen]`,
    )
  return places
}

function endpointsOf(address: string | readonly string[] | undefined, file: InFile): Endpoint[] {
  if (address === undefined) return [{ host: '127.0.0.1', port: defaultPort }]
  const endpoints: Endpoint[] = []
  for (const text of typeof address === 'string' ? [address] : address) {
    const endpoint = parseEndpoint(text, 0)
    if (typeof endpoint === 'string') throw file.fail(['listen', 'address'], `address: ${endpoint}`)
    for (const other of endpoints)
      if (covers(endpoint, other) || covers(other, endpoint)) {
        const both = `${endpointText(other)} and ${endpointText(endpoint)}`
        throw file.fail(['listen', 'address'], `address: ${both} have addresses in common; leave one of them out`)
      }
    endpoints.push(endpoint)
  }
  return endpoints
}

/** Who listens at one listens at the other too: '::' is every address of the machine, 0.0.0.0 every one of IPv4. */
function covers(one: Endpoint, other: Endpoint): boolean {
  if (one.port !== other.port) return false
  if (one.host === other.host) return one.port !== 0
  return one.host === '::' || (one.host === '0.0.0.0' && !other.host.includes(':'))
}

function peersOf({ peers }: FileTables, served: ReadonlySet<string>, file: InFile): PeerConfig[] {
  const identities = new Set<string>()
  const owners = new Map<string, string>()
  return peers.map((one, at): PeerConfig => {
    if (!peerNamePattern.test(one.name))
      throw file.fail(['peers', at, 'name'], `name: a peer's name is ${peerNameRule}`)
    if (identities.has(one.name)) throw file.fail(['peers', at, 'name'], `two peers are named '${one.name}'`)
    identities.add(one.name)
    for (const root of one.roots) {
      if (served.has(root)) continue
      const near = closest(root, served)
      throw file.fail(
        ['peers', at, 'roots'],
        `no served root is named '${root}'${near === undefined ? '' : `; did you mean '${near}'?`}`,
      )
    }
    const secret = readSecret(file.place(one.key_file))
    if (secret.identity !== one.name)
      throw file.fail(
        ['peers', at, 'key_file'],
        `the key in ${one.key_file} is that of '${secret.identity}', not of '${one.name}'`,
      )
    const key = Buffer.from(secret.key).toString('hex')
    const owner = owners.get(key)
    if (owner !== undefined)
      throw file.fail(
        ['peers', at, 'key_file'],
        `the peers '${owner}' and '${one.name}' have one key: make another with tandem keygen`,
      )
    owners.set(key, one.name)
    return { name: one.name, key: secret.key, roots: one.roots, readOnly: one.read_only, bwlimit: one.bwlimit }
  })
}

function inFileOf(toml: string, file: string, homeDirectory: string): InFile {
  const from = (path: TomlPath) => `${file}:${lineOf(toml, path)}`
  return {
    from,
    written: (path) => numberAt(toml, path),
    fail: (path, why) => new ConfigFailure('bad-config', `${from(path)}: ${why}`),
    place: (text) =>
      text.startsWith('~/') ? join(homeDirectory, text.slice(2)) : resolve(dirname(resolve(file)), text),
  }
}

function parseToml(toml: string, file: string): unknown {
  try {
    return parse(toml)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const why = error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '') ?? ''
    throw new ConfigFailure('bad-config', `${file}:${error.line}: ${why} (column ${error.column})`)
  }
}

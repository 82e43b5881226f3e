import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { basename, dirname, resolve } from 'node:path'
import type { StatusAnswer } from '../agent/control-types.js'
import { ConfigFailure } from '../config/config.js'
import { type NewTable, withTables } from '../config/edit.js'
import { type FileConfig, parseConfigFile } from '../config/file.js'
import { invitationLine } from '../config/invitation.js'
import { Invitations } from '../config/invitations.js'
import { makePrivateDirectory, readPrivateFile, writePrivateFile } from '../config/private-file.js'
import { realPlace } from '../config/real-place.js'
import { isLoopback } from '../config/remote-root.js'
import { parseEndpoint } from '../config/root.js'
import { peerNamePattern, peerNameRule } from '../config/secret.js'
import { makeStateDirectory, stateDirectory } from '../config/state.js'
import type { Endpoint } from '../host/sockets.js'
import { escapeText } from '../status/escape.js'
import { answerFrom, askAgent, ControlRefused } from './control-client.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { NoAgent } from './no-agent.js'
import { print, warn } from './output.js'
import type { InviteCommand } from './program.js'
import { UsageFailure } from './usage.js'

const quickMs = 30_000
const defaultAddress = '127.0.0.1:4242'

/**
 * `invite`: serves a root, if it is not served yet, and prints the one line that lets one other machine join.
 * @throws Failure
 */
export async function runInvite(line: InviteCommand): Promise<ExitCode> {
  const around = { env: process.env, homeDirectory: homedir(), workingDirectory: process.cwd() }
  const stateDir = stateDirectory(line.stateDir, around)
  if (!peerNamePattern.test(line.name)) throw new UsageFailure(`a peer's name is ${peerNameRule}`)
  const path = resolve(line.root)
  if (!existsSync(path)) throw new ConfigFailure('bad-root', `${line.root}: there is no such directory`)
  makeStateDirectory(stateDir)

  const config = resolve(line.config)
  const isNew = !existsSync(config)
  if (isNew) makePrivateDirectory(dirname(config))
  const before = isNew
    ? '# The configuration of tandem: see config.example.toml for all that can be said here.\n'
    : readPrivateFile(config)
  const known = await followable(before, config)
  if (known?.peers.some(({ name }) => name === line.name) === true)
    throw new ConfigFailure(
      'bad-config',
      `${config}: there is a peer named '${line.name}' already: choose another name, or end its access with tandem peers revoke ${line.name}`,
    )
  const { root, tables } = servedAs(path, before, known, line.listen)
  const after = tables.length === 0 ? before : withTables(before, tables)
  const file = await parseConfigFile(after, config, around.homeDirectory)
  const listening = reachable(file.listen.flatMap((place) => (place.kind === 'wss' ? [place.endpoint] : [])))
  if (listening === undefined)
    throw new ConfigFailure(
      'bad-config',
      `${config}: nobody can come over TLS: give an address under [listen], without insecure`,
    )
  if (after !== before || isNew) writePrivateFile(config, after)

  const isAtWork = await rereadBy(stateDir, config)
  const status = isAtWork === undefined ? undefined : answerFrom<StatusAnswer>(isAtWork).agent.addresses
  const endpoint = addressFor(line.address, status ?? [], listening)
  const invited = { peer: line.name, root, readOnly: line.readOnly, expires: Date.now() + line.expiresSeconds * 1_000 }
  const random = { bytes: (count: number) => Uint8Array.from(randomBytes(count)) }
  const secret = new Invitations(stateDir).make(invited, random, Date.now())
  print(`${invitationLine({ endpoint, root, secret })}\n`)
  if (isAtWork === undefined)
    warn(`no agent is at work; start it, and let it run: tandem run --config ${escapeText(config)}`)
  if (isLoopback(endpoint.host))
    warn('the agent listens on this machine only: give another address under [listen], or with --listen-at')
  return exitCodes.inSync
}

/** What the file says so far; undefined when nothing is in it. */
async function followable(text: string, config: string): Promise<FileConfig | undefined> {
  return /^\s*\[/m.test(text) ? parseConfigFile(text, config, homedir()) : undefined
}

/** The name that the directory is served under, and what the file needs so that it is. */
function servedAs(path: string, text: string, known: FileConfig | undefined, listen: string | undefined) {
  const tables: NewTable[] = []
  const hasListen = /^\s*\[listen\]/m.test(text)
  if (!hasListen) tables.push({ name: 'listen', single: true, values: { address: listen ?? defaultAddress } })
  else if (listen !== undefined)
    throw new UsageFailure('the configuration says already where it listens: change address under [listen] there')
  const real = realPlace(path)
  const there = known?.serves.find((one) => realPlace(one.path) === real)
  if (there !== undefined) return { root: there.name, tables }
  const taken = new Set(known?.serves.map(({ name }) => name))
  const plain =
    basename(real)
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 56) || 'root'
  let root = plain
  for (let count = 2; taken.has(root); count++) root = `${plain}-${count}`
  tables.push({ name: 'serve', values: { name: root, path } })
  return { root, tables }
}

/** Lets the agent read its configuration again; its status, or undefined when none is at work. @throws ControlRefused */
export async function rereadBy(stateDir: string, config: string): Promise<string | undefined> {
  try {
    const status = await askAgent(stateDir, { method: 'GET', path: '/v1/status', timeoutMs: quickMs })
    const { config: own } = answerFrom<StatusAnswer>(status).agent
    if (own === null) return undefined
    if (realPlace(own) !== realPlace(config))
      throw new ControlRefused('other-file', `the agent that is at work reads ${own}: name that file with --config`)
    await askAgent(stateDir, { method: 'POST', path: '/v1/reread', body: {}, timeoutMs: quickMs })
    return await askAgent(stateDir, { method: 'GET', path: '/v1/status', timeoutMs: quickMs })
  } catch (error) {
    if (error instanceof NoAgent) return undefined
    throw error
  }
}

/** What was asked for; else where the agent listens, by this machine's name where that is everywhere. */
function addressFor(asked: string | undefined, running: readonly string[], configured: Endpoint): Endpoint {
  const at = running.map((text) => parseEndpoint(text, 1)).filter((one) => typeof one !== 'string')
  const bound = reachable(at) ?? configured
  if (asked !== undefined) {
    const endpoint = parseEndpoint(asked, 1)
    if (typeof endpoint === 'string') throw new UsageFailure(`--address: ${endpoint}`)
    return /:\d+$/.test(asked.replace(/^\[.*\]/, '')) ? endpoint : { host: endpoint.host, port: bound.port }
  }
  return bound.host === '0.0.0.0' || bound.host === '::' ? { host: hostname(), port: bound.port } : bound
}

/** Of several the first that other machines can reach. */
function reachable(endpoints: readonly Endpoint[]): Endpoint | undefined {
  return endpoints.find(({ host }) => !isLoopback(host)) ?? endpoints[0]
}

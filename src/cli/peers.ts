import { rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import type { StatusAnswer } from '../agent/control-types.js'
import { ConfigFailure } from '../config/config.js'
import { withAddress, withoutPeer } from '../config/edit.js'
import { parseConfigFile, readConfigFile } from '../config/file.js'
import { Invitations } from '../config/invitations.js'
import { readPrivateFile, writePrivateFile } from '../config/private-file.js'
import { stateDirectory } from '../config/state.js'
import { endpointText, type Place } from '../host/sockets.js'
import { escapeText } from '../status/escape.js'
import { answerFrom, askAgent, ControlRefused } from './control-client.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { rereadBy } from './invite.js'
import { NoAgent } from './no-agent.js'
import { print, printLines, warn } from './output.js'
import { keyPlace } from './pairing.js'
import type { PeersCommand } from './program.js'

/** `peers` and `peers revoke`: who may use what. @throws Failure */
export async function runPeers(line: PeersCommand): Promise<ExitCode> {
  const around = { env: process.env, homeDirectory: homedir(), workingDirectory: process.cwd() }
  const stateDir = stateDirectory(line.stateDir, around)
  const config = resolve(line.config)
  return line.revoke === undefined ? list(config, stateDir) : revoke(config, stateDir, line.revoke)
}

async function list(config: string, stateDir: string): Promise<ExitCode> {
  const { peers } = await readConfigFile(config, homedir())
  const served = await servedNow(stateDir)
  const width = Math.max(0, ...peers.map(({ name }) => name.length))
  const lines = peers.map(({ name, roots, readOnly, bwlimit }) => {
    const uses = served.filter((root) => root.peers.includes(name)).map((root) => root.name)
    return [
      `${name.padEnd(width)}  ${roots.join(', ')}`,
      readOnly === true ? 'read-only' : 'read and write',
      ...(bwlimit === undefined ? [] : [`${bwlimit} bytes/s`]),
      uses.length === 0 ? 'not connected' : `uses ${uses.join(', ')}`,
    ].join('; ')
  })
  if (lines.length === 0) print('there are no peers\n')
  else printLines(lines)
  return exitCodes.inSync
}

async function servedNow(stateDir: string): Promise<StatusAnswer['served']> {
  try {
    const text = await askAgent(stateDir, { method: 'GET', path: '/v1/status', timeoutMs: 10_000 })
    return answerFrom<StatusAnswer>(text).served
  } catch (error) {
    if (error instanceof NoAgent) return []
    throw error
  }
}

/**
 * The access ends with the answer of the agent: its links are over by then. Where no agent answers for the file, or it cannot follow,
 * nobody says that the access has ended.
 */
async function revoke(config: string, stateDir: string, name: string): Promise<ExitCode> {
  // First: whoever joined by one is in the file by now, or never will be.
  const withdrawn = new Invitations(stateDir).withdraw(name)
  if (withdrawn > 0) {
    const which = withdrawn === 1 ? 'The open invitation' : `${withdrawn} open invitations`
    print(`${which} of ${escapeText(name)} ${withdrawn === 1 ? 'is' : 'are'} withdrawn.\n`)
  }
  const text = readPrivateFile(config)
  const { peers, listen } = await readConfigFile(config, homedir())
  const isThere = peers.some((one) => one.name === name)
  if (isThere) {
    writePrivateFile(config, await withoutAccess(text, config, name, listen))
    // A key that tandem made itself has no other use. One that was made with keygen is its owner's.
    rmSync(keyPlace(config, name), { force: true })
  }
  // Also for one that is gone from the file: perhaps no agent was told of that.
  const told = await toldOf(config, stateDir, name)
  if (!isThere && told !== 'linked') {
    if (withdrawn > 0) return exitCodes.inSync
    const names = peers.map((one) => one.name).join(', ') || 'none'
    throw new ConfigFailure('bad-config', `${config}: no peer is named '${name}'; there are: ${names}`)
  }
  if (told === 'linked' || told === 'followed') {
    print(`${escapeText(name)} has no access any more, and its links are ended.\n`)
    return exitCodes.inSync
  }
  const left = `${escapeText(name)} is no peer in ${escapeText(config)} any more, but`
  warn(
    told === 'nobody'
      ? `${left} no agent was found with the state directory ${escapeText(stateDir)} that follows this file. One that runs elsewhere keeps its links, and lets it in, until it is told: kill -HUP its process, or run this again with its --state-dir`
      : `${left} the agent with the state directory ${escapeText(stateDir)} did not follow, and keeps its links: ${escapeText(told.message)}`,
  )
  return exitCodes.skipped
}

/** What the agent made of it: `linked`, it followed and had links of that peer. */
async function toldOf(
  config: string,
  stateDir: string,
  name: string,
): Promise<'linked' | 'followed' | 'nobody' | ControlRefused> {
  try {
    const before = await servedNow(stateDir)
    if ((await rereadBy(stateDir, config)) === undefined) return 'nobody'
    return before.some(({ peers }) => peers.includes(name)) ? 'linked' : 'followed'
  } catch (error) {
    if (error instanceof ControlRefused) return error
    throw error
  }
}

/**
 * The text without the peer. Where the file says nothing of where to listen, that goes with the last peer: it is then said, or the file
 * could not be followed any more and the access would stay. @throws ConfigFailure
 */
async function withoutAccess(text: string, config: string, name: string, listen: readonly Place[]): Promise<string> {
  const left = withoutPeer(text, name)
  const [only] = listen
  const wanted =
    only?.kind === 'wss' && (await isRefused(left, config)) ? withAddress(left, endpointText(only.endpoint)) : left
  await parseConfigFile(wanted, config, homedir())
  return wanted
}

async function isRefused(text: string, config: string): Promise<boolean> {
  try {
    await parseConfigFile(text, config, homedir())
    return false
  } catch (error) {
    if (error instanceof ConfigFailure) return true
    throw error
  }
}

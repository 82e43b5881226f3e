import { rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { StatusAnswer } from '../agent/control-types.js'
import { ConfigFailure } from '../config/config.js'
import { withoutPeer } from '../config/edit.js'
import { readConfigFile } from '../config/file.js'
import { readPrivateFile, writePrivateFile } from '../config/private-file.js'
import { stateDirectory } from '../config/state.js'
import { escapeText } from '../status/escape.js'
import { answerFrom, askAgent } from './control-client.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { rereadBy } from './invite.js'
import { NoAgent } from './no-agent.js'
import { print, printLines } from './output.js'
import { keysName } from './pairing.js'
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

/** The access ends with the answer of the agent: its links are over by then. */
async function revoke(config: string, stateDir: string, name: string): Promise<ExitCode> {
  const text = readPrivateFile(config)
  const { peers } = await readConfigFile(config, homedir())
  if (!peers.some((one) => one.name === name)) {
    const names = peers.map((one) => one.name).join(', ') || 'none'
    throw new ConfigFailure('bad-config', `${config}: no peer is named '${name}'; there are: ${names}`)
  }
  writePrivateFile(config, withoutPeer(text, name))
  const agent = await rereadBy(stateDir, config)
  // A key that tandem made itself has no other use. One that was made with keygen is its owner's.
  rmSync(join(dirname(config), keysName, `${name}.key`), { force: true })
  print(`${escapeText(name)} has no access any more${agent === undefined ? '' : ', and its links are ended'}.\n`)
  return exitCodes.inSync
}

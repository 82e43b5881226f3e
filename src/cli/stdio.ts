import { homedir } from 'node:os'
import { linkName } from '../agent/control-place.js'
import { makeStateDirectory, stateDirectory } from '../config/state.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import type { OpenHouse } from './house.js'
import { underSignals } from './pair.js'
import { logFileOf } from './pair-config.js'
import type { StdioCommand } from './program.js'
import { logTo } from './voice.js'

/**
 * `serve --stdio`: what ssh runs on the other machine. An agent that is at work here is joined; without one this process serves, as
 * long as the connection lasts. Nothing but the link is written to standard output.
 * @throws Failure
 */
export async function runStdio(line: StdioCommand, openHouse: OpenHouse): Promise<ExitCode> {
  const around = { env: process.env, homeDirectory: homedir(), workingDirectory: process.cwd() }
  const stateDir = stateDirectory(line.stateDir, around)
  const { acceptStandardStreams, joinStandardStreams } = await import('../host/node/stdio.js')
  if (await joinStandardStreams(stateDir, linkName)) return exitCodes.inSync
  makeStateDirectory(stateDir)
  const log = await logTo(logFileOf(line.preferences))
  const config = { pairs: [], serves: [], listen: [], peers: [], stateDir }
  return underSignals(
    log,
    (emit) => openHouse(config, emit),
    (event) => log?.write(event),
    async (agent) => {
      await agent.join(await acceptStandardStreams(farEnd(process.env)))
      return exitCodes.inSync
    },
  )
}

/** Who is at the other end, as sshd says: 'address port port-here ...'. */
function farEnd({ SSH_CONNECTION: connection }: NodeJS.ProcessEnv): string {
  const address = /^[0-9A-Fa-f.:%a-z]+(?= )/.exec(connection ?? '')?.[0]
  return address === undefined ? 'standard input' : `ssh from ${address}`
}

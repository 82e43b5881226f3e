import { homedir } from 'node:os'
import { readServingConfig } from '../config/file.js'
import { makeStateDirectory, stateDirectory } from '../config/state.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import type { OpenHouse } from './house.js'
import { logTo, residentVoice, underSignals } from './pair.js'
import { logFileOf } from './pair-config.js'
import type { ServeCommand } from './program.js'

/**
 * `serve`: roots for peers, until stopped. Being stopped is how a service ends well, so every signal ends it with 0.
 * @throws Failure
 */
export async function runServe(line: ServeCommand, openHouse: OpenHouse): Promise<ExitCode> {
  const around = { env: process.env, homeDirectory: homedir(), workingDirectory: process.cwd() }
  const serving = await readServingConfig(line.config, around.homeDirectory)
  const stateDir = stateDirectory(line.stateDir, around)
  makeStateDirectory(stateDir)
  const log = await logTo(logFileOf(line.preferences))
  const { told, end } = await residentVoice(log)
  try {
    const config = { pairs: [], ...serving, stateDir }
    await underSignals(
      log,
      (emit) => openHouse(config, emit),
      told,
      async (agent) => {
        await agent.run()
        return exitCodes.inSync
      },
    )
    return exitCodes.inSync
  } finally {
    await end()
  }
}

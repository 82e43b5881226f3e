import { homedir } from 'node:os'
import { resolve } from 'node:path'
import type { Agent } from '../agent/agent-types.js'
import { type Config, ConfigFailure } from '../config/config.js'
import { type FileConfig, readConfigFile } from '../config/file.js'
import { makeStateDirectory, stateDirectory } from '../config/state.js'
import { Failure } from '../core/failure.js'
import type { AbsPath } from '../core/path.js'
import type { Emit } from '../status/event.js'
import { controlled } from './controlled.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import type { OpenHouse } from './house.js'
import { residentSummaryLines } from './layout.js'
import { printLines } from './output.js'
import { underSignals } from './pair.js'
import { logFileOf } from './pair-config.js'
import { pairingOf } from './pairing.js'
import type { RunCommand } from './program.js'
import { serviceOf } from './service.js'
import { finishedEvent } from './told.js'
import { logTo, residentVoice } from './voice.js'

/**
 * `run` and `serve`: the pairs and the served roots of a configuration file, until stopped; SIGHUP reads it again. Being stopped is how a
 * service ends well, so every signal ends it with 0.
 * @throws Failure
 */
export async function runResident(line: RunCommand, openHouse: OpenHouse): Promise<ExitCode> {
  const around = { env: process.env, homeDirectory: homedir(), workingDirectory: process.cwd() }
  const hangups = new Hangups()
  const startedMs = performance.now()
  try {
    const file = await readConfigFile(line.config, around.homeDirectory)
    const stateDir = stateDirectory(line.stateDir, around)
    const config = configOf(line, file, stateDir)
    makeStateDirectory(stateDir)
    const reread = () => hangups.ask()
    const configured = { file: resolve(line.config), reread }
    const pairing = pairingOf(stateDir, configured.file, reread)
    // Who types serve wants nothing else: what cannot be served ends it, with the reason.
    const life = { resident: true, patient: line.command === 'run', pairing }
    const log = await logTo(logFileOf([...file.log, ...line.preferences]))
    const voice = await residentVoice(log, line.json)
    const service = await serviceOf(process.env)
    const told: Emit = (event) => {
      voice.told(event)
      if (event.event === 'stopping') service.stopping()
    }
    try {
      await underSignals(
        log,
        (emit) => controlled(openHouse, line.command, configured)(config, emit, life),
        told,
        async (agent) => {
          const running = agent.run()
          service.ready(agent)
          hangups.follow(async () => {
            service.reloading()
            const failure = await followed(line, agent, stateDir, around.homeDirectory, told)
            service.ready(agent)
            return failure
          })
          const result = await running
          const durationMs = performance.now() - startedMs
          const waiting = { conflicts: result.skipped, problems: result.failed }
          told(finishedEvent(line.config, voice.tally, waiting, durationMs, exitCodes.inSync))
          if (voice.onTerminal) printLines(residentSummaryLines(result, voice.tally, durationMs))
          return exitCodes.inSync
        },
      )
      return exitCodes.inSync
    } finally {
      service.end()
      await voice.end()
    }
  } finally {
    hangups.release()
  }
}

/** @throws ConfigFailure when there is nothing to serve */
function configOf(line: RunCommand, { pairs, listen, serves, peers }: FileConfig, stateDir: AbsPath): Config {
  if (line.command === 'serve' && serves.length === 0)
    throw new ConfigFailure(
      'bad-config',
      `${line.config}:1: serve is missing: there is no [[serve]]; tandem run keeps the pairs`,
    )
  return { pairs: line.command === 'serve' ? [] : pairs, listen, serves, peers, stateDir }
}

/** A file that cannot be followed changes nothing, and is told. */
async function followed(
  line: RunCommand,
  agent: Agent,
  stateDir: AbsPath,
  home: string,
  told: Emit,
): Promise<Failure | undefined> {
  try {
    const config = configOf(line, await readConfigFile(line.config, home), stateDir)
    told({ event: 'configuration-reread', file: line.config, ...(await agent.reread(config)) })
    return undefined
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    told({ event: 'configuration-refused', file: line.config, code: error.code, detail: error.message })
    return error
  }
}

/** SIGHUP, and whoever else asks, heard from the first moment on: one that comes while the agent starts is answered when it has. One at a time. */
class Hangups {
  private act: (() => Promise<Failure | undefined>) | undefined
  private readonly waiting: { resolve(): void; reject(failure: Failure): void }[] = []
  private asked = false
  private working = false
  private readonly heard = () => {
    this.asked = true
    void this.work()
  }

  constructor() {
    process.on('SIGHUP', this.heard)
  }

  /** Resolves when the configuration as it is now has been followed. @throws Failure when it could not be */
  ask(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject })
      this.heard()
    })
  }

  follow(act: () => Promise<Failure | undefined>): void {
    this.act = act
    void this.work()
  }

  release(): void {
    process.off('SIGHUP', this.heard)
  }

  private async work(): Promise<void> {
    if (this.working || this.act === undefined) return
    this.working = true
    while (this.asked) {
      this.asked = false
      const answered = this.waiting.splice(0)
      const failure = await this.act()
      for (const { resolve, reject } of answered) {
        if (failure === undefined) resolve()
        else reject(failure)
      }
    }
    this.working = false
  }
}

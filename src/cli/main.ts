import { unreachable } from '../core/assert.js'
import type { EarlyWorkers } from '../host/node/disk-workers.js'
import { type ExitCode, exitCodeOf, exitCodes } from './exit-codes.js'
import { houseWith, type OpenHouse } from './house.js'
import { failureText, outliveReaders, print, warn } from './output.js'
import { type CommandLine, parseCommandLine } from './program.js'

/**
 * Runs a command line (without the program's own name) and answers the exit code. Whatever goes wrong has been told.
 */
export function main(argv: readonly string[], early?: EarlyWorkers): Promise<ExitCode> {
  return telling(async () => run(parseCommandLine(argv), houseWith(early)))
}

/** The code of `work`, or of what it threw, which is told. */
export async function telling(work: () => Promise<ExitCode>): Promise<ExitCode> {
  outliveReaders()
  try {
    return await work()
  } catch (error) {
    warn(failureText(error))
    return exitCodeOf(error)
  }
}

/** Each command loads what it needs, and only that. */
async function run(line: CommandLine, openHouse: OpenHouse): Promise<ExitCode> {
  switch (line.command) {
    case 'print':
      print(line.text)
      return exitCodes.inSync
    case 'keygen':
      return (await import('./keygen.js')).runKeygen(line)
    case 'invite':
      return (await import('./invite.js')).runInvite(line)
    case 'join':
      return (await import('./join.js')).runJoin(line)
    case 'peers':
      return (await import('./peers.js')).runPeers(line)
    case 'check':
      return (await import('./check.js')).runCheck(line)
    case 'doctor':
      return (await import('./doctor.js')).runDoctor(line)
    case 'log':
      return (await import('./log.js')).runLog(line)
    case 'restore':
      return (await import('./restore.js')).runRestore(line)
    case 'run':
    case 'serve':
      return (await import('./run.js')).runResident(line, openHouse)
    case 'stdio':
      return (await import('./stdio.js')).runStdio(line, openHouse)
    case 'status':
    case 'conflicts':
    case 'flush':
    case 'pause':
    case 'resume':
    case 'rescan':
    case 'stop':
      return (await import('./control.js')).runControl(line)
    case 'sync':
    case 'watch':
      return (await import('./pair.js')).runPair(line, openHouse)
    default:
      return unreachable(line)
  }
}

/** How long after the end something may still hold the process up: nothing should. */
const lingerMsMax = 5_000

/** The process's own main. `early`: threads that it is to use, if it needs any. */
export function mainProcess(argv: readonly string[], early?: EarlyWorkers): Promise<void> {
  return runProcess(async () => {
    const code = await main(argv, early)
    await early?.close()
    return code
  })
}

/**
 * Runs and ends the process with the code. It ends by itself, when all that was written has gone out; the timer is for what
 * should have been closed and was not.
 */
export async function runProcess(work: () => Promise<ExitCode>): Promise<void> {
  process.on('uncaughtException', (error) => {
    warn(failureText(error))
    process.exit(exitCodeOf(error))
  })
  process.exitCode = await work()
  setTimeout(() => process.exit(), lingerMsMax).unref()
}

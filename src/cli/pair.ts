import { homedir } from 'node:os'
import type { Agent, Item, PassResult } from '../agent/agent-types.js'
import { escapeText } from '../status/escape.js'
import type { Emit } from '../status/event.js'
import { ask } from './ask.js'
import { controlled } from './controlled.js'
import { type ExitCode, exitCodeOfPass, exitCodes } from './exit-codes.js'
import { exitAtOnce, type House, type OpenHouse } from './house.js'
import { nothingToDo, planLines, type RootNames, residentSummaryLines, summaryLines, waitingOf } from './layout.js'
import { print, printLines, warn } from './output.js'
import { type PairSetting, pairSetting } from './pair-config.js'
import type { PairCommand } from './program.js'
import { catchSignals } from './signals.js'
import type { Decided } from './text-ui.js'
import { finishedEvent, itemEvents, pairName } from './told.js'
import { type Log, logTo, openVoice, residentVoice } from './voice.js'

/** `sync` and `watch`: a pair of roots, once or until stopped. @throws Failure before or instead of the work */
export async function runPair(line: PairCommand, openHouse: OpenHouse): Promise<ExitCode> {
  const setting = pairSetting(line, {
    env: process.env,
    homeDirectory: homedir(),
    workingDirectory: process.cwd(),
  })
  if (setting.testServer) return testServers(setting)
  return setting.preferences.repeat.kind === 'once'
    ? syncOnce(line, setting, openHouse)
    : keepEqual(line, setting, openHouse)
}

async function testServers({ config }: PairSetting): Promise<ExitCode> {
  const { checkRoot } = await import('./check.js')
  let worst: ExitCode = exitCodes.inSync
  for (const { alpha, beta } of config.pairs)
    for (const root of [alpha, beta]) worst = (await checkRoot(root)) === exitCodes.inSync ? worst : exitCodes.fatal
  return worst
}

async function syncOnce(line: PairCommand, setting: PairSetting, openHouse: OpenHouse): Promise<ExitCode> {
  const log = await logTo(setting.logFile)
  const voice = openVoice(log, line.json ? 'json' : 'summary')
  const startedMs = performance.now()
  try {
    return await underSignals(
      log,
      (emit) => openHouse(setting.config, emit),
      voice.told,
      async (agent, interrupted) => {
        const onTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true && !line.json
        const interactive = onTerminal && !setting.preferences.batch && !line.dryRun
        if (onTerminal) print('Looking for changes\n')
        voice.wait()
        let quit = false
        const decide = async (items: readonly Item[]): Promise<Decided> => {
          if (items.length === 0) return []
          voice.pause(true)
          const decided = await ask(items, setting, process.stdin, print, interrupted)
          voice.pause(false)
          quit = decided === 'quit'
          if (!quit) print('Propagating updates\n')
          return decided
        }
        const result = await agent.pass({
          dryRun: line.dryRun,
          accept: setting.accept,
          confirmed: line.confirm,
          ...(interactive ? { decide } : {}),
        })
        voice.end()
        const code = quit || result.halted !== undefined ? exitCodes.fatal : exitCodeOfPass(result)
        if (result.halted !== undefined) warn(`nothing was done: ${escapeText(result.halted)}`)
        // What is told once as an event may still stand: who reads along hears of it each time.
        if (line.json)
          for (const event of itemEvents(result.items, setting, line.dryRun, voice.tally)) voice.told(event)
        const durationMs = performance.now() - startedMs
        voice.told(finishedEvent(pairName(setting), voice.tally, waitingOf(result), durationMs, code))
        if (line.json || result.halted !== undefined) return code
        if (quit) {
          print('Nothing was changed.\n')
          return code
        }
        // Interactively every item has been seen already.
        if (!interactive) printLines(planLines(result.items, setting))
        if (line.dryRun) printLines(dryRunSummary(result, setting))
        else printLines(summaryLines(result, voice.tally, durationMs))
        return code
      },
    )
  } finally {
    voice.end()
  }
}

function dryRunSummary(result: PassResult, names: RootNames): string[] {
  if (result.items.length === 0) return [nothingToDo]
  const changes = result.items.filter((item) => item.kind === 'change').length
  const waiting = result.items.length - changes
  return [
    `Dry run of ${escapeText(names.alpha)} and ${escapeText(names.beta)}: ${changes} to propagate, ${waiting} to be skipped; nothing was changed.`,
  ]
}

async function keepEqual(line: PairCommand, setting: PairSetting, openHouse: OpenHouse): Promise<ExitCode> {
  const log = await logTo(setting.logFile)
  const voice = await residentVoice(log, line.json)
  const startedMs = performance.now()
  try {
    return await underSignals(
      log,
      (emit) => controlled(openHouse, 'watch')(setting.config, emit),
      voice.told,
      async (agent) => {
        const result = await agent.run()
        const code = exitCodeOfPass(result)
        const durationMs = performance.now() - startedMs
        // A resident pair counts what waits, and no longer tells conflicts from problems.
        const waiting = { conflicts: result.skipped, problems: result.failed }
        voice.told(finishedEvent(pairName(setting), voice.tally, waiting, durationMs, code))
        if (voice.onTerminal) printLines(residentSummaryLines(result, voice.tally, durationMs))
        return code
      },
    )
  } finally {
    await voice.end()
  }
}

/**
 * Opens the house, does the work, closes it, with signals heard all the time. An interrupted run has a code of its own.
 * Before the house is open nothing can be half done, so an interruption then ends the process at once.
 */
export async function underSignals(
  log: Log | undefined,
  open: (emit: Emit) => Promise<House>,
  told: Emit,
  work: (agent: Agent, interrupted: AbortSignal) => Promise<ExitCode>,
): Promise<ExitCode> {
  let agent: Agent | undefined
  const end = () => {
    log?.flush()
    void exitAtOnce(exitCodes.fatal)
  }
  const signals = catchSignals({
    finish: (signal) => {
      told({ event: 'stopping', signal })
      agent?.stop('finish')
    },
    now: (signal) => {
      told({ event: 'stopping', signal })
      if (agent === undefined) end()
      agent?.stop('now')
    },
    reopen: () => {
      const refused = log?.reopen()
      if (refused !== undefined) told({ event: 'log-refused', code: refused.code, detail: refused.message })
    },
    atOnce: end,
  })
  try {
    const house = await open(told)
    agent = house.agent
    if (signals.asked !== undefined) agent.stop(signals.asked)
    try {
      const code = await work(agent, signals.interrupted)
      return signals.asked === 'now' ? exitCodes.fatal : code
    } finally {
      await house.close()
    }
  } finally {
    signals.release()
    await log?.close()
  }
}

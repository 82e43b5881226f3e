import { homedir } from 'node:os'
import type { Agent, Item, PassResult } from '../agent/agent-types.js'
import { escapeText } from '../status/escape.js'
import type { AgentEvent, Emit } from '../status/event.js'
import { lineOf } from '../status/terminal.js'
import { ask } from './ask.js'
import { type ExitCode, exitCodeOfPass, exitCodes } from './exit-codes.js'
import { exitAtOnce, type House, type OpenHouse } from './house.js'
import { planLines, type RootNames, summaryLines } from './layout.js'
import { print, printLines, warn } from './output.js'
import { type PairSetting, pairSetting } from './pair-config.js'
import type { PairCommand } from './program.js'
import { catchSignals } from './signals.js'
import type { Decided } from './text-ui.js'

/** `sync` and `watch`: a pair of roots, once or until stopped. @throws Failure before or instead of the work */
export async function runPair(line: PairCommand, openHouse: OpenHouse): Promise<ExitCode> {
  const setting = pairSetting(line, {
    env: process.env,
    homeDirectory: homedir(),
    workingDirectory: process.cwd(),
  })
  return setting.preferences.repeat.kind === 'once' ? syncOnce(line, setting, openHouse) : keepEqual(setting, openHouse)
}

async function syncOnce(line: PairCommand, setting: PairSetting, openHouse: OpenHouse): Promise<ExitCode> {
  const log = await logTo(setting.logFile)
  const told = (event: AgentEvent) => {
    log?.write(event)
    const text = duringOnePass(event)
    if (text !== undefined) warn(text)
  }
  return underSignals(
    log,
    (emit) => openHouse(setting.config, emit),
    told,
    async (agent, interrupted) => {
      const onTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true
      const interactive = onTerminal && !setting.preferences.batch && !line.dryRun
      if (onTerminal) print('Looking for changes\n')
      let quit = false
      const decide = async (items: readonly Item[]): Promise<Decided> => {
        if (items.length === 0) return []
        const decided = await ask(items, setting, process.stdin, print, interrupted)
        quit = decided === 'quit'
        if (!quit) print('Propagating updates\n')
        return decided
      }
      const result = await agent.pass(interactive ? { dryRun: false, decide } : { dryRun: line.dryRun })
      if (quit) {
        print('Nothing was changed.\n')
        return exitCodes.fatal
      }
      if (result.halted !== undefined) {
        warn(`nothing was done: ${escapeText(result.halted)}`)
        return exitCodes.fatal
      }
      // Interactively every item has been seen already.
      if (!interactive) printLines(planLines(result.items, setting))
      if (line.dryRun) printLines(dryRunSummary(result, setting))
      else printLines(summaryLines(result))
      return exitCodeOfPass(result)
    },
  )
}

function dryRunSummary(result: PassResult, names: RootNames): string[] {
  if (result.items.length === 0) return summaryLines(result)
  const changes = result.items.filter((item) => item.kind === 'change').length
  const waiting = result.items.length - changes
  return [
    `Dry run of ${escapeText(names.alpha)} and ${escapeText(names.beta)}: ${changes} to propagate, ${waiting} to be skipped; nothing was changed.`,
  ]
}

/** What a person must hear during one pass; the rest comes in the summary. */
function duringOnePass(event: AgentEvent): string | undefined {
  switch (event.event) {
    case 'link-lost':
    case 'store-moved-aside':
      return lineOf(event)
    default:
      return undefined
  }
}

async function keepEqual(setting: PairSetting, openHouse: OpenHouse): Promise<ExitCode> {
  const log = await logTo(setting.logFile)
  const { told, end } = await residentVoice(log)
  try {
    return await underSignals(
      log,
      (emit) => openHouse(setting.config, emit),
      told,
      async (agent) => exitCodeOfPass(await agent.run()),
    )
  } finally {
    await end()
  }
}

/**
 * What a resident agent says: human lines where somebody sits at a terminal, lines of JSON on standard error where nobody does
 * and no file was named.
 */
export async function residentVoice(log: Log | undefined): Promise<{ readonly told: Emit; end(): Promise<void> }> {
  const onTerminal = process.stdout.isTTY === true
  const spoken = onTerminal || log !== undefined ? undefined : await logTo(undefined, true)
  return {
    told: (event) => {
      log?.write(event)
      spoken?.write(event)
      const text = onTerminal ? lineOf(event) : undefined
      if (text !== undefined) print(`${text}\n`)
    },
    end: async () => spoken?.close(),
  }
}

type Log = Awaited<ReturnType<typeof import('../status/log.js').openLog>>

/** pino takes 20 ms to load: only who logs pays for it. */
export async function logTo(file: string | undefined, always = false): Promise<Log | undefined> {
  if (file === undefined && !always) return undefined
  const { openLog } = await import('../status/log.js')
  return openLog(file)
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
    reopen: () => log?.reopen(),
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

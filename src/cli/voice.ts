import type { AgentEvent, Emit } from '../status/event.js'
import { jsonLine } from '../status/json.js'
import { Progress } from '../status/progress.js'
import { Tally } from '../status/tally.js'
import { lineOf } from '../status/terminal.js'
import { print, warn } from './output.js'
import { canvasOf, ProgressLine } from './progress-line.js'

/** What a run says of its events while it lasts, and what it counts of them. */
export interface Voice {
  readonly told: Emit
  readonly tally: Tally
  /** The progress line counts from now on, though nothing has been told yet. */
  wait(): void
  pause(paused: boolean): void
  /** Takes the progress line away. */
  end(): void
}

/**
 * How events are spoken.
 *
 *     summary   one pass: only what a person must hear at once; the rest comes at the end
 *     lines     a resident agent at a terminal: a line each
 *     json      one object each on standard output
 *     silent    not at all
 */
export type Manner = 'summary' | 'lines' | 'json' | 'silent'

export function openVoice(log: Log | undefined, manner: Manner): Voice {
  const tally = new Tally()
  const canvas = manner === 'json' || manner === 'silent' ? undefined : canvasOf(process.stdout, process.env)
  const progress = canvas === undefined ? undefined : new ProgressLine(canvas, new Progress(), () => performance.now())
  return {
    tally,
    told: (event) => {
      tally.note(event)
      log?.write(event)
      if (manner === 'json') print(`${jsonLine(event, Date.now())}\n`)
      progress?.note(event)
      const text = manner === 'lines' ? lineOf(event) : manner === 'summary' ? duringOnePass(event) : undefined
      if (text === undefined) return
      progress?.clear()
      if (manner === 'lines') print(`${text}\n`)
      else warn(text)
    },
    wait: () => progress?.wait(),
    pause: (paused) => progress?.pause(paused),
    end: () => progress?.end(),
  }
}

/** What a person must hear during one pass; the rest comes in the summary. */
function duringOnePass(event: AgentEvent): string | undefined {
  switch (event.event) {
    case 'link-lost':
    case 'store-moved-aside':
    case 'process-unclear':
      return lineOf(event)
    default:
      return undefined
  }
}

export interface ResidentVoice {
  readonly told: Emit
  readonly tally: Tally
  readonly onTerminal: boolean
  end(): Promise<void>
}

/**
 * What a resident agent says: human lines where somebody sits at a terminal, lines of JSON on standard error where nobody does
 * and no file was named; with `json` the events on standard output instead.
 */
export async function residentVoice(log: Log | undefined, json = false): Promise<ResidentVoice> {
  const onTerminal = process.stdout.isTTY === true && !json
  const spoken = onTerminal || json || log !== undefined ? undefined : await logTo(undefined, true)
  const voice = openVoice(log, json ? 'json' : onTerminal ? 'lines' : 'silent')
  return {
    tally: voice.tally,
    onTerminal,
    told: (event) => {
      spoken?.write(event)
      voice.told(event)
    },
    end: async () => {
      voice.end()
      await spoken?.close()
    },
  }
}

export type Log = Awaited<ReturnType<typeof import('../status/log.js').openLog>>

/** pino takes 20 ms to load: only who logs pays for it. */
export async function logTo(file: string | undefined, always = false): Promise<Log | undefined> {
  if (file === undefined && !always) return undefined
  const { openLog } = await import('../status/log.js')
  return openLog(file)
}

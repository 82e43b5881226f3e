import { pino } from 'pino'
import { ConfigFailure } from '../config/config.js'
import { escapeJson } from './escape.js'
import type { AgentEvent } from './event.js'

/** One line of JSON per event, in a file or on standard error. */
export interface Log {
  write(event: AgentEvent): void
  /** Closes the file and opens it again by its name: the old one was moved away. */
  reopen(): void
  /** Everything is handed to the kernel when it returns. */
  flush(): void
}

/**
 * @param file undefined for standard error
 * @throws ConfigFailure 'bad-preference' when the file cannot be opened
 */
export async function openLog(file: string | undefined): Promise<Log> {
  const destination = pino.destination({ dest: file ?? 2, sync: false, append: true, minLength: 0, mode: 0o600 })
  await new Promise<void>((resolve, reject) => {
    destination.once('ready', resolve)
    destination.once('error', (error: Error) =>
      reject(
        new ConfigFailure(
          'bad-preference',
          `${file ?? 'standard error'}: the log cannot be opened: ${error.message}`,
          error,
        ),
      ),
    )
  })
  // A log that cannot be written any more (disk full, a reader that went away) must not end the agent.
  destination.on('error', () => {})
  const logger = pino(
    {
      base: { pid: process.pid },
      level: 'debug',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: escapeJson },
    },
    destination,
  )
  return {
    write: (event) => logger[levelOf(event)](event),
    reopen: () => {
      if (file !== undefined) destination.reopen()
    },
    flush: () => {
      try {
        destination.flushSync()
      } catch (error) {
        // The reader of a pipe may be gone, or the disk full: there is nobody left to tell.
        if (!(error instanceof Error && 'code' in error)) throw error
      }
    },
  }
}

/** error needs a repair, warn a look, info is a change of state, debug the rest. */
export function levelOf(event: AgentEvent): 'error' | 'warn' | 'info' | 'debug' {
  switch (event.event) {
    case 'pair-halted':
      return 'error'
    case 'conflict-found':
    case 'problem-found':
    case 'watch-degraded':
    case 'store-moved-aside':
    case 'link-lost':
    case 'peer-refused':
      return 'warn'
    case 'scan-started':
    case 'cycle-started':
      return 'debug'
    default:
      return 'info'
  }
}

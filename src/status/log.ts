import { pino } from 'pino'
import { ConfigFailure } from '../config/config.js'
import { escapeJson } from './escape.js'
import type { AgentEvent } from './event.js'

/** One line of JSON per event, in a file or on standard error. */
export interface Log {
  write(event: AgentEvent): void
  /** Closes the file and opens it again by its name: the old one was moved away. */
  reopen(): void
  /** Hands everything to the kernel before it returns, perhaps not in order: for a process that is about to be ended. */
  flush(): void
  /** Resolves when everything was handed to the kernel, or cannot be. What is written later is dropped. */
  close(): Promise<void>
}

/**
 * @param file undefined for standard error
 * @throws ConfigFailure 'bad-preference' when the file cannot be opened
 */
export async function openLog(file: string | undefined): Promise<Log> {
  const destination = pino.destination({ dest: file ?? 2, sync: false, append: true, minLength: 0, mode: 0o600 })
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error) => {
      // There is nothing to flush at the end of the process, which pino would try, and fail.
      destination.emit('close')
      const what = file ?? 'standard error'
      reject(new ConfigFailure('bad-preference', `${what}: the log cannot be opened: ${error.message}`, error))
    }
    destination.once('error', failed)
    destination.once('ready', () => {
      destination.off('error', failed)
      resolve()
    })
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
  let closed = false
  return {
    write: (event) => {
      // How far a transfer has come is for who looks on.
      if (!closed && event.event !== 'transfer-progressed') logger[levelOf(event)](event)
    },
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
    close: async () => {
      if (closed) return
      closed = true
      await new Promise<void>((resolve) => {
        // A reader that reads no more must not hold up the end.
        const late = setTimeout(resolve, closeMsMax)
        const gone = () => {
          clearTimeout(late)
          resolve()
        }
        destination.once('close', gone).once('error', gone)
        destination.end()
      })
    },
  }
}

/** How long the last lines may take to go out. */
const closeMsMax = 1_000

/** error needs a repair, warn a look, info is a change of state, debug the rest. */
export function levelOf(event: AgentEvent): 'error' | 'warn' | 'info' | 'debug' {
  switch (event.event) {
    case 'pair-halted':
    case 'audit-differed':
    case 'root-refused':
      return 'error'
    case 'conflict-found':
    case 'problem-found':
    case 'watch-degraded':
    case 'store-moved-aside':
    case 'process-unclear':
    case 'link-lost':
    case 'listening-failed':
    case 'peer-refused':
    case 'configuration-refused':
    case 'control-refused':
      return 'warn'
    case 'scan-started':
    case 'cycle-started':
    case 'transfer-progressed':
    case 'audit-finished':
      return 'debug'
    default:
      return 'info'
  }
}

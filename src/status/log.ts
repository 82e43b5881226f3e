import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { pino } from 'pino'
import { ConfigFailure } from '../config/config.js'
import { escapeJson } from './escape.js'
import type { AgentEvent } from './event.js'

/** One line of JSON per event, in a file or on standard error. */
export interface Log {
  write(event: AgentEvent): void
  /** Opens the file again by its name, since the old one was moved away. Where it cannot, it goes on in the old one, and says why. */
  reopen(): ConfigFailure | undefined
  /** Hands everything to the kernel before it returns, perhaps not in order: for a process that is about to be ended. */
  flush(): void
  /** Resolves when everything was handed to the kernel, or cannot be. What is written later is dropped. */
  close(): Promise<void>
}

/**
 * @param file undefined for standard error
 * @throws ConfigFailure when the file cannot be opened: 'unsafe-file' for a link, or another user's file; 'bad-preference'
 */
export async function openLog(file: string | undefined): Promise<Log> {
  let destination = destinationOf(file === undefined ? 2 : openPrivately(file))
  const logger = pino(
    {
      base: { pid: process.pid },
      level: 'debug',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: escapeJson },
    },
    // Not the destination itself: there is another after the log was opened again.
    { write: (line: string) => void destination.write(line) },
  )
  let closed = false
  return {
    write: (event) => {
      // How far a transfer has come is for who looks on.
      if (!closed && event.event !== 'transfer-progressed') logger[levelOf(event)](event)
    },
    reopen: () => {
      if (file === undefined || closed) return undefined
      try {
        const opened = destinationOf(openPrivately(file))
        destination.end()
        destination = opened
        return undefined
      } catch (error) {
        if (error instanceof ConfigFailure) return error
        throw error
      }
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

function destinationOf(handle: number) {
  const destination = pino.destination({ dest: handle, sync: false, minLength: 0 })
  // A log that cannot be written any more (disk full, a reader that went away) must not end the agent.
  destination.on('error', () => {})
  return destination
}

/**
 * Where others may write (/tmp, a directory of a group) somebody may have put a link under the name, or a file of his own: it would
 * lead what is written elsewhere, or to him. @throws ConfigFailure
 */
function openPrivately(file: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  let handle: number
  try {
    // Non-blocking: a pipe that nobody reads would hold us up for ever.
    handle = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    if (error.code === 'ELOOP' || error.code === 'EMLINK')
      throw new ConfigFailure('unsafe-file', `${file}: a symbolic link; name the file itself as the log`, error)
    throw new ConfigFailure('bad-preference', `${file}: the log cannot be opened: ${error.message}`, error)
  }
  const { uid } = fstatSync(handle)
  const own = process.getuid?.() ?? uid
  if (uid === own || uid === 0) return handle
  closeSync(handle)
  throw new ConfigFailure('unsafe-file', `${file}: the log belongs to user ${uid}, not to this user (${own}) or root`)
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
    case 'log-refused':
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

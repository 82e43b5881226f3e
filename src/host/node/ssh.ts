import { type ChildProcess, spawn } from 'node:child_process'
import { Duplex } from 'node:stream'
import { shellWord } from '../../core/shell-word.js'
import { LinkFailure, type Socket, sameUser } from '../sockets.js'
import { attempted } from './attempt.js'
import { openWebsocket } from './websockets.js'

/** ssh may have to ask its user for a password or about a host key. */
const deadlineMs = 60_000
/** What was said on standard error last is kept, for the message. */
const saidCharsMax = 2_000
/** How long a program may take to end after its streams did. */
const lastWordMs = 2_000

/**
 * A link over the standard streams of a program: ssh, which runs `tandem serve --stdio` there. Who may be that user there is ssh's
 * business, and so is the encryption.
 */
export function connectSsh(
  host: string,
  [program, ...given]: readonly [string, ...string[]],
  signal: AbortSignal,
): Promise<Socket> {
  return attempted(host, deadlineMs, signal, ({ done, fail }) => {
    const typed = [program, ...given].map(shellWord).join(' ')
    const child = spawn(program, given, {
      stdio: ['pipe', 'pipe', 'pipe'],
      // Without a terminal nobody can be asked, and a signal for our group is not for the connection, which has work to finish.
      detached: process.stdin.isTTY !== true,
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-saidCharsMax)
    })
    let broken: Error | undefined
    const failed = () => fail(faultOf({ host, typed, program, said, broken, code: child.exitCode }))
    child.once('error', (error) => {
      broken = error
      failed()
    })
    child.once('close', failed)
    const stream = Duplex.from({ readable: child.stdout, writable: child.stdin })
    // What was wrong the program says when it ends.
    const late = (error: Error) => {
      broken ??= error
      setTimeout(failed, lastWordMs).unref()
    }
    stream.on('error', late)
    openWebsocket(
      stream,
      { identity: sameUser, remote: host, isShort: given.includes('-C') },
      (socket) => {
        stream.once('close', () => endLater(child))
        done(socket)
      },
      late,
    )
    return () => {
      stream.destroy()
      child.kill()
    }
  })
}

/** It ends by itself once its streams have. */
function endLater(child: ChildProcess): void {
  const timer = setTimeout(() => child.kill(), lastWordMs)
  child.once('exit', () => clearTimeout(timer))
}

interface Ending {
  readonly host: string
  /** The command, as it can be typed. */
  readonly typed: string
  readonly program: string
  readonly said: string
  readonly broken: Error | undefined
  readonly code: number | null
}

/** ssh itself ends with 255; a shell that does not find a program with 127. */
function faultOf({ host, typed, program, said, broken, code }: Ending): LinkFailure {
  const last = said
    .trim()
    .split(/\s*\n\s*/)
    .slice(-linesMax)
    .join('; ')
  const told = last === '' ? '' : `: ${last}`
  if (broken !== undefined && 'code' in broken && broken.code === 'ENOENT')
    return new LinkFailure('no-program', `${host}: ${program} is not installed here; it was to run: ${typed}`, broken)
  if (code === 127 || code === 126)
    return new LinkFailure(
      'no-program',
      `${host}: tandem is not there, or not where it is looked for${told}; what was run is: ${typed}; install tandem there, or name it with -servercmd`,
      broken,
    )
  if (code === 255 && /denied|verification failed|no matching|too many authentication/i.test(said))
    return new LinkFailure('denied', `${host}: ssh was not let in${told}; what was run is: ${typed}`, broken)
  if (code === 255) return new LinkFailure('unreachable', `${host}: ssh did not come through${told}`, broken)
  if (code === null || code === 0)
    return new LinkFailure(
      'protocol',
      `${host}: what answers there is not tandem${told === '' ? '; do the start files of the shell print something?' : told}; what was run is: ${typed}`,
      broken,
    )
  return new LinkFailure('lost', `${host}: tandem ended there with ${code}${told}`, broken)
}

const linesMax = 4

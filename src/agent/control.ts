import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { Failure } from '../core/failure.js'
import { strangerAt } from '../host/node/peer-uid.js'
import { bindPrivately, isAnswered } from '../host/node/unix-place.js'
import type { Emit } from '../status/event.js'
import type { Agent } from './agent-types.js'
import { answerTo, Refused } from './control-answers.js'
import { controlName } from './control-place.js'
import { controlVersion, type ErrorAnswer } from './control-types.js'

export interface ControlOptions {
  readonly stateDir: string
  readonly agent: Agent
  /** The command that the agent was started with. */
  readonly command: string
  readonly emit: Emit
  /** The configuration file that it follows, and how it is read again. */
  readonly configured?: Configured | undefined
}

export interface Configured {
  readonly file: string
  /** @throws Failure when it cannot be followed */
  reread(): Promise<void>
}

/** Another agent answers at the control socket of the state directory. */
export class ControlBusy extends Failure {
  override readonly name = 'ControlBusy'
  readonly code = 'control-busy'
  constructor(readonly stateDir: string) {
    super(`another agent is at work with the state directory ${stateDir}: see tandem status`)
  }
}

/** The socket cannot be made. */
export class ControlFailure extends Failure {
  override readonly name = 'ControlFailure'
  readonly code = 'control-socket'
  constructor(path: string, cause: unknown) {
    super(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

export interface Control {
  close(): Promise<void>
}

const bodyBytesMax = 64 << 10
/** For the request to come in; an answer may take as long as its work. */
const requestMs = 10_000
const connectionsMax = 64

/**
 * Answers at `control.sock` in the state directory, for its owner only, until it is closed. The socket of a process that is dead is
 * replaced, that of a live one respected.
 * @throws ControlBusy, ControlFailure
 */
export async function openControl(options: ControlOptions): Promise<Control> {
  const { stateDir } = options
  const server = createServer({ requestTimeout: requestMs, headersTimeout: requestMs, maxHeaderSize: 8 << 10 })
  server.maxConnections = connectionsMax
  server.on('connection', (stream) => {
    if (strangerAt(stream) !== undefined) stream.destroy()
  })
  server.on('request', (request, response) => void respond(request, response, options))
  let release: (() => void) | undefined
  try {
    release = await bindPrivately(server, stateDir, controlName)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    throw new ControlFailure(join(stateDir, controlName), error)
  }
  if (release === undefined) throw new ControlBusy(stateDir)
  return {
    close: async () => {
      release()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
        setTimeout(() => server.closeAllConnections(), lastWordMs).unref()
      })
    },
  }
}

/** How long an answer may take to go out when the agent ends. */
const lastWordMs = 500

/** Whether somebody answers there. */
export function isControlled(stateDir: string): Promise<boolean> {
  return isAnswered(stateDir, controlName)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

async function respond(request: IncomingMessage, response: ServerResponse, options: ControlOptions): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort(new Error('nobody waits for the answer any more')))
  let status = 200
  let answer: object
  try {
    answer = await answerTo(request.method ?? '', request.url ?? '', await bodyOf(request), options, gone.signal)
  } catch (error) {
    if (!(error instanceof Failure)) {
      response.destroy()
      // A connection that broke off is no bug of ours.
      if (codeOf(error) !== '') return
      throw error
    }
    status = error instanceof Refused ? error.status : 409
    const told: ErrorAnswer = { version: controlVersion, error: { code: error.code, message: error.message } }
    answer = told
  }
  if (response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(`${JSON.stringify(answer)}\n`)
}

/** @throws Refused 'too-large' */
async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of request) {
    if (!Buffer.isBuffer(part)) throw new Refused(400, 'bad-request', 'a body of bytes is expected')
    sizeBytes += part.length
    if (sizeBytes > bodyBytesMax) throw new Refused(413, 'too-large', `a request has at most ${bodyBytesMax} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

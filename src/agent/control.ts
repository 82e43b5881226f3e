import { chmodSync, linkSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { basename, join } from 'node:path'
import { Failure } from '../core/failure.js'
import type { Emit } from '../status/event.js'
import type { Agent } from './agent-types.js'
import { answerTo, Refused } from './control-answers.js'
import { controlName, withSocketName } from './control-place.js'
import { controlVersion, type ErrorAnswer } from './control-types.js'

export interface ControlOptions {
  readonly stateDir: string
  readonly agent: Agent
  /** The command that the agent was started with. */
  readonly command: string
  readonly emit: Emit
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
  const place = join(stateDir, controlName)
  const server = createServer({ requestTimeout: requestMs, headersTimeout: requestMs, maxHeaderSize: 8 << 10 })
  server.maxConnections = connectionsMax
  server.on('request', (request, response) => void respond(request, response, options))
  try {
    await bindPrivately(server, stateDir, place)
  } catch (error) {
    server.close()
    if (!(error instanceof Error && 'code' in error) || error instanceof Failure) throw error
    throw new ControlFailure(place, error)
  }
  const own = statSync(place).ino
  return {
    close: async () => {
      // Unless somebody removed it and another agent took its place.
      if (inodeAt(place) === own) rmSync(place, { force: true })
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
export async function isControlled(stateDir: string): Promise<boolean> {
  return withSocketName(stateDir, controlName, answersAt).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error) return false
    throw error
  })
}

/** Bound in a directory of our own and made private there, then given its name, unless that is taken: nobody sees it half made. */
async function bindPrivately(server: Server, stateDir: string, place: string): Promise<void> {
  const nursery = mkdtempSync(join(stateDir, '.control-'))
  try {
    // The server removes its first name when it closes, wherever that then leads: so it is one that nothing else has.
    const first = basename(nursery)
    await withSocketName(nursery, first, (path) => listening(server, path))
    const made = join(nursery, first)
    chmodSync(made, 0o600)
    while (!named(made, place)) {
      if (await isControlled(stateDir)) throw new ControlBusy(stateDir)
      // Left by a dead process. Away with it under another name: of two that find it, one moves it.
      moved(place, join(nursery, `old-${basename(place)}`))
    }
  } finally {
    rmSync(nursery, { recursive: true, force: true })
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** False: the name is taken. */
function named(made: string, place: string): boolean {
  try {
    linkSync(made, place)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function moved(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

function answersAt(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => {
      const code = codeOf(error)
      // A queue that is full belongs to somebody who lives.
      if (code === 'EAGAIN') resolve(true)
      else if (code === 'ECONNREFUSED' || code === 'ENOENT' || code === 'ENOTSOCK') resolve(false)
      else reject(error)
    })
  })
}

function inodeAt(path: string): number | undefined {
  try {
    return statSync(path).ino
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
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

import { request } from 'node:http'
import { controlName } from '../agent/control-place.js'
import { controlVersion } from '../agent/control-types.js'
import { Failure } from '../core/failure.js'
import { withSocketName } from '../host/node/unix-place.js'
import { NoAgent } from './no-agent.js'

/** The agent did not do what was asked, and why. */
export class ControlRefused extends Failure {
  override readonly name = 'ControlRefused'
  constructor(
    readonly code: string,
    detail: string,
    cause?: unknown,
  ) {
    super(detail, cause === undefined ? undefined : { cause })
  }
}

export interface ControlRequest {
  readonly method: 'GET' | 'POST'
  /** With its query. */
  readonly path: string
  readonly body?: object
  /** After which nothing is expected any more. */
  readonly timeoutMs: number
}

const answerBytesMax = 256 << 20

/**
 * Asks the agent of a state directory; the text of its answer, which is one JSON object of this version.
 * @throws NoAgent, ControlRefused
 */
export async function askAgent(stateDir: string, asked: ControlRequest): Promise<string> {
  let text: string
  let status: number
  try {
    ;({ text, status } = await withSocketName(stateDir, controlName, (socketPath) => exchange(socketPath, asked)))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (error instanceof Failure || code === '') throw error
    if (['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTDIR'].includes(code)) throw new NoAgent(stateDir)
    if (code === 'EACCES' || code === 'EPERM')
      throw new ControlRefused('denied', `the agent with ${stateDir} is another user's`, error)
    throw new ControlRefused('lost', `the agent with ${stateDir} ended the conversation (${code})`, error)
  }
  const answer = objectOf(text)
  if (answer?.version !== controlVersion)
    throw new ControlRefused(
      'version',
      `the agent speaks another version of the control protocol: ${text.slice(0, 100)}`,
    )
  if (status < 400) return text
  const { error } = answer
  const { code, message } = { code: 'unknown', message: text, ...objectFrom(error) }
  throw new ControlRefused(String(code), String(message))
}

function exchange(socketPath: string, { method, path, body, timeoutMs }: ControlRequest) {
  return new Promise<{ readonly text: string; readonly status: number }>((resolve, reject) => {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
    const headers = bytes === undefined ? {} : { 'content-type': 'application/json', 'content-length': bytes.length }
    const asking = request({ socketPath, method, path, headers, agent: false }, (response) => {
      const parts: Buffer[] = []
      let sizeBytes = 0
      response.on('data', (part: Buffer) => {
        sizeBytes += part.length
        if (sizeBytes > answerBytesMax) asking.destroy(new ControlRefused('too-large', 'an answer without end'))
        else parts.push(part)
      })
      response.on('end', () => {
        clearTimeout(late)
        resolve({ text: Buffer.concat(parts).toString('utf8'), status: response.statusCode ?? 0 })
      })
      response.on('error', reject)
    })
    const late = setTimeout(
      () => asking.destroy(new ControlRefused('timed-out', 'the agent did not answer in time')),
      timeoutMs,
    )
    asking.on('error', (error) => {
      clearTimeout(late)
      reject(error)
    })
    asking.end(bytes)
  })
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    return objectFrom(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function objectFrom(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined
}

/** An answer as its type says: the agent is this program, and its version has been looked at. */
export function answerFrom<T>(text: string): T {
  return JSON.parse(text) as T
}

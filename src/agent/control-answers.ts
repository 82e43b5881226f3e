import { closest } from '../config/closest.js'
import { Failure } from '../core/failure.js'
import { BadPath, type RelPath, relPath } from '../core/path.js'
import type { AcceptStep } from '../engine/accept.js'
import { endpointText } from '../host/sockets.js'
import { raiseLimits } from '../replica/watching.js'
import type { OpenItem, ServedRoot, SteeredPair } from './agent-types.js'
import type { ControlOptions } from './control.js'
import {
  type ConflictsAnswer,
  controlVersion,
  type DoneAnswer,
  type FlushAnswer,
  type OpenAnswer,
  type PairAnswer,
  type ServedAnswer,
  type StatusAnswer,
  type UnwatchedAnswer,
} from './control-types.js'
import type { UnwatchedRoot } from './unwatched.js'
import { programVersion } from './version.js'

/** The request cannot be answered as it is. */
export class Refused extends Failure {
  override readonly name = 'Refused'
  constructor(
    /** Of HTTP. */
    readonly status: 400 | 404 | 405 | 413,
    readonly code: 'bad-request' | 'unknown-path' | 'unknown-method' | 'unknown-pair' | 'too-large',
    detail: string,
  ) {
    super(detail)
  }
}

interface Asked {
  readonly pairs: readonly SteeredPair[]
  readonly timeoutSeconds: number
  /** Removals that are held may be made. */
  readonly confirm: boolean
  /** The name of a served root, where no pair is meant. */
  readonly served: string | undefined
  /** What stands there now is to stay, whatever file system it is on. */
  readonly accept: RelPath | undefined
}

type Answering = (asked: Asked, options: ControlOptions, gone: AbortSignal) => object | Promise<object>

const flushSecondsDefault = 60
const flushSecondsMax = 86_400

const paths: Readonly<Record<string, { readonly method: string; readonly answer: Answering }>> = {
  '/v1/status': { method: 'GET', answer: (_, options) => statusOf(options) },
  '/v1/conflicts': { method: 'GET', answer: ({ pairs }) => conflictsOf(pairs) },
  '/v1/flush': { method: 'POST', answer: flush },
  '/v1/pause': { method: 'POST', answer: (asked) => done(asked, (pair) => pair.pause(true)) },
  '/v1/resume': { method: 'POST', answer: resume },
  '/v1/rescan': { method: 'POST', answer: rescan },
  '/v1/reread': { method: 'POST', answer: reread },
  '/v1/stop': { method: 'POST', answer: stop },
}

/**
 * The object that answers a request.
 * @throws Refused; NotReady when a pair cannot do it now
 */
export async function answerTo(
  method: string,
  target: string,
  body: string,
  options: ControlOptions,
  gone: AbortSignal,
): Promise<object> {
  const url = new URL(target, 'http://tandem')
  const known = Object.hasOwn(paths, url.pathname) ? paths[url.pathname] : undefined
  if (known === undefined) throw new Refused(404, 'unknown-path', `there is no ${url.pathname} here`)
  if (method !== known.method) throw new Refused(405, 'unknown-method', `${url.pathname} is asked with ${known.method}`)
  const given = method === 'GET' ? Object.fromEntries(url.searchParams) : parsed(body)
  return known.answer(askedOf(given, options.agent), options, gone)
}

function parsed(body: string): Readonly<Record<string, unknown>> {
  if (body.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new Refused(400, 'bad-request', 'the body is one JSON object')
}

function askedOf(given: Readonly<Record<string, unknown>>, { pairs, served }: ControlOptions['agent']): Asked {
  const { pair, timeoutSeconds = flushSecondsDefault, confirm = false, accept, ...other } = given
  const [unknown] = Object.keys(other)
  if (unknown !== undefined) throw new Refused(400, 'bad-request', `unknown field '${unknown}'`)
  if (pair !== undefined && typeof pair !== 'string') throw new Refused(400, 'bad-request', 'pair is a name')
  if (typeof timeoutSeconds !== 'number' || !(timeoutSeconds > 0 && timeoutSeconds <= flushSecondsMax))
    throw new Refused(400, 'bad-request', `timeoutSeconds is a number above 0, at most ${flushSecondsMax}`)
  if (typeof confirm !== 'boolean') throw new Refused(400, 'bad-request', 'confirm is true or false')
  const asked = { timeoutSeconds, confirm, served: undefined, accept: acceptedPath(accept) }
  if (pair === undefined) return { pairs, ...asked }
  const named = pairs.filter(({ name }) => name === pair)
  if (named.length > 0) return { pairs: named, ...asked }
  if (confirm && served.some(({ name }) => name === pair)) return { pairs: [], ...asked, served: pair }
  const names = pairs.map(({ name }) => name)
  const near = closest(pair, names)
  const hint = near === undefined ? `; there are: ${names.join(', ') || 'none'}` : `; did you mean '${near}'?`
  throw new Refused(404, 'unknown-pair', `no pair is named '${pair}'${hint}`)
}

function acceptedPath(given: unknown): RelPath | undefined {
  if (given === undefined) return undefined
  try {
    if (typeof given === 'string' && given !== '') return relPath(given)
  } catch (error) {
    if (!(error instanceof BadPath)) throw error
  }
  throw new Refused(400, 'bad-request', 'accept is a path in the roots, as tandem conflicts shows it')
}

/** Of the whole process: when it began to be one. */
function statusOf({ agent, command, configured }: ControlOptions): StatusAnswer {
  const addresses = agent.addresses.map(endpointText)
  return {
    version: controlVersion,
    agent: {
      pid: process.pid,
      program: programVersion(),
      command,
      uptimeMs: Math.round(process.uptime() * 1_000),
      listening: addresses[0] ?? null,
      addresses,
      notListening: agent.notListening,
      config: configured?.file ?? null,
    },
    pairs: agent.pairs.map(pairAnswer),
    served: agent.served.map(servedAnswer),
  }
}

function servedAnswer({ name, path, peers, unwatched, trouble }: ServedRoot): ServedAnswer {
  const { code = null, detail = null } = trouble ?? {}
  return { name, path, peers, unwatched: unwatched.map(unwatchedAnswer), code, detail }
}

function unwatchedAnswer({ root, paths }: UnwatchedRoot): UnwatchedAnswer {
  const detail = `the limit of watches is reached; raise it with: ${raiseLimits}`
  return { root, subtrees: paths.length, paths: paths.slice(0, toldMax), detail }
}

/** Of what cannot be watched so much is named. */
const toldMax = 10

function pairAnswer(pair: SteeredPair): PairAnswer {
  const { word, code, why, conflicts, problems, scanAgeMs, auditAgeMs, auditDifferences } = pair.state()
  return {
    name: pair.name,
    ...pair.roots,
    state: word,
    code: code === '' ? null : code,
    detail: why === '' ? null : why,
    conflicts,
    problems,
    scanAgeMs: scanAgeMs === undefined ? null : Math.round(scanAgeMs),
    auditAgeMs: auditAgeMs === undefined ? null : Math.round(auditAgeMs),
    auditDifferences,
    unwatched: pair.unwatched().map(unwatchedAnswer),
  }
}

function conflictsOf(pairs: readonly SteeredPair[]): ConflictsAnswer {
  return {
    version: controlVersion,
    pairs: pairs.map((pair) => ({ name: pair.name, ...pair.roots, open: openAnswers(pair.open()) })),
  }
}

function openAnswers(open: readonly OpenItem[]): OpenAnswer[] {
  return open
    .map(({ path, why, detail, versions }) => {
      const { alpha = null, beta = null } = versions ?? {}
      return { path, why, detail, alpha, beta }
    })
    .sort((one, other) => (one.path < other.path ? -1 : one.path > other.path ? 1 : 0))
}

async function flush({ pairs, timeoutSeconds }: Asked, _: ControlOptions, gone: AbortSignal): Promise<FlushAnswer> {
  const signal = AbortSignal.any([gone, AbortSignal.timeout(timeoutSeconds * 1_000)])
  const flushed = await allOf(pairs, async (pair) => ({ name: pair.name, open: openAnswers(await pair.flush(signal)) }))
  return { version: controlVersion, pairs: flushed }
}

async function resume(asked: Asked, { agent }: ControlOptions): Promise<DoneAnswer> {
  const { pairs, confirm, served } = asked
  for (const pair of pairs) pair.pause(false)
  if (confirm) await allOf(pairs, (pair) => pair.letGo())
  if (served !== undefined) await agent.letGoServed(served)
  const answer = done(asked, () => {})
  return served === undefined ? answer : { ...answer, pairs: [served] }
}

async function rescan(asked: Asked, _: ControlOptions, gone: AbortSignal): Promise<DoneAnswer> {
  if (asked.accept !== undefined) return await accepted(asked, asked.accept)
  await allOf(asked.pairs, (pair) => pair.rescan(gone))
  return done(asked, () => {})
}

/** All pairs that have a problem there forget what they have agreed before one of them looks: they may share a root. */
async function accepted({ pairs, confirm }: Asked, path: RelPath): Promise<DoneAnswer> {
  const troubled = pairs.filter((pair) => pair.open().some((open) => open.path === path && open.why === 'problem'))
  if (troubled.length === 0)
    throw new Refused(404, 'unknown-path', `no pair has a problem at ${path}: see tandem conflicts`)
  const step = (step: AcceptStep, ids: readonly string[]) =>
    allOf(troubled, (pair) => pair.accept({ path, pairs: ids, confirmed: confirm, step }))
  const ids = await step('ask', [])
  await step('forget', ids)
  await step('look', ids)
  return { version: controlVersion, pid: process.pid, pairs: troubled.map(({ name }) => name) }
}

function done({ pairs }: Asked, act: (pair: SteeredPair) => void): DoneAnswer {
  for (const pair of pairs) act(pair)
  return { version: controlVersion, pid: process.pid, pairs: pairs.map(({ name }) => name) }
}

/** @throws Failure when the file cannot be followed; then nothing has changed */
async function reread(asked: Asked, { configured }: ControlOptions): Promise<DoneAnswer> {
  if (configured === undefined) throw new Refused(400, 'bad-request', 'this agent follows no configuration file')
  await configured.reread()
  return done(asked, () => {})
}

function stop(asked: Asked, { agent, emit }: ControlOptions): DoneAnswer {
  emit({ event: 'stopping', signal: 'stop' })
  agent.stop('now')
  return done(asked, () => {})
}

/** All at once; when one cannot, the others are still done, and it is told which. @throws Failure */
async function allOf<T>(pairs: readonly SteeredPair[], act: (pair: SteeredPair) => Promise<T>): Promise<T[]> {
  const settled = await Promise.allSettled(pairs.map(act))
  return settled.map((one, at) => {
    if (one.status === 'fulfilled') return one.value
    const { reason }: { readonly reason: unknown } = one
    if (!(reason instanceof Failure)) throw reason
    throw new PairRefused(pairs[at]?.name ?? '', reason)
  })
}

class PairRefused extends Failure {
  override readonly name = 'PairRefused'
  readonly code: string
  constructor(pair: string, why: Failure) {
    super(`${pair}: ${why.message}`, { cause: why })
    this.code = why.code
  }
}

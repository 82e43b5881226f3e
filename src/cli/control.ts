import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import type {
  ConflictsAnswer,
  DoneAnswer,
  FlushAnswer,
  OpenAnswer,
  PairAnswer,
  StatusAnswer,
  UnwatchedAnswer,
} from '../agent/control-types.js'
import { stateDirectory } from '../config/state.js'
import { unreachable } from '../core/assert.js'
import { durationText } from '../status/amounts.js'
import { escapeJson, escapeName, escapeText } from '../status/escape.js'
import { reasonOf, versionText } from '../status/terminal.js'
import type { Version } from '../status/version.js'
import { answerFrom, askAgent, ControlRefused, type ControlRequest } from './control-client.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { countText } from './layout.js'
import { NoAgent } from './no-agent.js'
import { print, printLines, warn } from './output.js'
import type { ControlCommand } from './program.js'

/** What is told at once. */
const quickMs = 10_000
/** How long the work of a request may take beyond what it was given. */
const graceMs = 5_000
/** Both roots looked at as a whole, of any size. */
const rescanMs = 24 * 3_600_000

/** `status`, `flush` and the other commands for the agent that is at work. @throws NoAgent, ControlRefused */
export async function runControl(line: ControlCommand): Promise<ExitCode> {
  const around = { env: process.env, homeDirectory: homedir(), workingDirectory: process.cwd() }
  const stateDir = stateDirectory(line.stateDir, around)
  const ask = (request: ControlRequest) => askAgent(stateDir, request)
  const pair = line.pair === undefined ? {} : { pair: line.pair }
  switch (line.command) {
    case 'status':
      return status(line, await ask({ method: 'GET', path: '/v1/status', timeoutMs: quickMs }))
    case 'conflicts': {
      const query = line.pair === undefined ? '' : `?pair=${encodeURIComponent(line.pair)}`
      return conflicts(line, await ask({ method: 'GET', path: `/v1/conflicts${query}`, timeoutMs: quickMs }))
    }
    case 'flush': {
      const { timeoutSeconds } = line
      const timeoutMs = timeoutSeconds * 1_000 + graceMs
      const body = { ...pair, timeoutSeconds }
      return flushed(line, await ask({ method: 'POST', path: '/v1/flush', body, timeoutMs }))
    }
    case 'pause':
    case 'resume':
    case 'rescan': {
      const timeoutMs = line.command === 'rescan' ? rescanMs : quickMs
      const accept = line.accept === undefined ? {} : { accept: line.accept }
      const body = { ...pair, ...accept, ...(line.confirm ? { confirm: true } : {}) }
      const text = await ask({ method: 'POST', path: `/v1/${line.command}`, body, timeoutMs })
      const { pairs } = answerFrom<DoneAnswer>(text)
      const rescanned = line.accept === undefined ? 'looked at' : `${escapeName(line.accept)} is taken as it is now`
      const done = { pause: 'paused', resume: 'going on', rescan: rescanned }[line.command]
      printLines(pairs.length === 0 ? ['there are no pairs'] : pairs.map((name) => `${escapeText(name)}: ${done}`))
      return exitCodes.inSync
    }
    case 'stop':
      return stop(line, stateDir)
    default:
      return unreachable(line.command)
  }
}

/**
 *      0  in sync
 *      1  syncing
 *      2  attention: a conflict, a problem, a pair that is halted or has no connection; an address or a root that is not served
 *      3  stopped: a pair is paused, and nothing else needs attention
 *
 * 4, no agent, is not for us to see.
 */
export function exitCodeOfStatus(pairs: readonly Pick<PairAnswer, 'state' | 'conflicts' | 'problems'>[]): ExitCode {
  const some = (...states: readonly PairAnswer['state'][]) => pairs.some(({ state }) => states.includes(state))
  if (some('halted', 'disconnected') || pairs.some((pair) => pair.conflicts + pair.problems > 0)) return 2
  if (some('paused')) return 3
  if (some('scanning', 'syncing')) return 1
  return 0
}

function status(line: ControlCommand, text: string): ExitCode {
  const answer = answerFrom<StatusAnswer>(text)
  if (line.json) printJson(text)
  else printLines(statusLines(answer))
  return needsAttention(answer) ? 2 : exitCodeOfStatus(answer.pairs)
}

/** What is served, or should be, apart from the pairs. */
function needsAttention({ agent, served }: StatusAnswer): boolean {
  return agent.notListening.length > 0 || served.some(({ code }) => code !== null)
}

/** A line for each pair and each served root; then for each address where it cannot listen, and each root that it cannot watch whole. */
export function statusLines({ agent, pairs, served }: StatusAnswer): string[] {
  const width = Math.max(0, ...pairs.map(({ name }) => escapeText(name).length))
  const lines = pairs.map((pair) => {
    const name = escapeText(pair.name).padEnd(width)
    return `${name}  ${pair.state.padEnd(12)}  ${factsOf(pair).join('; ')}`.trimEnd()
  })
  const roots = served.map(({ name, peers, code, detail }) => {
    if (code !== null) return `not serving ${escapeText(name)}: ${escapeText(detail ?? '')} (${code})`
    const users = peers.length === 0 ? 'nobody' : [...new Set(peers)].map(escapeText).join(', ')
    return `serving ${escapeText(name)} on ${agent.addresses.join(' and ') || 'no address'}, used by ${users}`
  })
  const silent = agent.notListening.map(
    ({ address, code, detail }) =>
      `cannot listen on ${escapeText(address)}: ${escapeText(detail)} (${code}); it is tried again`,
  )
  // A root may be that of several pairs, and served too.
  const unwatched = new Map([...pairs, ...served].flatMap((one) => one.unwatched.map((part) => [part.root, part])))
  return [...lines, ...roots, ...silent, ...[...unwatched.values()].map(unwatchedLine)]
}

function unwatchedLine({ root, subtrees, paths, detail }: UnwatchedAnswer): string {
  const shown = paths.map((path) => (path === '' ? '(all of it)' : escapeName(path))).join(', ')
  const more = subtrees > paths.length ? ` and ${subtrees - paths.length} more` : ''
  return `${escapeText(root)} is looked at every few seconds instead of watched at ${shown}${more}: ${escapeText(detail)}`
}

function factsOf(pair: PairAnswer): string[] {
  const facts: string[] = []
  if (pair.detail !== null) facts.push(`${escapeText(pair.detail)} (${pair.code ?? ''})`)
  if (pair.conflicts > 0) facts.push(countText(pair.conflicts, 'conflict'))
  if (pair.problems > 0) facts.push(countText(pair.problems, 'problem'))
  if (pair.auditDifferences > 0) facts.push(`${countText(pair.auditDifferences, 'mistake')} of ours found and repaired`)
  facts.push(pair.scanAgeMs === null ? 'not scanned yet' : `scanned ${durationText(pair.scanAgeMs)} ago`)
  return facts
}

function conflicts(line: ControlCommand, text: string): ExitCode {
  const { pairs } = answerFrom<ConflictsAnswer>(text)
  const waiting = pairs.some(({ open }) => open.length > 0)
  if (line.json) printJson(text)
  else if (!waiting) print('nothing is in conflict\n')
  else printLines(conflictLines(pairs))
  return waiting ? exitCodes.skipped : exitCodes.inSync
}

/** A line for each open path, and two more with what the sides of a conflict hold. */
export function conflictLines(pairs: ConflictsAnswer['pairs']): string[] {
  return pairs.flatMap(({ name, alpha, beta, open }) =>
    open.flatMap((one) => {
      const line = `${escapeText(name)}  ${openLine(one)}`
      if (one.alpha === null || one.beta === null) return [line]
      const width = Math.max(escapeText(alpha).length, escapeText(beta).length)
      const side = (root: string, version: Version) => `    ${escapeText(root).padEnd(width)} : ${versionText(version)}`
      return [line, side(alpha, one.alpha), side(beta, one.beta)]
    }),
  )
}

function openLine({ path, why, detail, alpha, beta }: OpenAnswer): string {
  const shown = path === '' ? '(the root)' : escapeName(path)
  const reason = alpha === null || beta === null ? detail : reasonOf(detail)
  return `${why.padEnd(10)}  ${shown}${reason === '' ? '' : `: ${escapeText(reason)}`}`
}

function flushed(line: ControlCommand, text: string): ExitCode {
  const { pairs } = answerFrom<FlushAnswer>(text)
  if (line.json) printJson(text)
  else for (const { name, open } of pairs) printLines(open.map((one) => `${escapeText(name)}  ${openLine(one)}`))
  return pairs.some(({ open }) => open.length > 0) ? exitCodes.skipped : exitCodes.inSync
}

/** Names are data of others: nothing in them may reach a terminal as an instruction. */
function printJson(text: string): void {
  print(`${escapeJson(text.trimEnd())}\n`)
}

/** Resolves when the agent has ended: it answers no more, and its process is gone. */
async function stop(line: ControlCommand, stateDir: string): Promise<ExitCode> {
  const end = performance.now() + line.timeoutSeconds * 1_000
  const text = await askAgent(stateDir, { method: 'POST', path: '/v1/stop', body: {}, timeoutMs: quickMs })
  const { pid } = answerFrom<DoneAnswer>(text)
  while (isAlive(pid) || (await isAnswering(stateDir, pid))) {
    if (performance.now() > end) {
      warn(
        `the agent, process ${pid}, has not ended in ${line.timeoutSeconds} s; it is still finishing what it has in hand`,
      )
      return exitCodes.fatal
    }
    await new Promise((resolve) => setTimeout(resolve, lookMs))
  }
  return exitCodes.inSync
}

const lookMs = 20

/** A process of another user is alive too; one in another container looks dead, and is known by its socket. */
function isAlive(pid: number): boolean {
  if (hasOnlyToBeReaped(pid)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** It has ended, and its parent has not asked how. False where there is no /proc. */
function hasOnlyToBeReaped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.charAt(stat.lastIndexOf(')') + 2) === 'Z'
  } catch {
    return false
  }
}

async function isAnswering(stateDir: string, pid: number): Promise<boolean> {
  try {
    const text = await askAgent(stateDir, { method: 'GET', path: '/v1/status', timeoutMs: quickMs })
    return answerFrom<StatusAnswer>(text).agent.pid === pid
  } catch (error) {
    if (error instanceof NoAgent || error instanceof ControlRefused) return false
    throw error
  }
}

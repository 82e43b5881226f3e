import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { programVersion } from '../agent/version.js'
import type { RootConfig } from '../config/config.js'
import { parseRoot } from '../config/root.js'
import { escapeText } from '../status/escape.js'
import type { RootState } from '../wire/message.js'
import { type ExitCode, exitCodes } from './exit-codes.js'
import { printLines } from './output.js'
import { rootConfig } from './pair-config.js'
import type { CheckCommand } from './program.js'

/** `check ROOT`. @throws Failure */
export function runCheck(line: CheckCommand): Promise<ExitCode> {
  const root = { given: line.root, spec: parseRoot(line.root, process.cwd()) }
  return checkRoot(rootConfig(root, line, line.preferences))
}

/** Connects, shows who it is, tells what is there, and ends; nothing is opened or changed. @throws Failure */
export async function checkRoot(config: RootConfig): Promise<ExitCode> {
  const own = `tandem ${programVersion()}`
  if (config.kind === 'local') {
    const state = stateOf(config.path)
    printLines([`here:  ${own}`, `root:  ${escapeText(config.path)}, ${stateText[state]}`])
    return isUsable(state) ? exitCodes.inSync : exitCodes.fatal
  }
  const [{ canonicalOf, inquire }, { nodeSockets }, { nodeClock }, { protocolVersion }] = await Promise.all([
    import('../replica/remote.js'),
    import('../host/node/sockets.js'),
    import('../host/node/clock.js'),
    import('../wire/message.js'),
  ])
  const self = { agent: 'tandem', version: programVersion(), run: randomBytes(16).toString('hex') }
  const host = { sockets: nodeSockets(), clock: nodeClock() }
  const startedMs = performance.now()
  const { far, both, root: found } = await inquire(host, config, self, new AbortController().signal)
  const tookMs = Math.round(performance.now() - startedMs)
  printLines([
    `here:  ${own}`,
    `there: ${escapeText(far.agent)} ${escapeText(far.version)}, protocol ${protocolVersion}, as ${escapeText(far.identity)}, in ${tookMs} ms`,
    `both:  ${both.length === 0 ? 'no features beyond the protocol' : both.join(', ')}`,
    `root:  ${escapeText(canonicalOf(config))}, ${found === undefined ? 'of which that version cannot tell' : stateText[found.state]}${found?.readOnly === true ? ', read-only' : ''}`,
  ])
  return found === undefined || isUsable(found.state) ? exitCodes.inSync : exitCodes.fatal
}

const isUsable = (state: RootState) => state === 'ready' || state === 'file'

const stateText = {
  ready: 'which is there',
  file: 'which is there, a file',
  missing: 'which is not there yet',
  'not-directory': 'which is neither directory nor file',
  unreadable: 'which cannot be read',
} as const

function stateOf(path: string): keyof typeof stateText {
  try {
    const stat = statSync(path)
    return stat.isDirectory() ? 'ready' : stat.isFile() ? 'file' : 'not-directory'
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === undefined) throw error
    return code === 'ENOENT' ? 'missing' : 'unreadable'
  }
}

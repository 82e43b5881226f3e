import type { PassResult } from '../agent/agent-types.js'
import { ConfigFailure } from '../config/config.js'
import { unreachable } from '../core/assert.js'
import { Failure } from '../core/failure.js'
import { NoAgent } from './no-agent.js'
import { UsageFailure } from './usage.js'

/**
 * What the process tells its caller.
 *
 *      0  in sync
 *      1  something skipped, held or in conflict
 *      2  failures; also a bug
 *      3  fatal, interrupted, or a root in doubt
 *      4  no agent is at work with the state directory (commands that speak to it)
 *     64  wrong usage (EX_USAGE)
 *     78  wrong or unsafe configuration (EX_CONFIG)
 */
export const exitCodes = { inSync: 0, skipped: 1, failures: 2, fatal: 3, noAgent: 4, usage: 64, config: 78 } as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export function exitCodeOfPass(result: PassResult): ExitCode {
  if (result.halted !== undefined) return exitCodes.fatal
  if (result.failed > 0) return exitCodes.failures
  if (result.skipped > 0) return exitCodes.skipped
  return exitCodes.inSync
}

/** Of what ended the run. Whatever is not a Failure is a bug. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageFailure) return exitCodes.usage
  if (error instanceof ConfigFailure) return exitCodeOfConfig(error)
  if (error instanceof NoAgent) return exitCodes.noAgent
  if (error instanceof Failure) return exitCodes.fatal
  return exitCodes.failures
}

/** Files with a configuration or a key end with 78; what Unison ends with 3 (profiles, preferences, roots) ends so here too. */
function exitCodeOfConfig(error: ConfigFailure): ExitCode {
  switch (error.code) {
    case 'unreadable':
    case 'unsafe-file':
    case 'bad-config':
      return exitCodes.config
    case 'bad-profile':
    case 'bad-preference':
    case 'not-built':
    case 'bad-root':
    case 'state-directory':
      return exitCodes.fatal
    default:
      return unreachable(error.code)
  }
}

import { readFileSync } from 'node:fs'
import type { ProcessFacts } from '../host.js'

/** See Machine. */
export function processAt(pid: number): ProcessFacts | undefined {
  const stat = readStat(pid)
  // Its line may be hidden from other users (hidepid, or no /proc at all), which a signal is not.
  if (stat === undefined) return isThere(pid) ? { began: undefined } : undefined
  return factsIn(stat)
}

/**
 * A line of /proc/PID/stat, proc_pid_stat(5): the state is its third field, the start its 22nd, in clock ticks since boot. The
 * second is the name of the program, in parentheses, and may have any byte in it. Undefined for a zombie: it holds nothing any
 * more.
 */
export function factsIn(stat: string): ProcessFacts | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0] ?? ''
  return zombies.has(state) ? undefined : { began: fields[19] }
}

const zombies = new Set(['Z', 'X', 'x'])

function readStat(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined
    throw error
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    return error.code !== 'ESRCH'
  }
}

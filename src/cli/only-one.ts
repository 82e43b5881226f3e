import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../core/failure.js'

/** Another process has what this one wants. */
export class AlreadyRunning extends Failure {
  override readonly name = 'AlreadyRunning'
  readonly code = 'already-running'
  constructor(
    what: string,
    readonly pid: number,
  ) {
    super(`${what} is already running, as process ${pid}; it goes on undisturbed (end it with: kill ${pid})`)
  }
}

/**
 * Takes `place` for this process, or throws AlreadyRunning. The place is a directory that comes into being with its holder's name in
 * it, in one step. One left by a process that is gone is taken over: the pid stands beside the start of its process, so that a number
 * that was given out again is not mistaken for the old holder. Answers how to give the place back.
 */
export function onlyOne(place: string, what: string): () => void {
  const fresh = `${place}.${process.pid}`
  const aside = `${fresh}.old`
  mkdirSync(fresh, { recursive: true })
  writeFileSync(join(fresh, 'holder'), holderText(process.pid))
  try {
    for (;;) {
      if (moved(fresh, place)) return () => rmSync(place, { recursive: true, force: true })
      const holder = readHolder(place)
      const pid = Number.parseInt(holder, 10)
      if (holder !== '' && holder === holderText(pid)) throw new AlreadyRunning(what, pid)
      if (moved(place, aside)) rmSync(aside, { recursive: true, force: true })
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** Whether the directory `from` got the name `to`: not where there is one already, nor when it is gone itself. */
function moved(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if (isCode(error, 'ENOTEMPTY') || isCode(error, 'EEXIST') || isCode(error, 'ENOENT')) return false
    throw error
  }
}

function readHolder(place: string): string {
  try {
    return readFileSync(join(place, 'holder'), 'utf8')
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
    return ''
  }
}

/** 'pid start', or 'pid gone' for one that does not run. Elsewhere than on Linux the start is not known. */
function holderText(pid: number): string {
  if (!(pid > 0)) return 'nobody'
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (!isCode(error, 'EPERM')) return `${pid} gone`
  }
  try {
    // Field 22 of proc(5) stat, counted after the name in parentheses, which may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return `${pid} ${fields[19] ?? ''}`
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
    return `${pid} running`
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

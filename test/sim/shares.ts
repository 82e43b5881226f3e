import { type ChildProcess, fork } from 'node:child_process'
import { setImmediate } from 'node:timers/promises'
import { type Given, profileOf } from './profile.js'
import { violationsOf } from './shrink.js'

/** Every `step`-th seed: what one process runs. */
export interface Share extends Given {
  readonly from: number
  readonly step: number
  readonly to: number
}

/** A seed whose history broke a promise, or ended its process (`fatal`). */
export interface Finding {
  readonly seed: number
  readonly violations: readonly string[]
  readonly fatal: boolean
}

/** What a process that runs a share tells the one that started it: first `ready`, last `done`, and each history between. */
type Told = 'ready' | 'done' | Finding

/**
 * Runs a share in a process of its own; where a history ends that, its seed has failed, and another process goes on after it.
 * @throws when a process cannot even begin
 */
export async function shared(main: string, share: Share, told: (finding: Finding) => void): Promise<void> {
  let next = share.from
  while (next <= share.to) {
    const child = fork(main, ['--share', JSON.stringify({ ...share, from: next })], { execArgv: process.execArgv })
    let last: Told | undefined
    child.on('message', (message: Told) => {
      last = message
      if (typeof message === 'string') return
      next = message.seed + share.step
      told(message)
    })
    const ending = await endOf(child)
    if (last === undefined) throw new Error(`a process ended with ${ending} before its first history`)
    if (last === 'done' || (typeof last !== 'string' && last.fatal)) continue
    told({ seed: next, violations: [`its process ended with ${ending}`], fatal: true })
    next += share.step
  }
}

/** Its exit code or its signal, when all that it told has been heard. */
async function endOf(child: ChildProcess): Promise<string> {
  const heard = new Promise<void>((resolve) => child.once('disconnect', resolve))
  const ending = await new Promise<string>((resolve) =>
    child.once('exit', (code, signal) => resolve(String(code ?? signal))),
  )
  await heard
  return ending
}

/**
 * Of one process: agents that were killed are held by whatever would have ended them (a signal that is never given), some
 * 200 KB each, and collecting garbage beside gigabytes of them takes a third of the time.
 */
const historiesMax = 2_000

/** What a process does that has been given a share, or with the beginning of it. */
export async function runShare(share: Share): Promise<number> {
  let seed = share.from
  // What is thrown where nobody awaits it is of the history in hand; what it leaves behind in the process no other one gets.
  process.on('uncaughtException', (error) => {
    if (!process.connected) process.exit(1)
    const told: Finding = { seed, violations: [`outside of its history: ${error.name}: ${error.message}`], fatal: true }
    process.send?.(told, () => process.exit(1))
  })
  process.send?.('ready' satisfies Told)
  for (let histories = 0; seed <= share.to && histories < historiesMax; histories++, seed += share.step) {
    const violations = await violationsOf(profileOf(seed, share))
    // A rejection that nobody awaits is told when all microtasks have run.
    await setImmediate()
    process.send?.({ seed, violations, fatal: false } satisfies Told)
  }
  await new Promise<void>((resolve) => process.send?.('done' satisfies Told, () => resolve()))
  process.disconnect()
  return 0
}

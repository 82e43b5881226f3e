import { Failure } from '../core/failure.js'
import { adviceOn } from '../engine/advice.js'
import { escapeText } from '../status/escape.js'

/** To standard output. Names in it must have been escaped. */
export function print(text: string): void {
  process.stdout.write(text)
}

export function printLines(lines: readonly string[]): void {
  if (lines.length > 0) print(`${lines.join('\n')}\n`)
}

/** To standard error. */
export function warn(text: string): void {
  process.stderr.write(`tandem: ${text}\n`)
}

/**
 * What ended the run, for a person: what happened, at which path, and what to do next. A bug shows where it happened,
 * because somebody will have to look.
 */
export function failureText(error: unknown): string {
  if (!(error instanceof Failure)) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return `a bug in tandem ended it; nothing is lost, and the next run goes on where it was:\n${what}`
  }
  const next = nextStep[`${error.name} ${error.code}`] ?? nextStep[error.name] ?? aboutRoot(error)
  return escapeText(error.message) + (next === undefined ? '' : `\n        ${next}`)
}

/** What is the matter with a root, or with what it should hold. */
function aboutRoot({ name, code }: Failure): string | undefined {
  const advice = name === 'ReplicaFailure' || name === 'MountpointMissing' ? adviceOn(code) : undefined
  if (advice === undefined) return undefined
  const { back, on } = advice
  return [`nothing is deleted anywhere. ${back}, and run it again.`, on].filter((part) => part).join('\n        ')
}

/** By name and code of a failure, or by its name alone. */
const nextStep: Readonly<Record<string, string>> = {
  NoAgent: 'tandem run or tandem watch starts one; --state-dir names the state directory of another',
  ControlBusy: 'end it with tandem stop, or name another state directory with --state-dir',
  UsageFailure: 'tandem --help shows what there is',
  'LinkFailure refused': 'nobody listens there: start tandem serve on that machine, or check the port',
  'LinkFailure unreachable': 'check the name, the network and the firewall',
  'LinkFailure wrong-key': 'the two key files differ: copy the one that tandem keygen made',
  'LinkFailure unknown-peer': 'list the peer under [[peers]] in the configuration of the other machine',
  'LinkFailure unknown-root': 'see [[serve]] in the configuration of the other machine for the names it serves',
  'LinkFailure port-in-use': 'another process listens there: stop it, or choose another address under [listen]',
  'LinkFailure version': 'one of the two versions of tandem is too old for the other: update it',
  'LinkFailure timed-out': 'check that the address is that of tandem serve, and the network',
  'StoreFailure disk-full': 'free some space where the state directory is, or name another with --state-dir',
}

/** A reader that went away (`tandem sync ... | head`) is no reason to stop in the middle of the work. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
}

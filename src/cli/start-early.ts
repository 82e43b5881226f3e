import { EarlyWorkers } from '../host/node/disk-workers.js'

/**
 * Threads for a command that will need them: they load while the program does, which takes as long, and a command waits for both. What they
 * cost is nothing that would not have come, unless the command line or the configuration turns out to be wrong.
 */
export function startEarly(argv: readonly string[]): EarlyWorkers | undefined {
  const life = lifeOf(argv)
  if (life === undefined) return undefined
  return life === 'pass' ? new EarlyWorkers(threadsOfOnePass, true) : new EarlyWorkers(threadsOfResident, false)
}

/** One pass has somebody who waits for it: a second thread makes both roots ready at once, and is there when a scan begins. */
export const threadsOfOnePass = 2
/** An agent that stays has another when there is work for it, and no memory for it before. */
export const threadsOfResident = 1

/** What a command line will open, as far as its first word tells; undefined: no root, or not in this process. */
export function lifeOf(argv: readonly string[]): 'pass' | 'resident' | undefined {
  const [command = ''] = argv
  // Where an agent is at work its streams are only passed on.
  if (argv.some((word) => word === '--stdio' || word === '-stdio')) return undefined
  switch (command) {
    case 'sync':
      return 'pass'
    case 'watch':
    case 'run':
    case 'serve':
      return 'resident'
    default:
      // Two roots alone are a pass as well.
      return command.includes('/') && !command.startsWith('-') ? 'pass' : undefined
  }
}

import { EarlyWorkers } from '../host/node/disk-workers.js'

/**
 * Threads for a command that will need them: they load while the program does, which takes as long, and a command waits for both. What they
 * cost is nothing that would not have come, unless the command line or the configuration turns out to be wrong.
 */
export function startEarly([command = '']: readonly string[]): EarlyWorkers | undefined {
  switch (command) {
    case 'sync':
      return new EarlyWorkers(threadsOfOnePass, true)
    case 'watch':
    case 'run':
    case 'serve':
      return new EarlyWorkers(threadsOfResident, false)
    default:
      // Two roots alone are a pass as well.
      return /^[^-].*[/]/.test(command) ? new EarlyWorkers(threadsOfOnePass, true) : undefined
  }
}

/** One pass has somebody who waits for it: a second thread makes both roots ready at once, and is there when a scan begins. */
export const threadsOfOnePass = 2
/** An agent that stays has another when there is work for it, and no memory for it before. */
export const threadsOfResident = 1

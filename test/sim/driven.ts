import { onTestFinished } from 'vitest'
import type { Scheduler } from './scheduler.js'

/** Lets virtual time run while the test awaits something, until the test is over. For suites that know no scheduler. */
export function driven(scheduler: Scheduler): void {
  let over = false
  onTestFinished(() => {
    over = true
  })
  void (async () => {
    while (!over) {
      await scheduler.settle()
      scheduler.step()
    }
  })()
}

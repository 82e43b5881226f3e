/** What a signal asks of the run. */
export interface SignalActions {
  /** SIGUSR2: complete the cycle in progress, then end. */
  finish(signal: string): void
  /** SIGINT, SIGTERM: finish the operations in hand, then end. */
  now(signal: string): void
  /** SIGUSR1: open the log again. */
  reopen(): void
  /** A second SIGINT or SIGTERM: end this instant. Whatever is half done is finished by the next run. */
  atOnce(): void
}

export interface Signals {
  /** How the run was asked to end, if it was. */
  readonly asked: 'finish' | 'now' | undefined
  /** Aborted with the first SIGINT or SIGTERM. */
  readonly interrupted: AbortSignal
  release(): void
}

export function catchSignals(actions: SignalActions): Signals {
  const abort = new AbortController()
  let asked: 'finish' | 'now' | undefined
  const now = (signal: NodeJS.Signals) => {
    if (asked === 'now') {
      actions.atOnce()
      return
    }
    asked = 'now'
    abort.abort(new Error(signal))
    actions.now(signal)
  }
  const finish = (signal: NodeJS.Signals) => {
    asked ??= 'finish'
    actions.finish(signal)
  }
  const reopen = () => actions.reopen()
  process.on('SIGINT', now).on('SIGTERM', now).on('SIGUSR2', finish).on('SIGUSR1', reopen)
  return {
    get asked() {
      return asked
    },
    interrupted: abort.signal,
    release: () => {
      process.off('SIGINT', now).off('SIGTERM', now).off('SIGUSR2', finish).off('SIGUSR1', reopen)
    },
  }
}

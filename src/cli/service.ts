import type { Agent, PairState } from '../agent/agent-types.js'
import type { ServiceManager } from '../host/node/notify.js'
import { countText } from './layout.js'

/** What the service manager that started this process is told. */
export interface Service {
  /** The agent is at work, or is again. */
  ready(agent: Agent): void
  /** The configuration is read again; `ready` ends it. */
  reloading(): void
  stopping(): void
  end(): void
}

/** A change is shown after this long. */
const statusMs = 1_000

/** Loads the C library only where somebody wants to be told. */
export async function serviceOf(env: NodeJS.ProcessEnv): Promise<Service> {
  if (env.NOTIFY_SOCKET === undefined) return silent
  const { serviceManager } = await import('../host/node/notify.js')
  const manager = serviceManager(env)
  return manager === undefined ? silent : new NotifiedService(manager)
}

const silent: Service = { ready: () => {}, reloading: () => {}, stopping: () => {}, end: () => {} }

class NotifiedService implements Service {
  private agent: Agent | undefined
  private told = ''
  private isReady = false
  private isStopping = false
  private readonly timers: NodeJS.Timeout[] = []

  constructor(private readonly manager: ServiceManager) {
    this.timers.push(setInterval(() => this.tell(), statusMs))
    const { watchdogMs } = manager
    // Twice in the time that it is given, as sd_watchdog_enabled(3) advises.
    if (watchdogMs !== undefined) this.timers.push(setInterval(() => manager.notify('WATCHDOG=1'), watchdogMs / 2))
    for (const timer of this.timers) timer.unref()
  }

  ready(agent: Agent): void {
    this.agent = agent
    this.isReady = false
    this.tell()
  }

  reloading(): void {
    // systemd compares this time with that of its own signal.
    const nowUs = process.hrtime.bigint() / 1_000n
    this.manager.notify(`RELOADING=1\nMONOTONIC_USEC=${nowUs}`)
  }

  stopping(): void {
    if (this.isStopping) return
    this.isStopping = true
    this.manager.notify('STOPPING=1\nSTATUS=finishing what is in hand')
  }

  end(): void {
    for (const timer of this.timers) clearInterval(timer)
  }

  /** Says it again until it has been heard. */
  private tell(): void {
    if (this.agent === undefined || this.isStopping) return
    const status = statusText(this.agent)
    if (this.isReady && status === this.told) return
    if (!this.manager.notify(`${this.isReady ? '' : 'READY=1\n'}STATUS=${status}`)) return
    this.isReady = true
    this.told = status
  }
}

/** '3 pairs: 2 watching, 1 halted; 4 conflicts; serving 2 roots' */
export function statusText({ pairs, served, notListening }: Pick<Agent, 'pairs' | 'served' | 'notListening'>): string {
  const states = pairs.map((pair) => pair.state())
  const words = new Map<PairState['word'], number>()
  for (const { word } of states) words.set(word, (words.get(word) ?? 0) + 1)
  const parts: string[] = []
  if (pairs.length > 0)
    parts.push(
      `${countText(pairs.length, 'pair')}: ${[...words].map(([word, count]) => `${count} ${word}`).join(', ')}`,
    )
  const conflicts = states.reduce((sum, one) => sum + one.conflicts, 0)
  const problems = states.reduce((sum, one) => sum + one.problems, 0)
  if (conflicts > 0) parts.push(countText(conflicts, 'conflict'))
  if (problems > 0) parts.push(countText(problems, 'problem'))
  if (served.length > 0) parts.push(`serving ${countText(served.length, 'root')}`)
  if (notListening.length > 0)
    parts.push(`cannot listen on ${notListening.map(({ address }) => address).join(' and ')}`)
  return parts.join('; ')
}

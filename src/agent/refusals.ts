import type { Clock, Instant } from '../host/clock.js'
import type { AgentEvent, Emit } from '../status/event.js'

export type PeerRefused = AgentEvent & { readonly event: 'peer-refused' }

/** What one address has been refused for in its minute. */
interface Minute {
  readonly endsAt: Instant
  last: PeerRefused | undefined
  times: number
}

/**
 * Tells of those who were refused, so that no crowd fills a log: the first of an address at once, with its reason, and what is refused
 * from there for the same reason within a minute as one event with their number.
 */
export class Refusals {
  /** In the order in which they end. */
  private readonly minutes = new Map<string, Minute>()
  private isWaiting = false
  private readonly ending = new AbortController()

  constructor(
    private readonly clock: Clock,
    private readonly emit: Emit,
  ) {}

  note(refused: PeerRefused): void {
    const own = `${networkOf(refused.remote)} ${refused.code}`
    const key = this.minutes.has(own) || this.minutes.size < minutesMax ? own : others
    const minute = this.minutes.get(key)
    if (minute !== undefined) {
      minute.last = refused
      minute.times++
      return
    }
    this.emit(refused)
    if (this.ending.signal.aborted) return
    this.begin(key)
    if (!this.isWaiting) void this.sumUp()
  }

  /** Tells what it has not told yet. */
  close(): void {
    this.ending.abort(new Error('the agent ends'))
    for (const minute of this.minutes.values()) this.tell(minute)
    this.minutes.clear()
  }

  private begin(key: string): void {
    this.minutes.delete(key)
    this.minutes.set(key, { endsAt: this.clock.now() + minuteMs, last: undefined, times: 0 })
  }

  /** As long as a minute is under way. One that was quiet is the last of its address. */
  private async sumUp(): Promise<void> {
    this.isWaiting = true
    for (let [first] = this.minutes; first !== undefined; [first] = this.minutes) {
      const [key, minute] = first
      const leftMs = minute.endsAt - this.clock.now()
      if (leftMs > 0) await this.clock.sleep(leftMs, this.ending.signal).catch(() => undefined)
      if (this.ending.signal.aborted) return
      if (minute.times === 0) this.minutes.delete(key)
      else this.begin(key)
      this.tell(minute)
    }
    this.isWaiting = false
  }

  private tell(minute: Minute): void {
    const { last, times } = minute
    if (last === undefined) return
    minute.last = undefined
    minute.times = 0
    this.emit(times === 1 ? last : { ...last, times })
  }
}

const minuteMs = 60_000
/** Addresses, with a reason each, that are told apart at a time; what is beyond them is summed up together. */
const minutesMax = 128
const others = ''

/**
 * Who is taken for one, of 'address:port': an IPv4 address, the first half of an IPv6 one (whoever has one of these has all with the
 * same half), the socket of '{/socket} 7'.
 */
export function networkOf(remote: string): string {
  const [, address = ''] = /^\[(.*)\](?::\d+)?$/.exec(remote) ?? []
  if (address === '') return remote.replace(/(?::| )\d+$/, '')
  const [, old] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? []
  if (old !== undefined) return old
  const [before = '', after] = address.replace(/%.*$/, '').split('::')
  const groups = before === '' ? [] : before.split(':')
  const rest = after === undefined || after === '' ? [] : after.split(':')
  const zeros = after === undefined ? 0 : Math.max(0, 8 - groups.length - rest.length)
  return [...groups, ...Array<string>(zeros).fill('0'), ...rest].slice(0, 4).join(':')
}

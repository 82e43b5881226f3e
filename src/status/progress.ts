import { bytesText, countOf, durationText } from './amounts.js'
import { escapeText } from './escape.js'
import type { AgentEvent, Side } from './event.js'

/**
 * What is under way and takes longer than a second, as one line: scans, and cycles with what they have done of what they
 * planned. A fold over the events; times are milliseconds of one clock that never runs backwards.
 */
export class Progress {
  private readonly scans = new Map<string, number>()
  private readonly cycles = new Map<string, Cycle>()
  private waitingSinceMs: number | undefined

  /** Something is looked for from now on, until the first cycle begins: on the other side, perhaps, whose scans nobody hears of. */
  wait(nowMs: number): void {
    this.waitingSinceMs = nowMs
  }

  note(event: AgentEvent, nowMs: number): void {
    switch (event.event) {
      case 'scan-started':
        this.scans.set(event.root, nowMs)
        return
      case 'scan-finished':
        this.scans.delete(event.root)
        return
      case 'cycle-started':
        this.waitingSinceMs = undefined
        this.cycles.set(event.pair, new Cycle(event.operations, event.bytes, nowMs))
        return
      case 'path-applied':
        this.cycles.get(event.pair)?.applied(event.bytes, nowMs)
        return
      case 'transfer-progressed':
        this.cycles.get(event.pair)?.sent(event.to, event.bytes, nowMs)
        return
      case 'cycle-committed':
        this.waitingSinceMs = undefined
        this.cycles.delete(event.pair)
        return
      // A cycle that a failure ended has no end of its own, nor has a scan.
      case 'pair-opened':
        this.cycles.delete(event.pair)
        return
      case 'pair-halted':
      case 'link-lost':
      case 'peer-left':
        this.scans.clear()
        this.cycles.clear()
        return
      default:
        return
    }
  }

  /** Whether anything is under way. */
  get isBusy(): boolean {
    return this.scans.size + this.cycles.size > 0 || this.waitingSinceMs !== undefined
  }

  /** Without control characters; undefined when nothing has lasted a second. */
  line(nowMs: number): string | undefined {
    for (const cycle of this.cycles.values()) if (nowMs - cycle.startedMs >= silentMs) return cycle.line(nowMs)
    for (const [root, startedMs] of this.scans)
      if (nowMs - startedMs >= silentMs)
        return `looking at ${escapeText(root)}, ${durationText(whole(nowMs - startedMs))}`
    const since = this.waitingSinceMs
    if (since === undefined || nowMs - since < silentMs) return undefined
    return `looking for changes, ${durationText(whole(nowMs - since))}`
  }
}

/** What is over sooner needs no progress. */
const silentMs = 1_000
/** The rate is that of the last ten seconds, looked at four times a second. */
const windowMs = 10_000
const sampleMs = 250
/** Before this nothing is said of the time left. */
const guessAfterMs = 2_000
/** The time left is guessed from bytes, and from files as if each were so many. */
const fileCostBytes = 16 * 1024

class Cycle {
  private done = 0
  private appliedBytes = 0
  private readonly sentBytes: Record<Side, number> = { alpha: 0, beta: 0 }
  private readonly samples: { readonly atMs: number; readonly done: number; readonly bytes: number }[]

  constructor(
    private readonly operations: number,
    private readonly bytesAll: number,
    readonly startedMs: number,
  ) {
    this.samples = [{ atMs: startedMs, done: 0, bytes: 0 }]
  }

  applied(bytes: number, nowMs: number): void {
    this.done++
    this.appliedBytes += bytes
    this.sample(nowMs)
  }

  sent(to: Side, bytes: number, nowMs: number): void {
    this.sentBytes[to] = bytes
    this.sample(nowMs)
  }

  line(nowMs: number): string {
    const { done, bytes } = this
    const parts = [`${countOf(Math.min(done, this.operations))} of ${countOf(this.operations)} files`]
    if (this.bytesAll > 0) parts.push(`${bytesText(bytes)} of ${bytesText(this.bytesAll)}`)
    while ((this.samples[1]?.atMs ?? nowMs) <= nowMs - windowMs) this.samples.shift()
    const from = this.samples[0]
    const lastedMs = nowMs - (from?.atMs ?? nowMs)
    if (from === undefined || lastedMs <= 0) return parts.join(', ')
    if (this.bytesAll > 0) parts.push(`${bytesText(Math.round(((bytes - from.bytes) / lastedMs) * 1_000))}/s`)
    const perMs = (bytes - from.bytes + (done - from.done) * fileCostBytes) / lastedMs
    const left = this.bytesAll - bytes + Math.max(0, this.operations - done) * fileCostBytes
    if (perMs > 0 && nowMs - this.startedMs >= guessAfterMs) parts.push(`${durationText(whole(left / perMs))} left`)
    return parts.join(', ')
  }

  /** What was sent is not yet visible; what was visible had been sent. Packs are a little more than what is in them. */
  private get bytes(): number {
    const sent = this.sentBytes.alpha + this.sentBytes.beta
    return Math.min(this.bytesAll, Math.max(sent, this.appliedBytes))
  }

  private sample(nowMs: number): void {
    const last = this.samples.at(-1)
    if (last !== undefined && nowMs - last.atMs < sampleMs) return
    this.samples.push({ atMs: nowMs, done: this.done, bytes: this.bytes })
    if (this.samples.length > (2 * windowMs) / sampleMs) this.samples.shift()
  }
}

/** Whole seconds: digits that flicker tell nothing. */
function whole(durationMs: number): number {
  return Math.max(1, Math.round(durationMs / 1_000)) * 1_000
}

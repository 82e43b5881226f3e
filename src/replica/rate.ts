import type { Clock } from '../host/clock.js'

/** Between two looks at the rate while waiting: it may have been changed. */
const lookMs = 200
/** What may pass at once after a time of rest. */
const burstMs = 100

/** Bytes a second that all links of one peer share, in both directions; undefined for as many as will go. Changed at any time. */
export class Rate {
  /** Bytes that passed before their time. */
  private debt = 0
  private reckonedMs: number

  constructor(
    private readonly clock: Clock,
    private bytesPerSecond: number | undefined,
  ) {
    this.reckonedMs = clock.now()
  }

  set(bytesPerSecond: number | undefined): void {
    this.reckon()
    this.bytesPerSecond = bytesPerSecond
    if (bytesPerSecond === undefined) this.debt = 0
  }

  /** Counts bytes that have passed. */
  note(bytes: number): void {
    this.reckon()
    if (this.bytesPerSecond !== undefined) this.debt += bytes
  }

  get isBehind(): boolean {
    this.reckon()
    return this.debt > 0
  }

  /** Resolves when more may pass; at once when nothing is owed. @throws signal.reason */
  async ready(signal: AbortSignal): Promise<void> {
    while (this.isBehind && this.bytesPerSecond !== undefined)
      await this.clock.sleep(Math.max(1, Math.min(lookMs, (this.debt * 1_000) / this.bytesPerSecond)), signal)
  }

  private reckon(): void {
    const nowMs = this.clock.now()
    const { bytesPerSecond } = this
    if (bytesPerSecond !== undefined) {
      const least = (-bytesPerSecond * burstMs) / 1_000
      this.debt = Math.max(least, this.debt - ((nowMs - this.reckonedMs) * bytesPerSecond) / 1_000)
    }
    this.reckonedMs = nowMs
  }
}

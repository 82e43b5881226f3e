import { Failure } from '../core/failure.js'
import type { Clock, Instant } from '../host/clock.js'
import { LinkFailure } from '../host/sockets.js'
import type { AcceptedPath } from './accept.js'
import { haltText } from './advice.js'
import type { OpenItem } from './opens.js'

/**
 *     watching      in sync, but for what is counted; changes are awaited
 *     scanning      the roots are being looked at
 *     syncing       changes travel
 *     paused        somebody asked for it; changes are noted and wait
 *     halted        a root or the archive cannot be used
 *     disconnected  the peer cannot be reached
 */
export type StateWord = 'watching' | 'scanning' | 'syncing' | 'paused' | 'halted' | 'disconnected'

/** What a pair tells of itself. */
export interface PairState {
  readonly word: StateWord
  /** For halted and disconnected: a stable code, and what happened, in words. */
  readonly code: string
  readonly why: string
  readonly conflicts: number
  /** Paths that cannot be told, failed, or wait for somebody to look. */
  readonly problems: number
  /** Since both roots were last looked at as a whole on this agent's account; undefined: not yet. */
  readonly scanAgeMs: number | undefined
  /** Since the archive was last checked against both roots; undefined: not yet. What these checks found is repaired. */
  readonly auditAgeMs: number | undefined
  readonly auditDifferences: number
}

/** One life of a pair, as it is asked from outside. */
export interface Steered {
  /** It knows both roots. */
  readonly isCurrent: boolean
  /** When it came to know both, and when both were last looked at as a whole since. */
  readonly currentAt: Instant | undefined
  readonly lookedAt: Instant | undefined
  /** When the archive was last checked, and how much these checks have found. */
  readonly auditedAt: Instant | undefined
  readonly auditDifferences: number
  /** A whole root is being looked at. */
  readonly isLooking: boolean
  /** A cycle is in progress, or something waits for one. */
  readonly isBusy: boolean
  opened(): readonly OpenItem[]
  /** A paused pair finishes the cycle in progress and begins no other. */
  pause(on: boolean): void
  /** The next cycle removes what is held now, and nothing that comes later. */
  letGo(): void
  /** Looks at both roots as a whole; what is found is in the hands of the next cycle when it resolves. */
  rescan(): Promise<void>
  /** See accept.ts; its id. @throws NotReady, and Failure when this life ends */
  accept(accepted: AcceptedPath): Promise<string>
  /** Everything written before the call has been tried once; the paths that stayed open. @throws Failure when this life ends */
  flush(): Promise<readonly OpenItem[]>
}

/** The pair cannot do what was asked for now. */
export class NotReady extends Failure {
  override readonly name = 'NotReady'
  constructor(
    readonly code: 'refused' | 'no-boundary' | 'paused' | 'halted' | 'disconnected' | 'stopping' | 'timed-out',
    detail: string,
  ) {
    super(detail)
  }
}

/** What a pair is and was told from outside, over all its lives. Its loop keeps it up to date. */
export class Standing {
  private life: Steered | undefined
  private trouble: Failure | undefined
  /** How many paths were agreed on when it halted. */
  private agreed = 0
  private known: readonly OpenItem[] = []
  private paused = false
  private scannedAt: Instant | undefined
  private auditedAt: Instant | undefined
  private auditDifferences = 0
  private over = false
  private readonly waiting = new Set<() => void>()

  constructor(private readonly clock: Clock) {}

  /** What was open when the pair was last at work, before any life of it here. */
  remembers(open: readonly OpenItem[]): void {
    this.known = open
  }

  /** Both roots are open. What halted it is over only when a cycle came through. */
  opened(life: Steered): void {
    this.life = life
    if (this.trouble instanceof LinkFailure) this.trouble = undefined
    life.pause(this.paused)
    this.changed()
  }

  worked(): void {
    if (this.trouble === undefined) return
    this.trouble = undefined
    this.changed()
  }

  /** `agreed`: how many paths both roots held then, for a person to know what is at stake. */
  failed(trouble: Failure, agreed: number): void {
    this.remember()
    this.trouble = trouble
    this.agreed = agreed
    this.changed()
  }

  ended(): void {
    this.remember()
    this.over = true
    this.changed()
  }

  state(): PairState {
    const { trouble } = this
    const open = this.open()
    const scannedAt = this.lastScan()
    const auditedAt = this.life?.auditedAt ?? this.auditedAt
    const conflicts = open.filter(({ why }) => why === 'conflict').length
    const problems = open.filter(({ why }) => why !== 'conflict' && why !== 'superseded').length
    return {
      word: this.word(open.some(({ why }) => why === 'superseded')),
      code: trouble?.code ?? '',
      why:
        trouble === undefined ? '' : trouble instanceof LinkFailure ? trouble.message : haltText(trouble, this.agreed),
      conflicts,
      problems,
      scanAgeMs: scannedAt === undefined ? undefined : this.clock.now() - scannedAt,
      auditAgeMs: auditedAt === undefined ? undefined : this.clock.now() - auditedAt,
      auditDifferences: this.auditDifferences + (this.life?.auditDifferences ?? 0),
    }
  }

  /** What is open now, or was when the pair was last at work. */
  open(): readonly OpenItem[] {
    return this.life?.opened() ?? this.known
  }

  pause(on: boolean): void {
    this.paused = on
    this.life?.pause(on)
    this.changed()
  }

  /** Resolves when it is not paused, or the signal aborts. Until then the pair may be left closed. */
  async resumed(signal: AbortSignal): Promise<void> {
    if (this.paused) this.remember()
    while (this.paused && !signal.aborted) await this.nextChange(signal)
  }

  /** What is held now may be removed. @throws NotReady when the roots are not open */
  letGo(): void {
    const { life } = this
    if (life === undefined) throw this.notReady('its roots are not open yet')
    life.letGo()
  }

  /** Roots that are only just being opened are waited for. @throws NotReady when it cannot be looked at now */
  async rescan(signal: AbortSignal): Promise<void> {
    while (this.life === undefined && this.trouble === undefined && !this.paused && !this.over && !signal.aborted)
      await this.nextChange(signal)
    const { life } = this
    if (life === undefined) throw this.notReady('its roots are not open')
    await life.rescan()
  }

  /** @throws NotReady when it cannot be, or cannot be now */
  async accept(accepted: AcceptedPath): Promise<string> {
    const { life } = this
    if (life === undefined) throw this.notReady('its roots are not open yet')
    return await life.accept(accepted)
  }

  /**
   * The barrier: see Steered. A link that is away is waited for as long as `signal` lets; what a person has to mend is not.
   * @throws NotReady
   */
  async flush(signal: AbortSignal): Promise<readonly OpenItem[]> {
    for (;;) {
      if (signal.aborted) throw this.notReady('it was not flushed in time')
      if (this.over) throw new NotReady('stopping', 'the agent is being stopped')
      if (this.paused) throw new NotReady('paused', 'the pair is paused: tandem resume lets it go on')
      if (this.trouble !== undefined && !(this.trouble instanceof LinkFailure)) throw this.notReady('')
      const { life } = this
      if (life === undefined) {
        await this.nextChange(signal)
        continue
      }
      try {
        const open = await Promise.race([life.flush(), this.unusable(life, signal)])
        if (open !== undefined) return open
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        // This life of the pair is over, and says so in a moment.
        if (this.life === life) await this.nextChange(signal)
      }
    }
  }

  private remember(): void {
    this.known = this.open()
    this.scannedAt = this.lastScan()
    this.auditedAt = this.life?.auditedAt ?? this.auditedAt
    this.auditDifferences += this.life?.auditDifferences ?? 0
    this.life = undefined
  }

  /** A later life is told what changed since the one before, and need not look at everything. */
  private lastScan(): Instant | undefined {
    return this.life?.lookedAt ?? this.scannedAt ?? this.life?.currentAt
  }

  private word(pending: boolean): StateWord {
    if (this.trouble !== undefined) return this.trouble instanceof LinkFailure ? 'disconnected' : 'halted'
    if (this.paused) return 'paused'
    const { life } = this
    if (life === undefined || !life.isCurrent) return 'scanning'
    if (life.isBusy || pending) return 'syncing'
    return life.isLooking ? 'scanning' : 'watching'
  }

  private notReady(otherwise: string): NotReady {
    const { trouble } = this
    if (trouble === undefined) return new NotReady('timed-out', otherwise)
    return new NotReady(trouble instanceof LinkFailure ? 'disconnected' : 'halted', trouble.message)
  }

  /** Resolves when nothing more is to be expected of this life: it ended, was paused, or nobody waits any more. */
  private async unusable(life: Steered, signal: AbortSignal): Promise<undefined> {
    while (!signal.aborted && !this.over && !this.paused && this.life === life) await this.nextChange(signal)
    return undefined
  }

  private async nextChange(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    await new Promise<void>((resolve) => {
      const done = () => {
        this.waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.waiting.add(done)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  private changed(): void {
    for (const wake of [...this.waiting]) wake()
  }
}

/** Those who wait for a cycle that begins after they asked. */
export class AskedCycles {
  private asked: Asked[] = []
  private under: Asked[] = []

  get isEmpty(): boolean {
    return this.asked.length === 0
  }

  ask(): Promise<readonly OpenItem[]> {
    return new Promise((resolve, reject) => this.asked.push({ resolve, reject }))
  }

  /** A cycle begins: whoever asks from now on waits for the next. */
  begin(): void {
    this.under = this.asked
    this.asked = []
  }

  done(open: readonly OpenItem[]): void {
    for (const { resolve } of this.under.splice(0)) resolve(open)
  }

  end(): void {
    const failure = new NotReady('disconnected', 'this life of the pair is over')
    for (const { reject } of [...this.under.splice(0), ...this.asked.splice(0)]) reject(failure)
  }
}

interface Asked {
  resolve(open: readonly OpenItem[]): void
  reject(error: Failure): void
}

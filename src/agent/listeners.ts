import { isDeepStrictEqual } from 'node:util'
import { backoffMs } from '../engine/backoff.js'
import type { Host } from '../host/host.js'
import { type Endpoint, endpointText, LinkFailure, type Listener, type Place, placeText } from '../host/sockets.js'
import type { Emit } from '../status/event.js'

export interface ListenersOptions {
  readonly host: Pick<Host, 'clock' | 'random'>
  readonly emit: Emit
  /** @throws LinkFailure */
  open(place: Place): Promise<Listener>
}

/** A place where nobody can connect yet, and why; it is tried again. */
export interface NotListening {
  readonly address: string
  readonly code: string
  readonly detail: string
}

/** Where the agent waits for peers. One `begin` or any number of `follow`, one at a time; `close` may come at any time. */
export class Listeners {
  /** In the order of the configuration. */
  private all: readonly Listening[] = []
  private readonly ending = new AbortController()

  constructor(private readonly options: ListenersOptions) {}

  get addresses(): Endpoint[] {
    return this.all.flatMap(({ listener }) =>
      listener === undefined || listener.place.kind === 'socket' ? [] : [listener.place.endpoint],
    )
  }

  get troubles(): NotListening[] {
    return this.all.flatMap(({ wanted, trouble }) => (trouble === undefined ? [] : [told(wanted, trouble)]))
  }

  /** Whether somebody without a key can come. */
  get areOpenToAll(): boolean {
    return this.all.some(({ wanted }) => wanted.kind === 'ws')
  }

  /** Each place for itself: one that cannot be opened is told, and tried again. Resolves when each was tried once. */
  async begin(places: readonly Place[]): Promise<void> {
    this.all = places.map((place) => new Listening(place, this.options, this.ending.signal))
    const tried = this.all.map((one) => one.tried())
    for (const [at, one] of this.all.entries()) {
      await tried[at]
      one.keepTrying()
    }
  }

  /**
   * Goes over to other places. What can fail comes first, but for a port that only becomes free when a listener of ours is closed.
   * One that could not be opened so far and is still wanted goes on being tried.
   * @throws LinkFailure when a new place cannot be opened; then it is as before
   */
  async follow(places: readonly Place[]): Promise<void> {
    const stays = (one: Listening) => places.some((place) => isDeepStrictEqual(place, one.wanted))
    const staying = this.all.filter(stays)
    const leaving = this.all.filter((one) => !stays(one))
    const wanted = places.filter((place) => !staying.some((one) => isDeepStrictEqual(place, one.wanted)))
    const closed: Listening[] = []
    const fresh: Listening[] = []
    try {
      for (const place of wanted) {
        for (const one of leaving) {
          if (closed.includes(one) || !isSamePort(one, place)) continue
          await one.close()
          closed.push(one)
        }
        const one = new Listening(place, this.options, this.ending.signal)
        fresh.push(one)
        await one.open()
      }
    } catch (error) {
      for (const one of fresh) await one.close()
      const again = closed.map(({ wanted }) => new Listening(wanted, this.options, this.ending.signal))
      this.all = this.all.map((one) => again[closed.indexOf(one)] ?? one)
      for (const one of again) {
        await one.tried()
        one.keepTrying()
      }
      throw error
    }
    const all = [...staying, ...fresh]
    this.all = places.flatMap((place) => all.filter((one) => isDeepStrictEqual(place, one.wanted)))
    for (const one of leaving) if (!closed.includes(one)) await one.close()
    for (const one of fresh) one.tell()
  }

  async close(): Promise<void> {
    this.ending.abort(new Error('the agent ends'))
    await Promise.all(this.all.map((one) => one.close()))
  }
}

/** One place as it was asked for: a port of 0 becomes another. */
class Listening {
  listener: Listener | undefined
  trouble: LinkFailure | undefined
  private readonly stop = new AbortController()
  private trying: Promise<void> = Promise.resolve()

  constructor(
    readonly wanted: Place,
    private readonly options: ListenersOptions,
    private readonly ending: AbortSignal,
  ) {}

  /** @throws LinkFailure */
  async open(): Promise<void> {
    const listener = await this.options.open(this.wanted)
    // Nobody waits for it any more.
    if (this.isOver) return listener.close()
    this.listener = listener
    this.trouble = undefined
  }

  /** Opens it, or notes why not. */
  async tried(): Promise<void> {
    try {
      await this.open()
    } catch (error) {
      if (!(error instanceof LinkFailure)) throw error
      this.trouble = error
    }
  }

  /** After it was tried once: tells how that went, and goes on until it is open. */
  keepTrying(): void {
    this.tell()
    this.trying = this.again()
  }

  /** Says where it listens, or why not. */
  tell(): void {
    if (this.isOver) return
    const { listener, trouble, wanted } = this
    if (trouble !== undefined) this.options.emit({ event: 'listening-failed', ...told(wanted, trouble) })
    else if (listener !== undefined) this.options.emit({ event: 'listening', address: addressText(listener.place) })
  }

  async close(): Promise<void> {
    this.stop.abort(new Error('not wanted any more'))
    await this.trying
    await this.listener?.close()
    this.listener = undefined
    this.trouble = undefined
  }

  private get isOver(): boolean {
    return this.stop.signal.aborted || this.ending.aborted
  }

  private async again(): Promise<void> {
    const { clock, random } = this.options.host
    const over = AbortSignal.any([this.stop.signal, this.ending])
    for (let attempt = 0; this.trouble !== undefined && !over.aborted; attempt++) {
      await clock.sleep(backoffMs(attempt, firstRetryMs, mostRetryMs, random), over).catch(() => undefined)
      if (over.aborted) return
      const before = this.trouble
      await this.tried()
      if (this.trouble?.code !== before.code || this.trouble.message !== before.message) this.tell()
    }
  }
}

/** A name that is not known yet as the machine starts, or a port that another program gives back. */
const firstRetryMs = 500
const mostRetryMs = 15_000

function told(wanted: Place, { code, message }: LinkFailure): NotListening {
  return { address: addressText(wanted), code, detail: message }
}

/** The two cannot be open at once. */
function isSamePort({ wanted, listener }: Listening, place: Place): boolean {
  const one = listener?.place ?? wanted
  if (one.kind === 'socket' || place.kind === 'socket') return false
  return one.endpoint.port !== 0 && one.endpoint.port === place.endpoint.port
}

function addressText(place: Place): string {
  return place.kind === 'wss' ? endpointText(place.endpoint) : `${place.kind}://${placeText(place)}`
}

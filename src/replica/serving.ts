import { Failure } from '../core/failure.js'
import type { Operation } from '../core/operation.js'
import { parentOf, type RelPath, rootPath } from '../core/path.js'
import type { Clock } from '../host/clock.js'
import { LinkFailure, type Socket, sameUser } from '../host/sockets.js'
import type { Emit } from '../status/event.js'
import type { AuditedPath } from '../wire/audit.js'
import { encode, type Message, type RootState } from '../wire/message.js'
import { patternsMax } from '../wire/open.js'
import * as wire from '../wire/split.js'
import type { Self } from './greeting.js'
import {
  itemCostBytes,
  itemsMax,
  Link,
  type LinkEnd,
  linkWindowBytes,
  pastCostMax,
  requestCostMax,
  requestsMax,
  streamWindowBytes,
} from './link.js'
import { peerPair } from './peer-pair.js'
import { withoutRights } from './peer-rights.js'
import type { Rate } from './rate.js'
import {
  type OpenRequest,
  type PastOutcome,
  type Replica,
  ReplicaFailure,
  resumableMax,
  type View,
  type Want,
} from './replica.js'
import { Window } from './window.js'

export interface ServingOptions {
  readonly clock: Clock
  readonly self: Self
  /**
   * The root of that name for that identity and its pair: a replica of its own, closed when the link ends. Or why not: 'unknown-root'
   * (also when it is not for this identity), 'denied', 'root-busy', 'root-in-doubt'.
   */
  rootFor(identity: string, name: string, pair: string): Promise<Replica | LinkFailure>
  /** What `rootFor` would answer, without opening anything. */
  describe(identity: string, name: string): Promise<RootDescription | LinkFailure>
  /** Uses the invitation of that identity up: the key, 64 hex digits, is a peer's from now on. */
  join(identity: string, key: string): Promise<Joined | LinkFailure>
  /** What of a link is slowed down, if anything. */
  readonly rate?: Rate | undefined
  readonly emit: Emit
  /** Ends the link; what is in hand is finished. */
  readonly stop: AbortSignal
}

/**
 * Serves one root to the lead at the far end of an accepted socket, until the link ends and all work in hand is finished.
 * Nothing that the far end does makes it reject: only a bug of ours does.
 */
export function serve(socket: Socket, options: ServingOptions): Promise<void> {
  return new Serving(socket, options).run()
}

/** Tells who has come why it is not served, and nothing else. */
export function turnAway(socket: Socket, { code, message }: LinkFailure): void {
  socket.start({ frame() {}, drained() {}, closed() {} })
  socket.send(encode({ kind: 'refuse', code, detail: message }))
  socket.close(code)
}

class Serving implements LinkEnd {
  private readonly link: Link
  private readonly over: Promise<LinkFailure>
  private resolveOver: (failure: LinkFailure) => void = () => {}
  private bug: { readonly error: unknown } | undefined

  private replica: Replica | undefined
  private opened = false
  /** The pair as its lead calls it. */
  private pair = ''
  private patternBytes = 0
  /** The lead closed in order. */
  private isDone = false
  /** It asked something that needs no root, and was told. */
  private isTold = false
  private asked = false
  private refused: { readonly code: string; readonly detail: string } | undefined
  private closing: Promise<void> | undefined
  private readonly tasks = new Map<number, Promise<void>>()
  private readonly cancels = new Map<number, AbortController>()
  /** What of each stream is on its way to the lead: with an entry as long as credit is outstanding. */
  private readonly streams = new Map<number, Stream>()
  private readonly packs = new Window(linkWindowBytes)
  private readonly pump = new Pump()

  private readonly load = new Load()
  private readonly paths = new Gathering<RelPath>(this.load)
  private readonly audited = new Gathering<AuditedPath>(this.load)
  private readonly wants = new Gathering<Want>(this.load)
  private readonly operations = new Gathering<Operation>(this.load)
  private readonly batches = new Gathering<number>(this.load)
  private readonly patterns = new Gathering<View>(this.load)
  /** One listing, reading or audit at a time: its answer is held whole. */
  private reading: Promise<unknown> = Promise.resolve()

  private readonly staging = new Map<number, Promise<void>>()
  private readonly unstaged = new Map<number, unknown>()
  private stagingBytes = 0

  constructor(
    socket: Socket,
    private readonly options: ServingOptions,
  ) {
    this.link = new Link(socket, options.clock, options.self, 'peer', this, options.rate)
    this.over = new Promise((resolve) => {
      this.resolveOver = resolve
    })
  }

  async run(): Promise<void> {
    const { stop } = this.options
    const halt = () => this.link.close('stopping')
    stop.addEventListener('abort', halt, { once: true })
    this.link.start()
    if (stop.aborted) halt()
    const failure = await this.over
    stop.removeEventListener('abort', halt)
    for (const cancel of this.cancels.values()) cancel.abort()
    await Promise.all([...this.tasks.values(), ...this.staging.values()])
    await this.closeReplica()
    this.emitEnd(failure)
    if (this.bug !== undefined) throw this.bug.error
  }

  closed(failure: LinkFailure): void {
    this.packs.close(failure)
    for (const { window } of this.streams.values()) window.close(failure)
    this.resolveOver(failure)
  }

  message(message: Message, sizeBytes: number): void {
    if (message.kind === 'open') this.takeOpen(message, sizeBytes)
    else if (message.kind === 'inquire') this.task(message.id, () => this.describe(message.id, message.root))
    else if (message.kind === 'join') this.task(message.id, () => this.join(message.id, message.key))
    else if (message.kind === 'close') this.task(message.id, () => this.finish(message.id))
    else if (this.replica !== undefined && this.opened) this.dispatch(this.replica, message, sizeBytes)
    else throw new LinkFailure('protocol', `${message.kind} before a root is open`)
  }

  private dispatch(replica: Replica, message: Message, sizeBytes: number): void {
    switch (message.kind) {
      case 'list':
      case 'identify':
        this.paths.add(message, sizeBytes, message.paths, (paths) => {
          if (new Set(paths).size < paths.length || (message.kind === 'list' && !areApart(paths)))
            throw new LinkFailure('protocol', 'a path asked for twice')
          this.task(message.id, () => this.tell(replica, message, paths))
        })
        break
      case 'rescan':
        this.paths.add(message, sizeBytes, message.paths, (scopes) =>
          this.task(message.id, () => this.rescan(replica, message.id, scopes)),
        )
        break
      case 'accept':
        this.task(message.id, () => this.accept(replica, message))
        break
      case 'flush':
        this.task(message.id, () => this.flush(replica, message.id))
        break
      case 'sync':
        this.paths.add(message, sizeBytes, message.paths, (paths) => this.simple(message.id, () => replica.sync(paths)))
        break
      case 'sync-all':
        this.simple(message.id, () => replica.sync('all'))
        break
      case 'audit':
        this.audited.add(message, sizeBytes, message.paths, (paths) => {
          const asked = paths.flatMap(({ path, isLeftOut }) => (isLeftOut ? [] : [path]))
          if (new Set(asked).size < asked.length || !areApart(asked))
            throw new LinkFailure('protocol', 'a path audited twice')
          this.task(message.id, () => this.audit(replica, message, paths))
        })
        break
      case 'doubt':
        this.paths.add(message, sizeBytes, message.paths, (paths) =>
          this.simple(message.id, () => replica.doubt(paths)),
        )
        break
      case 'acknowledge':
        this.batches.add(message, sizeBytes, message.batches, (batches) =>
          this.simple(message.id, () => replica.acknowledge(batches)),
        )
        break
      case 'removing':
        this.task(message.id, () => this.removing(replica, message))
        break
      case 'set-generation':
        if (message.pair !== this.pair) throw new LinkFailure('protocol', 'a generation of another pair')
        this.simple(message.id, () => replica.setGeneration(this.pairHere(), message.generation))
        break
      case 'supply':
        this.wants.add(message, sizeBytes, message.wants, (wants) =>
          this.stream(message.id, true, (stream) => this.supply(replica, message.id, wants, stream)),
        )
        break
      case 'changes':
        if (this.pump.isFollowed) throw new LinkFailure('protocol', 'the changes twice')
        this.pump.isFollowed = true
        this.stream(message.id, false, (stream) => this.push(replica, message.id, stream))
        break
      case 'cancel':
        // It may have ended by itself meanwhile.
        this.cancels.get(message.id)?.abort()
        break
      case 'credit':
        this.credit(message.id, message.bytes)
        break
      case 'resume':
        if (message.files.length > resumableMax)
          throw new LinkFailure('protocol', `more than ${resumableMax} files to go on with`)
        this.task(message.id, () => this.resume(replica, message))
        break
      case 'stage':
        this.stage(replica, message, sizeBytes)
        break
      case 'apply':
        this.operations.add(message, sizeBytes, message.operations.map(withoutRights), (operations) =>
          this.task(message.id, () => this.apply(replica, message, operations)),
        )
        break
      default:
        throw new LinkFailure('protocol', `${message.kind} where it has no place`)
    }
  }

  private takeOpen(message: Message & { readonly kind: 'open' }, sizeBytes: number): void {
    if (this.asked) throw new LinkFailure('protocol', 'a second open')
    this.patternBytes += sizeBytes
    if (this.patternBytes > viewBytesMax)
      throw new LinkFailure('protocol', `more than ${viewBytesMax} bytes of patterns`)
    this.patterns.add(message, sizeBytes, [message.request.view], (views) => {
      this.asked = true
      this.pair = message.request.pair
      const view: View = {
        ignore: views.flatMap(({ ignore }) => ignore),
        ignorenot: views.flatMap(({ ignorenot }) => ignorenot),
        paths: views.flatMap(({ paths }) => paths),
      }
      if (Math.max(view.ignore.length, view.ignorenot.length, view.paths.length) > patternsMax)
        throw new LinkFailure('protocol', `more than ${patternsMax} patterns`)
      this.task(message.id, () => this.open(message.id, message.root, { ...message.request, view }))
    })
  }

  private async open(id: number, name: string, request: OpenRequest): Promise<void> {
    const { identity, remote } = this.link
    const root = await this.options.rootFor(identity, name, request.pair)
    if (root instanceof LinkFailure) {
      this.refuse(id, root)
      return
    }
    this.replica = root
    if (this.link.failure !== undefined) return
    const says = (await this.link.greeted).features.includes('why') ? {} : { isSilent: true }
    const { unacknowledged, ...opened } = await root.open({ ...request, pair: this.pairHere(), ...says })
    this.opened = true
    this.options.emit({ event: 'peer-accepted', peer: identity, remote, root: name })
    const told = lastOf(unacknowledged)
    if (told.length > 0)
      for (const outcomes of wire.split(told, pastBytes)) await this.link.bulk({ kind: 'past', id, outcomes })
    this.link.send({ kind: 'opened', id, opened })
  }

  private async describe(id: number, name: string): Promise<void> {
    const described = await this.options.describe(this.link.identity, name)
    if (described instanceof LinkFailure) return this.refuse(id, described)
    this.isTold = true
    const knowsFiles = (await this.link.greeted).features.includes('file')
    const state = described.state === 'file' && !knowsFiles ? 'not-directory' : described.state
    this.link.send({ kind: 'described', id, ...described, state })
  }

  private async join(id: number, key: string): Promise<void> {
    if (this.asked) throw new LinkFailure('protocol', 'join after open')
    const joined = await this.options.join(this.link.identity, key)
    if (joined instanceof LinkFailure) return this.refuse(id, joined)
    this.isTold = true
    this.link.send({ kind: 'joined', id, ...joined })
  }

  /** The far end has its answer; the link has no other use. */
  private refuse(id: number, failure: LinkFailure): void {
    this.fail(id, failure)
    this.link.fail(failure.code, failure.message)
  }

  private async finish(id: number): Promise<void> {
    for (const cancel of this.cancels.values()) cancel.abort()
    await this.closeReplica()
    this.isDone = true
    this.link.send({ kind: 'done', id })
  }

  private async closeReplica(): Promise<void> {
    this.closing ??= this.replica?.close()
    await this.closing
  }

  private pairHere(): string {
    return peerPair(this.link.identity, this.pair)
  }

  private async tell(
    replica: Replica,
    { id, kind }: Message & { readonly kind: 'list' | 'identify' | 'rescan' | 'sync' | 'doubt' },
    paths: readonly RelPath[],
  ): Promise<void> {
    await this.inTurn(async () => {
      await this.report(id, await (kind === 'list' ? replica.list(paths) : replica.identify(paths)))
    })
  }

  private async inTurn(read: () => Promise<void>): Promise<void> {
    const before = this.reading
    const told = (async () => {
      await before.catch(() => undefined)
      await read()
    })()
    this.reading = told
    await told
  }

  private async report(id: number, reports: Parameters<typeof wire.splitReports>[0]): Promise<void> {
    const groups = [...wire.splitReports(reports)]
    for (const [at, group] of groups.entries())
      await this.link.bulk({ kind: 'reports', id, last: at === groups.length - 1, reports: group })
  }

  private async audit(
    replica: Replica,
    { id, members, perms, times }: Message & { readonly kind: 'audit' },
    paths: readonly AuditedPath[],
  ): Promise<void> {
    const asked = paths.flatMap(({ path, isLeftOut }) => (isLeftOut ? [] : [path]))
    const except = paths.flatMap(({ path, isLeftOut }) => (isLeftOut ? [path] : []))
    await this.inTurn(async () => {
      const rows = await replica.audit({ paths: asked, members, perms, times, except })
      const groups = [...wire.split(rows, wire.auditRowBytes)]
      for (const [at, group] of groups.entries())
        await this.link.bulk({ kind: 'audited', id, last: at === groups.length - 1, rows: group })
    })
  }

  private async rescan(replica: Replica, id: number, scopes: readonly RelPath[]): Promise<void> {
    await replica.rescan(scopes)
    await this.pushed()
    this.link.send({ kind: 'done', id })
  }

  private async accept(
    replica: Replica,
    { id, path, pairs, confirmed, asksOnly }: Message & { readonly kind: 'accept' },
  ): Promise<void> {
    const here = pairs.map((pair) => peerPair(this.link.identity, pair))
    const answer = await replica.accept({ path, pairs: here, confirmed, asksOnly })
    await this.pushed()
    this.link.send({
      kind: 'accepted',
      id,
      answer: answer.kind,
      detail: answer.kind === 'refused' ? answer.detail : '',
    })
  }

  private async flush(replica: Replica, id: number): Promise<void> {
    const restless = (await replica.flush()).slice(0, itemsMax)
    await this.pushed()
    const groups = [...wire.split(restless, wire.textBytes)]
    for (const [at, paths] of groups.entries())
      await this.link.bulk({ kind: 'flushed', id, last: at === groups.length - 1, paths })
  }

  /** What was found is among the changes by now, perhaps some promises away; the answer goes after them. */
  private async pushed(): Promise<void> {
    for (;;) {
      await this.options.clock.sleep(0)
      if (!this.pump.isBusy) break
      await this.pump.idle()
    }
  }

  private async supply(replica: Replica, id: number, wants: readonly Want[], stream: Stream): Promise<void> {
    for await (const pack of replica.supply(wants, stream.signal)) {
      if (stream.signal.aborted) break
      for (const { bytes, finished } of wire.splitPack(pack))
        await this.link.bulk({ kind: 'pack', id, finished, bytes }, stream.window, this.packs)
    }
    this.link.send({ kind: 'done', id })
  }

  private async push(replica: Replica, id: number, stream: Stream): Promise<void> {
    try {
      for await (const { reports, sequence, current } of this.pump.watched(replica.changes(stream.signal))) {
        const groups = [...wire.splitReports(reports)]
        for (const [at, group] of groups.entries()) {
          const last = at === groups.length - 1
          await this.link.bulk({ kind: 'changed', id, last, sequence, current, reports: group }, stream.window)
        }
      }
    } finally {
      this.pump.isFollowed = false
    }
    this.link.send({ kind: 'done', id })
  }

  /** Handed on at once: before the packs of the batch, which come after it. */
  private async resume(replica: Replica, { id, batch, files }: Message & { readonly kind: 'resume' }): Promise<void> {
    const { parts, others } = await replica.resume(batch, files)
    this.link.send({ kind: 'resumed', id, others, parts })
  }

  /** Packs of a batch are handed on one after the other; credit is given as the replica has room for the next. */
  private stage(replica: Replica, message: Message & { readonly kind: 'stage' }, sizeBytes: number): void {
    const { batch, props, bytes } = message
    this.stagingBytes += sizeBytes
    if (this.stagingBytes > linkWindowBytes) throw new LinkFailure('protocol', 'more to stage than there is room for')
    const before = this.staging.get(batch) ?? Promise.resolve()
    const staged = before
      .then(async () => {
        if (!this.unstaged.has(batch)) await replica.stage(batch, { bytes, props })
      })
      .catch((error: unknown) => this.noteUnstaged(batch, error))
      .then(() => {
        this.stagingBytes -= sizeBytes
        this.link.send({ kind: 'credit', id: 0, bytes: sizeBytes })
        if (this.staging.get(batch) === staged) this.staging.delete(batch)
      })
    this.staging.set(batch, staged)
  }

  private noteUnstaged(batch: number, error: unknown): void {
    if (!(error instanceof Failure)) this.stumble(error)
    this.unstaged.set(batch, error)
    const [oldest] = this.unstaged.keys()
    if (this.unstaged.size > unstagedMax && oldest !== undefined) this.unstaged.delete(oldest)
  }

  private async apply(
    replica: Replica,
    { id, batch, supplier }: Message & { readonly kind: 'apply' },
    operations: readonly Operation[],
  ): Promise<void> {
    await this.staging.get(batch)
    if (this.unstaged.has(batch)) {
      const error = this.unstaged.get(batch)
      this.unstaged.delete(batch)
      throw error
    }
    const outcomes = await replica.apply(batch, operations, supplier)
    const groups = [...wire.split(outcomes, wire.outcomeBytes)]
    for (const [at, group] of groups.entries())
      await this.link.bulk({ kind: 'outcomes', id, last: at === groups.length - 1, outcomes: group })
  }

  private credit(id: number, bytes: number): void {
    const stream = this.streams.get(id)
    if (stream?.window.give(bytes) !== true) throw new LinkFailure('protocol', 'credit for nothing')
    if (stream.isPacks) this.packs.give(bytes)
    if (stream.isOver && stream.window.taken === 0) this.streams.delete(id)
  }

  /** Who leads may not confirm what another user's machine holds. */
  private async removing(
    replica: Replica,
    { id, count, confirmed }: Message & { readonly kind: 'removing' },
  ): Promise<void> {
    const held = await replica.removing(count, confirmed && this.link.identity === sameUser)
    this.link.send(held === undefined ? { kind: 'done', id } : { kind: 'held', id, detail: held.detail })
  }

  private simple(id: number, run: () => Promise<void>): void {
    this.task(id, async () => {
      await run()
      this.link.send({ kind: 'done', id })
    })
  }

  private stream(id: number, isPacks: boolean, run: (stream: Stream) => Promise<void>): void {
    if (this.streams.has(id)) throw new LinkFailure('protocol', 'an id that is in use')
    const cancel = new AbortController()
    const stream: Stream = {
      window: new Window(streamWindowBytes),
      isPacks,
      isOver: false,
      signal: cancel.signal,
    }
    this.task(id, async () => {
      this.streams.set(id, stream)
      this.cancels.set(id, cancel)
      try {
        await run(stream)
      } finally {
        this.cancels.delete(id)
        stream.isOver = true
        if (stream.window.taken === 0) this.streams.delete(id)
      }
    })
  }

  /** A request under way. Its failure is its answer. */
  private task(id: number, run: () => Promise<void>): void {
    if (id === 0 || this.tasks.has(id)) throw new LinkFailure('protocol', 'an id that is in use')
    if (this.tasks.size > requestsMax) throw new LinkFailure('protocol', `more than ${requestsMax} requests at once`)
    const task = run()
      .catch((error: unknown) => {
        if (error instanceof Failure) this.fail(id, error)
        else this.stumble(error)
      })
      .finally(() => {
        this.tasks.delete(id)
        this.load.end(id)
      })
    this.tasks.set(id, task)
  }

  private fail(id: number, error: Failure): void {
    if (error === this.link.failure) return
    const failure = error instanceof ReplicaFailure ? 'replica' : error instanceof LinkFailure ? 'link' : 'other'
    const { code, transient, message: detail } = error
    this.link.send({ kind: 'failed', id, failure, code: code.slice(0, 64), transient, detail })
    if (!this.opened) this.refused ??= { code, detail }
  }

  /** A bug: the link goes at once, the error comes out of `serve`. */
  private stumble(error: unknown): void {
    this.bug ??= { error }
    this.link.close('internal-error')
  }

  private emitEnd(failure: LinkFailure): void {
    const { emit } = this.options
    const { identity, remote } = this.link
    const code = this.isDone ? 'closed' : failure.code
    if (this.opened) emit({ event: 'peer-left', peer: identity, remote, code })
    else if (!this.isTold || this.refused !== undefined) {
      const { code, detail } = this.refused ?? { code: failure.code, detail: failure.message }
      emit({ event: 'peer-refused', remote, code, detail })
    }
  }
}

/** As many as the lead takes, the last ones: these its archive has least of all. The others it is told the next time. */
function lastOf(all: readonly PastOutcome[]): readonly PastOutcome[] {
  let cost = 0
  const first = all.findLastIndex((past) => {
    cost += pastBytes(past) + itemCostBytes
    return cost > pastCostMax
  })
  return all.slice(first + 1)
}

/** Never less than the encoding takes. */
function pastBytes({ outcome }: PastOutcome): number {
  return 140 + wire.outcomeBytes(outcome)
}

export interface RootDescription {
  readonly state: RootState
  readonly readOnly: boolean
}

export interface Joined {
  /** The name that the key has. */
  readonly peer: string
  readonly root: string
  readonly readOnly: boolean
}

interface Stream {
  readonly window: Window
  readonly isPacks: boolean
  isOver: boolean
  readonly signal: AbortSignal
}

/** Batches whose staging failed, until they are applied; older ones were given up by the lead. */
const unstagedMax = 1_024

/** Patterns of one view: far more than anybody writes, and little to hold. */
const viewBytesMax = 1 << 20

/** What the requests of the far end cost, from their first part to their answer. */
class Load {
  private total = 0
  private readonly costs = new Map<number, number>()

  /** @throws LinkFailure 'protocol' when it is too much; a far end that keeps the rules waits for room */
  add(id: number, cost: number): void {
    const isAlone = this.costs.size === 0 || (this.costs.size === 1 && this.costs.has(id))
    this.total += cost
    if (this.total > requestCostMax && !(isAlone && this.total <= 2 * requestCostMax))
      throw new LinkFailure('protocol', 'more asked for at once than there is room for')
    this.costs.set(id, (this.costs.get(id) ?? 0) + cost)
  }

  end(id: number): void {
    this.total -= this.costs.get(id) ?? 0
    this.costs.delete(id)
  }
}

/** Parts of long requests, until the last one is there. */
class Gathering<T> {
  private readonly parts = new Map<number, T[]>()

  constructor(private readonly load: Load) {}

  /** Calls `whole` with all items of the request once they are there. @throws LinkFailure 'protocol' when they are too many */
  add(
    { id, more }: { readonly id: number; readonly more: boolean },
    sizeBytes: number,
    items: readonly T[],
    whole: (items: readonly T[]) => void,
  ): void {
    this.load.add(id, sizeBytes + items.length * itemCostBytes)
    const all = this.parts.get(id) ?? []
    if (all.length + items.length > itemsMax || this.parts.size > requestsMax)
      throw new LinkFailure('protocol', `more than ${itemsMax} items in a request`)
    for (const item of items) all.push(item)
    if (more) {
      this.parts.set(id, all)
      return
    }
    this.parts.delete(id)
    whole(all)
  }
}

/** None is within another. */
function areApart(paths: readonly RelPath[]): boolean {
  const all = new Set(paths)
  return paths.every((path) => {
    for (let at = path; at !== rootPath; ) {
      at = parentOf(at)
      if (all.has(at)) return false
    }
    return true
  })
}

/** Tells when the changes that are known have all been sent. */
class Pump {
  isFollowed = false
  isBusy = false
  private wake: (() => void)[] = []

  async *watched<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      for await (const item of source) {
        this.isBusy = true
        yield item
        this.rest()
      }
    } finally {
      this.rest()
    }
  }

  async idle(): Promise<void> {
    if (this.isBusy) await new Promise<void>((resolve) => this.wake.push(resolve))
  }

  private rest(): void {
    this.isBusy = false
    for (const wake of this.wake.splice(0)) wake()
  }
}

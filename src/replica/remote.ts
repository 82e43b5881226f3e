import { assert } from '../core/assert.js'
import type { Operation, Outcome } from '../core/operation.js'
import { isWithin, parentOf, type RelPath } from '../core/path.js'
import type { Report } from '../core/report.js'
import type { Clock } from '../host/clock.js'
import { LinkFailure, placeText, type Socket, type Sockets, type Target } from '../host/sockets.js'
import type { Speaker } from '../wire/hello.js'
import type { Message, RootState } from '../wire/message.js'
import { besideOf } from '../wire/pack.js'
import * as wire from '../wire/split.js'
import { Answered, itemsOf, ListingParts } from './answered.js'
import { features, type Self } from './greeting.js'
import { Inbox } from './inbox.js'
import {
  beatMs,
  itemCostBytes,
  itemsMax,
  Link,
  type LinkEnd,
  linkCode,
  linkWindowBytes,
  pastCostMax,
  requestCostMax,
  requestsMax,
  streamWindowBytes,
} from './link.js'
import {
  type Acceptance,
  type AcceptRequest,
  type AuditRequest,
  type AuditRow,
  type Changes,
  type Delivery,
  type Opened,
  type OpenRequest,
  type Pack,
  type PastOutcome,
  type ReachedRoot,
  type RemovalsHeld,
  type ReplicaCode,
  ReplicaFailure,
  type Resumable,
  type Resumption,
  type Want,
} from './replica.js'
import { Window } from './window.js'

/**
 * A root that another agent serves. `name` is the one it is served under; to a far end that is the same user it may also be a path:
 * absolute, or '~/' and one relative to the home directory there.
 */
export type RemoteRoot = Target & { readonly name: string }

/**
 * Connects, and greets the agent there; `open` of the replica then asks for the root.
 * @throws LinkFailure; aborting `signal` ends the attempt
 */
export async function openRemote(host: Wired, root: RemoteRoot, self: Self, signal: AbortSignal): Promise<ReachedRoot> {
  return (await reach(host, root, self, signal)).remote
}

/** What `tandem check` tells of a root and of the agent that serves it. */
export interface Inquiry {
  readonly far: Speaker
  /** What both can do beyond the protocol, on this link. */
  readonly both: readonly string[]
  /** undefined: that agent cannot tell. */
  readonly root: { readonly state: RootState; readonly readOnly: boolean } | undefined
}

/** Connects, greets and asks for a root without opening it. @throws LinkFailure */
export async function inquire(host: Wired, root: RemoteRoot, self: Self, signal: AbortSignal): Promise<Inquiry> {
  const { remote, far, both } = await reach(host, root, self, signal)
  try {
    return { far, both, root: far.features.includes('inquire') ? await remote.inquire() : undefined }
  } finally {
    remote.abandon()
  }
}

/** Uses an invitation: `key`, 64 hex digits, is that of this pair of agents from now on. @throws LinkFailure */
export async function join(
  host: Wired,
  root: RemoteRoot,
  self: Self,
  key: string,
  signal: AbortSignal,
): Promise<{ readonly peer: string; readonly root: string; readonly readOnly: boolean }> {
  const { remote, far } = await reach(host, root, self, signal)
  try {
    if (!far.features.includes('join'))
      throw new LinkFailure('version', `${far.agent} ${far.version} there knows no invitations`)
    return await remote.join(key)
  } finally {
    remote.abandon()
  }
}

export interface Wired {
  readonly sockets: Sockets
  readonly clock: Clock
}

async function reach(
  host: Wired,
  root: RemoteRoot,
  self: Self,
  signal: AbortSignal,
): Promise<{ readonly remote: RemoteReplica; readonly far: Speaker; readonly both: readonly string[] }> {
  const socket = await host.sockets.connect(root, signal)
  const remote = new RemoteReplica(canonicalOf(root), root.name, socket, host.clock, self)
  const giveUp = () => remote.abandon()
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    if (signal.aborted) giveUp()
    const far = await remote.greeted()
    const own = [...features, ...(socket.compression?.formats ?? [])]
    return { remote, far, both: own.filter((feature) => far.features.includes(feature)) }
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** As it is typed, in full: 'wss://host:port/name', 'socket://{/path}/name', 'ssh://user@host:port/path', '//' before an absolute one. */
export function canonicalOf(root: RemoteRoot): string {
  return `${root.kind}://${placeText(root)}/${root.name.replace(/^~\//, '')}`
}

/** What waits for answers to one request. */
interface Call {
  readonly asked: Message['kind']
  /** What comes next costs the far end neither a scan nor a sync, and there is room for it here. */
  isDue(): boolean
  /** Heartbeats at which it was due, since anything came for it. */
  dueBeats: number
  /** @throws LinkFailure 'protocol' for an answer that is none */
  take(message: Message, sizeBytes: number): void
  fail(failure: Error): void
}

interface Arrived {
  readonly message: Message
  readonly sizeBytes: number
}

type Answer<T> = (message: Message, sizeBytes: number) => { readonly value: T } | undefined

/** What is answered without a scan, and without anything being sent or brought to disk before. */
const promptKinds: readonly Message['kind'][] = [
  'inquire',
  'join',
  'set-generation',
  'acknowledge',
  'doubt',
  'removing',
  'resume',
]
/**
 * How long a far end that lives may be silent about what is due: the workers there may all have long jobs in hand. It is counted in
 * heartbeats, so that no time counts in which this process did not run.
 */
const dueMs = 15 * 60_000
/** How long `close` waits for the far end to finish its work. */
const closeMs = 10_000
/** Changes that came in parts are handed on in parts when they cost more than this; a listing of one directory always whole. */
const changesCostMax = 16 << 20

class RemoteReplica implements ReachedRoot, LinkEnd {
  private readonly link: Link
  private readonly calls = new Map<number, Call>()
  private readonly slots = new Window(requestsMax)
  /** What the requests under way cost the far end. */
  private readonly asking = new Window(requestCostMax)
  /** Packs sent to be staged. */
  private readonly staged = new Window(linkWindowBytes)
  private readonly staging = new Map<number, Promise<void>>()
  /** What came of supplies and changes, and was not taken yet. */
  private heldBytes = 0
  private readonly followed = { taken: 0, waiting: () => 0 }
  /** The far end may have parts of files of this pair: none come while it is connected. */
  private hasParts = true
  private lastId = 0
  private isOpen = false
  /** The far end knows what the places of new files are. */
  private takesPlaces = false
  private closing: Promise<void> | undefined

  constructor(
    readonly canonical: string,
    private readonly name: string,
    socket: Socket,
    private readonly clock: Clock,
    self: Self,
  ) {
    this.link = new Link(socket, clock, self, 'lead', this)
    this.link.greeted.then(
      ({ features: known }) => {
        this.takesPlaces = known.includes('folders')
      },
      () => undefined,
    )
    this.link.start()
  }

  private async farCan(feature: string): Promise<boolean> {
    return (await this.link.greeted).features.includes(feature)
  }

  greeted(): Promise<Speaker> {
    return this.link.greeted
  }

  async inquire(): Promise<NonNullable<Inquiry['root']>> {
    return await this.request(
      (id) => [{ kind: 'inquire', id, root: this.name }],
      (message) => {
        if (message.kind !== 'described') throw misplaced(message)
        return { value: { state: message.state, readOnly: message.readOnly } }
      },
    )
  }

  async join(key: string): Promise<{ readonly peer: string; readonly root: string; readonly readOnly: boolean }> {
    return await this.request(
      (id) => [{ kind: 'join', id, key }],
      (message) => {
        if (message.kind !== 'joined') throw misplaced(message)
        return { value: { peer: message.peer, root: message.root, readOnly: message.readOnly } }
      },
    )
  }

  abandon(): void {
    this.link.close('given-up')
  }

  async look(): Promise<RootState> {
    return (await this.farCan('file')) ? (await this.inquire()).state : 'ready'
  }

  async open(request: OpenRequest): Promise<Opened> {
    if (request.file !== undefined && !(await this.farCan('file'))) {
      const { agent, version } = await this.link.greeted
      throw new LinkFailure('version', `${agent} ${version} there keeps no single files equal, only directories`)
    }
    const views = [...wire.splitView(request.view)]
    const unacknowledged: PastOutcome[] = []
    let pastCost = 0
    return await this.ask(
      {
        messages: (id) =>
          views.map((view, at) => {
            const more = at < views.length - 1
            return { kind: 'open', id, more, root: this.name, request: { ...request, view } }
          }),
        cost: 0,
      },
      (message, sizeBytes) => {
        if (message.kind === 'past') {
          pastCost += sizeBytes + message.outcomes.length * itemCostBytes
          if (pastCost > pastCostMax)
            throw new LinkFailure('protocol', 'more outcomes of the past than there is room for')
          for (const past of message.outcomes) unacknowledged.push(past)
        } else if (message.kind === 'opened') {
          this.isOpen = true
          return { value: { ...message.opened, unacknowledged } }
        } else throw misplaced(message)
        return undefined
      },
    )
  }

  async setGeneration(pair: string, generation: number): Promise<void> {
    await this.ask(
      single((id) => ({ kind: 'set-generation', id, pair, generation })),
      done,
    )
  }

  async list(scopes: readonly RelPath[]): Promise<readonly Report[]> {
    const isAsked = related(scopes)
    const answered = new Answered()
    const parts = new ListingParts()
    return await this.reports('list', scopes, (reports, sizeBytes) => {
      answered.add(itemsOf(reports), sizeBytes)
      for (const report of reports) {
        if (report.kind === 'moved' || !isAsked(report.path)) throw unasked()
        if (parts.begins(report)) answered.once(`${report.kind} ${report.path}`)
      }
    })
  }

  async identify(paths: readonly RelPath[]): Promise<readonly Report[]> {
    const open = new Set(paths)
    return await this.reports('identify', paths, (reports) => {
      for (const { kind, path } of reports) if (kind !== 'entry' || !open.delete(path)) throw unasked()
    })
  }

  async rescan(scopes: readonly RelPath[]): Promise<void> {
    await this.asked('rescan', scopes)
    await this.told()
  }

  async accept({ path, pairs, confirmed, asksOnly }: AcceptRequest): Promise<Acceptance> {
    // Who cannot be told cannot take it either: the path stays a problem there.
    if (!(await this.farCan('accept'))) return { kind: 'nothing' }
    const answer = await this.ask(
      single((id) => ({ kind: 'accept', id, path, pairs, confirmed, asksOnly })),
      (message) => {
        if (message.kind !== 'accepted') throw misplaced(message)
        const { answer: kind, detail } = message
        return { value: kind === 'refused' ? { kind, detail } : { kind } }
      },
    )
    await this.told()
    return answer
  }

  async flush(): Promise<readonly RelPath[]> {
    const restless: RelPath[] = []
    await this.ask(
      single((id) => ({ kind: 'flush', id })),
      (message) => {
        if (message.kind !== 'flushed') throw misplaced(message)
        for (const path of message.paths) restless.push(path)
        if (restless.length > itemsMax) throw new LinkFailure('protocol', `more than ${itemsMax} paths stay open`)
        return message.last ? { value: undefined } : undefined
      },
    )
    await this.told()
    return restless
  }

  /** What was found came before the answer. Whoever is reading the changes gets to it first. */
  private async told(): Promise<void> {
    const { followed } = this
    for (let taken = -1; taken !== followed.taken; ) {
      taken = followed.taken
      await this.clock.sleep(0)
      if (followed.waiting() === 0) return
    }
  }

  async sync(paths: readonly RelPath[] | 'all'): Promise<void> {
    if (paths === 'all')
      await this.ask(
        single((id) => ({ kind: 'sync-all', id })),
        done,
      )
    else await this.asked('sync', paths)
  }

  async audit({ paths, members, perms, times, except }: AuditRequest): Promise<readonly AuditRow[]> {
    const asked = new Set(paths)
    const items = [
      ...paths.map((path) => ({ path, isLeftOut: false })),
      ...except.map((path) => ({ path, isLeftOut: true })),
    ]
    assert(items.length <= itemsMax, `${items.length} paths in an audit`)
    const rows: AuditRow[] = []
    const answered = new Answered()
    return await this.ask(
      inParts(
        items,
        ({ path }) => 1 + wire.textBytes(path),
        (id, some, more) => ({ kind: 'audit', id, more, members, perms, times, paths: some }),
      ),
      (message, sizeBytes) => {
        if (message.kind !== 'audited') throw misplaced(message)
        answered.add(message.rows.length, sizeBytes)
        for (const row of message.rows) {
          if (!asked.has(row.directory) || (!members && row.name !== ''))
            throw new LinkFailure('protocol', 'an audit of what was not asked')
          answered.once(`${row.directory}/${row.name}`)
          rows.push(row)
        }
        return message.last ? { value: rows } : undefined
      },
    )
  }

  async doubt(paths: readonly RelPath[]): Promise<void> {
    await this.asked('doubt', paths)
  }

  async acknowledge(batches: readonly number[]): Promise<void> {
    for (const some of chunks(batches))
      await this.ask(
        inParts(
          some,
          () => 8,
          (id, batches, more) => ({ kind: 'acknowledge', id, more, batches }),
        ),
        done,
      )
  }

  async removing(count: number, confirmed: boolean): Promise<RemovalsHeld | undefined> {
    return await this.ask(
      single((id) => ({ kind: 'removing', id, count, confirmed })),
      (message) => {
        if (message.kind === 'held') return { value: { detail: message.detail } }
        if (message.kind !== 'done') throw misplaced(message)
        return { value: undefined }
      },
    )
  }

  async resume(batch: number, files: readonly Resumable[]): Promise<Resumption> {
    if (!(await this.farCan('resume'))) return { parts: [], others: false }
    const { hasParts } = this
    const asked = this.ask(
      single((id) => ({ kind: 'resume', id, batch, files })),
      (message) => {
        if (message.kind !== 'resumed') throw misplaced(message)
        const { parts, others } = message
        const open = new Map(files.map(({ want, sizeBytes }) => [want, sizeBytes]))
        for (const { want, prefixes } of parts) {
          const sizeBytes = open.get(want)
          if (sizeBytes === undefined || prefixes.some((prefix) => prefix.sizeBytes >= sizeBytes))
            throw new LinkFailure('protocol', 'a part of what was not asked')
          open.delete(want)
        }
        this.hasParts = others
        return { value: { parts, others } }
      },
    )
    if (hasParts) return await asked
    // Nothing is there that an answer could tell of: it is not waited for. What goes wrong with it the packs will meet.
    asked.catch(() => undefined)
    return { parts: [], others: false }
  }

  async stage(batch: number, delivery: Delivery): Promise<void> {
    const { bytes } = delivery
    const props = this.takesPlaces ? besideOf(delivery) : delivery.props
    const sent = this.link.bulk({ kind: 'stage', batch, props, bytes }, this.staged)
    const before = this.staging.get(batch)
    const all = before === undefined ? sent : Promise.all([before, sent]).then(() => undefined)
    this.staging.set(batch, all)
    const forget = () => {
      if (this.staging.get(batch) === all) this.staging.delete(batch)
    }
    all.then(forget, forget)
    await sent
  }

  async apply(batch: number, operations: readonly Operation[], supplier: string): Promise<readonly Outcome[]> {
    // Its packs go before it, and nothing can overtake them from here on.
    await this.staging.get(batch)
    assert(operations.length <= itemsMax, `${operations.length} operations in a batch`)
    const told = (await this.farCan('why')) ? operations : operations.map((one) => ({ ...one, why: undefined }))
    const outcomes: Outcome[] = []
    return await this.ask(
      inParts(told, wire.operationBytes, (id, items, more) => {
        return { kind: 'apply', id, more, batch, supplier, operations: items }
      }),
      (message) => {
        if (message.kind !== 'outcomes') throw misplaced(message)
        for (const outcome of message.outcomes) {
          if (outcome.path !== operations[outcomes.length]?.path)
            throw new LinkFailure('protocol', 'an outcome of something that was not asked')
          outcomes.push(outcome)
        }
        if (!message.last) return undefined
        if (outcomes.length < operations.length) throw new LinkFailure('protocol', 'operations without an outcome')
        return { value: outcomes }
      },
    )
  }

  async *supply(wants: readonly Want[], signal: AbortSignal): AsyncGenerator<Pack> {
    const isResumed = wants.some(({ prefixes }) => prefixes !== undefined) && (await this.farCan('resume'))
    for (const some of chunks(isResumed ? wants : wants.map(withoutPrefixes))) {
      const open = new Set(some.map(({ want }) => want))
      // Data, the frames and headers of many small items, and packs that ended early.
      let budget = some.reduce((bytes, { sizeBytes }) => bytes + sizeBytes * 2 + 4_096, 1 << 20)
      const request = inParts(some, wire.wantBytes, (id, items, more) => ({ kind: 'supply', id, more, wants: items }))
      for await (const { message, sizeBytes } of this.follow(request, 'pack', signal)) {
        if (message.kind !== 'pack') throw misplaced(message)
        budget -= sizeBytes
        const { bytes, finished } = message
        if (budget < 0 || finished.some(({ want }) => !open.delete(want))) {
          this.link.fail('protocol', 'a supply of what was not wanted')
          throw this.failure()
        }
        yield { bytes, finished }
      }
      if (signal.aborted) return
    }
  }

  async *changes(signal: AbortSignal): AsyncGenerator<Changes> {
    let reports: Report[] = []
    let cost = 0
    let sequence = 0
    let current = false
    let answered = new Answered()
    const parts = new ListingParts()
    for await (const { message, sizeBytes } of this.follow(
      single((id) => ({ kind: 'changes', id })),
      'changed',
      signal,
    )) {
      if (message.kind !== 'changed') throw misplaced(message)
      const items = itemsOf(message.reports)
      this.orFail(() => {
        answered.add(items, sizeBytes)
        for (const report of message.reports) parts.begins(report)
        if (message.last && parts.isOpen) throw new LinkFailure('protocol', 'a listing that is not finished')
      })
      for (const report of message.reports) reports.push(report)
      cost += sizeBytes + items * itemCostBytes
      if (message.last) {
        sequence = message.sequence
        current = message.current
      } else if (cost < changesCostMax || parts.isOpen) continue
      // A part brings the reader no further than what came before it.
      yield { reports: wire.joinReports(reports), sequence, current }
      reports = []
      cost = 0
      answered = new Answered()
    }
  }

  async close(): Promise<void> {
    this.closing ??= this.closeNow()
    await this.closing
  }

  message(message: Message, sizeBytes: number): void {
    if (!('id' in message)) throw misplaced(message)
    if (message.kind === 'credit') {
      if (message.id !== 0 || !this.staged.give(message.bytes)) throw new LinkFailure('protocol', 'credit for nothing')
      return
    }
    const call = this.calls.get(message.id)
    if (call === undefined) throw new LinkFailure('protocol', `${message.kind} for nobody`)
    call.dueBeats = 0
    if (message.kind === 'failed') {
      this.calls.delete(message.id)
      call.fail(this.failureOf(message))
      if (message.failure === 'link') this.link.close(message.code)
    } else call.take(message, sizeBytes)
  }

  beat(): void {
    for (const call of this.calls.values()) {
      if (!call.isDue()) continue
      call.dueBeats++
      if (call.dueBeats * beatMs < dueMs) continue
      this.link.fail('timed-out', `no answer to ${call.asked} in ${dueMs / 60_000} min`)
      return
    }
  }

  closed(failure: LinkFailure): void {
    this.slots.close(failure)
    this.asking.close(failure)
    this.staged.close(failure)
    const calls = [...this.calls.values()]
    this.calls.clear()
    for (const call of calls) call.fail(failure)
  }

  private async closeNow(): Promise<void> {
    if (this.link.failure !== undefined) return
    // Nothing is in hand there that would have to be finished.
    if (!this.isOpen) return this.abandon()
    const over = new AbortController()
    const answered = this.request((id) => [{ kind: 'close', id }], done)
    // However it ends, the link is closed after it.
    await Promise.race([answered, this.clock.sleep(closeMs, over.signal)]).catch(() => undefined)
    over.abort()
    this.link.close('done')
  }

  /** `check` throws a LinkFailure for what it does not let pass. */
  private async reports(
    kind: 'list' | 'identify',
    paths: readonly RelPath[],
    check: (reports: readonly Report[], sizeBytes: number) => void,
  ): Promise<readonly Report[]> {
    const reports: Report[] = []
    for (const some of chunks(paths))
      await this.ask(
        inParts(some, wire.textBytes, (id, items, more) => ({ kind, id, more, paths: items })),
        (message, sizeBytes) => {
          if (message.kind !== 'reports') throw misplaced(message)
          check(message.reports, sizeBytes)
          for (const report of message.reports) reports.push(report)
          return message.last ? { value: undefined } : undefined
        },
      )
    return wire.joinReports(reports)
  }

  private async asked(kind: 'rescan' | 'sync' | 'doubt', paths: readonly RelPath[]): Promise<void> {
    for (const some of chunks(paths))
      await this.ask(
        inParts(some, wire.textBytes, (id, items, more) => ({ kind, id, more, paths: items })),
        done,
      )
  }

  /** One request among at most requestsMax, and its answer. */
  private async ask<T>({ messages, cost }: Request, answer: Answer<T>): Promise<T> {
    await this.slots.take(1)
    try {
      await this.asking.take(cost)
      try {
        return await this.request(messages, answer)
      } finally {
        this.asking.give(cost)
      }
    } finally {
      this.slots.give(1)
    }
  }

  private async request<T>(messages: (id: number) => readonly Message[], answer: Answer<T>): Promise<T> {
    const id = this.nextId()
    const parts = messages(id)
    const asked = kindOf(parts)
    let isSent = false
    // Once it has begun to answer it has done the work.
    let isPrompt = promptKinds.includes(asked)
    const answered = new Promise<T>((resolve, reject) => {
      this.calls.set(id, {
        asked,
        isDue: () => isSent && isPrompt,
        dueBeats: 0,
        take: (message, sizeBytes) => {
          const end = answer(message, sizeBytes)
          isPrompt = true
          if (end === undefined) return
          this.calls.delete(id)
          resolve(end.value)
        },
        fail: reject,
      })
    })
    const sent = this.sendAll(parts).then(() => {
      isSent = true
    })
    const [result] = await Promise.all([answered, sent])
    return result
  }

  /** A request that fits one frame is small; what does not is bulk. */
  private async sendAll(messages: readonly Message[]): Promise<void> {
    const [only] = messages
    if (messages.length === 1 && only !== undefined) this.link.send(only)
    else for (const message of messages) await this.link.bulk(message)
    if (this.link.failure !== undefined) throw this.link.failure
  }

  /** Messages that come until the far end is done or `signal` aborts. Room is given back as they are taken. */
  private async *follow(
    { messages, cost }: Request,
    kind: 'pack' | 'changed',
    signal: AbortSignal,
  ): AsyncGenerator<Arrived> {
    if (signal.aborted) return
    await this.slots.take(1)
    await this.asking.take(cost)
    const id = this.nextId()
    const parts = messages(id)
    const inbox = new Inbox<Arrived>()
    let held = 0
    let isSent = false
    let isInParts = false
    let cancelled = false
    let over = false
    const finish = (failure?: Error) => {
      over = true
      this.asking.give(cost)
      this.slots.give(1)
      inbox.end(failure)
    }
    const give = (bytes: number) => {
      held -= bytes
      this.heldBytes -= bytes
      this.link.send({ kind: 'credit', id, bytes })
    }
    const cancel = () => {
      if (cancelled) return
      cancelled = true
      if (!over) this.link.send({ kind: 'cancel', id })
      for (const { sizeBytes } of inbox.empty()) give(sizeBytes)
      inbox.end()
    }
    this.calls.set(id, {
      asked: kindOf(parts),
      // The next change may be far away. What is held may be all that there is room for.
      isDue: () => isSent && this.heldBytes === 0 && (kind === 'pack' || isInParts || cancelled),
      dueBeats: 0,
      take: (message, sizeBytes) => {
        if (message.kind === 'done') {
          this.calls.delete(id)
          finish()
          return
        }
        if (message.kind !== kind) throw misplaced(message)
        isInParts = message.kind === 'changed' && !message.last
        held += sizeBytes
        this.heldBytes += sizeBytes
        if (held > streamWindowBytes) throw new LinkFailure('protocol', 'more than there is room for')
        if (cancelled) give(sizeBytes)
        else inbox.put({ message, sizeBytes })
      },
      fail: finish,
    })
    if (kind === 'changed') this.followed.waiting = () => inbox.size
    signal.addEventListener('abort', cancel, { once: true })
    try {
      await this.sendAll(parts)
      isSent = true
      for (;;) {
        const next = await inbox.take()
        if (next === undefined) return
        if (kind === 'changed') this.followed.taken += 1
        give(next.sizeBytes)
        yield next
      }
    } finally {
      signal.removeEventListener('abort', cancel)
      cancel()
    }
  }

  private failureOf(failed: Message & { readonly kind: 'failed' }): Error {
    const { failure, code, detail } = failed
    if (failure === 'link') return new LinkFailure(linkCode(code), `${this.canonical}: ${detail}`)
    if (failure === 'replica' && isReplicaCode(code)) return new ReplicaFailure(code, this.canonical, detail)
    return new ReplicaFailure(failed.transient ? 'not-answering' : 'unreadable', this.canonical, `${code}: ${detail}`)
  }

  /** What the far end may not do ends the link, also where it is found out by who takes what came. */
  private orFail(check: () => void): void {
    try {
      check()
    } catch (error) {
      if (error instanceof LinkFailure) this.link.fail(error.code, error.message)
      throw error
    }
  }

  private failure(): LinkFailure {
    return this.link.failure ?? new LinkFailure('closed', `${this.canonical}: the link is over`)
  }

  private nextId(): number {
    // After 2^32 requests it begins again; id 0 is the credit of stage.
    do this.lastId = (this.lastId + 1) >>> 0
    while (this.lastId === 0 || this.calls.has(this.lastId))
    return this.lastId
  }
}

function withoutPrefixes({ prefixes: _, ...want }: Want): Want {
  return want
}

const done: Answer<undefined> = (message) => {
  if (message.kind !== 'done') throw misplaced(message)
  return { value: undefined }
}

function misplaced(message: Message): LinkFailure {
  return new LinkFailure('protocol', `${message.kind} where it has no place`)
}

function kindOf([first]: readonly Message[]): Message['kind'] {
  assert(first !== undefined, 'a request without a message')
  return first.kind
}

function unasked(): LinkFailure {
  return new LinkFailure('protocol', 'a report of what was not asked')
}

/** A request in one or several messages, and what it costs the far end while it is under way. */
interface Request {
  messages(id: number): readonly Message[]
  readonly cost: number
}

function single(message: (id: number) => Message): Request {
  return { messages: (id) => [message(id)], cost: 0 }
}

function inParts<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  message: (id: number, items: readonly T[], more: boolean) => Message,
): Request {
  const groups = [...wire.split(items, bytesOf)]
  const bytes = items.reduce((sum, item) => sum + bytesOf(item), 0)
  return {
    messages: (id) => groups.map((group, at) => message(id, group, at < groups.length - 1)),
    cost: bytes + items.length * itemCostBytes + groups.length * headerBytesMax,
  }
}

/** What a message of a list has beside its items, at most. */
const headerBytesMax = 256

/** At most itemsMax at a time; nothing for no items. */
function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += itemsMax) yield items.slice(at, at + itemsMax)
}

/** Whether a path is one of these, below one, or on the way to one. */
function related(scopes: readonly RelPath[]): (path: RelPath) => boolean {
  const asked = new Set(scopes)
  return (path) => {
    for (let at = path; ; at = parentOf(at)) {
      if (asked.has(at)) return true
      if (at === '') break
    }
    return scopes.some((scope) => isWithin(scope, path))
  }
}

const replicaCodes: readonly string[] = [
  'missing',
  'not-directory',
  'unreadable',
  'unwritable',
  'in-doubt',
  'low-space',
  'not-answering',
  'unsupported',
] satisfies readonly ReplicaCode[]

function isReplicaCode(code: string): code is ReplicaCode {
  return replicaCodes.includes(code)
}

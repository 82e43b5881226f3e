import { receiveMessageOnPort } from 'node:worker_threads'
import { unreachable } from '../../../core/assert.js'
import { nodeClock } from '../clock.js'
import { takeApart } from '../foreign-failure.js'
import { poll, read } from '../libc.js'
import { type Command, type Report, type Shared, stopCell, takenCell, waitingCell } from './messages.js'
import { WatchedRoot } from './watched-root.js'

/** Batches of one root come at least this far apart; the first after a pause comes at once. */
const batchGapMs = 2
/** Batches that the main thread has not taken yet. With as many, further events only mark paths here. */
const batchesAheadMax = 4
/** How often what could not be watched is tried again, besides each crawl. */
const retryMs = 10_000
const pollIn = 1

interface Entry {
  readonly root: WatchedRoot
  handedAt: number
}

/**
 * The life of the watch worker: sleeps in poll(2) until a root has events or the main thread has something to say. Never
 * returns to Node's event loop, so it hears nothing but what `shared` carries. Ends when it is told to stop.
 */
export function watchLoop(shared: Shared): void {
  const { now } = nodeClock()
  const entries = new Map<number, Entry>()
  const counter = new BigUint64Array(1)
  let handed = 0
  let retryAt = 0

  while (!stopping()) {
    const timeoutMs = nextTimeoutMs()
    if (sleep(timeoutMs)) takeCommands()
    readAll()
    for (const { root } of entries.values()) root.settle(between)
    retryDue()
    handOver()
  }
  for (const { root } of entries.values()) root.abandon()
  shared.port.close()

  /** Answers whether the main thread woke us. */
  function sleep(timeoutMs: number): boolean {
    const fds = [shared.wakeFd, ...[...entries.values()].map(({ root }) => root.fd)]
    const table = new Int32Array(fds.length * 2)
    for (const [at, fd] of fds.entries()) {
      table[at * 2] = fd
      table[at * 2 + 1] = pollIn
    }
    poll(table, fds.length, timeoutMs)
    return read(shared.wakeFd, counter, 8) === 8
  }

  /** -1 is for ever. */
  function nextTimeoutMs(): number {
    let until = Number.POSITIVE_INFINITY
    let held = false
    for (const { root, handedAt } of entries.values()) {
      if (!root.pending.isEmpty) {
        held = true
        if (ahead() < batchesAheadMax) until = Math.min(until, handedAt + batchGapMs)
      }
      if (root.degraded) until = Math.min(until, retryAt)
    }
    if (held && ahead() >= batchesAheadMax) {
      Atomics.store(shared.cells, waitingCell, 1)
      // One may have been taken before it could see that we wait.
      if (ahead() < batchesAheadMax) return 0
    }
    return until === Number.POSITIVE_INFINITY ? -1 : Math.max(0, Math.ceil(until - now()))
  }

  function ahead(): number {
    return (handed - Atomics.load(shared.cells, takenCell)) | 0
  }

  function readAll(): void {
    for (const { root } of entries.values()) root.read()
  }

  function stopping(): boolean {
    return Atomics.load(shared.cells, stopCell) === 1
  }

  /** While a crawl is under way, nobody's queue may fill, and what was read is handed over in time. */
  function between(): void {
    readAll()
    handOver()
    if (stopping()) for (const { root } of entries.values()) root.abandon()
  }

  function takeCommands(): void {
    for (;;) {
      const received: { message: Command } | undefined = receiveMessageOnPort(shared.port)
      if (received === undefined) return
      obey(received.message)
    }
  }

  function obey(command: Command): void {
    switch (command.kind) {
      case 'watch':
        watch(command)
        break
      case 'drain':
        drain(command)
        break
      case 'unwatch':
        entries.get(command.id)?.root.abandon()
        entries.delete(command.id)
        tell({ kind: 'unwatched', id: command.id })
        break
      default:
        unreachable(command)
    }
  }

  function watch({ id, root: path, only }: Command & { kind: 'watch' }): void {
    try {
      const root = new WatchedRoot(path, only)
      const reading = (): void => {
        root.read()
        between()
        if (stopping()) root.abandon()
      }
      root.start(reading)
      root.settle(reading)
      entries.set(id, { root, handedAt: now() - batchGapMs })
      tell({ kind: 'watched', id })
    } catch (error) {
      tell({ kind: 'failed', id, thrown: takeApart(error) })
    }
  }

  function drain({ id, drain }: Command & { kind: 'drain' }): void {
    const entry = entries.get(id)
    if (entry !== undefined) {
      entry.root.readQueued()
      entry.root.settle(between)
      while (!entry.root.pending.isEmpty) hand(id, entry)
    }
    tell({ kind: 'drained', drain })
  }

  function retryDue(): void {
    if (now() < retryAt) return
    retryAt = now() + retryMs
    for (const { root } of entries.values()) {
      if (!root.degraded) continue
      root.retry(between)
      root.settle(between)
    }
  }

  function handOver(): void {
    for (const [id, entry] of entries) {
      if (entry.root.pending.isEmpty || now() - entry.handedAt < batchGapMs) continue
      do {
        if (ahead() >= batchesAheadMax) return
        hand(id, entry)
      } while (!entry.root.pending.isEmpty)
    }
  }

  function hand(id: number, entry: Entry): void {
    entry.handedAt = now()
    handed += 1
    tell({ kind: 'batch', id, batch: entry.root.pending.take(() => entry.root.unwatched) })
  }

  function tell(report: Report): void {
    shared.port.postMessage(report)
  }
}

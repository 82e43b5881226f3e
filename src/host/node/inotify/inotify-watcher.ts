import { MessageChannel, Worker } from 'node:worker_threads'
import { unreachable } from '../../../core/assert.js'
import type { AbsPath, RelPath } from '../../../core/path.js'
import type { Watch, WatchBatch, Watcher, WatcherKind } from '../../watcher.js'
import { checked } from '../file-failure.js'
import { groundFailures, putTogether } from '../foreign-failure.js'
import { close, eventfd, openFlags, write } from '../libc.js'
import { workerFile } from '../worker-file.js'
import { type Command, cellCount, type Report, type Shared, stopCell, takenCell, waitingCell } from './messages.js'
import { type PackedBatch, unpackBatch } from './pending.js'

/** The watcher of Linux: inotify in a thread of its own, which is started by the first watch. */
export class InotifyWatcher implements Watcher {
  private thread: WatchThread | undefined
  private closed = false

  async watch(root: AbsPath, on: (batch: WatchBatch) => void, _kind?: WatcherKind, only?: string): Promise<Watch> {
    if (this.closed) throw new Error('the watcher is closed')
    this.thread ??= new WatchThread()
    return this.thread.watch(root, on, only)
  }

  async close(): Promise<void> {
    this.closed = true
    await this.thread?.stop()
  }
}

interface Listener {
  on(batch: WatchBatch): void
  unwatched: readonly RelPath[]
}

interface Wait {
  resolve(): void
  reject(error: unknown): void
}

class WatchThread {
  private readonly worker: Worker
  private readonly shared: Shared
  private readonly port
  private readonly watches = new Map<number, Listener>()
  private readonly opening = new Map<number, Wait>()
  private readonly closing = new Map<number, Wait>()
  private readonly draining = new Map<number, Wait>()
  private ids = 0
  private readonly ended: Promise<void>
  private stopped = false

  constructor() {
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    this.shared = {
      port: port2,
      wakeFd: checked('eventfd', 'watcher', () => eventfd(0, openFlags.closeOnExec | openFlags.nonBlock)),
      cells: new Int32Array(new SharedArrayBuffer(cellCount * Int32Array.BYTES_PER_ELEMENT)),
    }
    this.port.on('message', (report: Report) => this.hear(report))
    this.worker = new Worker(workerFile('host/node/watch-worker'), {
      workerData: this.shared,
      transferList: [port2],
      execArgv: [],
    })
    // Node waits for its threads before it exits, and a thread inside poll(2) hears nothing but this.
    process.once('exit', this.halt)
    this.ended = new Promise((resolve) => {
      this.worker.once('exit', () => {
        process.removeListener('exit', this.halt)
        this.port.close()
        close(this.shared.wakeFd)
        this.refuseAll(new Error('the watcher is closed'))
        resolve()
      })
    })
    this.worker.once('error', (error) => {
      this.stopped = true
      // A bug: without the watcher nothing is seen any more, so it stops the process.
      queueMicrotask(() => {
        throw error
      })
    })
  }

  async watch(root: AbsPath, on: (batch: WatchBatch) => void, only: string | undefined): Promise<Watch> {
    const id = this.ids++
    this.watches.set(id, { on, unwatched: [] })
    try {
      await this.ask(this.opening, id, { kind: 'watch', id, root, only })
    } catch (error) {
      this.watches.delete(id)
      throw error
    }
    return { fullScanSeconds: undefined, drain: () => this.drain(id), close: () => this.unwatch(id) }
  }

  async stop(): Promise<void> {
    this.halt()
    await this.ended
  }

  private async drain(id: number): Promise<void> {
    if (!this.watches.has(id) || this.stopped) return
    const drain = this.ids++
    await this.ask(this.draining, drain, { kind: 'drain', id, drain })
  }

  private async unwatch(id: number): Promise<void> {
    if (!this.watches.delete(id) || this.stopped) return
    await this.ask(this.closing, id, { kind: 'unwatch', id })
  }

  private ask(waits: Map<number, Wait>, key: number, command: Command): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.stopped) {
        reject(new Error('the watcher is closed'))
        return
      }
      waits.set(key, { resolve, reject })
      this.port.postMessage(command)
      this.wake()
    })
  }

  private hear(report: Report): void {
    switch (report.kind) {
      case 'watched':
        takeOut(this.opening, report.id)?.resolve()
        break
      case 'failed':
        takeOut(this.opening, report.id)?.reject(putTogether(report.thrown, groundFailures))
        break
      case 'drained':
        takeOut(this.draining, report.drain)?.resolve()
        break
      case 'unwatched':
        takeOut(this.closing, report.id)?.resolve()
        break
      case 'batch':
        Atomics.add(this.shared.cells, takenCell, 1)
        if (Atomics.exchange(this.shared.cells, waitingCell, 0) === 1) this.wake()
        this.deliver(report.id, report.batch)
        break
      default:
        unreachable(report)
    }
  }

  private deliver(id: number, packed: PackedBatch): void {
    const listener = this.watches.get(id)
    if (listener === undefined) return
    const batch = unpackBatch(packed, listener.unwatched)
    listener.unwatched = batch.unwatched
    listener.on(batch)
  }

  private readonly halt = (): void => {
    if (this.stopped) return
    this.stopped = true
    Atomics.store(this.shared.cells, stopCell, 1)
    this.wake()
  }

  private wake(): void {
    write(this.shared.wakeFd, one, 8)
  }

  private refuseAll(error: Error): void {
    for (const waits of [this.opening, this.draining, this.closing]) {
      for (const wait of waits.values()) wait.reject(error)
      waits.clear()
    }
  }
}

const one = BigUint64Array.of(1n)

function takeOut(waits: Map<number, Wait>, key: number): Wait | undefined {
  const wait = waits.get(key)
  waits.delete(key)
  return wait
}

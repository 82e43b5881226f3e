import { isMainThread, workerData } from 'node:worker_threads'

/** One counter of calls that have returned, shared between a worker thread and who waits for it. */
export type Heartbeat = Int32Array<SharedArrayBuffer>

export function makeHeartbeat(): Heartbeat {
  return new Int32Array(new SharedArrayBuffer(4))
}

/** Of this thread; nobody reads that of the main one. */
const own: Heartbeat = heartbeatIn(isMainThread ? undefined : workerData) ?? makeHeartbeat()

/** One more call has returned. It is written by this thread alone. */
export function beat(): void {
  own[0] = ((own[0] ?? 0) + 1) | 0
}

/** What a thread is started with; undefined for one that was started by others. */
function heartbeatIn(data: unknown): Heartbeat | undefined {
  if (typeof data !== 'object' || data === null || !('heartbeat' in data)) return undefined
  const { heartbeat } = data
  if (!(heartbeat instanceof Int32Array) || !(heartbeat.buffer instanceof SharedArrayBuffer)) return undefined
  return new Int32Array(heartbeat.buffer)
}

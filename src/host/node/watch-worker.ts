import { workerData } from 'node:worker_threads'
import { assert } from '../../core/assert.js'
import type { Shared } from './inotify/messages.js'
import { watchLoop } from './inotify/watch-loop.js'

// The thread that does nothing else: see inotify/watch-loop.ts. Started by inotify/inotify-watcher.ts alone.

function isShared(data: unknown): data is Shared {
  return typeof data === 'object' && data !== null && 'port' in data && 'wakeFd' in data && 'cells' in data
}

assert(isShared(workerData), 'the watch worker was started by its watcher')
watchLoop(workerData)

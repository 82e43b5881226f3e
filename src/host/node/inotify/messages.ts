import type { MessagePort } from 'node:worker_threads'
import type { AbsPath } from '../../../core/path.js'
import type { Thrown } from '../foreign-failure.js'
import type { PackedBatch } from './pending.js'

/** From the main thread to the watch worker. `id` names a root. */
export type Command =
  | { readonly kind: 'watch'; readonly id: number; readonly root: AbsPath; readonly only: string | undefined }
  | { readonly kind: 'unwatch'; readonly id: number }
  | { readonly kind: 'drain'; readonly id: number; readonly drain: number }

/** From the watch worker, in order: 'drained' comes after every batch that it stands for. */
export type Report =
  | { readonly kind: 'watched'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly thrown: Thrown }
  | { readonly kind: 'batch'; readonly id: number; readonly batch: PackedBatch }
  | { readonly kind: 'drained'; readonly drain: number }
  | { readonly kind: 'unwatched'; readonly id: number }

/**
 * What both threads share. The worker sleeps in the kernel, where no message reaches it: whoever has something for it
 * writes to `wakeFd`.
 */
export interface Shared {
  readonly port: MessagePort
  /** An eventfd, made and closed by the main thread. */
  readonly wakeFd: number
  /** 32-bit cells, see below. */
  readonly cells: Int32Array
}

/** 1: the worker must end at once. */
export const stopCell = 0
/** Batches that the main thread has taken. */
export const takenCell = 1
/** 1: the worker holds a batch back and wants to be woken when one is taken. */
export const waitingCell = 2
export const cellCount = 3

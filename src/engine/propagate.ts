import type { Fingerprint } from '../core/content.js'
import type { Operation, Outcome } from '../core/operation.js'
import { nameOf, parentOf, type RelPath } from '../core/path.js'
import { largeBytesMin, type Replica, resumableMax, type Supplied, type Want } from '../replica/replica.js'
import { BytesWriter } from '../wire/bytes.js'
import { packBytesMax, wantPropsBytes, writeWantPlace, writeWantProps } from '../wire/pack.js'

/** Operations of one root with the root that has the content. */
export interface Flow {
  readonly target: Replica
  readonly source: Replica
  /** Boot of the source's machine: goes into the target's intents. */
  readonly sourceBoot: string
  /** In the order of planOf. */
  readonly operations: readonly Operation[]
  /**
   * Whether the operations on this root alone bring the path to what both then hold. If not, an outcome says nothing of an
   * agreement: the other side's part may never be done.
   */
  isWhole(path: RelPath): boolean
  /** What is wanted of the source for a write-file operation. */
  wantOf(operation: Operation & { op: 'write-file' }): Omit<Want, 'want'>
}

/** One batch that is through: its operations with what became of each, in order. */
export interface Settled {
  readonly batch: number
  readonly operations: readonly Operation[]
  readonly outcomes: readonly Outcome[]
  /** Fingerprints of what was written, by place in the batch. */
  readonly fingerprints: ReadonlyMap<number, Fingerprint>
}

export interface PropagateOptions {
  /** The next batch number of the target; numbers are never used twice in a session. */
  nextBatch(): number
  /** Batches under way at once. */
  readonly batchesMax: number
  /** Stop handing out; what is in hand is finished. */
  readonly stop: AbortSignal
  /** So many bytes more were taken in by the target, a pack at a time. */
  sent(bytes: number): void
}

/**
 * Carries out one root's operations, in batches: the bytes of the next batch travel while this one is applied. Batches are
 * applied in order, so parents come before their members. Hands each batch to `settled` when it is visible.
 * @throws LinkFailure, ReplicaFailure
 */
export async function propagate(
  flow: Flow,
  options: PropagateOptions,
  settled: (batch: Settled) => Promise<void>,
): Promise<void> {
  const under: Promise<void>[] = []
  const failures: unknown[] = []
  try {
    await handOut(flow, options, settled, under, failures)
  } finally {
    // However it ends, nothing goes on behind the back of who asked.
    await Promise.all(under)
  }
  if (failures.length > 0) throw failures[0]
}

async function handOut(
  flow: Flow,
  options: PropagateOptions,
  settled: (batch: Settled) => Promise<void>,
  under: Promise<void>[],
  failures: unknown[],
): Promise<void> {
  for (const { operations, whole } of batchesOf(flow.operations, flow.isWhole)) {
    if (options.stop.aborted || failures.length > 0) break
    const batch = options.nextBatch()
    const transferred = await transfer(flow, batch, operations, options.sent)
    const applied = flow.target.apply(batch, transferred.ready, whole ? flow.sourceBoot : noSupplier)
    const done = applied
      .then((outcomes) => settled({ batch, ...transferred.merge(outcomes) }))
      .catch((error: unknown) => {
        failures.push(error)
      })
    under.push(done)
    if (under.length >= options.batchesMax) await under.shift()
  }
}

/** No machine has this boot: what such a batch did is not told again as agreed. */
export const noSupplier = ''

interface Transferred {
  /** Operations whose content has been staged, and those that need none. */
  readonly ready: readonly Operation[]
  /** Puts outcomes beside the operations they belong to, with those that were never sent. */
  merge(outcomes: readonly Outcome[]): Omit<Settled, 'batch'>
}

async function transfer(
  flow: Flow,
  batch: number,
  operations: readonly Operation[],
  sent: (bytes: number) => void,
): Promise<Transferred> {
  const wants: Want[] = []
  const folders = new Map<RelPath, number>()
  const numbered = operations.map((operation, at): Operation => {
    if (operation.op === 'create-directory') folders.set(operation.path, at)
    if (operation.op !== 'write-file') return operation
    wants.push({ want: at, ...flow.wantOf(operation) })
    return { ...operation, want: at }
  })
  const fingerprints = new Map<number, Fingerprint>()
  const refused = new Map<number, Outcome>()
  if (wants.length > 0) {
    const giveUp = new AbortController()
    try {
      const resumed = await resume(flow.target, batch, wants)
      for await (const pack of flow.source.supply(resumed, giveUp.signal)) {
        const props = new BytesWriter(pack.finished.length * wantPropsBytes)
        const places = new BytesWriter(folders.size === 0 ? 0 : pack.finished.length * placeBytes)
        for (const supplied of pack.finished) {
          const operation = numbered[supplied.want]
          if (operation === undefined) continue
          if (supplied.kind !== 'whole') refused.set(supplied.want, refusal(operation.path, supplied))
          else {
            fingerprints.set(supplied.want, supplied.fingerprint)
            // What replaces something takes its other properties over from that, when it is applied.
            if (operation.op === 'write-file' && operation.expect.kind === 'absent') {
              writeWantProps(props, supplied.want, operation.props)
              const folder = operation.sizeBytes < packBytesMax ? folders.get(parentOf(operation.path)) : undefined
              if (folder !== undefined) writeWantPlace(places, supplied.want, { folder, name: nameOf(operation.path) })
            }
          }
        }
        const { bytes } = pack
        if (bytes.length > 0) await flow.target.stage(batch, { bytes, props: props.finish(), places: places.finish() })
        sent(bytes.length)
      }
    } catch (error) {
      giveUp.abort()
      throw error
    }
  }
  for (const { want, path } of wants) {
    if (fingerprints.has(want) || refused.has(want)) continue
    refused.set(want, { kind: 'superseded', path, detail: 'the other side did not send it' })
  }
  const ready = numbered.filter((_, at) => !refused.has(at))
  return {
    ready,
    merge(outcomes) {
      const given = outcomes.values()
      const merged = numbered.map(({ path }, at): Outcome => {
        const outcome = refused.get(at) ?? given.next().value
        return outcome ?? { kind: 'superseded', path, detail: 'the other side did not answer for it' }
      })
      return { operations: numbered, outcomes: merged, fingerprints }
    },
  }
}

/** About what the place of one file takes. */
const placeBytes = 32

/** The wants with what the target has of them from a transfer that was cut. */
async function resume(target: Replica, batch: number, wants: readonly Want[]): Promise<readonly Want[]> {
  const large = wants.filter(({ sizeBytes }) => sizeBytes >= largeBytesMin).slice(0, resumableMax)
  if (large.length === 0) return wants
  const files = large.map(({ want, path, sizeBytes }) => ({ want, path, sizeBytes }))
  const { parts } = await target.resume(batch, files)
  if (parts.length === 0) return wants
  const prefixes = new Map(parts.map((part) => [part.want, part.prefixes]))
  return wants.map((want) => {
    const known = prefixes.get(want.want)
    return known === undefined ? want : { ...want, prefixes: known }
  })
}

function refusal(path: RelPath, supplied: Exclude<Supplied, { kind: 'whole' }>): Outcome {
  if (supplied.kind === 'superseded') return { kind: 'superseded', path, detail: 'it changed before it could be read' }
  return { kind: 'failed', path, code: supplied.code, detail: supplied.detail, transient: true }
}

/** Most operations of a batch, and about the most bytes: a batch is one intent and one sync. */
const batchOperationsMax = 2_000
const batchBytesMax = 32 * 1024 * 1024
/** A single edit is one batch; a long plan begins with a short one, so that the pipeline fills early. */
const firstBatchOperations = 200

interface Handed {
  readonly operations: readonly Operation[]
  readonly whole: boolean
}

function* batchesOf(operations: readonly Operation[], isWhole: (path: RelPath) => boolean): Iterable<Handed> {
  let most = firstBatchOperations
  let batch: Operation[] = []
  let bytes = 0
  let whole = true
  for (const operation of operations) {
    const isNext = isWhole(operation.path)
    const size = operation.op === 'write-file' ? operation.sizeBytes : 0
    if (batch.length > 0 && (batch.length >= most || bytes + size > batchBytesMax || isNext !== whole)) {
      yield { operations: batch, whole }
      batch = []
      bytes = 0
      most = batchOperationsMax
    }
    batch.push(operation)
    bytes += size
    whole = isNext
  }
  if (batch.length > 0) yield { operations: batch, whole }
}

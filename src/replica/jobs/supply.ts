import { createHash, type Hash } from 'node:crypto'
import type { Fingerprint } from '../../core/content.js'
import { nameOf, parentOf, type RelPath } from '../../core/path.js'
import { type Directory, FileFailure, type FileHandle, type Stat } from '../../host/files.js'
import type { Job, World } from '../../host/workers.js'
import { type Index, type Located, openIndex } from '../../index/index.js'
import type { RecordFields } from '../../index/record.js'
import { BytesWriter, fingerprintOf } from '../../wire/bytes.js'
import { suppliedList, wantList } from '../../wire/list.js'
import { itemOverheadBytes, packBytesMax, smallFilesBytesMax, writeItem } from '../../wire/pack.js'
import { suppliedBytes, wholeBytes } from '../../wire/split.js'
import type { Supplied, Want } from '../replica.js'
import { digestOf } from './digest.js'
import { goneCodes, openRoot, type RootPlace } from './place.js'
import { PrefixCheck } from './prefix.js'
import { problemOf } from './problem.js'
import { isRacy, isStampOf, sameRecord, sameStamp } from './stamp.js'

export interface OpenSupply {
  readonly place: RootPlace
  /** Names the stream within the process. */
  readonly stream: string
  /** Wants in the layout of wire/operation.ts. */
  readonly wants: Uint8Array<ArrayBuffer>
}

export interface SupplyStep {
  readonly stream: string
}

export interface Supply {
  /** In the layout of wire/pack.ts; may be empty when every want of the step was refused. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** What ended with this pack, in the layout of wire/operation.ts. */
  readonly finished: Uint8Array<ArrayBuffer>
  /** Nothing more will come; the stream is closed. */
  readonly ended: boolean
  /** Paths that are not as their record says. */
  readonly dirty: readonly RelPath[]
}

/**
 * Begins a stream of packs, with its first. The jobs of one stream run in one lane: where it stands is kept by World.
 * @throws ReplicaFailure when the root is not there
 */
export const supplyOpenJob: Job<OpenSupply, Supply> = {
  name: 'supply-open',
  run(world, { place, stream, wants }) {
    const known = streams.get(world) ?? new Map<string, Stream>()
    streams.set(world, known)
    known.get(stream)?.large?.file.close()
    const wanted = wantList.fromBytes(wants)
    // Most streams are of one small file that was edited.
    const wantedBytes = wanted.reduce((bytes, { sizeBytes }) => bytes + sizeBytes + itemOverheadBytes, 0)
    const opened: Stream = {
      place,
      wants: wanted,
      next: 0,
      large: undefined,
      slice: Buffer.allocUnsafeSlow(Math.min(wantedBytes, packBytesMax)),
      pack: new BytesWriter(Math.min(wantedBytes, smallFilesBytesMax)),
      readings: [],
    }
    known.set(stream, opened)
    return supplied(world, stream, opened)
  },
  transferInput: ({ wants }) => [wants.buffer],
  transfer: buffersOf,
}

/**
 * The next pack: small files together, a large one in slices. A file that is being sent in slices stays open between the
 * steps, so that its root cannot be unmounted meanwhile; supplyCloseJob ends that. A stream that is not known has ended.
 * @throws ReplicaFailure when the root is not there
 */
export const supplyNextJob: Job<SupplyStep, Supply> = {
  name: 'supply-next',
  run(world, { stream }) {
    const state = streams.get(world)?.get(stream)
    if (state === undefined)
      return { bytes: new Uint8Array(0), finished: suppliedList.toBytes([]), ended: true, dirty: [] }
    return supplied(world, stream, state)
  },
  transfer: buffersOf,
}

function supplied(world: World, stream: string, state: Stream): Supply {
  const step = new Step(world, state)
  try {
    step.fill()
  } finally {
    step.close()
  }
  const ended = state.large === undefined && state.next >= state.wants.length
  step.record(ended)
  if (ended) streams.get(world)?.delete(stream)
  const finished = suppliedList.toBytes(step.finished)
  return { bytes: state.pack.finish(), finished, ended, dirty: step.dirty }
}

function buffersOf({ bytes, finished }: Supply) {
  return [bytes.buffer, finished.buffer]
}

export const supplyCloseJob: Job<SupplyStep, void> = {
  name: 'supply-close',
  run(world, { stream }) {
    streams.get(world)?.get(stream)?.large?.file.close()
    streams.get(world)?.delete(stream)
  },
}

interface Stream {
  readonly place: RootPlace
  readonly wants: readonly Want[]
  /** Index of the want to look at next. */
  next: number
  /** The file that is being sent in slices. */
  large: Large | undefined
  /** Buffers of this stream alone, used again by every step. */
  readonly slice: Buffer
  readonly pack: BytesWriter
  /** What the index has not learnt yet. */
  readings: Reading[]
}

interface Large {
  readonly want: Want
  readonly file: FileHandle
  /** As it was opened. */
  readonly stat: Stat
  /** When, by the wall clock: nothing had been read. */
  readonly beganNs: bigint
  readonly known: Located | undefined
  /** Where the target has a beginning of it: until it is known how much of that is this file's. */
  check: PrefixCheck | undefined
  digest: Hash
  position: number
}

const streams = new WeakMap<World, Map<string, Stream>>()

/** Room that makes it worth beginning a large file in a pack that holds others. */
const sliceBytesMin = 64 * 1024

/** What was learnt of a file by reading it. */
interface Reading {
  /** The record as it was before the file was read. */
  readonly known: Located
  readonly stat: Stat
  readonly fingerprint: Fingerprint
  readonly racy: boolean
}

class Step {
  readonly finished: Supplied[] = []
  readonly dirty: RelPath[] = []
  private readonly root: Directory
  private readonly index: Index
  private parent: { readonly path: RelPath; readonly directory: Directory; readonly id: number | undefined } | undefined
  /** A file was read that is not what its record says: nobody waits for the end of the stream to hear of it. */
  private contradicted = false
  /** What `finished` takes beside the pack. */
  private besideBytes = 0

  constructor(
    private readonly world: World,
    private readonly stream: Stream,
  ) {
    this.index = openIndex(world, stream.place.index)
    this.root = openRoot(world.files, stream.place.root)
    stream.pack.reset()
  }

  /** Wants in the order given until the pack is full. */
  fill(): void {
    this.index.reading(() => this.fillPack())
  }

  private fillPack(): void {
    const { stream } = this
    for (;;) {
      if (stream.large !== undefined) {
        const { check } = stream.large
        if (check === undefined ? !this.continueLarge(stream.large) : !this.checkPrefix(stream.large, check)) break
        continue
      }
      const want = stream.wants[stream.next]
      if (want === undefined) break
      const small = want.sizeBytes + itemOverheadBytes <= packBytesMax
      const fits = small && this.frameBytes() + itemOverheadBytes + want.sizeBytes + wholeBytes <= smallFilesBytesMax
      if (!fits && (small || this.room() < sliceBytesMin) && stream.pack.length > 0) break
      stream.next++
      this.attempt(want, () => (fits ? this.supplyWhole(want) : this.beginLarge(want)))
      // Wants that are refused fill no pack: a step of very many is cut here, so that it ends and its end fits a frame.
      if (this.finished.length >= finishedMax || this.frameBytes() > smallFilesBytesMax) break
    }
  }

  /**
   * The index learns the fingerprints that were read. Once for many files, since each transaction waits for the disk: what
   * is not written yet when a stream is cut off is only read again.
   */
  record(ended: boolean): void {
    const { readings } = this.stream
    if (!ended && !this.contradicted && readings.length < readingsMax) return
    this.stream.readings = []
    const { recordsMax } = this.index
    for (let at = 0; at < readings.length; at += recordsMax) this.recordPart(readings.slice(at, at + recordsMax))
  }

  close(): void {
    this.parent?.directory.close()
    this.parent = undefined
    this.root.close()
  }

  /** Of the message that this pack becomes. */
  private frameBytes(): number {
    return this.stream.pack.length + this.besideBytes
  }

  private finish(supplied: Supplied): void {
    this.finished.push(supplied)
    this.besideBytes += suppliedBytes(supplied)
  }

  /** For a part of a large file. */
  private room(): number {
    return packBytesMax - this.stream.pack.length - itemOverheadBytes
  }

  /** One want; whatever is wrong with its file is its own affair. */
  private attempt(want: Want, body: () => void): void {
    try {
      body()
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      this.stream.large?.file.close()
      this.stream.large = undefined
      if (goneCodes.has(error.code) || error.code === 'is-directory') this.supersede(want)
      else {
        const { code, detail } = problemOf(error)
        this.finish({ want: want.want, kind: 'problem', code, detail })
      }
    }
  }

  private supplyWhole(want: Want): void {
    const parent = this.parentOf(want.path)
    const name = nameOf(want.path)
    const file = parent.directory.openFile(name)
    try {
      const beganNs = this.world.clock.wallNs()
      const known = this.known(parent.id, name)
      const recorded = this.readAsRecorded(want, file, known)
      const seen = recorded ?? this.readAsFound(want, file, known, parent.directory.statAt(name))
      if (seen === undefined) {
        this.supersede(want)
        return
      }
      const { data, after } = seen
      const fingerprint = this.conclude({ want, file, known, beganNs }, after, digestOf(data))
      if (fingerprint === undefined) return
      writeItem(this.stream.pack, { want: want.want, position: 0, data, fingerprint })
      this.finish({ want: want.want, kind: 'whole', fingerprint })
    } finally {
      file.close()
    }
  }

  /**
   * Without a look before it: what was recorded stands for one, if the look after it finds the very same stamp. undefined: it does not, or
   * cannot be read.
   */
  private readAsRecorded(want: Want, file: FileHandle, known: Located | undefined): Seen | undefined {
    if (known === undefined || known.record.problem !== undefined || !isOf(want, known.record)) return undefined
    try {
      const data = this.read(file, 0, want.sizeBytes)
      const after = file.stat()
      return data !== undefined && isStampOf(known.record, after) ? { data, after } : undefined
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      return undefined
    }
  }

  /** `named`: what stands at its path. What was replaced meanwhile can still be read. */
  private readAsFound(
    want: Want,
    file: FileHandle,
    known: Located | undefined,
    named: Stat | undefined,
  ): Seen | undefined {
    const stat = file.stat()
    if (named?.inode !== stat.inode || !isWanted(want, stat, known)) return undefined
    const data = this.read(file, 0, want.sizeBytes)
    const after = data && stillAs(stat, file)
    return after && { data, after }
  }

  private beginLarge(want: Want): void {
    const parent = this.parentOf(want.path)
    const name = nameOf(want.path)
    const file = parent.directory.openFile(name)
    const beganNs = this.world.clock.wallNs()
    // From here on it is closed with the large file of the stream, whatever fails.
    const stat = closedOnFailure(file, () => file.stat())
    const known = this.known(parent.id, name)
    if (isWanted(want, stat, known)) {
      // Something is left to send, whatever the other side says that it has.
      const prefixes = want.prefixes?.filter((prefix) => prefix.sizeBytes < want.sizeBytes)
      const check = prefixes === undefined ? undefined : new PrefixCheck(prefixes)
      this.stream.large = { want, file, stat, beganNs, known, check, digest: createHash('sha256'), position: 0 }
      return
    }
    file.close()
    this.supersede(want)
  }

  /** The beginning is read and not sent. Answers false when the step has read enough. */
  private checkPrefix(large: Large, check: PrefixCheck): boolean {
    let isOver = true
    this.attempt(large.want, () => {
      isOver = check.read(large.file, this.stream.slice, checkedBytesMax)
      if (!isOver) return
      large.check = undefined
      large.digest = check.agreed.digest
      large.position = check.agreed.sizeBytes
    })
    return isOver
  }

  /** One slice. Answers false when the pack is full. */
  private continueLarge(large: Large): boolean {
    const { stream } = this
    const { want } = large
    const left = want.sizeBytes - large.position
    const length = Math.min(this.room(), left)
    if (length <= 0 || (length < left && length < sliceBytesMin)) return false
    this.attempt(want, () => {
      const { position } = large
      const data = this.read(large.file, position, length)
      if (data === undefined) {
        this.giveUp(large)
        return
      }
      large.digest.update(data)
      large.position += length
      if (large.position < want.sizeBytes) {
        writeItem(stream.pack, { want: want.want, position, data, fingerprint: undefined })
        return
      }
      const after = stillAs(large.stat, large.file)
      if (after === undefined) {
        this.giveUp(large)
        return
      }
      const fingerprint = this.conclude(large, after, fingerprintOf(large.digest.digest()))
      stream.large = undefined
      large.file.close()
      if (fingerprint === undefined) return
      writeItem(stream.pack, { want: want.want, position, data, fingerprint })
      this.finish({ want: want.want, kind: 'whole', fingerprint })
    })
    return true
  }

  /** `length` bytes in the buffer of the stream, or undefined when the file ends before. */
  private read(file: FileHandle, position: number, length: number): Uint8Array | undefined {
    const data = this.stream.slice.subarray(0, length)
    return readFully(file, data, position) === length ? data : undefined
  }

  private giveUp(large: Large): void {
    this.stream.large = undefined
    large.file.close()
    this.supersede(large.want)
  }

  /** All bytes were read, and belong to the stamp `after`. Whether it may be trusted from now on is told by the probe, which comes last. */
  private conclude(
    { want, file, known, beganNs }: Pick<Large, 'want' | 'file' | 'known' | 'beganNs'>,
    after: Stat,
    fingerprint: Fingerprint,
  ): Fingerprint | undefined {
    const racy = isRacy(after, beganNs, file.probe())
    if (known !== undefined) this.note({ known, stat: after, fingerprint, racy })
    if (want.fingerprint !== undefined && want.fingerprint !== fingerprint) {
      this.supersede(want)
      return undefined
    }
    return fingerprint
  }

  /** Kept for the index, where its record is of the very stamp that was read and does not know it yet. */
  private note(reading: Reading): void {
    const { record } = reading.known
    if (record.problem !== undefined || !isStampOf(record, reading.stat)) return
    if (record.fingerprint === reading.fingerprint && record.racy === reading.racy) return
    if (record.fingerprint !== undefined && record.fingerprint !== reading.fingerprint) this.contradicted = true
    this.stream.readings.push(reading)
  }

  private supersede(want: Want): void {
    this.finish({ want: want.want, kind: 'superseded' })
    this.dirty.push(want.path)
  }

  private known(directoryId: number | undefined, name: string): Located | undefined {
    const record = directoryId === undefined ? undefined : this.index.at(directoryId, name)
    return directoryId === undefined || record === undefined ? undefined : { directoryId, name, record }
  }

  private parentOf(path: RelPath) {
    const parentPath = parentOf(path)
    if (this.parent?.path !== parentPath) {
      this.parent?.directory.close()
      this.parent = undefined
      const directory = this.root.openDirectory(parentPath)
      this.parent = { path: parentPath, directory, id: this.index.directoryId(parentPath) }
    }
    return this.parent
  }

  private recordPart(readings: readonly Reading[]): void {
    this.index.write((edit) => {
      for (const { known, stat, fingerprint, racy } of readings) {
        const { directoryId, name } = known
        const record = edit.at(directoryId, name)
        // A scan or an apply may have come in between: what it recorded is newer than what was read here.
        if (record === undefined || !sameRecord(record, known.record) || record.racy !== known.record.racy) continue
        if (!isStampOf(record, stat)) continue
        if (record.fingerprint !== undefined && record.fingerprint !== fingerprint)
          edit.putOver(directoryId, name, { ...record, fingerprint, racy }, record)
        else edit.amend(directoryId, name, { ...record, fingerprint, racy })
      }
    })
  }
}

/** What was read of a file, and its stamp, which had not moved by then. */
interface Seen {
  readonly data: Uint8Array
  readonly after: Stat
}

/** Stat again after reading: a writer may have been at work meanwhile. */
function stillAs(before: Stat, file: FileHandle): Stat | undefined {
  const after = file.stat()
  return sameStamp(before, after) ? after : undefined
}

function isOf(want: Want, { kind, sizeBytes, mtimeNs }: Pick<RecordFields, 'kind' | 'sizeBytes' | 'mtimeNs'>): boolean {
  return kind === 'file' && sizeBytes === want.sizeBytes && mtimeNs === want.mtimeNs
}

/** Whether this is the file that was reported: a regular one, of that size and time, and the inode of the index. */
function isWanted(want: Want, stat: Stat, known: Located | undefined): boolean {
  if (!isOf(want, stat)) return false
  return known === undefined || known.record.kind !== 'file' || known.record.inode === stat.inode
}

/** Readings that are written before the end of their stream. */
const readingsMax = 2_000

/** Bytes of a beginning that one step reads. */
const checkedBytesMax = 32 * 1024 * 1024

/** Most wants that one step ends. */
const finishedMax = 4_096

/** Reads until `into` is full or the file ends; answers how much. */
function readFully(file: FileHandle, into: Uint8Array, position: number): number {
  let at = 0
  while (at < into.length) {
    const count = file.read(into.subarray(at), position + at)
    if (count === 0) break
    at += count
  }
  return at
}

function closedOnFailure<T>(file: FileHandle, body: () => T): T {
  try {
    return body()
  } catch (error) {
    file.close()
    throw error
  }
}

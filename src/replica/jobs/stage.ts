import { createHash, type Hash } from 'node:crypto'
import type { Fingerprint, Props } from '../../core/content.js'
import { rootPath } from '../../core/path.js'
import type { ProblemCode } from '../../core/report.js'
import { type Directory, FileFailure, type FileHandle, type Stat } from '../../host/files.js'
import type { Job, World } from '../../host/workers.js'
import { fingerprintOf, Malformed } from '../../wire/bytes.js'
import { type FolderPlace, type Item, type NewFile, readItems, readNewFiles } from '../../wire/pack.js'
import { ReplicaFailure } from '../replica.js'
import { digestOf } from './digest.js'
import { dropSlot, dropSlots, folderName, openFolderOf } from './folder.js'
import { dropParts, keepParts, partSlotName, pruneParts } from './part.js'
import { dropFile, openRoot, openStage, type RootPlace, type StageFolder } from './place.js'
import type { PrefixDigest } from './prefix.js'
import { problemOf } from './problem.js'
import { writeSparsely } from './sparse.js'
import { umaskOf } from './umask.js'

export interface StagePack {
  readonly place: RootPlace
  readonly pair: string
  readonly batch: number
  readonly pack: Uint8Array
  /** What is said beside it; in the layout of wire/pack.ts. */
  readonly props: Uint8Array
}

/**
 * Takes a pack of a batch into `in/`. What cannot be staged (disk full, wrong fingerprint) is noted for applyJob and comes
 * out as the outcome of its operation; it is never thrown. All packs of a batch, its apply and its drop run in one lane: what
 * was received is kept by World.
 *
 * From the first pack of a batch to its end one handle on the root stays open: syncfs tells only of errors that came after
 * its descriptor was opened.
 * @throws Malformed for a pack that is none, ReplicaFailure when the root is not there
 */
export const stageJob: Job<StagePack, void> = {
  name: 'stage',
  run(world, { place, pair, batch, pack, props }) {
    const root = openRoot(world.files, place.root)
    try {
      const received = batchOf(world, place, pair, batch, root)
      const stage = openStage(root, place)
      const files = readNewFiles(props)
      const folders = new OpenFolders(stage.in, received)
      try {
        for (const item of readItems(pack)) {
          const isFull = take(world, stage, received, folders, item, files.get(item.want))
          if (isFull) dropParts(root)
        }
      } finally {
        folders.close()
        stage.close()
      }
    } finally {
      root.close()
    }
  },
  transferInput: ({ pack }) => whole(pack),
}

/**
 * Forgets a batch that will not be applied, with all that was received of it but the beginnings of large files. What could not be
 * removed is left to a sweep.
 */
export const dropBatchJob: Job<Omit<StagePack, 'pack' | 'props'>, void> = {
  name: 'drop-batch',
  run(world, { place, pair, batch }) {
    const received = receivedOf(world, place, pair, batch)
    if (received === undefined) return
    forgetReceived(world, place, pair, batch)
    try {
      dropReceived(world, place, received)
    } catch (error) {
      if (!(error instanceof FileFailure) && !(error instanceof ReplicaFailure)) throw error
    }
  },
}

function dropReceived(world: World, place: RootPlace, { slots, folders }: Received): void {
  const root = openRoot(world.files, place.root)
  try {
    const stage = openStage(root, place)
    try {
      const all = [...slots.values()]
      const sound = all.flatMap(({ name, failure }) => (failure === undefined ? [name] : []))
      if (keepParts(root, stage.in, sound)) pruneParts(root, world.clock.wallNs())
      dropSlots(
        stage.in,
        [...all, ...folders.values()].map(({ name }) => name),
      )
    } finally {
      stage.close()
    }
  } finally {
    root.close()
  }
}

/** Files of one batch: far more than a lead puts into one. */
const slotsMax = 10_000

/** What was received of one batch. */
export interface Received {
  /** For syncfs: open since before the first byte was written. */
  readonly filesystem: Directory
  /**
   * Random, in the names of its slots: what is received later under the same numbers takes none that an intent tells of.
   * Short, for the kernel keeps names of up to 31 bytes without memory of their own.
   */
  readonly mark: string
  readonly slots: Map<number, Slot>
  /** By number. */
  readonly folders: Map<number, Folder>
  /** By want: files of which a part is kept when the batch is cut off, and its name. */
  readonly parts: Map<number, string>
}

/** See folder.ts. */
export interface Folder {
  readonly name: string
  /** Of every file that was made in it, whatever became of it. */
  readonly names: Set<string>
}

/** One file on its way into `in/`. */
export interface Slot {
  /** Of a file in a folder, once it is made there, with that. */
  name: string
  sizeBytes: number
  /** While it is not whole. */
  digest: Hash | undefined
  /** When it is whole and verified. */
  fingerprint: Fingerprint | undefined
  /** What it was given when it was whole, and what its handle told after that. */
  given: { readonly props: Props; readonly stat: Stat } | undefined
  failure: SlotFailure | undefined
  /** What was there before the batch, until it is known how much of it counts. */
  offer: PartOffer | undefined
  /** So far the file holds bytes that do not count: what is written over them is written out. */
  foreignBytes: number
}

/** What is here of a file from an earlier transfer, hashed as it is now. */
export interface PartOffer {
  readonly presentBytes: number
  readonly reading: PrefixDigest
  /** The state of the hash at each place from which the source may go on. */
  readonly digests: Map<number, Hash>
  isRead: boolean
}

export interface SlotFailure {
  readonly code: ProblemCode
  readonly detail: string
  readonly transient: boolean
}

export function receivedOf(world: World, place: RootPlace, pair: string, batch: number): Received | undefined {
  return batches.get(world)?.get(batchKey(place, pair, batch))
}

/** Ends the batch's state; the slots stay where they are. */
export function forgetReceived(world: World, place: RootPlace, pair: string, batch: number): void {
  const key = batchKey(place, pair, batch)
  const received = batches.get(world)?.get(key)
  batches.get(world)?.delete(key)
  received?.filesystem.close()
}

const batches = new WeakMap<World, Map<string, Received>>()

const batchKey = (place: RootPlace, pair: string, batch: number) => `${pair} ${batch} ${place.root}`

export function batchOf(world: World, place: RootPlace, pair: string, batch: number, root: Directory): Received {
  const known = batches.get(world) ?? new Map<string, Received>()
  batches.set(world, known)
  const key = batchKey(place, pair, batch)
  let received = known.get(key)
  if (received === undefined) {
    const mark = Buffer.from(world.random.bytes(8)).toString('hex')
    received = {
      filesystem: root.openDirectory(rootPath),
      mark,
      slots: new Map(),
      folders: new Map(),
      parts: new Map(),
    }
    known.set(key, received)
  }
  return received
}

/** The name of the slot of a want. */
export function slotNameOf({ mark, parts }: Received, want: number): string {
  const part = parts.get(want)
  return part === undefined ? `${mark}-${want}` : partSlotName(part, `${mark}-${want}`)
}

export function emptySlot(name: string): Slot {
  return {
    name,
    sizeBytes: 0,
    digest: undefined,
    fingerprint: undefined,
    given: undefined,
    failure: undefined,
    offer: undefined,
    foreignBytes: 0,
  }
}

/** The folders of a batch while one pack is taken: files of one come after another. */
class OpenFolders {
  private open: { readonly folder: Folder; readonly directory: Directory } | undefined

  constructor(
    private readonly received: Directory,
    private readonly batch: Received,
  ) {}

  /** Makes a file in its folder. undefined: not there, where it has no other name for it; it is to be a slot of its own. */
  create({ folder: number, name }: FolderPlace, slot: Slot, mode: number): FileHandle | undefined {
    try {
      const { folder, directory } = this.opened(number)
      const file = directory.createFile(name, mode)
      folder.names.add(name)
      slot.name = `${folder.name}/${name}`
      return file
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      return undefined
    }
  }

  close(): void {
    this.open?.directory.close()
    this.open = undefined
  }

  private opened(number: number): { readonly folder: Folder; readonly directory: Directory } {
    const folder = this.batch.folders.get(number) ?? this.make(number)
    if (this.open?.folder === folder) return this.open
    this.close()
    this.open = { folder, directory: openFolderOf(this.received, folder.name) }
    return this.open
  }

  private make(number: number): Folder {
    const folder = { name: folderName(this.batch.mark, number), names: new Set<string>() }
    this.received.makeDirectory(folder.name, 0o700)
    this.batch.folders.set(number, folder)
    return folder
  }
}

/** Answers whether the disk is full. */
function take(
  world: World,
  stage: StageFolder,
  received: Received,
  folders: OpenFolders,
  item: Item,
  told: NewFile | undefined,
): boolean {
  let slot = received.slots.get(item.want)
  if (slot === undefined && received.slots.size >= slotsMax)
    throw new Malformed(`more than ${slotsMax} files in a batch`)
  // A file that has a slot of its own already keeps it.
  const place = slot === undefined && item.fingerprint !== undefined ? told?.place : undefined
  if (slot === undefined || item.position === 0) {
    // The beginning of a file, perhaps once more after the link was cut: what was there is worth nothing.
    slot = emptySlot(slotNameOf(received, item.want))
    received.slots.set(item.want, slot)
  }
  if (slot.failure !== undefined) return false
  if (slot.offer !== undefined) takeUp(slot, slot.offer, item.position)
  try {
    const create = (mode: number) => place && folders.create(place, slot, mode)
    const why = write(world, stage, slot, item, told?.props, create)
    if (why === undefined) return false
    slot.failure = { code: 'changing', detail: why, transient: true }
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
    const { code, detail } = problemOf(error)
    slot.failure = { code, detail, transient: error.transient }
  }
  discard(stage, slot)
  return slot.failure.code === 'disk-full'
}

/** The source goes on from one of the places that it was offered. */
function takeUp(slot: Slot, { presentBytes, digests }: PartOffer, position: number): void {
  slot.offer = undefined
  const digest = digests.get(position)
  if (digest === undefined) return
  slot.digest = digest
  slot.sizeBytes = position
  slot.foreignBytes = presentBytes
}

/** Why the slot is worth nothing, or undefined. */
function write(
  world: World,
  stage: StageFolder,
  slot: Slot,
  item: Item,
  props: Props | undefined,
  createInFolder: (mode: number) => FileHandle | undefined,
): string | undefined {
  const first = item.position === 0
  if (!first && (item.position !== slot.sizeBytes || slot.digest === undefined))
    return `received from byte ${item.position} on where byte ${slot.sizeBytes} was due`
  const last = item.fingerprint !== undefined
  const mode = last && props !== undefined ? modeGiven(world, stage, props) : undefined
  // A file that comes in pieces is opened once more for each: until it is whole it is ours to write.
  // What still has to be given its mode does so by itself.
  const placed = first && mode !== undefined ? createInFolder(mode) : undefined
  const file = placed ?? (first ? createAfresh(stage.in, slot.name, mode ?? 0o600) : stage.in.reopenFile(slot.name))
  try {
    // What does not count must not show through where zeros are left out.
    if (item.position < slot.foreignBytes) file.write(item.data, item.position)
    else writeSparsely(file, item.data, item.position, last)
    if (mode !== undefined && props !== undefined) slot.given = { props, stat: finish(file, mode, props.mtimeNs) }
  } finally {
    file.close()
  }
  slot.sizeBytes += item.data.length
  if (item.fingerprint === undefined) {
    slot.digest ??= createHash('sha256')
    slot.digest.update(item.data)
    return undefined
  }
  const found = slot.digest === undefined ? digestOf(item.data) : fingerprintOf(slot.digest.update(item.data).digest())
  slot.digest = undefined
  if (found !== item.fingerprint) return 'the bytes received are not those of the fingerprint'
  if (slot.foreignBytes > slot.sizeBytes) return 'what was here of it is longer than the whole'
  slot.fingerprint = found
  return undefined
}

/** undefined: setuid and setgid are for the operation to give, which comes from who may ask for them. */
function modeGiven(world: World, stage: StageFolder, { mode }: Props): number | undefined {
  if (mode === undefined) return 0o666 & ~umaskOf(world, stage.in)
  return (mode & 0o6000) === 0 ? mode : undefined
}

/** Gives a file its properties; what its handle tells after the last change to it. */
function finish(file: FileHandle, mode: number, mtimeNs: bigint | undefined): Stat {
  if (mtimeNs !== undefined) file.setTime(mtimeNs)
  const stat = file.stat()
  // Mostly it was made with the very mode; a umask, or who is not its group, takes bits away.
  if (stat.mode === mode) return stat
  file.setMode(mode)
  return file.stat()
}

/** What an earlier attempt left there goes. */
function createAfresh(received: Directory, name: string, mode: number): FileHandle {
  try {
    return received.createFile(name, mode)
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'exists') throw error
    dropFile(received, name)
    return received.createFile(name, mode)
  }
}

/** Gives the room back at once; where even that fails it goes with the batch. */
function discard(stage: StageFolder, slot: Slot): void {
  slot.digest = undefined
  slot.fingerprint = undefined
  try {
    dropSlot(stage.in, slot.name)
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error
  }
}

/** The buffer of a pack, if the pack is all there is in it. */
function whole(pack: Uint8Array): ArrayBuffer[] {
  const { buffer } = pack
  return buffer instanceof ArrayBuffer && pack.byteLength === buffer.byteLength ? [buffer] : []
}

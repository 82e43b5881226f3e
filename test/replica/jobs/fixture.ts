import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as nodePath from 'node:path'
import { afterEach } from 'vitest'
import type { Content, FileContent, Props } from '../../../src/core/content.js'
import type { Operation } from '../../../src/core/operation.js'
import { type AbsPath, absPath, nameOf, parentOf, type RelPath, relPath } from '../../../src/core/path.js'
import type { Directory, Files, Stat } from '../../../src/host/files.js'
import { nodeClock } from '../../../src/host/node/clock.js'
import { nodeFiles } from '../../../src/host/node/files.js'
import { nodeMachine } from '../../../src/host/node/machine.js'
import { nodeRandom } from '../../../src/host/node/random.js'
import { nodeStores } from '../../../src/host/node/store.js'
import type { World } from '../../../src/host/workers.js'
import { closeIndex, openIndex } from '../../../src/index/index.js'
import type { IndexRecord } from '../../../src/index/record.js'
import { type Applied, applyJob } from '../../../src/replica/jobs/apply.js'
import type { Budget } from '../../../src/replica/jobs/budget.js'
import { digestFile, digestOf } from '../../../src/replica/jobs/digest.js'
import { closeRootJob, openRootJob, type RootFacts } from '../../../src/replica/jobs/open-root.js'
import { type PastOutcomes, pastOutcomes } from '../../../src/replica/jobs/past.js'
import type { RootPlace } from '../../../src/replica/jobs/place.js'
import { type Recovered, recoverJob } from '../../../src/replica/jobs/recover.js'
import { stageJob } from '../../../src/replica/jobs/stage.js'
import { fieldsOf } from '../../../src/replica/jobs/stamp.js'
import { BytesWriter } from '../../../src/wire/bytes.js'
import { operationList, outcomeList } from '../../../src/wire/list.js'
import { writeItem } from '../../../src/wire/pack.js'
import { stepping, type Trap } from './stepping.js'

export const pair = 'a'.repeat(32)
export const dayNs = 86_400_000_000_000n
/** A time of the past with nanoseconds. */
export const oldNs = 1_700_000_000_123_456_789n

const opened: Fixture[] = []

afterEach(() => {
  for (const fixture of opened.splice(0)) fixture.dispose()
})

/** A fresh root on the real file system, opened by one process. */
export function freshRoot(): Fixture {
  const fixture = new Fixture(absPath(fs.mkdtempSync(nodePath.join(tmpdir(), 'tandem-jobs-'))))
  opened.push(fixture)
  return fixture
}

export type Told = Recovered & { readonly unacknowledged: readonly PastOutcomes[] }

/** What recoverJob answers, and what was done and never acknowledged, by pair. */
export function recoverWith(world: World, place: RootPlace, locks: AbsPath): Told {
  const recovered = recoverJob.run(world, { place, locks })
  const intents = nodeFiles().openDirectory(absPath(`${place.root}/.tandem/stage/${place.folder}/intents`))
  try {
    return { ...recovered, unacknowledged: pastOutcomes(intents) }
  } finally {
    intents.close()
  }
}

/** One root and the processes that work on it, one after the other. */
export class Fixture {
  readonly root: AbsPath
  /** Where the lock files of the processes lie, outside the root. */
  readonly locks: AbsPath
  readonly trap: Trap
  world: World
  place: RootPlace
  facts: RootFacts
  /** Added to the wall clock: to let a second pass. */
  aheadNs = 0n
  /** What may be removed; undefined: anything. */
  budget: Budget | undefined
  /** For whom is applied. */
  pair = pair
  private readonly files: Files
  private processes = 0
  private batches = 0

  constructor(private readonly home: AbsPath) {
    this.root = absPath(`${home}/root`)
    this.locks = absPath(`${home}/locks`)
    const { files, trap } = stepping(nodeFiles())
    this.files = files
    this.trap = trap
    const first = this.start('boot-1')
    this.world = first.world
    this.place = first.place
    this.facts = first.facts
  }

  /** Another process begins, on the same machine unless another boot is named; the one before is gone. */
  restart(boot = this.place.boot): void {
    this.trap.release()
    // A dead process's locks are free: here they are given back.
    closeIndex(this.world, this.place.index)
    this.trap.dropLocks()
    const next = this.start(boot)
    this.world = next.world
    this.place = next.place
    this.facts = next.facts
  }

  /** Another process on the same root, while this one lives. */
  secondProcess(): { world: World; place: RootPlace } {
    return this.start(this.place.boot)
  }

  private start(boot: string): { world: World; place: RootPlace; facts: RootFacts } {
    const clock = nodeClock()
    const world: World = {
      files: this.files,
      stores: nodeStores(),
      clock: { ...clock, now: () => clock.now(), wallNs: () => clock.wallNs() + this.aheadNs },
      random: nodeRandom(),
      machine: nodeMachine(),
    }
    const folder = `process-${++this.processes}`
    const facts = openRootJob.run(world, { root: this.root, folder, locks: this.locks, create: true })
    this.trap.release()
    const index = absPath(`${this.home}/index.mdb`)
    return {
      world,
      facts,
      place: {
        root: this.root,
        index,
        folder,
        boot,
        rootId: facts.rootId,
        keeps: true,
        durability: 'power-loss',
        folding: facts.folding,
      },
    }
  }

  abs(path: string): string {
    return `${this.root}/${path}`
  }

  // The user's hands: plain node:fs, nothing of ours.

  write(path: string, text: string, mtimeNs: bigint = oldNs, mode = 0o644): void {
    fs.mkdirSync(nodePath.dirname(this.abs(path)), { recursive: true })
    fs.writeFileSync(this.abs(path), text)
    fs.chmodSync(this.abs(path), mode)
    this.retime(path, mtimeNs)
  }

  /** As most editors save: aside, then renamed over. */
  saveAtomically(path: string, text: string): void {
    fs.writeFileSync(this.abs(`${path}~`), text)
    fs.renameSync(this.abs(`${path}~`), this.abs(path))
  }

  read(path: string): string {
    return fs.readFileSync(this.abs(path), 'utf8')
  }

  has(path: string): boolean {
    return fs.lstatSync(this.abs(path), { throwIfNoEntry: false }) !== undefined
  }

  retime(path: string, mtimeNs: bigint): void {
    this.inParent(path, (parent) => parent.setTime(nameOf(relPath(path)), mtimeNs))
  }

  stat(path: string): Stat {
    return this.inParent(path, (parent) => {
      const stat = parent.statAt(nameOf(relPath(path)))
      if (stat === undefined) throw new Error(`${path} is not there`)
      return stat
    })
  }

  /** Every file and link outside the private folder, by path: its text, or '-> target', or '/' for a directory. */
  tree(): Record<string, string> {
    const found: Record<string, string> = {}
    const walk = (path: string) => {
      for (const entry of fs.readdirSync(this.abs(path), { withFileTypes: true })) {
        if (entry.name === '.tandem') continue
        const below = path === '' ? entry.name : `${path}/${entry.name}`
        if (entry.isDirectory()) {
          found[below] = '/'
          walk(below)
        } else if (entry.isSymbolicLink()) found[below] = `-> ${fs.readlinkSync(this.abs(below))}`
        else found[below] = this.read(below)
      }
    }
    walk('')
    return found
  }

  /** Names in this process's folder of staging. */
  slots(which: 'in' | 'out' | 'intents'): string[] {
    return fs.readdirSync(this.abs(`.tandem/stage/${this.place.folder}/${which}`))
  }

  /** What a scan would put into the index for these paths and their directories; stamps are trusted unless said otherwise. */
  scan(paths: readonly string[], racy = false): void {
    openIndex(this.world, this.place.index).write((edit) => {
      const seen = new Set<string>()
      const put = (path: RelPath) => {
        if (seen.has(path)) return
        seen.add(path)
        if (path !== '') put(parentOf(path))
        const directory = nodeFiles().openDirectory(this.root)
        try {
          const stat = path === '' ? directory.stat() : this.stat(path)
          const id = path === '' ? 0 : edit.directoryId(parentOf(path))
          if (id === undefined) throw new Error(`${path}: its directory is not in the index`)
          const file = stat.kind === 'file'
          edit.put(
            id,
            nameOf(path),
            fieldsOf(stat, {
              fingerprint: file ? this.fingerprint(path) : undefined,
              target: stat.kind === 'symlink' ? fs.readlinkSync(this.abs(path)) : undefined,
              racy: file && racy,
            }),
          )
        } finally {
          directory.close()
        }
      }
      for (const path of paths) put(relPath(path))
    })
  }

  record(path: string) {
    return openIndex(this.world, this.place.index).find(relPath(path))?.record
  }

  /** Changes stat facts in the record, as if they had always been so. */
  amend(path: string, fields: Partial<IndexRecord>): void {
    openIndex(this.world, this.place.index).write((edit) => {
      const found = edit.find(relPath(path))
      if (found !== undefined) edit.amend(found.directoryId, found.name, { ...found.record, ...fields })
    })
  }

  fingerprint(path: string) {
    return this.inParent(path, (parent) => {
      const file = parent.openFile(nameOf(relPath(path)))
      try {
        return digestFile(file)
      } finally {
        file.close()
      }
    })
  }

  /** The content at a path as a report would tell it. */
  content(path: string): Content {
    const stat = this.stat(path)
    const props = { mode: stat.mode, mtimeNs: stat.mtimeNs }
    if (stat.kind === 'directory') return { kind: 'directory', props }
    if (stat.kind === 'symlink') return { kind: 'symlink', target: fs.readlinkSync(this.abs(path)) }
    return { kind: 'file', fingerprint: this.fingerprint(path), sizeBytes: stat.sizeBytes, props }
  }

  // The agent's hands.

  /** Stages the texts and applies the operations as one batch; answers what applyJob does. */
  apply(operations: readonly Operation[], texts: readonly string[] = [], batch = this.nextBatch()): Applied {
    this.stage(texts, batch)
    const applied = applyJob.run(this.world, {
      place: this.place,
      pair: this.pair,
      batch,
      operations: operationList.toBytes(operations),
      supplier: 'boot-of-supplier',
      from: '//other//root',
      budget: this.budget,
    })
    return { ...applied, outcomes: outcomeList.fromBytes(applied.outcomes) }
  }

  /** As recoverWith, by the process that works on the root. */
  recover(): Told {
    return recoverWith(this.world, this.place, this.locks)
  }

  nextBatch(): number {
    return ++this.batches
  }

  get batch(): number {
    return this.batches
  }

  /** `props`: properties that come with the bytes; see Delivery. */
  stage(texts: readonly string[], batch: number, props: Uint8Array = new Uint8Array(0)): void {
    if (texts.length > 0)
      stageJob.run(this.world, { place: this.place, pair: this.pair, batch, pack: packOf(texts), props })
  }

  dispose(): void {
    this.trap.release()
    closeRootJob.run(this.world, { root: this.root, folder: this.place.folder })
    this.trap.dropLocks()
    closeIndex(this.world, this.place.index)
    fs.rmSync(this.home, { recursive: true, force: true })
  }

  private inParent<T>(path: string, body: (parent: Directory) => T): T {
    const root = nodeFiles().openDirectory(this.root)
    try {
      const parent = root.openDirectory(parentOf(relPath(path)))
      try {
        return body(parent)
      } finally {
        parent.close()
      }
    } finally {
      root.close()
    }
  }
}

/** A pack of whole small files; the want of each is its place in the list. */
export function packOf(texts: readonly string[]): Uint8Array {
  const pack = new BytesWriter()
  for (const [want, text] of texts.entries()) {
    const data = Buffer.from(text, 'utf8')
    writeItem(pack, { want, position: 0, data, fingerprint: digestOf(data) })
  }
  return pack.finish()
}

export const newProps: Props = { mode: 0o640, mtimeNs: oldNs + 1n }

export function writeFile(path: string, expect: Content, want: number, text: string, props = newProps): Operation {
  const sizeBytes = Buffer.byteLength(text)
  return { op: 'write-file', path: relPath(path), expect, want, sizeBytes, props }
}

export function remove(path: string, expect: Content): Operation {
  return { op: 'remove', path: relPath(path), expect }
}

export function makeDirectory(path: string, mode = 0o755): Operation {
  return {
    op: 'create-directory',
    path: relPath(path),
    expect: { kind: 'absent' },
    props: { mode, mtimeNs: undefined },
  }
}

export function fileOf(text: string, props = newProps): FileContent {
  return { kind: 'file', fingerprint: digestOf(Buffer.from(text)), sizeBytes: Buffer.byteLength(text), props }
}

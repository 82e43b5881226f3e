import { join, nameOf, type RelPath, relPath, rootPath } from '../../src/core/path.js'
import { FileFailure } from '../../src/host/files.js'
import type { Inode } from './inode.js'
import type { Dice } from './random.js'
import type { Scheduler } from './scheduler.js'
import type { UserFiles, UserHandle } from './user-files.js'

/** Few names, so that the two sides meet; one is not UTF-8. */
const names = ['a', 'b', 'c', 'd', 'e', 'notes.txt', 'n\udcff']
/** The same, and some that are alike where case does not count. */
export const namesInBothCases = [...names, 'A', 'B', 'Notes.TXT']
const depthMax = 3
const openMax = 3
/** A file that no user touches: the root is never emptied by accident. */
export const kept = relPath('kept')

const weights = {
  create: 14,
  save: 16,
  overwrite: 10,
  append: 8,
  hold: 6,
  map: 2,
  truncate: 3,
  remove: 8,
  removeTree: 3,
  rename: 9,
  moveDirectory: 4,
  makeDirectory: 7,
  unpack: 3,
  makeSymlink: 4,
  relink: 2,
  chmod: 5,
  touch: 3,
  changeType: 3,
}

/** What hurts most at a path that an agent is about to change. */
const meetings = ['save', 'overwrite', 'append', 'hold', 'remove'] as const

/** What a program does in several calls: between two of them anything may happen. */
type Work = Generator<void, void, undefined>

/**
 * Somebody at work in one root. Each step is one call, or a few that no one comes between; what a program does in several
 * calls is spread over several steps. Every version written carries a token that is written nowhere else.
 */
export class User {
  /** Names that an agent is at work on: a step that comes between its calls likes to meet it there. */
  private near: ReadonlySet<string> = new Set()
  private readonly under: Work[] = []
  /** Programs that keep a file open and are silent until the user goes home. */
  private readonly asleep: Work[] = []
  private tokens = 0
  private meetings = 0
  private atRest = false
  /** Of the step in hand. Each has its own, so that a step that is left out shifts no choice of another. */
  private dice: Dice

  constructor(
    readonly name: string,
    readonly files: UserFiles,
    private readonly source: Dice,
    private readonly scheduler: Scheduler,
    private readonly vocabulary: readonly string[] = names,
  ) {
    this.dice = source
  }

  /** A step between two calls of an agent, likely where the agent is. */
  meet(names: ReadonlySet<string>): void {
    this.near = names
    this.act(`meets ${++this.meetings}`)
    this.near = new Set()
  }

  /** One step: goes on with what was begun, or begins something. A command that fails is a step too. */
  act(step: string): void {
    if (this.atRest) return
    this.dice = this.source.stream(step)
    const goOn = this.under.length >= openMax || (this.under.length > 0 && this.dice.chance(0.6))
    if (goOn) this.advance(this.dice.pick(this.under))
    else this.begin()
  }

  /** Ends everything that was begun: descriptors are closed, saves completed. */
  finish(): void {
    this.atRest = true
    this.dice = this.source.stream('finishes')
    this.under.push(...this.asleep.splice(0))
    for (const work of [...this.under]) while (this.under.includes(work)) this.advance(work)
  }

  /** The machine lost its power: nothing that was begun goes on. */
  forget(): void {
    this.under.length = 0
    this.asleep.length = 0
  }

  /** Bytes that were never written before. */
  version(path: RelPath): string {
    this.tokens += 1
    const token = `${this.name}#${this.tokens} `
    // Mostly small; now and then larger than one read, so that a torn copy can be told.
    const size = this.dice.chance(0.01) ? 600_000 : this.dice.skewed(0, 400)
    return `${token}${path} `.padEnd(size, `${this.tokens}.`)
  }

  private begin(): void {
    const meets = this.near.size > 0 && this.dice.chance(0.6)
    const kind = meets ? this.dice.pick(meetings) : this.dice.weighted(weights)
    this.scheduler.note(`${this.name} ${kind}`)
    const work = tried(this.works[kind])
    if (work === undefined) return
    this.under.push(work)
    this.advance(work)
    if ((kind === 'hold' || kind === 'map') && this.under.includes(work) && this.dice.chance(0.35)) {
      this.under.splice(this.under.indexOf(work), 1)
      this.asleep.push(work)
    }
    if (meets) while (this.under.includes(work) && this.dice.chance(0.6)) this.advance(work)
  }

  private advance(work: Work): void {
    const over = tried(() => work.next().done) ?? true
    if (over) this.under.splice(this.under.indexOf(work), 1)
  }

  private readonly works: Record<keyof typeof weights, () => Work | undefined> = {
    create: () => this.create(),
    save: () => this.save(),
    overwrite: () => this.overwrite(),
    append: () => this.append(),
    hold: () => this.hold(),
    map: () => this.map(),
    truncate: () => this.truncate(),
    remove: () => done(this.files.remove(this.file())),
    removeTree: () => this.removeTree(),
    rename: () => done(this.files.rename(this.existing(), this.fresh())),
    moveDirectory: () => done(this.files.rename(this.directory(), this.fresh())),
    makeDirectory: () => done(this.files.makeDirectory(this.fresh())),
    unpack: () => this.unpack(),
    makeSymlink: () => done(this.files.makeSymlink(this.fresh(), this.link())),
    relink: () => this.relink(),
    chmod: () => this.chmod(),
    touch: () => done(this.files.setTime(this.file(), BigInt(this.dice.below(2_000_000_000)) * 1_000_000_007n)),
    changeType: () => this.changeType(),
  }

  private create(): undefined {
    const path = this.fresh()
    this.files.create(path, this.version(path))
  }

  /** As editors do: beside it, then over it. */
  private *save(): Work {
    const path = this.file()
    const beside = relPath(`${path}.${this.name}.swp`)
    this.files.create(beside, this.version(path))
    yield
    this.files.rename(beside, path)
  }

  /** As a shell's '>' does: emptied first, filled later. */
  private *overwrite(): Work {
    const path = this.file()
    const handle = this.files.open(path)
    try {
      handle.truncate(0)
      if (this.dice.chance(0.5)) yield
      const text = this.version(path)
      if (this.dice.chance(0.3)) {
        handle.append(text.slice(0, text.length >> 1))
        yield
        handle.append(text.slice(text.length >> 1))
      } else handle.append(text)
    } finally {
      handle.close()
    }
  }

  private append(): undefined {
    const path = this.file()
    const handle = this.files.open(path)
    try {
      handle.append(this.version(path))
    } finally {
      handle.close()
    }
  }

  /** The first bytes of a version alone are no version of their own: a new token goes before them. */
  private truncate(): undefined {
    const handle = this.files.open(this.file())
    try {
      const text = this.version(relPath('cut'))
      handle.write(text, 0)
      handle.truncate(text.length)
    } finally {
      handle.close()
    }
  }

  private chmod(): undefined {
    if (this.dice.chance(0.7)) this.files.setMode(this.file(), this.dice.pick([0o644, 0o600, 0o755, 0o640]))
    else this.files.setMode(this.directory(), this.dice.pick([0o755, 0o700, 0o775]))
  }

  private link(): string {
    return `to ${this.name}#${++this.tokens}`
  }

  /** As `ln -sfn` does. */
  private relink(): undefined {
    const path = this.pickFrom((inode) => inode.kind === 'symlink')
    const beside = relPath(`${path}.${this.name}.ln`)
    this.files.makeSymlink(beside, this.link())
    this.files.rename(beside, path)
  }

  /** As `tar x` does: a tree of new names, filled while it is already being looked at. */
  private *unpack(): Work {
    const top = this.fresh()
    this.files.makeDirectory(top)
    const inner = join(top, this.dice.pick(this.vocabulary))
    this.files.makeDirectory(inner)
    for (const directory of [inner, top, inner]) {
      const path = join(directory, this.dice.pick(this.vocabulary))
      this.files.create(path, this.version(path))
      if (this.dice.chance(0.5)) yield
    }
  }

  /** As a database does: keeps it open, and writes when nobody thinks of it any more. */
  private *hold(): Work {
    const path = this.file()
    const handle = this.files.open(path)
    yield* this.writing(handle, () => handle.write(this.version(path), 0))
  }

  private *map(): Work {
    const path = this.file()
    const handle = this.files.open(path)
    // A store changes bytes of the same length: the token, at the least.
    yield* this.writing(handle, () => {
      if (handle.sizeBytes >= 40) handle.store(this.version(path).padEnd(40).slice(0, 40), 0)
    })
  }

  private *writing(handle: UserHandle, write: () => void): Work {
    try {
      for (let round = this.dice.between(1, 3); round > 0; round--) {
        write()
        yield
      }
      yield
      if (this.dice.chance(0.5)) write()
    } finally {
      // A program that a full disk ends has closed its files, too.
      handle.close()
    }
  }

  /** As rm -rf does, from the leaves up; what comes in meanwhile makes it fail. */
  private *removeTree(): Work {
    const top = this.directory()
    const below = [...this.files.paths().keys()].filter((path) => path === top || path.startsWith(`${top}/`))
    for (const path of below.reverse()) {
      this.files.remove(path)
      if (this.dice.chance(0.3)) yield
    }
  }

  private *changeType(): Work {
    const path = this.existing()
    const isDirectory = this.files.find(path)?.kind === 'directory'
    this.files.removeTree(path)
    if (this.dice.chance(0.3)) yield
    if (isDirectory) this.files.create(path, this.version(path))
    else {
      this.files.makeDirectory(path)
      if (this.dice.chance(0.5)) this.files.create(join(path, 'a'), this.version(path))
    }
  }

  /** A path that is there, if there is any: a made-up one fails the command. */
  private existing(): RelPath {
    return this.pickFrom(() => true)
  }

  private file(): RelPath {
    return this.pickFrom((inode) => inode.kind === 'file')
  }

  private directory(): RelPath {
    return this.pickFrom((inode) => inode.kind === 'directory')
  }

  private pickFrom(suits: (inode: Inode) => boolean): RelPath {
    const paths: RelPath[] = []
    const near: RelPath[] = []
    for (const [path, inode] of this.files.paths()) {
      if (path === kept || !suits(inode)) continue
      paths.push(path)
      if (this.near.has(nameOf(path))) near.push(path)
    }
    if (near.length > 0 && this.dice.chance(0.7)) return this.dice.pick(near)
    return paths.length === 0 ? relPath('none') : this.dice.pick(paths)
  }

  /** A path that may or may not be there, in a directory that is. */
  private fresh(): RelPath {
    const directories: RelPath[] = [rootPath]
    for (const [path, inode] of this.files.paths())
      if (inode.kind === 'directory' && path.split('/').length < depthMax) directories.push(path)
    return join(this.dice.pick(directories), this.dice.pick(this.vocabulary))
  }
}

/** A command that fails is no matter. */
function tried<T>(command: () => T): T | undefined {
  try {
    return command()
  } catch (error) {
    if (error instanceof FileFailure) return undefined
    throw error
  }
}

function done(_step: unknown): undefined {}

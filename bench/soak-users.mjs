// Users of two real roots, and the book that is kept of every version they write: none may be lost, torn or made up.
import {
  chmodSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { nodeFiles } from '../src/host/node/files.ts'

/** Every version that was ever written, by its text, and what became of it. */
export class Book {
  versions = new Map()
  violations = []
  written = 0

  /** A text that was never written before. */
  next(who, path, sizeBytes) {
    const token = `${who}#${++this.written} ${path} `
    return token.padEnd(sizeBytes, `${this.written}.`)
  }

  born(text) {
    if (!this.versions.has(text)) this.versions.set(text, { over: text === '', removedAt: undefined })
  }

  /** A user wrote it again, where it had been replaced or removed. */
  again(text) {
    if (text !== '') this.versions.set(text, { over: false, removedAt: undefined })
  }

  /** A user replaced it, or removed it from the path. */
  over(text, removedAt) {
    const version = this.versions.get(text)
    if (version === undefined) return this.violate(`a user found what nobody wrote: ${spoken(text)}`)
    version.over = true
    version.removedAt = removedAt
  }

  /** `text` was read at a path, by a user. */
  seen(text, where) {
    if (!this.versions.has(text)) this.violate(`torn or made up at ${where}: ${spoken(text)}`)
  }

  violate(what) {
    this.violations.push(what)
    console.log(`VIOLATION ${what}`)
  }

  /** All that must hold when both roots are equal but for conflicts; `roots`: by name. */
  check(roots) {
    const visible = new Set()
    const places = roots.map((root) => filesOf(root))
    for (const [at, files] of places.entries())
      for (const [path, text] of files) {
        visible.add(text)
        this.seen(text, join(roots[at], path))
      }
    for (const [text, { over, removedAt }] of this.versions) {
      if (!over && !visible.has(text)) this.violate(`lost: ${spoken(text)} is visible nowhere`)
      if (removedAt !== undefined && places.every((files) => files.get(removedAt) === text))
        this.violate(`came back: ${spoken(text)} at ${removedAt}`)
    }
    // What is over and gone need not be looked at again.
    for (const [text, { over }] of this.versions)
      if (over && !visible.has(text) && text !== '') this.versions.delete(text)
  }
}

const spoken = (text) => JSON.stringify(text.length > 60 ? `${text.slice(0, 50)}... (${text.length})` : text)

/** Every file and link below a root: its text. */
function filesOf(root) {
  const files = new Map()
  const visit = (path) => {
    for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
      if (entry.name.startsWith('.tandem')) continue
      const below = path === '' ? entry.name : `${path}/${entry.name}`
      if (entry.isDirectory()) visit(below)
      else files.set(below, textAt(join(root, below)))
    }
  }
  visit('')
  return files
}

function textAt(path) {
  return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : readFileSync(path, 'latin1')
}

const names = ['a', 'b', 'c', 'd', 'e', 'f g', 'h\u00e9', 'notes.txt']
const acts = {
  create: 16,
  save: 18,
  overwrite: 10,
  append: 8,
  hold: 5,
  remove: 8,
  removeTree: 2,
  rename: 8,
  mkdir: 10,
  link: 3,
  chmod: 4,
  touch: 3,
  read: 8,
}

/** Somebody at work in one root, with the calls that programs make. What a call replaces is known exactly, as it comes out. */
export class User {
  held = []
  /** Inodes that this user has unlinked. */
  parted = new Set()
  acts = 0
  /** How often each succeeded. */
  done = new Map(Object.keys(acts).map((act) => [act, 0]))
  private = 0

  constructor(name, root, aside, book, random) {
    Object.assign(this, { name, root, aside, book, random })
    mkdirSync(aside, { recursive: true })
    this.files = nodeFiles()
  }

  /** One step. A command that fails is a step too. */
  act() {
    this.acts++
    try {
      if (this.held.length > 0 && this.random() < 0.4) return this.goOn()
      const act = weighted(acts, this.random)
      this[act]()
      this.done.set(act, (this.done.get(act) ?? 0) + 1)
    } catch (error) {
      if (error.code === undefined) throw error
    }
  }

  finish() {
    while (this.held.length > 0) this.goOn()
  }

  create() {
    const path = this.fresh()
    this.place(this.write(this.version(path)), path)
  }

  /** As editors do; what comes out is what it replaces. */
  save() {
    const path = this.file()
    const aside = this.write(this.version(path))
    try {
      this.rename2(aside, path, 'exchange')
    } catch (error) {
      this.gone(aside)
      throw error
    }
    // It has become a directory meanwhile: that was not meant.
    if (lstatSync(aside).isDirectory()) this.rename2(aside, path, 'exchange')
    this.gone(aside)
  }

  overwrite() {
    const path = this.file()
    this.inPlace(path, (fd) => {
      ftruncateSync(fd, 0)
      writeSync(fd, this.version(path), 0, 'latin1')
    })
  }

  append() {
    const path = this.file()
    this.inPlace(path, (fd, before) => {
      writeSync(fd, this.version(path), before.length, 'latin1')
    })
  }

  /** Keeps it open, and writes later. */
  hold() {
    const path = this.file()
    this.held.push({ path, fd: openSync(join(this.root, path), 'r+') })
  }

  goOn() {
    const [one] = this.held.splice(Math.floor(this.random() * this.held.length), 1)
    try {
      if (this.random() < 0.7)
        this.change(one.fd, (before) => {
          writeSync(one.fd, this.version(one.path).padEnd(before.length, '-'), 0, 'latin1')
        })
    } finally {
      closeSync(one.fd)
    }
  }

  remove() {
    const path = this.file()
    this.taken(path)
  }

  removeTree() {
    const top = this.directory()
    const visit = (path) => {
      for (const entry of readdirSync(join(this.root, path), { withFileTypes: true })) {
        const below = `${path}/${entry.name}`
        if (entry.isDirectory()) visit(below)
        else this.taken(below)
      }
      rmdirSync(join(this.root, path))
    }
    visit(top)
  }

  rename() {
    const path = this.pick(() => true)
    const to = this.fresh()
    this.rename2(join(this.root, path), to, 'no-replace')
    // It is elsewhere now, not removed: where it ends is a question of names.
  }

  mkdir() {
    mkdirSync(join(this.root, this.fresh()))
  }

  link() {
    const path = this.fresh()
    const text = `to ${this.name}#${++this.book.written}`
    symlinkSync(text, join(this.root, path))
    this.book.born(text)
  }

  chmod() {
    const mode = [0o644, 0o600, 0o755, 0o640][Math.floor(this.random() * 4)]
    chmodSync(join(this.root, this.file()), mode)
  }

  touch() {
    utimesSync(join(this.root, this.file()), 1_600_000_000, Math.floor(this.random() * 1_700_000_000))
  }

  /** A reader who knows what may be there. */
  read() {
    const path = this.file()
    this.book.seen(readFileSync(join(this.root, path), 'latin1'), join(this.root, path))
  }

  /** Makes the path here what it is in the other root, as somebody who settles a conflict does. */
  copyFrom(other, path) {
    if (lstatSync(join(this.root, path), { throwIfNoEntry: false }) !== undefined) this.takenTree(path)
    const stat = lstatSync(join(other.root, path), { throwIfNoEntry: false })
    if (stat !== undefined) this.copy(other, path, stat)
  }

  copy(other, path, stat) {
    const target = join(this.root, path)
    if (!stat.isDirectory()) this.book.again(textAt(join(other.root, path)))
    if (stat.isSymbolicLink()) symlinkSync(readlinkSync(join(other.root, path)), target)
    else if (stat.isDirectory()) {
      mkdirSync(target)
      chmodSync(target, stat.mode & 0o7777)
      for (const name of readdirSync(join(other.root, path)))
        this.copy(other, `${path}/${name}`, lstatSync(join(other.root, path, name)))
    } else {
      const aside = this.write(readFileSync(join(other.root, path), 'latin1'))
      chmodSync(aside, stat.mode & 0o7777)
      utimesSync(aside, stat.atimeMs / 1000, stat.mtimeMs / 1000)
      this.place(aside, path)
    }
  }

  /** A new name, unless there is something. */
  place(aside, path) {
    try {
      this.rename2(aside, path, 'no-replace')
    } catch (error) {
      this.gone(aside)
      throw error
    }
  }

  takenTree(path) {
    const stat = lstatSync(join(this.root, path))
    if (!stat.isDirectory()) return this.taken(path)
    for (const name of readdirSync(join(this.root, path))) this.takenTree(`${path}/${name}`)
    rmdirSync(join(this.root, path))
  }

  // ---- inside

  inPlace(path, body) {
    const fd = openSync(join(this.root, path), 'r+')
    try {
      this.change(fd, (before) => body(fd, before))
    } finally {
      closeSync(fd)
    }
  }

  /** Writes through a descriptor. Whatever it holds afterwards, also after a failure, is what the user wrote. */
  change(fd, body) {
    const before = textOf(fd)
    try {
      body(before)
    } finally {
      const after = textOf(fd)
      if (after !== before) {
        this.book.born(after)
        this.book.over(before)
        const { nlink, ino } = fstatSync(fd)
        if (nlink === 0 && this.parted.has(ino)) this.book.over(after)
        else if (nlink === 0) this.book.violate(`written into a file that an agent had removed: ${spoken(after)}`)
      }
    }
  }

  /** Moves it out of the root, and looks what it was. */
  taken(path) {
    const aside = join(this.aside, `taken-${++this.private}`)
    renameSync(join(this.root, path), aside)
    this.gone(aside, path)
  }

  gone(aside, removedAt) {
    const text = textAt(aside)
    this.book.born('')
    this.book.over(text, removedAt)
    this.parted.add(lstatSync(aside).ino)
    unlinkSync(aside)
  }

  write(text) {
    const path = join(this.aside, `new-${++this.private}`)
    const fd = openSync(path, 'wx+')
    try {
      writeSync(fd, text, 0, 'latin1')
      // A full disk may have cut it: what was written is the version.
      this.book.born(textOf(fd))
    } catch (error) {
      unlinkSync(path)
      throw error
    } finally {
      closeSync(fd)
    }
    return path
  }

  /** renameat2 of a path outside or inside to a path in the root. */
  rename2(from, path, how) {
    const to = join(this.root, path)
    const source = this.files.openDirectory(join(from, '..'))
    try {
      const target = this.files.openDirectory(join(to, '..'))
      try {
        source.rename(from.slice(from.lastIndexOf('/') + 1), target, to.slice(to.lastIndexOf('/') + 1), how)
      } finally {
        target.close()
      }
    } finally {
      source.close()
    }
  }

  version(path) {
    return this.book.next(this.name, path, Math.floor(this.random() ** 6 * 300_000))
  }

  file() {
    return this.pick((entry) => entry.isFile())
  }

  directory() {
    return this.pick((entry) => entry.isDirectory())
  }

  pick(suits) {
    const found = []
    const visit = (path) => {
      for (const entry of readdirSync(join(this.root, path), { withFileTypes: true })) {
        if (entry.name.startsWith('.tandem') || entry.name === 'kept') continue
        const below = path === '' ? entry.name : `${path}/${entry.name}`
        if (suits(entry)) found.push(below)
        if (entry.isDirectory()) visit(below)
      }
    }
    visit('')
    return found[Math.floor(this.random() * found.length)] ?? 'none'
  }

  fresh() {
    const directories = ['']
    const visit = (path, depth) => {
      for (const entry of readdirSync(join(this.root, path), { withFileTypes: true })) {
        if (!entry.isDirectory() || entry.name.startsWith('.tandem')) continue
        const below = path === '' ? entry.name : `${path}/${entry.name}`
        directories.push(below)
        if (depth < 2) visit(below, depth + 1)
      }
    }
    visit('', 0)
    const directory = directories[Math.floor(this.random() * directories.length)]
    const name = names[Math.floor(this.random() * names.length)]
    return directory === '' ? name : `${directory}/${name}`
  }
}

function textOf(fd) {
  const bytes = Buffer.alloc(fstatSync(fd).size)
  readSync(fd, bytes, 0, bytes.length, 0)
  return bytes.toString('latin1')
}

function weighted(weights, random) {
  let at = random() * Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  for (const [key, weight] of Object.entries(weights)) {
    at -= weight
    if (at < 0) return key
  }
  throw new Error('weights sum to nothing')
}

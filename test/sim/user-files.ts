import { type AbsPath, absoluteOf, nameOf, parentOf, type RelPath, rootPath } from '../../src/core/path.js'
import { type Disk, type Mapping, user } from './disk.js'
import { failure, type Inode } from './inode.js'
import type { Machine } from './machine.js'
import { treeOf } from './tree.js'

/** A root as its users change it: by path, with the calls that programs make. Failures are FileFailures: a command that failed. */
export class UserFiles {
  constructor(
    readonly machine: Machine,
    readonly root: AbsPath,
  ) {}

  /** Paths that are there, private ones left out. */
  paths(): Map<RelPath, Inode> {
    return treeOf(this.machine, this.root)
  }

  find(path: RelPath): Inode | undefined {
    const { directory, name } = this.at(path)
    return path === rootPath ? this.machine.find(this.root) : this.machine.member(directory, name)
  }

  create(path: RelPath, text: string, mode = 0o644): void {
    const { disk, directory, name } = this.at(path)
    const inode = disk.create(directory, name, 'file', mode, user)
    if (text !== '') disk.write(inode, bytesOf(text), 0, user)
    disk.open(inode, true)
    disk.closed(inode, true, user)
  }

  /** Opens an existing file for writing in place; the descriptor follows the file wherever it goes. */
  open(path: RelPath): UserHandle {
    const inode = this.existing(path)
    if (inode.kind !== 'file') throw failure('is-directory', path, 'open')
    return new UserHandle(this.machine, inode)
  }

  /** The same by absolute path. */
  openAt(path: string): UserHandle {
    return new UserHandle(this.machine, this.machine.walk(path))
  }

  rename(path: RelPath, to: RelPath): void {
    const from = this.at(path)
    const target = this.at(to)
    if (from.disk !== target.disk) throw failure('crosses', path, 'rename')
    from.disk.rename(from.directory, from.name, target.directory, target.name, 'replace', user)
  }

  remove(path: RelPath): void {
    const { disk, directory, name } = this.at(path)
    if (this.existing(path).kind === 'directory') disk.removeDirectory(directory, name, user)
    else disk.removeFile(directory, name, user)
  }

  removeTree(path: RelPath): void {
    const inode = this.existing(path)
    if (inode.kind === 'directory') {
      const disk = inode.disk
      for (const { name, inode: member } of [...inode.entries.values()]) {
        if (member.kind === 'directory') this.emptied(member)
        if (member.kind === 'directory') disk.removeDirectory(inode, name, user)
        else disk.removeFile(inode, name, user)
      }
    }
    this.remove(path)
  }

  makeDirectory(path: RelPath, mode = 0o755): void {
    const { disk, directory, name } = this.at(path)
    disk.create(directory, name, 'directory', mode, user)
  }

  makeSymlink(path: RelPath, target: string): void {
    const { disk, directory, name } = this.at(path)
    disk.create(directory, name, 'symlink', 0o777, user, target)
  }

  setMode(path: RelPath, mode: number): void {
    const inode = this.existing(path)
    inode.disk.setMode(inode, mode, user)
  }

  setTime(path: RelPath, mtimeNs: bigint): void {
    const inode = this.existing(path)
    inode.disk.setTime(inode, mtimeNs, user)
  }

  /** Makes `path` here what it is in `from`, with everything below. */
  copyFrom(from: UserFiles, path: RelPath): void {
    if (this.find(path) !== undefined) this.removeTree(path)
    const source = from.find(path)
    if (source !== undefined) this.copy(source, path)
  }

  private copy(source: Inode, path: RelPath): void {
    // Where names fold, of two that are alike the first is copied.
    if (this.find(path) !== undefined) return
    if (source.kind === 'symlink') this.makeSymlink(path, source.target)
    else if (source.kind === 'directory') {
      this.makeDirectory(path, source.mode)
      for (const { name, inode } of source.entries.values()) this.copy(inode, `${path}/${name}` as RelPath)
    } else {
      this.create(path, Buffer.from(source.data).toString('latin1'), source.mode)
      this.setTime(path, source.mtimeNs)
    }
  }

  private emptied(directory: Inode): void {
    const disk = directory.disk
    for (const { name, inode } of [...directory.entries.values()]) {
      if (inode.kind === 'directory') this.emptied(inode)
      if (inode.kind === 'directory') disk.removeDirectory(directory, name, user)
      else disk.removeFile(directory, name, user)
    }
  }

  private existing(path: RelPath): Inode {
    const { directory, name } = this.at(path)
    const inode = this.machine.member(directory, name)
    if (inode === undefined) throw failure('absent', path, 'open')
    return inode
  }

  private at(path: RelPath): { readonly disk: Disk; readonly directory: Inode; readonly name: string } {
    const directory = this.machine.walk(absoluteOf(this.root, parentOf(path)))
    if (directory.kind !== 'directory') throw failure('not-directory', path, 'open')
    return { disk: directory.disk, directory, name: nameOf(path) }
  }
}

/** A descriptor of a user's program, open for writing, or a shared mapping of it. */
export class UserHandle {
  private readonly disk: Disk
  private readonly boot: string
  private readonly mapping: Mapping = { storedAfter: undefined }
  private open = true

  constructor(
    private readonly machine: Machine,
    private readonly inode: Inode,
  ) {
    this.disk = inode.disk
    this.boot = machine.bootId
    this.disk.open(inode, true)
  }

  get sizeBytes(): number {
    return this.inode.data.length
  }

  write(text: string, position: number): void {
    if (this.usable()) this.disk.write(this.inode, bytesOf(text), position, user)
  }

  append(text: string): void {
    this.write(text, this.inode.data.length)
  }

  truncate(sizeBytes: number): void {
    if (this.usable()) this.disk.truncate(this.inode, sizeBytes, user)
  }

  /** A store through a mapping: no longer than the file is. */
  store(text: string, position: number): void {
    if (this.usable()) this.disk.store(this.inode, bytesOf(text), position, user, this.mapping)
  }

  /** close, or munmap after it: the last writer is gone, and watchers hear so. */
  close(): void {
    if (this.usable()) this.disk.closed(this.inode, true, user)
    this.open = false
  }

  private usable(): boolean {
    return this.open && this.machine.bootId === this.boot
  }
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

import type { AbsPath } from '../../src/core/path.js'
import type { Directory, Files, Stat } from '../../src/host/files.js'
import { SimDirectory } from './directory.js'
import { failure } from './inode.js'
import type { Process } from './process.js'

/** The files of the machine as one process reaches them. Every call goes through the process, which may be dead. */
export class SimFiles implements Files {
  constructor(private readonly process: Process) {}

  openDirectory(path: AbsPath): Directory {
    this.process.enter('open-directory', path, false)
    const inode = this.process.machine.walk(path)
    if (inode.kind !== 'directory') throw failure('not-directory', path, 'open')
    return new SimDirectory(this.process, inode)
  }

  makeDirectory(path: AbsPath, mode: number): void {
    this.process.enter('make-directory', path, true)
    const { machine } = this.process
    const { directory, name } = machine.resolveParent(path)
    if (directory === undefined) throw failure('absent', path, 'mkdir')
    if (name === '') throw failure('exists', path, 'mkdir')
    directory.disk.create(directory, name, 'directory', mode, this.process.name)
  }

  realPath(path: AbsPath): AbsPath {
    this.process.enter('real-path', path, false)
    return this.process.machine.realPath(path)
  }

  statPath(path: AbsPath): Stat | undefined {
    this.process.enter('stat', path, false)
    return this.process.machine.find(path, false)?.stat()
  }
}

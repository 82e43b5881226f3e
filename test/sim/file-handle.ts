import type { Directory, FileHandle, Handed, Stat } from '../../src/host/files.js'
import { SimDirectory } from './directory.js'
import type { Disk } from './disk.js'
import { failure, type Inode } from './inode.js'
import type { Process } from './process.js'

export class SimFileHandle implements FileHandle {
  private readonly disk: Disk
  private readonly boot: string
  private readonly forgetEnd: () => void
  private open = true

  constructor(
    private readonly process: Process,
    private readonly inode: Inode,
    private readonly writing: boolean,
  ) {
    this.disk = inode.disk
    this.boot = process.machine.bootId
    this.disk.open(inode, writing)
    this.forgetEnd = process.onEnd(() => this.release())
  }

  stat(): Stat {
    this.enter('stat', false)
    return this.inode.stat()
  }

  read(into: Uint8Array, position: number): number {
    this.enter('read', false)
    if (this.inode.kind === 'directory') throw failure('is-directory', '', 'read')
    return this.disk.read(this.inode, into, position)
  }

  write(bytes: Uint8Array, position: number): void {
    this.enter('write', true)
    if (!this.writing) throw failure('io', '', 'write')
    this.disk.write(this.inode, bytes, position, this.process.name)
  }

  setMode(mode: number): void {
    this.enter('set-mode', true)
    this.disk.setMode(this.inode, mode, this.process.name)
  }

  setTime(mtimeNs: bigint): void {
    this.enter('set-time', true)
    this.disk.setTime(this.inode, mtimeNs, this.process.name)
  }

  takeOver(from: Directory, name: string): string | undefined {
    if (!(from instanceof SimDirectory)) throw new Error('a directory of another implementation')
    this.enter('take-over', true)
    const source = this.process.machine.member(from.inode, name)
    if (source === undefined) throw failure('absent', name, 'takeOver')
    if (source.uid !== this.inode.uid || source.gid !== this.inode.gid)
      this.disk.setOwner(this.inode, source.uid, source.gid, this.process.name)
    for (const [attribute, value] of source.attributes) this.inode.attributes.set(attribute, value)
    return undefined
  }

  inherit({ gid }: Handed): string | undefined {
    this.enter('inherit', true)
    if (gid !== this.inode.gid) this.disk.setOwner(this.inode, this.inode.uid, gid, this.process.name)
    return undefined
  }

  sync(): void {
    this.enter('sync-file', true)
    this.disk.sync(this.inode)
  }

  probe(): 'free' | 'busy' | 'unknown' {
    this.enter('probe', false)
    if (!this.disk.leases) return 'unknown'
    return this.inode.writers > 0 ? 'busy' : 'free'
  }

  close(): void {
    this.release()
  }

  private release(): void {
    if (!this.open) return
    this.open = false
    this.forgetEnd()
    // A power loss has closed every descriptor already.
    if (this.process.machine.bootId === this.boot) this.disk.closed(this.inode, this.writing, this.process.name)
  }

  private enter(call: string, effect: boolean): void {
    this.process.enter(call, this.inode.home?.name ?? '', effect)
    if (!this.open) throw failure('io', '', `${call} of a closed file`)
  }
}

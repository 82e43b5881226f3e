import { assert } from '../../core/assert.js'
import { BadPath } from '../../core/path.js'
import type { Directory } from '../files.js'
import { type CPath, close, cPath } from './libc.js'

/** An open descriptor and the path that it had when it was opened, for messages. */
export class Descriptor {
  constructor(
    /** -1 once closed: whatever still uses it gets EBADF. */
    public fd: number,
    readonly path: string,
  ) {}

  /** Twice is harmless. What close could say of earlier writes is known from sync. */
  close(): void {
    const fd = this.fd
    this.fd = -1
    if (fd >= 0) close(fd)
  }
}

const directories = new WeakMap<Directory, Descriptor>()

/** Lets descriptorOf find the descriptor of `directory`. */
export function register(directory: Directory, descriptor: Descriptor): void {
  directories.set(directory, descriptor)
}

/** Of a directory of this host. Another host's is a bug. */
export function descriptorOf(directory: Directory): Descriptor {
  const descriptor = directories.get(directory)
  assert(descriptor !== undefined, 'the directory is of this host')
  return descriptor
}

/** The path of a member of `directory`, for messages. */
export function memberPath(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`
}

const notOneName = /[/\0]/

/**
 * `name` for the kernel. What is not one component would lead out of the directory, so it is refused whoever checked it
 * before; its length is the kernel's to judge.
 * @throws BadPath
 */
export function cMember(name: string): CPath {
  if (name === '' || name === '.' || name === '..' || notOneName.test(name)) throw new BadPath(name, 'not one name')
  return cPath(name)
}

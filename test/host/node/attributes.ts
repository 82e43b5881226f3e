import { closeSync, openSync } from 'node:fs'
import { cPath, fgetxattr, fsetxattr } from '../../../src/host/node/libc.js'

export const ownerTag = 1
export const userTag = 2
export const groupTag = 4
export const namedGroupTag = 8
export const maskTag = 16
export const othersTag = 32

/** A POSIX ACL as the kernel has it: version 2, then entries of tag, permissions and id, in the order of their tags. */
export function aclOf(entries: readonly (readonly [tag: number, permissions: number, id?: number])[]): Buffer {
  const acl = Buffer.alloc(4 + entries.length * 8)
  acl.writeUInt32LE(2, 0)
  for (const [index, [tag, permissions, id = -1]] of entries.entries()) {
    acl.writeUInt16LE(tag, 4 + index * 8)
    acl.writeUInt16LE(permissions, 6 + index * 8)
    acl.writeInt32LE(id, 8 + index * 8)
  }
  return acl
}

/** Linux. False where the file system does not hold it. */
export function setAttribute(path: string, name: string, value: Uint8Array): boolean {
  const fd = openSync(path, 'r')
  try {
    return fsetxattr(fd, cPath(name), value, value.length, 0) === 0
  } finally {
    closeSync(fd)
  }
}

/** Linux. */
export function attributeOf(path: string, name: string): Buffer | undefined {
  const fd = openSync(path, 'r')
  try {
    const into = Buffer.alloc(64 * 1024)
    const length = fgetxattr(fd, cPath(name), into, into.length)
    return length < 0 ? undefined : into.subarray(0, length)
  } finally {
    closeSync(fd)
  }
}

import { decodeName } from '../../core/path.js'
import { checked } from './file-failure.js'
import { type CPath, readlinkat } from './libc.js'

/** The target of the symbolic link `name` of `fd`, however long. `label` is for the message. @throws FileFailure */
export function readTarget(fd: number, name: CPath, label: string): string {
  for (let size = 4096; ; size *= 4) {
    const into = Buffer.allocUnsafe(size)
    const length = checked('readlink', label, () => readlinkat(fd, name, into, size))
    // A full buffer may hold the beginning only.
    if (length < size) return decodeName(into.subarray(0, length))
  }
}

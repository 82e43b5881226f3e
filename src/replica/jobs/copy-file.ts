import { type Directory, FileFailure, type Handed, type Stat } from '../../host/files.js'
import { dropFiles } from './place.js'
import { writeSparsely } from './sparse.js'

/**
 * Copies a file that nobody changes under a new name, with mode and time, and brings it to the disk. `replaces`: the member
 * from which it takes owner, group and attributes; `lacking`: what it takes if there is none.
 * @throws FileFailure; nothing of it is then there, unless that cannot be removed
 */
export function copyFile(
  source: { readonly directory: Directory; readonly name: string },
  target: { readonly directory: Directory; readonly name: string },
  replaces: { readonly directory: Directory; readonly name: string } | undefined,
  lacking?: Handed,
): Stat {
  const from = source.directory.openFile(source.name)
  try {
    const to = target.directory.createFile(target.name, 0o600)
    try {
      const props = from.stat()
      const slice = Buffer.allocUnsafe(copyBytes)
      for (let at = 0; ; ) {
        const count = from.read(slice, at)
        if (count === 0) break
        writeSparsely(to, slice.subarray(0, count), at, at + count >= props.sizeBytes)
        at += count
      }
      if (replaces !== undefined) to.takeOver(replaces.directory, replaces.name)
      else if (lacking !== undefined) to.inherit(lacking)
      to.setMode(props.mode)
      to.setTime(props.mtimeNs)
      to.sync()
      return to.stat()
    } catch (error) {
      if (error instanceof FileFailure) dropFiles(target.directory, [target.name])
      throw error
    } finally {
      to.close()
    }
  } finally {
    from.close()
  }
}

const copyBytes = 256 * 1024

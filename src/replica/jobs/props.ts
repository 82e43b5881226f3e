import type { Props } from '../../core/content.js'
import { type AbsPath, directoryOf, nameOf } from '../../core/path.js'
import { type Directory, FileFailure, type FileHandle, type Files, type Stat } from '../../host/files.js'

/**
 * Sets properties of what stands at a name, following no link: of the very inode that was looked at, where it can be opened,
 * so that an atomic save in between keeps its own. Answers what the name holds afterwards, or undefined when that is
 * another object or another content.
 * @throws FileFailure
 */
export function setProps(parent: Directory, name: string, before: Stat, props: Props): Stat | undefined {
  const mode = props.mode !== undefined && props.mode !== before.mode ? props.mode : undefined
  const mtimeNs = props.mtimeNs !== undefined && props.mtimeNs !== before.mtimeNs ? props.mtimeNs : undefined
  const file = before.kind === 'file' ? openIfAllowed(parent, name) : undefined
  try {
    if (file !== undefined && file.stat().inode !== before.inode) return undefined
    if (mode !== undefined && before.kind !== 'symlink') {
      if (file === undefined) parent.setMode(name, mode)
      else file.setMode(mode)
    }
    if (mtimeNs !== undefined) {
      if (file === undefined) parent.setTime(name, mtimeNs)
      else file.setTime(mtimeNs)
    }
  } finally {
    file?.close()
  }
  const after = parent.statAt(name)
  const same = after?.kind === before.kind && after.inode === before.inode
  return same && (after.kind === 'directory' || after.sizeBytes === before.sizeBytes) ? after : undefined
}

/** The mode of the root directory itself, which has no name below itself. Answers its stat afterwards. */
export function setRootProps(files: Files, root: AbsPath, opened: Directory, props: Props): Stat | undefined {
  const before = opened.stat()
  if (props.mode === undefined || props.mode === before.mode) return before
  const real = files.realPath(root)
  const name = nameOf(real)
  if (name === '') throw new FileFailure('unsupported', root, 'chmod', 'ENOTSUP')
  const parent = files.openDirectory(directoryOf(real))
  try {
    const found = parent.statAt(name)
    if (found?.inode !== before.inode || found.device !== before.device) return undefined
    parent.setMode(name, props.mode)
    return opened.stat()
  } finally {
    parent.close()
  }
}

function openIfAllowed(parent: Directory, name: string): FileHandle | undefined {
  try {
    return parent.openFile(name)
  } catch (error) {
    if (!(error instanceof FileFailure) || (error.code !== 'denied' && error.code !== 'not-permitted')) throw error
    return undefined
  }
}

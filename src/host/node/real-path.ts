import { type AbsPath, absPath } from '../../core/path.js'
import { FileFailure } from '../files.js'
import { fileFailure } from './file-failure.js'
import { atFlags, cPath } from './libc.js'
import { readTarget } from './symlink.js'

/** As the kernel has it: more links on the way are a circle. */
const linksMax = 40

/** `path` without symbolic links, '.' and '..'. From the first component that is absent on it is taken as it stands. @throws FileFailure */
export function realPath(path: AbsPath): AbsPath {
  let links = 0
  let real = ''
  // Components still to be walked, the next one last.
  const ahead = path.split('/').reverse()
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      // What is before it holds no link, so its parent is that of its text.
      real = real.slice(0, Math.max(0, real.lastIndexOf('/')))
      continue
    }
    const next = `${real}/${name}`
    const target = targetOf(next)
    if (target === undefined) {
      real = next
      continue
    }
    if (++links > linksMax) throw fileFailure('realpath', path, 'ELOOP')
    if (target.startsWith('/')) real = ''
    ahead.push(...target.split('/').reverse())
  }
  return absPath(real === '' ? '/' : real)
}

/** Where `path` points to, or undefined if it is no symbolic link, or absent. */
function targetOf(path: string): string | undefined {
  try {
    return readTarget(atFlags.currentDirectory, cPath(path), path)
  } catch (error) {
    if (error instanceof FileFailure && (error.errno === 'EINVAL' || error.errno === 'ENOENT')) return undefined
    throw error
  }
}

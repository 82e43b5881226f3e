import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { shellWord } from '../core/shell-word.js'
import { ConfigFailure } from './config.js'

/** Larger is no configuration. */
const privateBytesMax = 1 << 20

/**
 * The text of a file that holds secrets or decides who may do what: a regular file, not a symbolic link, for its owner only,
 * who is this user or root, in a directory in which nobody else could exchange it. What is read is the file that was checked.
 *
 * @throws ConfigFailure 'unsafe-file' with the command that mends it; 'unreadable'
 */
export function readPrivateFile(file: string): string {
  const handle = openPrivate(file)
  try {
    const stat = fstatSync(handle)
    if (!stat.isFile()) throw new ConfigFailure('unsafe-file', `${file}: not a regular file`)
    checkOwner(file, stat.uid)
    if ((stat.mode & 0o077) !== 0)
      throw new ConfigFailure(
        'unsafe-file',
        `${file}: others may use it (mode ${octal(stat.mode)}); run: chmod 600 ${shellWord(file)}`,
      )
    checkDirectory(file)
    if (stat.size > privateBytesMax)
      throw new ConfigFailure('bad-config', `${file}: larger than ${privateBytesMax} bytes; is it the right file?`)
    return readFileSync(handle, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error) || error instanceof ConfigFailure) throw error
    throw new ConfigFailure('unreadable', `${file}: cannot be read: ${String(error.code)}`, error)
  } finally {
    closeSync(handle)
  }
}

/**
 * Writes a private file whole or not at all: the old text is there until the new one is on disk. `fresh`: there must be none yet.
 * @throws ConfigFailure 'unsafe-file' for a directory in which somebody else could exchange it; 'unreadable'
 */
export function writePrivateFile(
  file: string,
  text: string,
  { fresh = false }: { readonly fresh?: boolean } = {},
): void {
  const beside = `${file}.${process.pid}.new`
  writing(file, () => {
    try {
      writeBeside(file, beside, text)
      if (fresh) linkSync(beside, file)
      else renameSync(beside, file)
      const directory = openSync(dirname(file), 'r')
      try {
        fsyncSync(directory)
      } finally {
        closeSync(directory)
      }
    } finally {
      rmSync(beside, { force: true })
    }
  })
}

/** Finds out whether `writePrivateFile` could write the file, and leaves it as it is. @throws ConfigFailure as that would */
export function tryPrivateFile(file: string): void {
  const beside = `${file}.${process.pid}.new`
  writing(file, () => {
    try {
      writeBeside(file, beside, '\n')
    } finally {
      rmSync(beside, { force: true })
    }
  })
}

/** Makes a directory, and what leads to it, for its owner only, if it is not there. @throws ConfigFailure 'unreadable' */
export function makePrivateDirectory(path: string): void {
  writing(path, () => mkdirSync(path, { recursive: true, mode: 0o700 }))
}

/** The file that takes the name of the other one as soon as it is whole. */
function writeBeside(file: string, beside: string, text: string): void {
  checkDirectory(file)
  rmSync(beside, { force: true })
  const handle = openSync(beside, 'wx', 0o600)
  try {
    writeSync(handle, text)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** What the system refuses is told of the file that was meant. @throws ConfigFailure */
function writing(file: string, write: () => void): void {
  try {
    write()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error) || error instanceof ConfigFailure) throw error
    const why = error.code === 'EEXIST' ? 'exists already' : `cannot be written: ${String(error.code)}`
    throw new ConfigFailure('unreadable', `${file}: ${why}`, error)
  }
}

function openPrivate(file: string): number {
  try {
    // Non-blocking, so that a fifo in its place cannot hold us up.
    return openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ELOOP' || code === 'EMLINK')
      throw new ConfigFailure('unsafe-file', `${file}: a symbolic link; name the file itself`, error)
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'no permission to read it'
          : `cannot be opened: ${code}`
    throw new ConfigFailure('unreadable', `${file}: ${why}`, error)
  }
}

/** The directory that names the file. A sticky one, as /tmp, lets nobody but the owner exchange a file. */
function checkDirectory(file: string): void {
  const directory = dirname(file)
  const stat = statSync(directory)
  checkOwner(directory, stat.uid)
  if ((stat.mode & 0o022) !== 0 && (stat.mode & 0o1000) === 0)
    throw new ConfigFailure(
      'unsafe-file',
      `${file}: others may write in its directory (mode ${octal(stat.mode)}); run: chmod go-w ${shellWord(directory)}`,
    )
}

function checkOwner(path: string, uid: number): void {
  const own = process.getuid?.() ?? uid
  if (uid !== own && uid !== 0)
    throw new ConfigFailure(
      'unsafe-file',
      `${path}: belongs to user ${uid}, not to this user (${own}) or root; run: chown ${own} ${shellWord(path)}`,
    )
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}

import { chmodSync, closeSync, linkSync, mkdtempSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import type { Server } from 'node:net'
import { connect } from 'node:net'
import { basename, join } from 'node:path'

/** The kernel takes this many bytes for the name of a Unix socket, the final NUL left out. */
const nameBytesMax = process.platform === 'darwin' ? 103 : 107

/**
 * Calls `use` with a name of the socket that is short enough for the kernel: on Linux a directory with a long name is gone through by
 * its descriptor. Elsewhere a long name is given as it is, and refused.
 */
export async function withSocketName<T>(
  directory: string,
  name: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const whole = join(directory, name)
  if (Buffer.byteLength(whole) <= nameBytesMax || process.platform !== 'linux') return use(whole)
  const handle = openSync(directory, 'r')
  try {
    return await use(`/proc/self/fd/${handle}/${name}`)
  } finally {
    closeSync(handle)
  }
}

/**
 * Makes `server` listen at `directory/name`, for its owner only. The socket of a process that is dead is replaced. It is bound in a
 * directory of our own and made private there, then given its name, unless that is taken: nobody sees it half made.
 *
 * Answers how to take the name away again; undefined, and nothing is left, when a live process has it.
 * @throws what the system says, with its code
 */
export async function bindPrivately(
  server: Server,
  directory: string,
  name: string,
): Promise<(() => void) | undefined> {
  const place = join(directory, name)
  const nursery = mkdtempSync(join(directory, '.socket-'))
  try {
    // The server removes its first name when it closes, wherever that then leads: so it is one that nothing else has.
    const first = basename(nursery)
    await withSocketName(nursery, first, (path) => listening(server, path))
    const made = join(nursery, first)
    chmodSync(made, 0o600)
    while (!named(made, place)) {
      if (await isAnswered(directory, name)) {
        server.close()
        return undefined
      }
      // Left by a dead process. Away with it under another name: of two that find it, one moves it.
      moved(place, join(nursery, `old-${name}`))
    }
  } catch (error) {
    server.close()
    throw error
  } finally {
    rmSync(nursery, { recursive: true, force: true })
  }
  const own = statSync(place).ino
  return () => {
    // Unless somebody removed it and another process took its place.
    if (inodeAt(place) === own) rmSync(place, { force: true })
  }
}

/** Whether somebody answers at `directory/name`. */
export async function isAnswered(directory: string, name: string): Promise<boolean> {
  return withSocketName(directory, name, answersAt).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error) return false
    throw error
  })
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** False: the name is taken. */
function named(made: string, place: string): boolean {
  try {
    linkSync(made, place)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function moved(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

function answersAt(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => {
      const code = codeOf(error)
      // A queue that is full belongs to somebody who lives.
      if (code === 'EAGAIN') resolve(true)
      else if (code === 'ECONNREFUSED' || code === 'ENOENT' || code === 'ENOTSOCK') resolve(false)
      else reject(error)
    })
  })
}

function inodeAt(path: string): number | undefined {
  try {
    return statSync(path).ino
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'

/** Where the agent of a state directory is spoken to. */
export const controlName = 'control.sock'

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

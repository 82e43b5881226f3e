import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { absPath } from '../../core/path.js'
import type { Machine } from '../host.js'
import { cPath, onLinux, sysctlbyname } from './libc.js'
import { filesystemAt, mountsBelow } from './mounts.js'

export function nodeMachine(): Machine {
  const home = homedir()
  return {
    hostName: hostname(),
    pid: process.pid,
    bootId: readBootId() ?? `unknown-${randomUUID()}`,
    // A service without HOME, or with a useless one, has no home of its own.
    homeDirectory: absPath(home.startsWith('/') ? home : '/'),
    platform: onLinux ? 'linux' : 'macos',
    filesystemAt: onLinux ? filesystemAt : notKnown,
    mountsBelow,
  }
}

/** There is no table of mounts to read. */
function notKnown(): undefined {
  return undefined
}

/** Undefined where it is hidden. An id that is new each time is the safe guess then: no stamp is trusted across a start. */
function readBootId(): string | undefined {
  if (!onLinux) return readSystemValue('kern.bootsessionuuid')
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim() || undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined
    throw error
  }
}

function readSystemValue(name: string): string | undefined {
  const into = Buffer.alloc(256)
  const size = new BigUint64Array([BigInt(into.length)])
  if (sysctlbyname(cPath(name), into, size, null, 0) !== 0) return undefined
  const text = into.toString('latin1', 0, Number(size[0]))
  return text.replace(/\0.*$/s, '') || undefined
}

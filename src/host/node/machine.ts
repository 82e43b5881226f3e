import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { homedir, hostname, networkInterfaces, release } from 'node:os'
import { absPath } from '../../core/path.js'
import type { Machine } from '../host.js'
import { cPath, gethostuuid, onLinux, sysctlbyname } from './libc.js'
import { filesystemAt, mountsBelow } from './mounts.js'
import { processAt } from './process-at.js'

export function nodeMachine(): Machine {
  const home = homedir()
  const bootId = readBootId()
  return {
    hostName: hostname(),
    pid: process.pid,
    uid: process.geteuid?.() ?? 0,
    bootId: bootId ?? `unknown-${randomUUID()}`,
    bootKnown: bootId !== undefined,
    machineId: onLinux ? readMachineId() : readHostUuid(),
    // On macOS there is only one.
    pidNamespace: onLinux ? readLink('/proc/self/ns/pid') : 'pid',
    // A service without HOME, or with a useless one, has no home of its own.
    homeDirectory: absPath(home.startsWith('/') ? home : '/'),
    platform: onLinux ? 'linux' : 'macos',
    kernel: release(),
    filesystemAt: onLinux ? filesystemAt : notKnown,
    mountsBelow,
    networkSign,
    processAt,
  }
}

/** Interfaces that carry nothing, as without a cable, are not among them. */
function networkSign(): string {
  return JSON.stringify(networkInterfaces())
}

/** There is no table of mounts to read. */
function notKnown(): undefined {
  return undefined
}

/** Undefined where it is hidden. An id that is new each time is the safe guess then: no stamp is trusted across a start. */
function readBootId(): string | undefined {
  if (!onLinux) return readSystemValue('kern.bootsessionuuid')
  return readText('/proc/sys/kernel/random/boot_id')
}

/** See machine-id(5): 32 hex digits, or another word while the system is being set up; containers may have none. */
function readMachineId(): string | undefined {
  const text = readText('/etc/machine-id')
  return text !== undefined && /^[0-9a-f]{32}$/.test(text) ? text : undefined
}

/** See gethostuuid(3). */
function readHostUuid(): string | undefined {
  const into = Buffer.alloc(16)
  const atOnce = new BigInt64Array(2)
  return gethostuuid(into, atOnce) === 0 ? into.toString('hex') : undefined
}

function readText(path: string): string | undefined {
  return unlessHidden(() => readFileSync(path, 'latin1').trim() || undefined)
}

function readLink(path: string): string | undefined {
  return unlessHidden(() => readlinkSync(path))
}

function unlessHidden(read: () => string | undefined): string | undefined {
  try {
    return read()
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

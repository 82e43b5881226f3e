import { absPath, BadPath } from '../../core/path.js'
import { type Directory, FileFailure } from '../../host/files.js'
import type { Machine } from '../../host/host.js'
import type { LockPlace } from './lock-file.js'
import { readWhole } from './place.js'

/**
 * `owner` in a process's folder of staging: who the process is, for those who find the folder and must know whether it lives.
 * Written and synced before anything is staged, gone with the folder. JSON:
 *
 *     { "version": 1, "host", "pid", "machine", "boot", "namespace", "began",
 *       "lock": { "path", "device", "inode" } }
 *
 * What is hidden on its machine is null; device and inode are decimal texts. History: 1 the first.
 */
export interface Owner {
  /** For people. */
  readonly host: string
  readonly pid: number
  /** As in Machine. */
  readonly machine: string | undefined
  readonly boot: string | undefined
  readonly namespace: string | undefined
  /** As in ProcessFacts. */
  readonly began: string | undefined
  /** The file outside the root on which the process holds a flock as long as it uses the folder. */
  readonly lock: LockPlace
}

export const ownerName = 'owner'
/** A path of 4,096 bytes of which none is UTF-8 takes six characters for each. */
const ownerBytesMax = 65_536
const ownerVersion = 1

/** This process, which holds the lock. */
export function ownerHere(machine: Machine, lock: LockPlace): Owner {
  return {
    host: machine.hostName,
    pid: machine.pid,
    machine: machine.machineId,
    boot: bootOf(machine),
    namespace: machine.pidNamespace,
    began: machine.processAt(machine.pid)?.began,
    lock,
  }
}

export type Life = { readonly kind: 'gone' | 'alive' } | { readonly kind: 'unclear'; readonly why: string }

/**
 * Whether the owner may still use its folder. `distant`: the root is on a file system that several machines may use at once.
 * `lock` answers whether its lock is held; undefined: there is no such file here, or not that one.
 */
export function lifeOf(owner: Owner, here: Machine, distant: boolean, lock: () => 'held' | 'free' | undefined): Life {
  const boot = bootOf(here)
  const known = owner.boot !== undefined && boot !== undefined
  if (known && owner.boot !== boot) {
    // A local file system is used by one machine at a time, and that is this one, since its last boot.
    if (!distant || isSameMachine(owner, here)) return { kind: 'gone' }
    return { kind: 'unclear', why: 'that is another machine' }
  }
  const held = lock()
  if (held !== undefined) return { kind: held === 'held' ? 'alive' : 'gone' }
  if (!known) return { kind: 'unclear', why: 'the boot id of the machine is hidden' }
  if (owner.namespace === undefined || owner.namespace !== here.pidNamespace)
    return { kind: 'unclear', why: 'it counts pids of its own, as in a container' }
  const there = here.processAt(owner.pid)
  // A pid is used again; where starts are hidden it is taken for the same process.
  const began = there?.began ?? owner.began
  const isSame = there !== undefined && (owner.began === undefined || began === owner.began)
  return { kind: isSame ? 'alive' : 'gone' }
}

/** Machines that were cloned have one id; those that also have one name do not share a file system. */
function isSameMachine(owner: Owner, here: Machine): boolean {
  return owner.machine !== undefined && owner.machine === here.machineId && owner.host === here.hostName
}

/** Undefined: not to be compared. */
function bootOf(machine: Machine): string | undefined {
  return machine.bootKnown ? machine.bootId : undefined
}

/** Undefined: there is none, or one that is damaged. @throws FileFailure */
export function readOwner(own: Directory): Owner | 'newer' | undefined {
  try {
    return parseOwner(readWhole(own, ownerName, ownerBytesMax).toString('utf8'))
  } catch (error) {
    if (!(error instanceof FileFailure) || error.code !== 'absent') throw error
    return undefined
  }
}

export function writeOwner(own: Directory, owner: Owner): void {
  const file = own.createFile(ownerName, 0o600)
  try {
    file.write(Buffer.from(ownerText(owner), 'utf8'), 0)
    file.sync()
  } finally {
    file.close()
  }
  own.sync()
}

export function ownerText(owner: Owner): string {
  const { host, pid, machine, boot, namespace, began, lock } = owner
  return `${JSON.stringify({
    version: ownerVersion,
    host,
    pid,
    machine: machine ?? null,
    boot: boot ?? null,
    namespace: namespace ?? null,
    began: began ?? null,
    lock: { path: lock.path, device: `${lock.device}`, inode: `${lock.inode}` },
  })}\n`
}

/** 'newer' is a record of a later version of tandem; undefined is none: cut off by a crash, or damaged. */
export function parseOwner(text: string): Owner | 'newer' | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
  const fields = fieldsOf(value)
  if (typeof fields?.version === 'number' && fields.version > ownerVersion) return 'newer'
  if (fields?.version !== ownerVersion) return undefined
  const { host, pid, machine, boot, namespace, began } = fields
  const lock = lockIn(fields.lock)
  if (typeof host !== 'string' || typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return undefined
  if (![machine, boot, namespace, began].every((field) => field === null || typeof field === 'string')) return undefined
  if (lock === undefined) return undefined
  return {
    host,
    pid,
    machine: textIn(machine),
    boot: textIn(boot),
    namespace: textIn(namespace),
    began: textIn(began),
    lock,
  }
}

function lockIn(value: unknown): LockPlace | undefined {
  const fields = fieldsOf(value)
  if (fields === undefined) return undefined
  const { path, device, inode } = fields
  if (typeof path !== 'string' || !isNumber(device) || !isNumber(inode)) return undefined
  try {
    return { path: absPath(path), device: BigInt(device), inode: BigInt(inode) }
  } catch (error) {
    if (!(error instanceof BadPath)) throw error
    return undefined
  }
}

function fieldsOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function isNumber(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9]{1,20}$/.test(value)
}

import { readFileSync, readlinkSync } from 'node:fs'
import { type AbsPath, decodeName, type RelPath, relPath } from '../../core/path.js'
import { isDistant } from '../distant.js'

/** Links on the way, as the kernel has it. */
const linksMax = 40

/** See Machine. */
export function filesystemAt(path: string): string | undefined {
  return filesystemBy(mountsOf(readTable()), path, targetOf)
}

/** See Machine. */
export function mountsBelow(path: AbsPath): RelPath[] {
  return mountsIn(mountsOf(readTable()), path)
}

export function mountsIn(mounts: ReadonlyMap<string, string>, path: AbsPath): RelPath[] {
  const above = path === '/' ? '/' : `${path}/`
  return [...mounts.keys()]
    .filter((point) => point.startsWith(above) && point !== above)
    .map((point) => relPath(point.slice(above.length)))
}

/** Without /proc there is nobody to ask. */
function readTable(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'latin1')
  } catch (error) {
    if (error instanceof Error && 'code' in error) return ''
    throw error
  }
}

/**
 * By mount point, the type of what is mounted there last. A line of mountinfo(5):
 *
 *     36 35 98:0 /mnt1 /mnt/parent rw,noatime master:1 - ext3 /dev/root rw
 */
export function mountsOf(table: string): ReadonlyMap<string, string> {
  const mounts = new Map<string, string>()
  for (const line of table.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const point = before.split(' ')[4]
    const [type = ''] = after.split(' ')
    if (point === undefined || type === '') continue
    const path = decodeName(Buffer.from(unescaped(point), 'latin1'))
    mounts.set(path, nameOf(type))
  }
  return mounts
}

export function filesystemBy(
  mounts: ReadonlyMap<string, string>,
  path: string,
  targetAt: (path: string) => string | undefined,
): string | undefined {
  let links = 0
  let real = ''
  const ahead = path.split('/').reverse()
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    if (name === '' || name === '.') continue
    real = name === '..' ? real.slice(0, Math.max(0, real.lastIndexOf('/'))) : `${real}/${name}`
    const type = typeAt(mounts, real)
    if (type !== undefined && isDistant(type)) return type
    const target = name === '..' ? undefined : targetAt(real)
    if (target === undefined) continue
    if (++links > linksMax) return undefined
    real = target.startsWith('/') ? '' : real.slice(0, real.lastIndexOf('/'))
    ahead.push(...target.split('/').reverse())
  }
  return typeAt(mounts, real)
}

function typeAt(mounts: ReadonlyMap<string, string>, path: string): string | undefined {
  for (let at = path; ; at = at.slice(0, at.lastIndexOf('/'))) {
    const type = mounts.get(at === '' ? '/' : at)
    if (type !== undefined || at === '') return type
  }
}

function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch (error) {
    // No link, not there, or not for us: what is beyond it is found out by who opens it.
    if (error instanceof Error && 'code' in error) return undefined
    throw error
  }
}

/** Blanks and backslashes are written in octal. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

/** The names that statfs types have (see space.ts). */
function nameOf(type: string): string {
  if (type.startsWith('fuse') || type === 'virtiofs') return 'fuse'
  if (type.startsWith('nfs')) return 'nfs'
  return type.startsWith('smb') ? 'smb' : type
}

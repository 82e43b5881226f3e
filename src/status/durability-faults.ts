import type { Durability } from '../core/durability.js'
import type { Machine } from '../host/host.js'
import { syncfsTells } from '../host/syncfs.js'
import { bytesText } from './amounts.js'

/** What is known of where a root or the state directory lies. */
export interface DiskFacts {
  /** As statfs names it. */
  readonly filesystem: string
  readonly freeBytes: number
  /** Type and options of its mount, where /proc tells them. */
  readonly mount: { readonly type: string; readonly options: readonly string[] } | undefined
  /** What the root can do; undefined where it was not tried. */
  readonly abilities: { readonly exchange: boolean; readonly noReplace: boolean; readonly lease: boolean } | undefined
  readonly kernel: Machine['kernel']
  readonly platform: Machine['platform']
  /** Of an ext4; undefined where it is not told. */
  readonly journal: boolean | undefined
  /** What is asked of the root. */
  readonly durability: Durability
}

/** Why a power cut may take what tandem calls agreed, or what else is weaker there, in words; nothing where all is as promised. */
export function durabilityFaults(facts: DiskFacts): string[] {
  const { filesystem, mount, abilities, platform, journal, durability } = facts
  const faults: string[] = []
  const options = mount?.options ?? []
  const isLeftOut = options.includes('norecovery') || options.includes('noload')
  if (durability === 'process')
    faults.push(
      'durability is "process": nothing here is synced, so a power cut may take or empty what was written last',
    )
  if (filesystem === 'tmpfs' || filesystem === 'ramfs')
    faults.push(`${filesystem} is memory: nothing here outlives a power cut, whatever is synced`)
  else if (networks.has(filesystem))
    faults.push(`${filesystem} is another machine's disk: a sync is worth what that machine makes of it`)
  else if (filesystem === 'fuse') faults.push('a FUSE file system: a sync is worth what its program makes of it')
  else if (noJournal.has(filesystem) || mount?.type === 'ext2' || (journal === false && !isLeftOut))
    faults.push(`${mount?.type ?? filesystem} has no journal: a power cut in the middle of a change may damage it`)
  if (filesystem === 'overlay' && options.includes('volatile'))
    faults.push('the overlay is mounted volatile: it never syncs')
  if (options.some((option) => option === 'nobarrier' || option === 'barrier=0'))
    faults.push('it is mounted without barriers: a sync does not wait for the disk')
  if (isLeftOut) faults.push('it is mounted without its journal')
  if (filesystem !== 'tmpfs' && !syncfsTells(facts))
    faults.push(
      'this kernel, before 5.8, does not tell of what went wrong when all is synced at once: files are synced one by one, which takes longer',
    )
  if (platform === 'macos')
    faults.push('this system has no syncfs: what is synced file by file is told, the rest is not')
  if (abilities?.exchange === false)
    faults.push('it cannot exchange two names in one step: a file that is replaced is absent for an instant')
  if (abilities?.noReplace === false)
    faults.push('it cannot rename without replacing: no file can be published safely, and none will be')
  if (abilities?.lease === false)
    faults.push('it tells nobody of open files: what was replaced is looked at once more after a minute')
  return faults
}

/** '12.3 GiB free on ext (ext4, rw,relatime)' */
export function diskText({ filesystem, freeBytes, mount }: DiskFacts): string {
  const how = mount === undefined ? '' : ` (${[mount.type, mount.options.join(',')].join(', ')})`
  return `${bytesText(freeBytes)} free on ${filesystem}${how}`
}

const networks: ReadonlySet<string> = new Set(
  'nfs smb cifs 9p ceph afs coda lustre gpfs gfs2 ocfs2 vboxsf vmhgfs'.split(' '),
)
const noJournal: ReadonlySet<string> = new Set(['vfat', 'exfat'])

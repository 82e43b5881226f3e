import { readFileSync, readlinkSync } from 'node:fs'

/**
 * Whether the ext4 on the device (see Stat) has a journal; undefined for another file system, and where sysfs does not tell. Any
 * user may ask: `journal_task` is the pid of the journal's thread, or '<none>'.
 */
export function hasJournal(device: bigint): boolean | undefined {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn)
  try {
    const name = readlinkSync(`/sys/dev/block/${major}:${minor}`).split('/').at(-1)
    return readFileSync(`/sys/fs/ext4/${name}/journal_task`, 'latin1').trim() !== '<none>'
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined
    throw error
  }
}

import type { Stat } from '../../host/files.js'
import type { IndexRecord, RecordFields } from '../../index/record.js'

export type Probe = 'free' | 'busy' | 'unknown'

/** A change within one tick of the file system's clock leaves the stamp as it is; ticks are 1 to 10 ms. */
const tickNs = 20_000_000n
/** Some file systems know whole seconds only (ext3, HFS+, many servers). */
const coarseNs = 2_000_000_000n
/** Where no lease tells that nobody is writing: a writer seldom pauses for longer. */
const unleasedNs = 2_000_000_000n

/** Whether the bytes may have changed since without moving the stamp. `wallNs`: before they were read. */
export function isRacy(stat: Stat, wallNs: bigint, probe: Probe): boolean {
  if (probe === 'busy') return true
  const ageNs = wallNs - stat.ctimeNs
  return probe === 'unknown' ? ageNs < unleasedNs : isYoung(stat, ageNs)
}

/** The same for a file that we staged: no write of a user can have left both times as they are, unless both are fresh. */
export function isStagedRacy(stat: Stat, wallNs: bigint): boolean {
  return isYoung(stat, wallNs - stat.mtimeNs) && isYoung(stat, wallNs - stat.ctimeNs)
}

/** Too young for its clock to tell what came after. Most files are too old for that by any clock. */
function isYoung(stat: Stat, ageNs: bigint): boolean {
  return ageNs < coarseNs && ageNs < granularityOf(stat)
}

/**
 * How far a time of a file may lie behind the clock of the moment it tells of. One of whole seconds may have been cut to them: where
 * it was not, it is taken for coarser than it is.
 */
export function granularityOf({ ctimeNs }: Stat): bigint {
  return ctimeNs % 1_000_000_000n === 0n ? coarseNs : tickNs
}

/** The same object with the same bytes and properties, as far as lstat tells. A rename moves ctime, so it is left out. */
export function sameObject(one: Stat, other: Stat): boolean {
  return (
    one.kind === other.kind &&
    one.inode === other.inode &&
    one.device === other.device &&
    one.sizeBytes === other.sizeBytes &&
    one.mtimeNs === other.mtimeNs &&
    one.mode === other.mode
  )
}

/** Not touched at all in between. */
export function sameStamp(one: Stat, other: Stat): boolean {
  return sameObject(one, other) && one.ctimeNs === other.ctimeNs
}

/** Whether the record was taken from this very stamp; the device is not part of it (it changes with a boot). */
export function isStampOf(record: RecordFields, stat: Stat): boolean {
  return (
    record.kind === stat.kind &&
    record.inode === stat.inode &&
    record.birthNs === stat.birthNs &&
    record.sizeBytes === stat.sizeBytes &&
    record.mtimeNs === stat.mtimeNs &&
    record.ctimeNs === stat.ctimeNs &&
    record.mode === stat.mode
  )
}

/** The same directory, whatever happened to its properties and members. */
export function sameDirectory(record: RecordFields, stat: Stat): boolean {
  return record.kind === 'directory' && record.inode === stat.inode && record.birthNs === stat.birthNs
}

/** The fields of a record that lstat gives. */
export function fieldsOf(
  stat: Stat,
  { fingerprint, target, racy }: Pick<RecordFields, 'fingerprint' | 'target' | 'racy'>,
): RecordFields {
  return {
    kind: stat.kind,
    mode: stat.mode,
    inode: stat.inode,
    birthNs: stat.birthNs,
    sizeBytes: stat.sizeBytes,
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
    boundary: false,
    problem: undefined,
    fingerprint,
    target,
    racy,
  }
}

/** Whether two reads of the index gave one record. */
export function sameRecord(one: IndexRecord | undefined, other: IndexRecord | undefined): boolean {
  return one?.sequence === other?.sequence && one?.ctimeNs === other?.ctimeNs && one?.fingerprint === other?.fingerprint
}

import type { FileHandle, Stat } from '../../host/files.js'

/**
 * Whether a stamp may fail to tell of a change to come: it was taken within the clock's granularity of a change, or while
 * somebody could still write (a store into a dirty mapped page moves no time). A racy stamp is never trusted: the file is
 * read again at CLOSE_WRITE and by the next full scan.
 *
 * Of a file that we staged, the mtime is the source's, and a later write moves it: there both times must be recent.
 */
export function isRacy(stat: Stat, nowNs: bigint, probe: ReturnType<FileHandle['probe']>, staged: boolean): boolean {
  if (probe === 'busy') return true
  const recent = (timeNs: bigint, withinNs: bigint) => timeNs > nowNs - withinNs
  const within = probe === 'unknown' ? unprobedNs : granularityNs
  if (staged) return recent(stat.ctimeNs, within) && recent(stat.mtimeNs, within)
  return recent(stat.ctimeNs, within)
}

/** Coarser than the tick of any kernel's clock for files (4 to 10 ms). */
const granularityNs = 20_000_000n
/** Where no lease can tell, the coarsest file systems decide (2 s on exFAT). */
const unprobedNs = 2_000_000_000n

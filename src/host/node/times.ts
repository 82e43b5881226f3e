import { timeOmit } from './libc.js'

const nsPerSecond = 1_000_000_000n
// Seconds and nanoseconds of atime, then of mtime. The kernel has read them before the next call fills them.
const times = new BigInt64Array([0n, timeOmit, 0n, 0n])

/** For utimensat and futimens: atime is left alone. Before 1970 the seconds are negative and the nanoseconds are not. */
export function timesOf(mtimeNs: bigint): BigInt64Array {
  const left = mtimeNs % nsPerSecond
  const rest = left < 0n ? left + nsPerSecond : left
  times[2] = (mtimeNs - rest) / nsPerSecond
  times[3] = rest
  return times
}

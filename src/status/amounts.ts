/** '0 bytes', '1 byte', '12.3 KiB': three digits that count. */
export function bytesText(bytes: number): string {
  if (bytes === 1) return '1 byte'
  if (bytes < 1024) return `${bytes} bytes`
  let value = bytes
  let unit = -1
  // 1023.95 would be shown as 1024.0 of the smaller unit.
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value.toFixed(1)} ${units[unit] ?? ''}`
}

const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** ', mode 0644', or nothing where it is unknown. */
export function modeText(mode: number | undefined): string {
  return mode === undefined ? '' : `, mode ${mode.toString(8).padStart(4, '0')}`
}

/** ', 2026-01-31 12:00:00.000000000' in local time, or nothing where it is unknown. */
export function stampText(mtimeNs: bigint | undefined): string {
  if (mtimeNs === undefined) return ''
  const nanosPart = nanosOf(mtimeNs)
  const date = secondText(mtimeNs)
  return date === undefined ? `, ${mtimeNs} ns since 1970` : `, ${date}.${String(nanosPart).padStart(9, '0')}`
}

/** '2026-01-31 12:00:00' in local time; undefined for a time that no calendar has. */
export function secondText(mtimeNs: bigint): string | undefined {
  const date = new Date(Number((mtimeNs - nanosOf(mtimeNs)) / 1_000_000n))
  if (Number.isNaN(date.getTime())) return undefined
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function nanosOf(mtimeNs: bigint): bigint {
  return ((mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
}

/** '12 ms', '3.4 s', '12 s', '2 min 5 s', '3 h 20 min'. */
export function durationText(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`
  if (durationMs < 60_000) {
    // 59.96 would be shown as 60.0.
    const tenths = Math.min(599, Math.round(durationMs / 100))
    return tenths % 10 === 0 ? `${tenths / 10} s` : `${(tenths / 10).toFixed(1)} s`
  }
  const seconds = Math.round(durationMs / 1000)
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`
}

/** 1,234,567 */
export function countOf(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

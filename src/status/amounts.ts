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
  const nanosPart = ((mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const date = new Date(Number((mtimeNs - nanosPart) / 1_000_000n))
  if (Number.isNaN(date.getTime())) return `, ${mtimeNs} ns since 1970`
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `, ${day} ${time}.${String(nanosPart).padStart(9, '0')}`
}

/** '12 ms', '3.4 s', '2 min 5 s'. */
export function durationText(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`
  if (durationMs < 60_000) return `${(durationMs / 1000).toFixed(1)} s`
  const seconds = Math.round(durationMs / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

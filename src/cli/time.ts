import { durationOf } from '../config/amounts.js'

/**
 * A moment as a person writes it, in nanoseconds since 1970: '2026-11-22 14:30:12.345', with less behind it or with a T and Z,
 * '14:30' of today, or '2h' for two hours ago. Local time unless a Z says UTC. undefined: it is none.
 */
export function momentOf(text: string, nowMs: number): bigint | undefined {
  const agoMs = durationOf(text)
  if (agoMs !== undefined && agoMs > 0) return nanos(nowMs - agoMs)
  const parts = /^(?:(\d{4})-(\d\d)-(\d\d))?(?:(?:^|[ T])(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?)?(Z)?$/.exec(
    text.trim(),
  )
  if (parts === null) return undefined
  const [, year, month, day, hours, minutes, seconds, millis, utc] = parts
  if (year === undefined && hours === undefined) return undefined
  const now = new Date(nowMs)
  const date: [number, number, number] =
    year === undefined
      ? utc === undefined
        ? [now.getFullYear(), now.getMonth(), now.getDate()]
        : [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()]
      : [Number(year), Number(month) - 1, Number(day)]
  const time: [number, number, number, number] = [
    Number(hours ?? 0),
    Number(minutes ?? 0),
    Number(seconds ?? 0),
    Number((millis ?? '').padEnd(3, '0')),
  ]
  const atMs = utc === undefined ? new Date(...date, ...time).getTime() : Date.UTC(...date, ...time)
  const read = new Date(atMs)
  // A 30th of February is refused, not moved on.
  const isSame = utc === undefined ? read.getDate() === date[2] : read.getUTCDate() === date[2]
  return Number.isNaN(atMs) || !isSame || time[0] > 23 || time[1] > 59 || time[2] > 59 ? undefined : nanos(atMs)
}

/** '2026-11-22 14:30:12.345' in local time: what momentOf reads. */
export function momentText(wallNs: bigint): string {
  const date = new Date(Number(wallNs / 1_000_000n))
  const pad = (value: number, digits = 2) => String(value).padStart(digits, '0')
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`
}

function nanos(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n
}

import { expect, test } from 'vitest'
import { momentOf, momentText } from '../../src/cli/time.js'

const now = new Date(2026, 10, 22, 18, 30, 0, 0).getTime()
const local = (...parts: [number, number, number, number?, number?, number?, number?]) => new Date(...parts).getTime()

const rows: [text: string, ms: number | undefined][] = [
  ['2026-11-22 14:30:12.345', local(2026, 10, 22, 14, 30, 12, 345)],
  ['2026-11-22T14:30:12.3', local(2026, 10, 22, 14, 30, 12, 300)],
  ['2026-11-22 14:30', local(2026, 10, 22, 14, 30)],
  ['2026-11-22', local(2026, 10, 22)],
  ['14:30', local(2026, 10, 22, 14, 30)],
  ['2026-11-22T14:30:12Z', Date.UTC(2026, 10, 22, 14, 30, 12)],
  ['2h', now - 7_200_000],
  ['30d', now - 30 * 86_400_000],
  ['2026-02-30', undefined],
  ['25:00', undefined],
  ['14:60', undefined],
  ['yesterday', undefined],
  ['', undefined],
  ['Z', undefined],
]

test.each(rows)('%j', (text, ms) => {
  expect(momentOf(text, now)).toBe(ms === undefined ? undefined : BigInt(ms) * 1_000_000n)
})

test('what is shown can be given', () => {
  const ns = BigInt(now) * 1_000_000n + 345_000_000n
  expect(momentOf(momentText(ns), 0)).toBe(ns)
})
